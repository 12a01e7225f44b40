"""A new initial refresh token is proved before it replaces one that works (K4)."""

import json

from evertest.basics import wait_until
from evertest.programs import ProgramCase
from evertest.servers.token_server import Answer
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=1.2)


class CandidateCase(ProgramCase):
    def setUp(self):
        super().setUp()
        entry = self.credential("crm")
        self.first, self.secret = entry["refresh_token"], entry["client_secret"]
        self.seed = self.directory / "seed"
        self.seed.write_text(self.first + "\n")
        self.crm = entry | {"refresh_token": {"file": str(self.seed)},
                            "refresh": {"min_interval": "0.5s"}}
        self.prepare()
        self.running = self.daemon({"crm": self.crm})
        self.running.wait_for("crm", "fresh")

    def prepare(self):
        """Before the daemon starts."""

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


class CandidateTest(CandidateCase):
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

    def test_a_refresh_that_was_asked_for_is_made_with_the_stored_one(self):
        working = self.server.live_refresh_token("crm")
        self.seed.write_text("CHANGEME\n")  # no reload: the refresh is the first to see it
        self.assertEqual(self.refresh(), ["CHANGEME", working])

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


class AnotherServer(CandidateCase):
    """K4: the stored token is never sent to another server than the one it is of, once a new one
    is configured for that."""

    def prepare(self):
        self.other = self.make_server().start()
        self.addCleanup(self.other.stop)
        self.new = self.other.grant("crm", self.secret)

    def lead_to(self, server, text=None):
        """The configuration names this server, and the file this token, from now on."""
        if text is not None:
            self.seed.write_text(text)
        config = self.config({"crm": self.crm})
        for provider in config["providers"].values():
            provider["request"]["url"] = server.url
        self.running.reconfigure(config)

    def at_the_other(self):
        return [e.refresh_token for e in self.other.exchanges()]

    def test_a_new_sign_in_there_is_all_that_is_sent_there(self):
        token = self.running.file("crm/token")
        self.lead_to(self.other, self.new)
        wait_until(lambda: self.running.file("crm/token") != token, 20, "a token of the other "
                   "server", self.running)
        self.assertEqual(self.at_the_other(), [self.new])
        self.assertEqual(self.sent(), [self.first])

    def test_a_wrong_token_there_and_the_way_back(self):
        working, token = self.server.live_refresh_token("crm"), self.running.file("crm/token")
        self.lead_to(self.other, "CHANGEME")
        wait_until(self.at_the_other, 20, "a try at the other server", self.running)
        wait_until(lambda: self.entry()["warnings"], 20, "a warning", self.running)
        entry = self.entry()
        self.assertIn(entry["state"], ("retrying", "login_required"))
        self.assertIn("another server or client", " ".join(entry["warnings"]))
        self.assertIn("kept and not sent there", self.running.stderr())
        self.assertEqual(self.running.file("crm/token"), token)
        # A restart remembers it.
        self.running.restart()
        tries = len(self.at_the_other())
        self.assertEqual(self.running.evertoken("refresh", "crm").returncode, 0)
        wait_until(lambda: len(self.at_the_other()) > tries, 20, "another try", self.running)
        self.assertEqual(set(self.at_the_other()), {"CHANGEME"})
        # The wrong token may stand there still: it is the URL that leads back.
        self.lead_to(self.server)
        wait_until(lambda: self.running.file("crm/token") != token, 20, "the stored one goes on",
                   self.running)
        self.assertEqual(self.sent(), [self.first, working])
        self.assertEqual(self.entry()["state"], "fresh")

    def test_without_a_new_token_the_stored_one_is_tried_at_once(self):
        working = self.server.live_refresh_token("crm")
        self.lead_to(self.other)
        wait_until(self.at_the_other, 20, "a try at the other server", self.running)
        self.assertEqual(self.at_the_other()[0], working)


class AnotherClient(CandidateCase):
    """The same for a client whose id stands in a file: the configuration's text stays as it is."""

    def prepare(self):
        self.client = self.directory / "client"
        self.client.write_text("crm\r\n")
        self.crm["client_id"] = {"file": str(self.client)}
        self.new = self.server.grant("other", self.secret)

    def sent_by_other(self):
        return [e.refresh_token for e in self.server.exchanges("other")]

    def test_the_id_and_the_token_change_and_the_stored_one_is_not_sent(self):
        token = self.running.file("crm/token")
        self.client.write_text("other\n")
        self.put(self.new)
        wait_until(lambda: self.running.file("crm/token") != token, 20, "a token of the other "
                   "client", self.running)
        self.assertEqual(self.sent_by_other(), [self.new])
        self.assertEqual(self.sent(), [self.first])

    def test_the_id_alone_changes_and_the_stored_one_is_tried_at_the_reload(self):
        working = self.server.live_refresh_token("crm")
        self.client.write_text("other\n")
        self.assert_exit(self.running.evertoken("reload"), 0)
        wait_until(self.sent_by_other, 20, "a try as the other client", self.running)
        self.assertEqual(self.sent_by_other()[0], working)
