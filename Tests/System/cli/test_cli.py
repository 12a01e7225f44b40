"""What each command of `evertoken` does to a running daemon, and what it says and returns.

Exit statuses are those of sysexits(3)."""

import json
import os
import subprocess
import time

from evertest.basics import BIN, wait_until
from evertest.programs import (PLAIN_ENVIRONMENT, PlainDaemon, ProgramCase, evertoken, timed,
                               token_json)
from evertest.servers.token_server import Answer
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=1.3)

LONG_NAME = "a-name-of-twenty-chr"


class StatusTest(ProgramCase):
    """One credential is fine, one has a refresh token that the provider refuses."""

    def setUp(self):
        super().setUp()
        self.running = self.daemon({
            LONG_NAME: self.credential(LONG_NAME), "drive": self.signed_out("drive")})
        self.running.wait_for(LONG_NAME, "fresh")
        self.running.wait_for("drive", "login_required")

    def test_the_table_says_what_is_wrong_and_what_to_do_the_worst_first(self):
        self.assertEqual(len(LONG_NAME), 20)
        done = self.running.evertoken("status")
        self.assert_exit(done, 0)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "1 of 2 fresh, 1 needs a person")
        self.assertRegex(lines[2], r"^drive +login_required ")
        self.assertRegex(lines[3], r"^%s +fresh +(1 h|59 min) +\d+ min$" % LONG_NAME)
        entry = self.running.credentials()["drive"]["last_error"]
        self.assertIn("400 invalid_grant", entry["problem"])
        self.assertIn("drive: %s." % entry["problem"], lines)
        self.assertIn("evertoken import drive", entry["remedy"])
        self.assertIn("  " + entry["remedy"], lines)
        self.assertNotIn("reauth", done.stdout)

    def test_json_has_the_keys_of_the_contract_and_no_others(self):
        status = json.loads(self.running.evertoken("status", "--json").stdout)
        self.assertEqual(set(status), {"version", "state", "started_at", "credentials"})
        self.assertEqual((status["version"], status["state"]), (1, "degraded"))
        keys = {"name", "provider", "state", "condition", "expires_at", "next_refresh_at",
                "refresh_token_expires_at", "last_refresh_at", "last_error",
                "consecutive_failures", "refreshes", "outputs", "issued_at", "warnings",
                "failing_hooks",
                "sources_fixed_at_start", "candidate"}
        by_name = {entry["name"]: entry for entry in status["credentials"]}
        self.assertEqual(list(by_name), sorted([LONG_NAME, "drive"]))
        for entry in by_name.values():
            self.assertEqual(set(entry), keys)
        fresh, refused = by_name[LONG_NAME], by_name["drive"]
        self.assertIsNone(fresh["last_error"])
        self.assertEqual(fresh["outputs"], [LONG_NAME + "/token", LONG_NAME + "/token.json"])
        self.assertEqual(fresh["expires_at"], token_json(self.running, LONG_NAME)["expires_at"])
        self.assertEqual(set(refused["last_error"]),
                         {"class", "http_status", "cause", "problem", "remedy", "at", "since",
                          "tries", "until"})
        self.assertEqual((fresh["condition"], refused["condition"]), ("fresh", "login_required"))
        self.assertEqual(refused["last_error"]["cause"], "refresh_token_refused")
        self.assertGreaterEqual(refused["last_error"]["tries"], 3)
        self.assertEqual(refused["last_error"]["class"], "reauth")
        self.assertEqual(refused["last_error"]["http_status"], 400)
        self.assertGreaterEqual(refused["consecutive_failures"], 3)

    def test_check_exits_75_while_a_person_must_sign_in(self):
        self.assert_exit(self.running.evertoken("status", "--check"), os.EX_TEMPFAIL)
        self.assert_exit(self.running.evertoken("status", "drive", "--check"), os.EX_TEMPFAIL)
        self.assert_exit(self.running.evertoken("status", LONG_NAME, "--check"), 0)
        self.assert_exit(self.running.evertoken("status"), 0)

    def test_one_credential_is_shown_alone(self):
        done = self.running.evertoken("status", "drive", "--json")
        self.assertEqual(json.loads(done.stdout)["name"], "drive")
        self.assertNotIn(LONG_NAME, self.running.evertoken("status", "drive").stdout)
        self.assert_exit(self.running.evertoken("status", "driv"), os.EX_DATAERR, '"driv"', "drive")

    def test_a_credential_that_was_never_signed_in_says_what_to_do(self):
        entry = self.credential("car")
        del entry["refresh_token"]
        daemon = self.daemon({"car": entry}, place="other")
        daemon.wait_for("car", "login_required")
        self.assertIn("evertoken import car", daemon.evertoken("status").stdout)


class TokenTest(ProgramCase):
    lifetime = 7

    def late_daemon(self, **more):
        """Its token is not renewed before its last second."""
        late = {"at": "100%", "margin": "0s", "jitter": "0%"} | more
        daemon = self.daemon({"crm": self.credential("crm", refresh=late)})
        daemon.wait_for("crm", "fresh")
        return daemon

    def test_it_prints_the_current_token(self):
        daemon = self.late_daemon()
        token = daemon.file("crm/token")
        self.assertEqual(daemon.evertoken("token", "crm").stdout, token + "\n")
        self.assertEqual(daemon.evertoken("token", "crm", "--header").stdout,
                         "Authorization: Bearer %s\n" % token)
        self.assertEqual(json.loads(daemon.evertoken("token", "crm", "--json").stdout),
                         token_json(daemon, "crm"))
        self.assertEqual(len(self.server.exchanges()), 1, "reading a token refreshed it")

    def test_with_min_ttl_a_token_that_would_not_last_is_renewed_first(self):
        daemon = self.late_daemon()
        old, end = daemon.file("crm/token"), token_json(daemon, "crm")["expires_at"]
        self.assertEqual(daemon.evertoken("token", "crm", "--min-ttl", "3s").stdout, old + "\n")
        # expires_at is cut to whole seconds: the token may live almost a second longer.
        wait_until(lambda: time.time() > end - 1.9, 10, "the token's last seconds", daemon)
        self.assertEqual(daemon.evertoken("token", "crm").stdout, old + "\n")
        done = daemon.evertoken("token", "crm", "--min-ttl", "3s")
        self.assert_exit(done, 0)
        self.assertEqual(done.stdout.strip(), self.server.exchanges()[-1].access_token)
        self.assertNotEqual(done.stdout.strip(), old)
        self.assertEqual(done.stdout.strip(), daemon.file("crm/token"))

    def test_a_min_ttl_that_no_token_has_does_not_hang(self):
        done, seconds = timed(self.late_daemon().evertoken, "token", "crm", "--min-ttl", "1h")
        self.assert_exit(done, 0)
        self.assertLess(seconds, 10)
        self.assertIn(done.stdout.strip(), {e.access_token for e in self.server.exchanges()})

    def test_without_a_provider_the_wait_for_a_token_is_bounded(self):
        daemon = self.late_daemon()
        self.server.stop()
        daemon.wait_for("crm", "expired")
        done, seconds = timed(daemon.evertoken, "token", "crm", "--min-ttl", "5m", timeout=90)
        self.assert_exit(done, os.EX_TEMPFAIL, "crm is expired", "valid token")
        self.assertEqual(done.stdout, "")
        self.assertLess(seconds, 60)

    def test_an_unknown_name_is_bad_data_and_names_those_there_are(self):
        done = self.late_daemon().evertoken("token", "crn")
        self.assert_exit(done, os.EX_DATAERR, '"crn"', "crm")
        self.assertEqual(done.stdout, "")

    def test_without_a_daemon_it_is_unavailable(self):
        done = evertoken("token", "crm", socket=self.directory / "none.sock")
        self.assert_exit(done, os.EX_UNAVAILABLE, str(self.directory / "none.sock"))

    def test_a_name_that_is_no_name_is_bad_data(self):
        daemon = self.late_daemon()
        for name in ("", "a b", "crm?min_ttl=1", "../crm", "crm/token", "?="):
            with self.subTest(name):
                self.assert_exit(daemon.evertoken("token", name), os.EX_DATAERR)


class RefreshTest(ProgramCase):
    def test_refresh_only_asks(self):
        daemon = self.fresh_daemon("crm")
        self.server.delay = 2
        done, seconds = timed(daemon.evertoken, "refresh", "crm")
        self.assert_exit(done, 0)
        self.assertLess(seconds, 1.5)
        self.server.wait_for(lambda seen: len(seen) == 2)

    def test_with_wait_the_new_token_is_published_when_it_returns(self):
        daemon = self.fresh_daemon("crm")
        self.server.delay = 1
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        self.assertEqual(len(self.server.exchanges()), 2)
        self.assertEqual(daemon.file("crm/token"), self.server.exchanges()[-1].access_token)

    def test_with_wait_a_failure_is_told(self):
        daemon = self.fresh_daemon("crm")
        self.server.plan("crm", Answer(status=503))
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), os.EX_TEMPFAIL, "crm", "503")

    def test_all_refreshes_every_credential(self):
        daemon = self.fresh_daemon("one", "two", "three")
        done = daemon.evertoken("refresh", "--all", "--wait")
        self.assert_exit(done, 0)
        for name in ("one", "two", "three"):
            self.assertEqual(len(self.server.exchanges(name)), 2)
            self.assertIn(name, done.stdout)
            self.assertEqual(daemon.file(name + "/token"),
                             self.server.exchanges(name)[-1].access_token)

    def test_all_goes_on_after_one_that_fails(self):
        daemon = self.fresh_daemon("one", "two")
        self.server.plan("one", Answer(status=503))
        self.assert_exit(daemon.evertoken("refresh", "--all", "--wait"), os.EX_TEMPFAIL, "one")
        self.assertEqual(daemon.file("two/token"), self.server.exchanges("two")[-1].access_token)

    def test_what_to_refresh_must_be_said(self):
        daemon = self.fresh_daemon("crm")
        self.assert_exit(daemon.evertoken("refresh"), os.EX_USAGE)
        self.assert_exit(daemon.evertoken("refresh", "crm", "--all"), os.EX_USAGE)
        self.assert_exit(daemon.evertoken("refresh", "crn", "--wait"), os.EX_DATAERR, "crm")
        self.assertEqual(len(self.server.exchanges()), 1)


class WaitTest(ProgramCase):
    def test_it_returns_when_there_is_a_token_and_not_before(self):
        self.server.delay = 2
        daemon = self.daemon({"crm": self.credential("crm")})
        self.assertIsNone(daemon.file("crm/token"))
        done = daemon.evertoken("wait", "crm", "--timeout", "20s")
        self.assert_exit(done, 0)
        self.assertEqual(daemon.file("crm/token"), self.server.exchanges()[-1].access_token)
        done, seconds = timed(daemon.evertoken, "wait", "crm")
        self.assert_exit(done, 0)
        self.assertLess(seconds, 1)

    def test_it_waits_for_the_daemon_itself(self):
        folder = self.directory / "later"
        folder.mkdir()
        daemon = PlainDaemon(self, folder, self.config({"crm": self.credential("crm")}), {})
        waiting = subprocess.Popen(
            [BIN / "evertoken", "wait", "crm", "--timeout", "20s", "--socket", daemon.socket],
            env=PLAIN_ENVIRONMENT)
        self.addCleanup(waiting.wait)
        self.addCleanup(waiting.kill)
        time.sleep(0.5)  # it must have looked in vain at least once
        self.assertIsNone(waiting.poll())
        daemon.start()
        self.assertEqual(waiting.wait(20), 0)
        self.assertIsNotNone(daemon.file("crm/token"))

    def test_it_gives_up_in_time(self):
        daemon = self.daemon({"crm": self.signed_out("crm")})
        done, seconds = timed(daemon.evertoken, "wait", "crm", "--timeout", "1.5s")
        self.assert_exit(done, os.EX_TEMPFAIL, "crm")
        self.assertTrue(1.4 < seconds < 4, seconds)
        self.assert_exit(daemon.evertoken("wait", "crm", "--timeout", "soon"), os.EX_USAGE)

    def test_fast_it_ends_at_once_where_only_a_person_helps(self):
        daemon = self.daemon({
            "crm": self.credential("crm"), "out": self.signed_out("out"),
            "wrong": self.credential("wrong") | {"client_secret": "not the one"}})
        for name, state in (("out", "login_required"), ("wrong", "misconfigured")):
            daemon.wait_for(name, state)
        for names, code, said in (
                (["out"], os.EX_NOPERM, ("out is login_required: ", "evertoken import out")),
                (["wrong"], os.EX_CONFIG, ("wrong is misconfigured: ", "evertoken")),
                (["crm", "out"], os.EX_NOPERM, ("out is login_required: ",))):
            with self.subTest(names):
                done, seconds = timed(daemon.evertoken, "wait", *names, "--fail-fast")
                self.assert_exit(done, code, *said)
                self.assertLess(seconds, 15, "it waited all its 60 s")

    def test_several_are_waited_for_until_the_last_one_has_a_token(self):
        daemon = self.daemon({"crm": self.credential("crm"), "out": self.signed_out("out")})
        daemon.wait_for("crm", "fresh")
        done = daemon.evertoken("wait", "crm", "out", "--timeout", "1s")
        self.assert_exit(done, os.EX_TEMPFAIL, "out has no valid token")
        self.assert_exit(daemon.evertoken("import", "out", text=json.dumps(
            {"refresh_token": self.server.grant("out", "secret-of-out")})), 0)
        self.assert_exit(daemon.evertoken("wait", "crm", "out", "--fail-fast"), 0)
        self.assertIsNotNone(daemon.file("out/token"))

    def test_an_unknown_name_is_not_waited_for(self):
        done, seconds = timed(self.fresh_daemon("crm").evertoken, "wait", "crn")
        self.assert_exit(done, os.EX_DATAERR, "crm")
        self.assertLess(seconds, 2)

    def test_without_a_daemon_it_says_so_in_the_end(self):
        done, seconds = timed(evertoken, "wait", "crm", "--timeout", "1s",
                              socket=self.directory / "none.sock")
        self.assert_exit(done, os.EX_UNAVAILABLE, str(self.directory / "none.sock"))
        self.assertLess(seconds, 4)
