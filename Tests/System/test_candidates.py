"""A new initial refresh token is proved before it replaces one that works (field cases, K4)."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import wait_until  # noqa: E402
from programs import ProgramCase  # noqa: E402
from token_server import Answer  # noqa: E402


class CandidateTest(ProgramCase):
    def setUp(self):
        super().setUp()
        entry = self.credential("crm")
        self.first, self.secret = entry["refresh_token"], entry["client_secret"]
        self.seed = self.directory / "seed"
        self.seed.write_text(self.first + "\n")
        self.running = self.daemon({"crm": entry | {
            "refresh_token": {"file": str(self.seed)}, "refresh": {"min_interval": "0.5s"}}})
        self.running.wait_for("crm", "fresh")

    def entry(self):
        [entry] = self.running.status()["credentials"]
        return entry

    def sent(self):
        return [e.refresh_token for e in self.server.exchanges("crm")]

    def put(self, text):
        """The file reads so from now on, and a reload says that it is to be looked at."""
        self.seed.write_text(text)
        self.assert_exit(self.running.evertoken("reload"), 0)

    def candidate(self, state):
        return wait_until(
            lambda: (self.entry()["candidate"] or {}).get("state") == state and self.entry(), 10,
            "a candidate that is " + state, self.running)

    def refresh(self):
        before = len(self.sent())
        self.assert_exit(self.running.evertoken("refresh", "crm", "--wait"), 0)
        return self.sent()[before:]

    def test_what_is_no_token_is_refused_once_and_the_working_one_goes_on(self):
        working = self.server.live_refresh_token("crm")
        token = self.running.file("crm/token")
        self.put("CHANGEME\n")
        entry = self.candidate("refused")
        self.assertEqual(entry["state"], "fresh")
        self.assertEqual(entry["consecutive_failures"], 0)
        self.assertEqual(self.running.file("crm/token"), token)
        self.assertIn("the stored one goes on", " ".join(entry["warnings"]))
        self.assertIn("the stored one goes on", self.running.evertoken("status", "crm").stdout)
        self.assertEqual(self.sent(), [self.first, "CHANGEME"])
        self.assertEqual(self.refresh(), [working])
        # Neither a restart, nor the same file again, nor the former one brings it back.
        self.running.restart()
        self.running.wait_for("crm", "fresh")
        self.put("CHANGEME")
        self.put(self.first + "\r\n")
        wait_until(lambda: self.entry()["state"] == "fresh", 5, "peace", self.running)
        self.assertEqual(self.refresh(), [self.sent()[-1]])
        self.assertIsNone(self.entry()["candidate"])
        self.assertEqual(self.sent().count("CHANGEME"), 1)
        self.assertEqual([e.problem for e in self.server.exchanges("crm") if e.status == 200],
                         [None] * (len(self.sent()) - 1))

    def test_the_same_token_with_other_white_space_is_the_same(self):
        for text in ("\ufeff" + self.first, self.first + "\r\n", "\t" + self.first + " "):
            self.put(text)
        self.assertEqual(self.refresh(), [self.sent()[-1]])
        self.assertIsNone(self.entry()["candidate"])
        self.assertEqual(self.sent().count(self.first), 1)

    def test_a_new_sign_in_takes_over_at_a_reload_and_it_is_said(self):
        token = self.running.file("crm/token")
        new = self.server.grant("crm", self.secret)
        self.put(new + "\n")
        wait_until(lambda: self.running.file("crm/token") != token, 10, "a token of the new "
                   "sign-in", self.running)
        self.assertEqual(self.sent(), [self.first, new])
        self.assertIsNone(self.entry()["candidate"])
        self.assertIn("The configured refresh token works", self.running.stderr())
        self.assertEqual(self.refresh(), [self.sent()[-1]])

    def test_a_file_that_changes_without_a_reload_is_seen_within_a_minute(self):
        new = self.server.grant("crm", self.secret)
        self.seed.write_text(new)
        wait_until(lambda: new in self.sent(), 75, "the new sign-in", self.running)

    def test_a_provider_that_is_away_leaves_it_untried_and_it_survives_a_kill(self):
        new = self.server.grant("crm", self.secret)
        self.server.plan("crm", *[Answer(status=503)] * 2)
        self.put(new)
        entry = self.candidate("untried")
        self.assertEqual(entry["state"], "fresh")
        self.running.kill()
        self.running.start()
        wait_until(lambda: self.server.exchanges("crm")[-1].status == 200, 20,
                   "the candidate, once the provider is back", self.running)
        self.assertEqual(set(self.sent()[1:]), {new})
        shown = json.dumps(self.running.status())
        self.assertNotIn(new, shown)


if __name__ == "__main__":
    unittest.main()
