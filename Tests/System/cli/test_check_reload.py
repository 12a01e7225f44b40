"""What `evertoken check` would find, the daemon finds at its start and at every reload: status says
it at once, long before a refresh would meet it, and no longer once it is mended."""

import os

from evertest.basics import wait_until
from evertest.programs import ProgramCase, write_private, write_program
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.9)


class ReloadFindingsTest(ProgramCase):
    def setUp(self):
        super().setUp()
        self.secret = write_private(self.directory / "secret", "secret-of-crm")
        # One refresh token throughout: a reload changes nothing else, and asks for no refresh.
        self.own = self.credential("crm", client_secret={"file": str(self.secret)})

    def entry(self, **more):
        return self.own | more

    def warnings(self, daemon):
        return daemon.credentials()["crm"]["warnings"]

    def running(self, **more):
        daemon = self.daemon({"crm": self.entry(**more)})
        daemon.wait_for("crm", "fresh")
        self.assertEqual(self.warnings(daemon), [])
        return daemon

    def test_a_secret_that_a_reload_makes_unreadable_is_told_while_the_token_is_fresh(self):
        daemon = self.running()
        missing = self.directory / "missing"
        daemon.configure(self.config(
            {"crm": self.entry(client_secret={"file": str(missing)}),
             "other": self.credential("other")}))
        done = daemon.evertoken("reload")
        self.assert_exit(done, 0, "warning: crm.client_secret: %s does not exist" % missing)
        entry = daemon.credentials()["crm"]
        self.assertEqual(entry["state"], "fresh")
        told, = entry["warnings"]
        self.assertIn("client_secret: %s does not exist; create it: install " % missing, told)
        self.assertEqual(daemon.credentials()["other"]["warnings"], [])
        self.assertIn("A setting cannot work, or has no effect", daemon.stderr())
        write_private(missing, "secret-of-crm")
        self.assert_exit(daemon.evertoken("reload"), 0)
        self.assertEqual(self.warnings(daemon), [])

    def test_what_is_mended_is_seen_within_the_minute_without_a_reload(self):
        hook = self.directory / "hook"
        daemon = self.running()
        daemon.reconfigure(self.config(
            {"crm": self.entry(on_change=[{"exec": [str(hook)]}])}))
        self.assertIn("on_change[0]: %s does not exist" % hook, self.warnings(daemon)[0])
        write_program(hook, "#!/bin/sh")
        wait_until(lambda: not self.warnings(daemon), 150, "the warning to vanish", daemon, pause=1)

    def test_what_a_refresh_has_used_is_trouble_no_more(self):
        self.secret.unlink()
        daemon = self.daemon({"crm": self.entry()})
        wait_until(lambda: self.warnings(daemon), 20, "the warning", daemon)
        write_private(self.secret, "secret-of-crm")
        daemon.wait_for("crm", "fresh", 60)
        wait_until(lambda: not self.warnings(daemon), 20, "the warning to vanish", daemon)

    def test_settings_without_effect_are_told_and_hold_nothing_up(self):
        daemon = self.daemon({"crm": self.entry(scope="read")})
        daemon.wait_for("crm", "fresh")
        self.assertEqual(self.warnings(daemon), [
            'scope: has no effect: provider "as" never sends it; remove it, or name it in the '
            "provider's request"])

    def test_a_file_of_authorities_that_is_none_is_told_at_every_credential(self):
        daemon = self.daemon({"crm": self.entry(), "two": self.credential("two")},
                             ca_file=str(self.secret))
        for name in ("crm", "two"):
            told = wait_until(lambda: daemon.credentials()[name]["warnings"], 20, "it", daemon)
            self.assertIn("holds no certificate in PEM", told[0])
        self.assertNotIn("secret-of-crm", daemon.stderr())

    def test_a_fifo_holds_nothing_up(self):
        fifo = self.directory / "fifo"
        os.mkfifo(fifo)
        daemon = self.running()
        daemon.reconfigure(self.config({"crm": self.entry(client_secret={"file": str(fifo)})}))
        self.assertIn("is not a regular file", self.warnings(daemon)[0])

    def test_paths_that_nothing_can_start_with_are_refused_by_a_reload(self):
        daemon = self.running()
        long = "/" + "x" * 60 + "/" + "y" * 60
        for more, told in (({"control_socket": long}, "longer than 107 bytes"),
                           ({"control_socket": "d" * 100}, "a socket's path may have 107"),
                           ({"token_dir": "same", "state_dir": "same"}, "is state_dir too")):
            with self.subTest(told):
                daemon.configure(self.config({"crm": self.entry()}, **more))
                self.assert_exit(daemon.evertoken("reload"), os.EX_CONFIG, told)
                self.assertEqual(self.warnings(daemon), [])
