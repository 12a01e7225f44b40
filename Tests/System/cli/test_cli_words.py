"""What commands say and with what they end: permission, names, times that cannot be met, and the
mistakes of a refused reload."""

import json
import os
import time

from evertest.programs import ProgramCase, evertoken
from evertest.suite import Suite
from evertest.terminals import on_terminal

SUITE = Suite(timed=True, minutes=0.3)

NOBODY = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups")


class PermissionTest(ProgramCase):
    def open(self, daemon):
        """Lets other users come as far as the socket."""
        self.directory.chmod(0o711)
        daemon.directory.chmod(0o711)

    def test_a_user_who_may_not_is_told_so_and_not_to_start_the_daemon(self):
        daemon = self.fresh_daemon("crm", control={"group": "daemon", "mode": "0660"})
        self.open(daemon)
        for words in (["status"], ["token", "crm"], ["refresh", "crm"], ["reload"],
                      ["forget", "crm", "--yes"], ["accept", "crm", "--yes"]):
            with self.subTest(words):
                done = daemon.evertoken(*words, prefix=NOBODY)
                self.assert_exit(
                    done, os.EX_NOPERM, "you may not use %s; run it with sudo, or have an "
                    "administrator add you to the group daemon" % daemon.socket)
                self.assertNotIn("start", done.stderr)

    def test_a_socket_that_no_group_opens_names_none(self):
        daemon = self.fresh_daemon("crm", control={"mode": "0600"})
        self.open(daemon)
        done = daemon.evertoken("status", prefix=NOBODY)
        self.assert_exit(done, os.EX_NOPERM, "run it with sudo\n")
        self.assertNotIn("group", done.stderr)

    def test_a_socket_in_a_private_directory_names_no_group(self):
        self.directory.chmod(0o711)
        daemon = self.fresh_daemon("crm")
        done = daemon.evertoken("status", prefix=NOBODY)
        self.assert_exit(done, os.EX_NOPERM, "you may not use", "run it with sudo\n")
        self.assertNotIn("group", done.stderr)

    def test_a_configuration_that_this_user_may_not_read(self):
        daemon = self.fresh_daemon("crm")
        self.open(daemon)
        done = evertoken("status", "--config", str(daemon.config_file), prefix=NOBODY)
        self.assert_exit(done, os.EX_NOPERM, "you may not read %s" % daemon.config_file, "sudo")

    def test_where_none_runs_it_is_told_to_start_one(self):
        self.assert_exit(evertoken("status", socket=self.directory / "none.sock"),
                         os.EX_UNAVAILABLE, "systemctl start evertoken")


class NamesTest(ProgramCase):
    def test_refresh_takes_several_names_and_globs(self):
        daemon = self.fresh_daemon("crm", "google-ads", "google-mail")
        done = daemon.evertoken("refresh", "goog*", "crm", "--wait")
        self.assert_exit(done, 0)
        self.assertEqual(done.stdout.splitlines(), [
            "google-ads: refreshed", "google-mail: refreshed", "crm: refreshed"])
        self.assertEqual(len(self.server.exchanges()), 6)
        done = daemon.evertoken("refresh", "crm")
        self.assertEqual(done.stdout, "crm: refresh requested; see evertoken status crm\n")

    def test_a_name_that_means_nothing_changes_nothing(self):
        daemon = self.fresh_daemon("crm")
        for words, text in ((["nosuch"], 'no credential "nosuch"; configured: crm'),
                            (["crm", "crn"], 'no credential "crn"; did you mean crm?'),
                            (["goog*"], 'no credential matches "goog*"; configured: crm')):
            with self.subTest(words):
                self.assert_exit(daemon.evertoken("refresh", *words), os.EX_DATAERR, text)
        self.assert_exit(daemon.evertoken("token", "crn"), os.EX_DATAERR, "did you mean crm?")
        self.assert_exit(daemon.evertoken("refresh"), os.EX_USAGE, "--all")
        self.assert_exit(daemon.evertoken("refresh", "crm", "--all"), os.EX_USAGE)
        self.assertEqual(len(self.server.exchanges()), 1)

    def test_a_duration_without_a_unit_is_told_with_one(self):
        for words in (["token", "crm", "--min-ttl", "5"], ["wait", "crm", "--timeout", "5"],
                      ["login", "crm", "--timeout", "5"]):
            with self.subTest(words):
                self.assert_exit(evertoken(*words), os.EX_USAGE,
                                 '"5" has no unit; write 5s or 5m')


class FloorTest(ProgramCase):
    def credential(self, name, **more):
        return super().credential(name, **more) | {"refresh": {"min_interval": "6s"}}

    def test_who_waits_at_a_terminal_reads_for_what(self):
        daemon = self.fresh_daemon("crm")
        done = on_terminal("refresh", "crm", "--wait", socket=daemon.socket)
        self.assert_exit(done, 0)
        self.assertRegex(done.stderr, r"crm: waiting \d s \(min_interval 6 s\)")
        # A script does not.
        done = daemon.evertoken("refresh", "crm", "--wait")
        self.assertEqual((done.stdout, done.stderr), ("crm: refreshed\n", ""))


class MinimumLifeTest(ProgramCase):
    lifetime = 600

    def test_what_no_token_lasts_is_refreshed_once_and_said(self):
        daemon = self.fresh_daemon("crm")
        first = daemon.file("crm/token")
        time.sleep(0.7)  # min_interval
        note = "crm: its tokens live 10 min, less than the 11 min asked for\n"
        done = daemon.evertoken("token", "crm", "--min-ttl", "11m")
        self.assert_exit(done, 0)
        self.assertEqual(done.stderr, note)
        self.assertNotEqual(done.stdout.strip(), first)
        self.assertEqual(done.stdout.strip(), daemon.file("crm/token"))
        self.assertEqual(len(self.server.exchanges()), 2)
        time.sleep(0.7)
        again = daemon.evertoken("token", "crm", "--min-ttl", "11m", "--strict")
        self.assert_exit(again, os.EX_TEMPFAIL)
        self.assertEqual((again.stdout, again.stderr), (done.stdout, note))
        self.assertEqual(len(self.server.exchanges()), 2, "more than one refresh for one token")
        code, body = daemon.request("GET", "/v1/credentials/crm/token?min_ttl=660")
        self.assertEqual((code, body["min_ttl"]["met"], body["min_ttl"]["lifetime"]),
                         (200, False, 600))

    def test_what_can_be_met_says_nothing(self):
        daemon = self.fresh_daemon("crm")
        for words in ([], ["--min-ttl", "5m"], ["--min-ttl", "5m", "--strict"]):
            done = daemon.evertoken("token", "crm", *words)
            self.assert_exit(done, 0)
            self.assertEqual(done.stderr, "")
        self.assertNotIn("min_ttl", daemon.evertoken("token", "crm", "--json").stdout)
        self.assertEqual(len(self.server.exchanges()), 1)

    def test_a_shorter_token_of_a_silent_provider_is_told_as_such(self):
        daemon = self.daemon({"crm": self.credential("crm")})
        daemon.wait_for("crm", "fresh")
        self.server.stop()
        done = daemon.evertoken("token", "crm", "--min-ttl", "601s", "--strict")
        self.assert_exit(done, os.EX_TEMPFAIL, "600 s", "601 s")


class ReloadMistakesTest(ProgramCase):
    def test_one_head_and_a_line_for_each_mistake_from_the_top(self):
        daemon = self.fresh_daemon("crm")
        config = json.loads(daemon.config_file.read_text())
        config["credentials"]["crm"] |= {"client_idd": "x",
                                         "refresh": {"at": "0.8", "min_interval": "5"}}
        config["max_in_flight"] = 0
        daemon.config_file.write_text(json.dumps(config, indent=2))
        done = daemon.evertoken("reload")
        self.assert_exit(done, os.EX_CONFIG)
        lines = done.stderr.splitlines()
        self.assertEqual(lines[0],
                         "evertoken: the new configuration has mistakes; the old one stays")
        self.assertEqual(lines[1], str(daemon.config_file))
        self.assertEqual(lines[-1], "Run: evertoken check; then evertoken reload")
        places = [tuple(map(int, line.split()[0].split(":"))) for line in lines[2:-1]]
        self.assertEqual(places, sorted(places))
        self.assertEqual(len(places), 4, done.stderr)
        self.assertEqual(done.stderr.count(str(daemon.config_file)), 1)
        self.assertIn('refresh.at: "0.8" is not a percentage; write "80%"', done.stderr)
        self.assertIn('refresh.min_interval: "5" has no unit; write "5s"', done.stderr)
