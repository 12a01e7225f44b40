"""`forget` and `accept` ask first, report the result, and never cause a spent refresh token to be
sent. The server detects it: a spent token ends the whole sign-in."""

import os
import shutil
import stat
import subprocess

from evertest.basics import wait_until
from evertest.programs import ProgramCase, evertoken, write_private
from evertest.servers.token_server import TokenServer
from evertest.state_layout import slot_files, spent_file
from evertest.suite import Suite
from evertest.terminals import on_terminal

SUITE = Suite(timed=True, minutes=0.1)


class StateCase(ProgramCase):
    def spent(self, *names):
        """A daemon with these credentials, each of whose initial tokens has been rotated."""
        self.seeds = {}
        entries = {}
        for name in names:
            entry = self.credential(name)
            seed = write_private(self.directory / (name + ".seed"), entry["refresh_token"])
            self.seeds[name] = seed
            entries[name] = entry | {"refresh_token": {"file": str(seed)}}
        daemon = self.daemon(entries)
        for name in names:
            daemon.wait_for(name, "fresh")
        return daemon

    def sent(self, name="crm"):
        return len(self.server.exchanges(name))

    def trace(self, daemon, name="crm"):
        return spent_file(daemon.state, name)


class ForgetTest(StateCase):
    def test_on_a_terminal_it_asks_and_only_the_name_erases(self):
        daemon = self.spent("crm")
        question = ('This erases the refresh token of crm, which is fresh. It cannot be recovered. '
                    'Type "crm" to erase:')
        slots = {p: p.read_bytes() for p in slot_files(daemon.state / "crm")}
        for answer in ("", "yes", "y", "mail", "CRM"):
            with self.subTest(answer):
                done = on_terminal("forget", "crm", socket=daemon.socket, question=question,
                                   answer=answer)
                self.assert_exit(done, os.EX_DATAERR, question, "nothing was changed")
        self.assertEqual({p: p.read_bytes() for p in slot_files(daemon.state / "crm")}, slots)
        done = on_terminal("forget", "crm", socket=daemon.socket, question=question, answer="crm")
        self.assert_exit(done, 0, "not sent again")
        self.assertEqual(done.stdout, "crm: forgotten\n")
        daemon.wait_for("crm", "login_required")

    def test_without_a_terminal_it_needs_yes_and_a_dry_run_only_looks(self):
        daemon = self.spent("crm")
        self.assert_exit(daemon.evertoken("forget", "crm"), os.EX_USAGE, "--yes", "--dry-run")
        self.assert_exit(daemon.evertoken("forget", "crm", text="crm\n"), os.EX_USAGE)
        done = daemon.evertoken("forget", "crm", "--dry-run")
        self.assert_exit(done, 0)
        self.assertEqual(done.stdout, "crm: would erase the refresh token\n")
        self.assertEqual(daemon.credentials()["crm"]["state"], "fresh")
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        self.assert_exit(daemon.evertoken("forget", "crm", "--yes"), 0)
        for _ in range(2):
            done = daemon.evertoken("forget", "crm", "--yes")
            self.assert_exit(done, 0)
            self.assertEqual(done.stdout, "crm: nothing was stored\n")
        self.assertEqual(daemon.evertoken("forget", "never-there").stdout,
                         "never-there: nothing was stored\n")

    def test_the_spent_initial_token_is_not_sent_again_until_there_is_a_new_one(self):
        daemon = self.spent("crm")
        sent = self.sent()
        self.assert_exit(daemon.evertoken("forget", "crm", "--yes"), 0)
        entry = daemon.wait_for("crm", "login_required")
        self.assertIn("is spent", entry["last_error"]["problem"])
        self.assertIn("evertoken import crm", entry["last_error"]["remedy"])
        daemon.evertoken("refresh", "crm", "--wait")
        daemon.evertoken("reload")
        daemon.restart()
        daemon.wait_for("crm", "login_required")
        self.assertEqual(self.sent(), sent)
        about = self.trace(daemon).stat()
        self.assertEqual((stat.S_IMODE(about.st_mode), about.st_uid), (0o600, os.geteuid()))
        self.assertNotIn(self.seeds["crm"].read_text(), self.trace(daemon).read_text())
        # The old token is still one that lives for the server: nothing was revoked.
        self.assertIsNotNone(self.server.live_refresh_token("crm"))
        write_private(self.seeds["crm"], self.server.grant("crm", "secret-of-crm"))
        daemon.evertoken("reload")
        daemon.wait_for("crm", "fresh")
        # Going back to the first one is no new sign-in.
        first = self.server.exchanges("crm")[0].refresh_token
        write_private(self.seeds["crm"], first)
        sent = self.sent()
        daemon.evertoken("reload")
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        self.assertEqual(self.sent(), sent + 1)
        self.assertIsNotNone(self.server.live_refresh_token("crm"))

    def test_all_traces_go_when_a_person_wants_it(self):
        daemon = self.spent("crm")
        self.assert_exit(daemon.evertoken("forget", "crm", "--yes"), 0)
        self.assertTrue(self.trace(daemon).exists())
        done = daemon.evertoken("forget", "crm", "--all-traces", "--dry-run")
        self.assertEqual(done.stdout, "crm: would erase the record of spent refresh tokens\n")
        self.assert_exit(daemon.evertoken("forget", "crm", "--all-traces"), os.EX_USAGE)
        sent = self.sent()
        self.assert_exit(daemon.evertoken("forget", "crm", "--all-traces", "--yes"), 0)
        self.assertFalse(self.trace(daemon).exists())
        wait_until(lambda: self.sent() == sent + 1, 20, "the configured one to be sent", daemon)

    def test_it_works_while_no_daemon_runs(self):
        daemon = self.spent("crm")
        sent = self.sent()
        self.assertEqual(daemon.terminate(), 0)
        config = ("--config", str(daemon.config_file))
        self.assert_exit(evertoken("forget", "crm", *config), os.EX_USAGE, "--yes")
        done = evertoken("forget", "crm", "--yes", *config)
        self.assert_exit(done, 0, "without a daemon")
        self.assertEqual(done.stdout, "crm: forgotten\n")
        self.assertFalse((daemon.state / "crm").exists())
        self.assertEqual(evertoken("forget", "crm", "--yes", *config).stdout,
                         "crm: nothing was stored\n")
        daemon.start()
        daemon.wait_for("crm", "login_required")
        self.assertEqual(self.sent(), sent)

    def test_a_stored_token_of_one_that_is_not_configured(self):
        daemon = self.spent("crm", "mail")
        daemon.reconfigure(self.config({}))
        question = "This erases the refresh token of crm, which is not configured."
        done = on_terminal("forget", "crm", socket=daemon.socket, question=question, answer="crm")
        self.assert_exit(done, 0, question)
        self.assertFalse((daemon.state / "crm").exists())
        self.assertTrue((daemon.state / "mail").exists())


class StaticForgetTest(StateCase):
    def make_server(self):
        return TokenServer(rotate=False)

    def test_a_token_that_does_not_rotate_is_adopted_again(self):
        daemon = self.spent("crm")
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        sent = self.sent()
        done = daemon.evertoken("forget", "crm", "--yes")
        self.assertEqual((done.stdout, done.stderr), ("crm: forgotten\n", ""))
        self.assertFalse(self.trace(daemon).exists())
        wait_until(lambda: self.sent() > sent, 20, "its use", daemon)
        daemon.wait_for("crm", "fresh")


class AcceptTest(StateCase):
    def quarantined(self, *names, rotations=0):
        """A daemon on a copy of its state, made before so many rotations of each."""
        daemon = self.spent(*names)
        copy = self.directory / "backup"
        subprocess.run(["cp", "-a", daemon.state, copy], check=True)
        for _ in range(rotations):
            for name in names:
                self.assert_exit(daemon.evertoken("refresh", name, "--wait"), 0)
        self.assertEqual(daemon.terminate(), 0)
        shutil.rmtree(daemon.state)
        copy.rename(daemon.state)
        # Made anew: the files are not the ones that the daemon wrote.
        for path in [f for name in names for f in slot_files(daemon.state / name)]:
            again = path.with_suffix(".again")
            shutil.copy2(path, again)
            again.replace(path)
        daemon.start()
        for name in names:
            daemon.wait_for(name, "quarantined")
        return daemon

    def test_the_provider_s_word_is_told_when_it_takes_the_token(self):
        daemon = self.quarantined("crm")
        done = daemon.evertoken("accept", "crm", "--yes")
        self.assert_exit(done, 0)
        self.assertEqual(done.stdout,
                         "crm: accepted, and the provider took its refresh token\n")
        self.assertEqual(daemon.credentials()["crm"]["state"], "fresh")
        self.assertEqual(self.sent(), 2)

    def test_and_when_it_refuses_it(self):
        daemon = self.quarantined("crm", rotations=1)
        done = daemon.evertoken("accept", "crm", "--yes")
        self.assert_exit(done, os.EX_TEMPFAIL)
        self.assertIn("crm: accepted, but the provider refused it (invalid_grant): run evertoken "
                      "login crm\n", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_it_says_what_it_does_and_asks(self):
        daemon = self.quarantined("crm")
        question = 'Is every other copy stopped? Type "yes" to go on:'
        self.assert_exit(daemon.evertoken("accept", "crm"), os.EX_USAGE, "--yes", "sent to the "
                         "provider now", "copied or restored")
        done = daemon.evertoken("accept", "crm", "--dry-run")
        self.assert_exit(done, 0)
        self.assertIn("crm: would be accepted", done.stdout)
        done = on_terminal("accept", "crm", socket=daemon.socket, question=question, answer="no")
        self.assert_exit(done, os.EX_DATAERR, "is sent to the provider now", "nothing was changed")
        self.assertEqual((daemon.credentials()["crm"]["state"], self.sent()), ("quarantined", 1))
        done = on_terminal("accept", "crm", socket=daemon.socket, question=question, answer="yes")
        self.assert_exit(done, 0)
        self.assertEqual(self.sent(), 2)

    def test_a_healthy_one_has_nothing_to_accept(self):
        daemon = self.spent("crm", "mail")
        for names in (("crm",), ("crm", "mail")):
            self.assert_exit(daemon.evertoken("accept", *names, "--yes"), os.EX_DATAERR,
                             "crm is not quarantined; nothing to accept")
        self.assert_exit(daemon.evertoken("accept", "crn", "--yes"), os.EX_DATAERR,
                         'no credential "crn"; did you mean crm? configured: crm, mail')
        done = daemon.evertoken("accept", "--all")
        self.assert_exit(done, 0)
        self.assertIn("nothing to accept", done.stdout)
        # A caller of a former version is answered as ever.
        self.assertEqual(daemon.request("POST", "/v1/credentials/crm/accept")[0], 200)
        self.assertEqual(daemon.request("POST", "/v1/credentials/crm/accept?wait=5")[0], 409)
        self.assertEqual(self.sent(), 1)

    def test_of_all_of_them_the_first_refusal_is_the_last(self):
        daemon = self.quarantined("a", "b", "c", rotations=1)
        # One of them was not used since: the server takes the token of the copy.
        self.server.grant("a", "secret-of-a", self.token_in_state("a"))
        done = daemon.evertoken("accept", "--all", "--yes")
        self.assert_exit(done, os.EX_TEMPFAIL, "b: accepted, but the provider refused it",
                         "not accepted: c")
        self.assertEqual(done.stdout, "a: accepted, and the provider took its refresh token\n")
        self.assertEqual(daemon.credentials()["c"]["state"], "quarantined")
        self.assertEqual(self.sent("c"), 2, "it was sent after a refusal of another")

    def token_in_state(self, name):
        return self.server.exchanges(name)[0].next_refresh_token

    def test_what_cannot_be_reached_is_no_refusal(self):
        daemon = self.quarantined("crm")
        self.server.stop()
        done = daemon.evertoken("accept", "crm", "--yes")
        self.assert_exit(done, os.EX_TEMPFAIL, "crm: accepted, but its refresh token could not be "
                         "tried", "it is tried again")
        self.assertNotEqual(daemon.credentials()["crm"]["state"], "quarantined")
