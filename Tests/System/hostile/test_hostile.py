"""Hundreds of hostile token endpoints, many at once: each costs one credential a few seconds and
the others nothing. No refresh token that the server still accepts is lost, wherever it was in
the answer, and a sign-in is requested only if the answer lacks the new token.

The cases and their expected results are in evertest/hostile: statuses.py, framings.py and
answers.py; what they do to the refresh token is explained in endpoint.py. All of them run over
http, every second one over https as well, and a short answer is cut at every byte in four framings
(at every second one over https).

Needs openssl.
"""

import collections
import re
import sys
import unittest

from evertest.basics import at_end, temporary_directory
from evertest.hostile import answers, framings, statuses
from evertest.hostile.endpoint import LENIENT, SPENT, TOLD
from evertest.hostile.run import TIMEOUT, Campaign, Lane
from evertest.servers.certificates import Authority, context
from evertest.servers.raw_server import RawServer, parse_request, replying
from evertest.suite import Suite

SUITE = Suite(timed=True, alone=True, minutes=0.8)

#: Bytes of resident memory that all of them together may add, 56 at a time.
GROWTH = 48 << 20
#: What an answer of each class may be called.
CAUSES = {"config": "client_|request_refused|endpoint_unknown|answer_is_html|answer_redirects|"
                    "scope_refused|access_denied|grant_type|resource|dpop|token_is_refresh_token",
          "transient": "provider_fails|answer_|token_", "ambiguous": "answer_|token_|attempt_",
          "reauth": "refresh_token_|sign_in_wanted|answer_is_html", "rate_limited": "rate_limited"}
#: Credentials that share the cuts among them.
CUTTERS = 40


def windows(text):
    """All runs of eight hexadecimal digits in a token: what is random in it."""
    return {text[at:at + 8] for at in range(min(len(text), 64) - 7)
            if re.fullmatch("[0-9a-f]{8}", text[at:at + 8])}


class Hostile:
    """What holds for every case, over http and over https."""

    scheme: str
    step: int

    @classmethod
    def setUpClass(cls):
        authority = Authority(temporary_directory(cls))
        side = context(authority.server()) if cls.scheme == "https" else None
        cls.elsewhere = RawServer(replying(200, b"{}")).start()
        at_end(cls, cls.elsewhere.stop)
        named = [*statuses.cases(cls.elsewhere.port), *framings.cases(),
                 *answers.cases()][::cls.step]
        cuts = [case for framing in framings.FRAMINGS
                for case in framings.cuts(framing, cls.step)]
        lanes = [Lane(f"cuts-{number}", cuts[number::CUTTERS], side) for number in range(CUTTERS)]
        lanes += [Lane(case.name, [case], side) for case in named]
        cls.names = [case.name for case in named + cuts]
        cls.campaign = Campaign(cls, lanes, authority)
        cls.campaign.run()

    @classmethod
    def tearDownClass(cls):
        ways = collections.Counter(seen.way for seen in cls.campaign.seen)
        print(f"\n{cls.scheme}: {len(cls.names)} hostile cases; back "
              + ", ".join(f"{way}: {count}" for way, count in ways.most_common()), file=sys.stderr)

    def each(self, check, wanted=lambda seen: True):
        """Checks every case of a kind, as a subtest of its name."""
        chosen = [seen for seen in self.campaign.seen if wanted(seen)]
        self.assertTrue(chosen)
        for seen in chosen:
            with self.subTest(seen.case.name):
                check(seen)

    def test_there_are_many_cases_and_each_was_tried_once(self):
        tried = [seen.case.name for seen in self.campaign.seen]
        self.assertEqual(sorted(tried), sorted(self.names))
        self.assertEqual(len(set(self.names)), len(self.names))
        self.assertGreaterEqual(len(self.names), 150)

    def test_each_has_its_class_a_problem_and_a_remedy(self):
        def check(seen):
            self.assertIn(seen.klass, seen.case.classes, seen.entry)
            if seen.klass == "granted":
                return
            error = seen.entry["last_error"]
            self.assertTrue(error["problem"])
            self.assertRegex(error["cause"], f"^({CAUSES[seen.klass]})", error)
            self.assertRegex(error["remedy"], r"^[A-Z[].*[^.]$", error)
            # The published token lives: a refusal of the request is tried again like the others.
            self.assertIn(seen.entry["state"], ("retrying", "refreshing"))

        self.each(check)

    def test_each_is_over_in_time(self):
        self.each(lambda seen: self.assertLess(seen.seconds, TIMEOUT + 5))
        for lane in self.campaign.lanes:
            for connection in lane.endpoint.server.connections:
                with self.subTest(lane.name, connection=connection.number):
                    self.assertIsNotNone(connection.ended_at)
                    self.assertLess(connection.ended_at - connection.opened_at, TIMEOUT + 5)

    def test_what_is_published_changes_only_for_a_token_that_was_granted(self):
        def check(seen):
            if seen.klass == "granted":
                self.assertEqual(seen.output, seen.granted)
            else:
                self.assertTrue(seen.unchanged)

        self.each(check)

    def test_a_lifetime_is_what_the_answer_says_where_it_says_one(self):
        def check(seen):
            lives = seen.entry["expires_at"] - seen.entry["last_refresh_at"]
            self.assertAlmostEqual(lives, seen.case.lifetime, delta=1)

        self.each(check, lambda seen: seen.case.lifetime and seen.klass == "granted")

    def test_the_wait_is_what_retry_after_asks_within_reason(self):
        def check(seen):
            wait = seen.entry["next_refresh_at"] - seen.entry["last_error"]["at"]
            low, high = seen.case.waits
            self.assertTrue(low <= wait <= high, f"{wait} s")

        self.each(check, lambda seen: seen.case.waits)

    def test_a_refresh_token_that_works_is_on_the_disk_and_is_the_next_to_be_sent(self):
        def check(seen):
            self.assertTrue(seen.kept, "no refresh token that works was on the disk")
            expected = seen.told if seen.case.token == TOLD else seen.sent
            if seen.case.token == LENIENT and seen.klass == "granted":
                expected = seen.told
            self.assertEqual(seen.next, expected)

        self.each(check)

    def test_each_comes_back_and_a_person_is_asked_for_only_where_the_token_was_spent(self):
        asked = set(re.findall(r"^\w+: (\S+): A person must sign in", self.campaign.journal,
                               re.MULTILINE))
        def check(seen):
            self.assertEqual(seen.trouble, "")
            self.assertEqual(seen.lane.name in asked, seen.case.token == SPENT)

        self.each(check)

    def test_an_attempt_is_one_connection_and_one_request(self):
        attempts = collections.Counter(re.findall(
            r"^\w+: (\S+): Token refresh(?:ed| failed)", self.campaign.journal, re.MULTILINE))
        for lane in self.campaign.lanes:
            with self.subTest(lane.name):
                connections = lane.endpoint.server.connections
                self.assertEqual(len(connections), attempts[lane.name])
                for connection in connections:
                    _, rest = parse_request(bytes(connection.plain))
                    self.assertEqual(rest, b"", "more than one request")
        self.assertEqual(self.elsewhere.connections, [], "a redirect was followed")

    def test_the_neighbour_never_has_a_token_that_is_too_old(self):
        neighbour = self.campaign.neighbour
        self.assertEqual(neighbour.stale, [])
        self.assertGreater(neighbour.looks, 200)

    def test_the_daemon_lives_and_its_memory_stays_within_bounds(self):
        self.assertEqual(self.campaign.exit_status, 0)
        memory = self.campaign.neighbour.memory
        self.assertLess(max(memory) - self.campaign.memory_before, GROWTH)

    def test_no_token_and_nothing_the_servers_say_is_shown(self):
        shown = "\n".join([*self.campaign.shown, self.campaign.journal])
        self.assertIn("the answer (200) was cut", shown)
        digits = {run[at:at + 8] for run in re.findall("[0-9a-f]{8,}", shown)
                  for at in range(len(run) - 7)}
        for text in self.campaign.secret_texts():
            self.assertFalse(windows(text) & digits, "part of a token")
            if not windows(text) and len(text) >= 8:
                self.assertNotIn(text, shown)
        for forged in ("forged-access", "forged-refresh", "X-Forged", "\0", "\x1b"):
            self.assertNotIn(forged, shown)


class HTTPTest(Hostile, unittest.TestCase):
    scheme, step = "http", 1


class HTTPSTest(Hostile, unittest.TestCase):
    scheme, step = "https", 2
