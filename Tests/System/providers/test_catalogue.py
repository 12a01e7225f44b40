"""Every shipped profile over the wire: the real daemon, with the profiles as they are shipped, is
led by its configured proxy to a server on loopback that plays all the providers. What it asks is
compared with what their documentation shows (Tests/Fixtures/Profiles), and so is what it makes of
their answers and of each of their errors.

    Tests/run catalogue                              all of them
    EVERTOKEN_PROFILE=xee,shopee Tests/run catalogue only these
    EVERTOKEN_PROFILE=xee /usr/bin/python3 -B -m unittest discover -s Tests/System \\
        -p test_catalogue.py -v                      the same, without the rest of Tests/run

Needs openssl.
"""

import json
import subprocess
import unittest

from evertest.basics import BIN, temporary_directory
from evertest.profiles.catalogue import FIXTURES, PROFILES, shipped_names
from evertest.profiles.catalogue_runs import Refusals, World
from evertest.profiles.documented_requests import (SIGNATURES, Comparison, pairs_of, signed_values,
                                                   uuids)
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.2)

#: How far a time in the status may lie from the documented one, in seconds.
NEAR = 5


class CatalogueTest(unittest.TestCase):
    """One daemon for each group of profiles without a common host, one credential a profile."""

    @classmethod
    def setUpClass(cls):
        cls.world = World(cls, temporary_directory(cls), shipped_names())
        cls.documented = cls.world.documented
        for run in cls.world.first:
            run.daemon.start()
        for run in cls.world.first:
            run.finish()
        cls.states = {}
        for run in cls.world.first:
            cls.states |= run.states
        cls.refused, cls.refusal_logs = [], []
        for number in range(cls.world.errors()):
            cls.refuse(number)

    @classmethod
    def refuse(cls, number):
        """All profiles meet the error of this number, those that have so many."""
        runs = [Refusals(run, number) for run in cls.world.first
                if any(len(one.errors) > number for one in run.group.values())]
        for run in runs:
            run.order()
        for run in runs:
            cls.refused += run.finish()
            cls.refusal_logs.append(run.stderr)

    def for_each_profile(self, check):
        """Calls `check` with each profile, its name and its run: one part of the test each."""
        for run in self.world.first:
            for name, documented in run.group.items():
                with self.subTest(profile=name):
                    check(run, name, documented)

    def for_each_refusal(self, check):
        for refused in self.refused:
            with self.subTest(refused=str(refused)):
                check(refused)

    def assert_documented(self, documented, exchanges, seen):
        """One request for each of these exchanges, as it is documented."""
        problems = [problem for exchange, one in zip(exchanges, seen)
                    for problem in Comparison(documented.name, documented.credential, exchange,
                                              one, self.world.keys).problems]
        if problems:
            self.fail("\n".join(["this is not as documented:", *problems]))

    def test_each_profile_has_its_documentation_and_both_programs_ship_it(self):
        shipped = sorted(path.stem for path in PROFILES.glob("*.json"))
        self.assertEqual(sorted(path.stem for path in FIXTURES.glob("*.json")), shipped)
        listed = subprocess.run([BIN / "evertoken", "providers"], capture_output=True, text=True,
                                timeout=30, check=True).stdout
        self.assertEqual([line.split()[0] for line in listed.splitlines()], shipped)

    def test_each_request_is_the_documented_one(self):
        def check(run, name, documented):
            seen = run.seen(name)
            self.assert_documented(documented, documented.exchanges, seen)
            self.assertEqual(len(seen), len(documented.exchanges), [one.url for one in seen])

        self.for_each_profile(check)

    def test_nothing_else_goes_out(self):
        for run in self.world.first:
            self.assertEqual(run.proxy.troubles, [])
            self.assertEqual({one.host for one in run.proxy.seen} - set(run.hosts), set())

    def test_the_algorithms_that_signatures_are_judged_by_give_the_documented_ones(self):
        def check(_, name, documented):
            key, sign = SIGNATURES.get(name, (None, None))
            for exchange in documented.exchanges if sign else []:
                values = signed_values(exchange["request"])
                self.assertEqual(sign(values, documented.credential["client_secret"]), values[key])

        self.for_each_profile(check)

    def test_no_two_requests_share_what_must_be_new(self):
        requests = [one for run in self.world.first for one in run.proxy.seen]
        requests += [one for refused in self.refused for one in refused.seen]
        new = [value for one in requests for value in uuids(one)]
        self.assertEqual(len(new), len(set(new)), sorted(new))

    def test_each_credential_gets_the_documented_token(self):
        def check(run, name, documented):
            entry, token = run.states[name], documented.token
            self.assertEqual((entry["state"], entry["last_error"]), ("fresh", None))
            self.assertEqual((entry["provider"], entry["refreshes"]), (name, 1))
            self.assertEqual(set(run.files[name]), {"token", "token.json"})
            self.assertEqual(run.files[name]["token"], token["access_token"])
            found = json.loads(run.files[name]["token.json"])
            wanted = token["keep"] | {"access_token": token["access_token"], "provider": name,
                                      "credential": name}
            if token["token_type"] is not None:
                wanted["token_type"] = token["token_type"]
            times = {"expires_at", "issued_at"}
            optional = {"scope", "token_type"} - set(wanted)
            self.assertEqual({key: found.get(key) for key in wanted}, wanted)
            self.assertEqual(set(found) - times - optional, set(wanted))

        self.for_each_profile(check)

    def test_each_token_ends_when_the_documentation_says(self):
        def check(run, name, documented):
            self.assertIn("token.json", run.files[name])
            entry, found = run.states[name], json.loads(run.files[name]["token.json"])
            at = run.seen(name)[-1].at
            self.assertAlmostEqual(found["issued_at"], at, delta=NEAR)
            self.assertEqual(found.get("expires_at"), entry["expires_at"])
            if documented.lifetime is None:
                self.assertIsNone(entry["expires_at"])
            else:
                self.assertAlmostEqual(entry["expires_at"], at + documented.lifetime, delta=NEAR)
            life = documented.token["refresh_lifetime"]
            if life is not None:
                self.assertAlmostEqual(entry["refresh_token_expires_at"], at + life, delta=NEAR)

        self.for_each_profile(check)

    def test_no_secret_is_shown(self):
        """No own secret in a token file; no secret and no token in a journal or a status."""
        shown = [text for run in self.world.first for text in (run.daemon.stderr(),
                                                               run.shown)]
        shown += self.refusal_logs + [repr(refused.status) for refused in self.refused]

        def check(run, name, documented):
            secrets = documented.secrets(self.world.keys)
            for text in run.files[name].values():
                self.assertEqual([secret for secret in secrets if secret in text], [], text)
            secrets.add(documented.token["access_token"])
            for text in shown:
                self.assertEqual([secret for secret in secrets if secret in text], [], text)

        self.for_each_profile(check)

    def test_each_daemon_stops_in_order(self):
        self.assertEqual({run.exit_status for run in self.world.first}, {0})

    def test_each_documented_refusal_has_its_class(self):
        self.assertEqual(len(self.refused),
                         sum(len(one.errors) for one in self.documented.values()))

        def check(refused):
            error, entry = refused.error, refused.status
            shown, found = refused.documented.shown_class(error), entry["last_error"] or {}
            self.assertEqual((found.get("class"), found.get("http_status")),
                             (shown, error["status"]), found)
            self.assertTrue(found["remedy"])
            # Only what is final at once: another sign-in may still turn out not to be needed.
            burned = shown == "reauth" and refused.documented.lifecycle.get("burned_on_failure")
            # While a token lives the request may be right again before its end.
            is_without = entry["issued_at"] is None
            self.assertEqual(entry["state"] == "misconfigured", shown == "config" and is_without,
                             entry)
            if shown == "config" and not is_without:
                self.assertIn(entry["state"], ("retrying", "refreshing"), entry)
            self.assertEqual(entry["state"] == "login_required", bool(burned), entry)

        self.for_each_refusal(check)

    def test_a_refusal_that_names_a_time_is_waited_out(self):
        def check(refused):
            wanted = refused.error.get("retry_after")
            if wanted is not None:
                until = refused.status["next_refresh_at"] - refused.seen[-1].at
                self.assertAlmostEqual(until, wanted, delta=NEAR)

        self.for_each_refusal(check)

    def test_a_refusal_leaves_the_published_token(self):
        files = {name: text for run in self.world.first for name, text in run.files.items()}

        def check(refused):
            first = files[refused.documented.name].get("token.json", "no token")
            self.assertEqual(refused.token_file, first)

        self.for_each_refusal(check)

    def test_the_next_refresh_is_made_with_the_refresh_token_of_the_first(self):
        def check(refused):
            documented = refused.documented
            number = refused.error.get("exchange", 0)
            # Cached steps are not asked again.
            asked = [documented.exchange_at(one.url) for one in refused.seen]
            self.assertIn(number, asked)
            first = asked[:asked.index(number) + 1]
            self.assertEqual(first, list(range(first[0], number + 1)))
            exchanges = [documented.again(index) for index in first]
            self.assert_documented(documented, exchanges, refused.seen)

        self.for_each_refusal(check)

    def test_where_a_new_start_needs_nobody_it_is_made_at_once(self):
        def check(refused):
            if (refused.status["last_error"] or {}).get("class") == "reacquire":
                form = dict(pairs_of(refused.seen[-1].request.body.decode()))
                self.assertEqual(form["grant_type"], "client_credentials")
                self.assertNotIn("refresh_token", form)

        self.for_each_refusal(check)
