"""One refresh token, one request: many commands at once, and one token under two names.

The other half of `test_exclusion`, with the same judges: a proxy that counts the requests open at
once for each refresh token, and a server that revokes all when a spent one comes back."""

import json
import time

from evertest.basics import wait_until
from evertest.exclusion import A_WHILE, ExclusionCase, at_once
from evertest.programs import PlainDaemon
from evertest.suite import Suite

SUITE = Suite(minutes=0.3)


class ManyCommandsAtOnce(ExclusionCase):
    COMMANDS = 32

    def config(self, credentials, **more):
        config = super().config(credentials, **more)
        config["providers"]["as"]["authorization"] = {
            "url": self.proxy.base + "/authorize"}
        return config

    def test_refresh_token_import_and_login_from_many_processes_beside_the_daemon(self):
        daemon = self.holder("crm", "drive")
        imported = json.dumps({"access_token": "brought", "token_type": "Bearer",
                               "expires_in": 3600})

        def refreshes():
            return [e for e in self.server.exchanges("crm") if e.grant_type == "refresh_token"]

        def command(*arguments, **options):
            return lambda: (daemon.evertoken(*arguments, timeout=50, **options), len(refreshes()))

        kinds = [command("refresh", "crm", "--wait"),
                 command("token", "crm", "--min-ttl", "59m"),
                 command("import", "drive", text=imported),
                 command("refresh", "drive", "--wait"),
                 command("login", "crm", "--code", "no-such-code", "--redirect-uri",
                         "http://127.0.0.1:1/")]
        start, before = time.monotonic(), len(refreshes())
        done = at_once([kinds[number % len(kinds)] for number in range(self.COMMANDS)])
        took = time.monotonic() - start
        for number, (result, seen) in enumerate(done):
            arguments = result.args[1:]
            if "login" in arguments:
                self.assertEqual(result.returncode, 78, "no code was good")
                self.assertIn("unsupported_grant_type", result.stderr)
                continue
            self.assertEqual(result.returncode, 0, (arguments, result.stderr))
            if arguments[:2] == ["refresh", "crm"]:
                self.assertGreater(seen, before, "it said %r, and nothing had been asked" %
                                   result.stdout)
        self.assertLessEqual(len(refreshes()) - before, 2 + took / 0.5, "the floor was not held")
        self.tell("commands at once", processes=self.COMMANDS, refreshes=len(refreshes()),
                  seconds=round(took, 1))
        for name in ("crm", "drive"):
            self.refresh(daemon, name)

    def test_a_refresh_that_is_waited_for_is_not_taken_for_another_command_that_ends_before(self):
        daemon = self.holder("crm", refresh={"min_interval": "2s"})
        login = ("login", "crm", "--code", "no-such-code", "--redirect-uri", "http://127.0.0.1:1/")

        def refreshed():
            return daemon.evertoken("refresh", "crm", "--wait"), len(self.granted())

        def signed_in():
            return daemon.evertoken(*login)

        (waited, seen), failed = at_once([refreshed, signed_in])
        self.assertEqual(failed.returncode, 78, failed.stderr)
        self.assertEqual((waited.returncode, seen), (0, 2), "it said %r" % waited.stdout)

    def granted(self):
        return [e for e in self.server.exchanges("crm") if e.access_token]


class OneRefreshTokenUnderTwoNames(ExclusionCase):
    """One of them may use it; the other must say so, and never send it: not now, not after the
    first has moved on, not after a restart."""

    def twins(self, **more):
        """Two entries with one client and one seed, for the configuration."""
        entry = self.credential("crm", **more)
        return {"crm": entry, "twin": dict(entry)}

    def start(self, credentials):
        folder = self.directory / "daemon"
        folder.mkdir(mode=0o700)
        daemon = PlainDaemon(self, folder, self.config(credentials), {}).start()
        self.known = {daemon: self.config(credentials)}
        return daemon

    def states(self, daemon):
        return {name: entry["state"] for name, entry in daemon.credentials().items()}

    def settle(self, daemon):
        """Waits until one has the token and the other does not; their names, in that order."""
        def one_each():
            found = {state: name for name, state in self.states(daemon).items()}
            return (found["fresh"], found["misconfigured"]) if set(found) == {
                "fresh", "misconfigured"} else None

        return wait_until(one_each, 15, "one fresh and the other misconfigured", daemon)

    def use_both(self, daemon, owner, other):
        """An operator who does not know of it refreshes both."""
        problem = daemon.credentials()[other]["last_error"]["problem"]
        self.assertIn('"%s"' % owner, problem)
        for _ in range(2):
            self.order_and_settle(daemon, owner)
            self.order_and_settle(daemon, other)
        self.assert_exclusive()
        self.assertEqual(self.states(daemon)[owner], "fresh", daemon.report())
        self.assertNotEqual(self.states(daemon)[other], "fresh")

    def order_and_settle(self, daemon, name):
        """A manual refresh, to its end, whatever that is."""
        daemon.evertoken("refresh", name, "--wait", timeout=40)
        self.proxy.wait_settled()

    def test_twice_in_one_file_and_both_refreshed_again_and_again(self):
        daemon = self.start(self.twins())
        self.use_both(daemon, *self.settle(daemon))

    def test_twice_in_one_file_through_restarts(self):
        daemon = self.start(self.twins())
        owner, other = self.settle(daemon)
        self.order_and_settle(daemon, owner)
        for way in (daemon.terminate, daemon.kill):
            way()
            daemon.start()
            time.sleep(A_WHILE)
            self.order_and_settle(daemon, other)
            self.assert_exclusive()
            self.assertEqual(self.states(daemon)[owner], "fresh", daemon.report())

    def test_once_more_in_a_drop_in_after_a_reload(self):
        twins = self.twins()
        daemon = self.start({"crm": twins["crm"]})
        daemon.wait_for("crm", "fresh")
        self.order_and_settle(daemon, "crm")
        folder = daemon.directory / "conf.d"
        folder.mkdir()
        drop_in = folder / "twin.json"
        drop_in.touch(mode=0o600)
        drop_in.write_text(json.dumps({"credentials": {"twin": twins["twin"]}}))
        self.assertEqual(daemon.evertoken("reload").returncode, 0)
        wait_until(lambda: self.states(daemon).get("twin") not in (None, "pending"), 10,
                   "the twin to settle", daemon)
        self.use_both(daemon, "crm", "twin")

    def test_renamed_and_back_again_over_reloads(self):
        """The state stays under the old name; under the new one there is only a spent seed."""
        twins = self.twins()
        daemon = self.start({"crm": twins["crm"]})
        daemon.wait_for("crm", "fresh")
        self.order_and_settle(daemon, "crm")
        daemon.reconfigure(self.config({"twin": twins["twin"]}))
        time.sleep(A_WHILE)
        self.order_and_settle(daemon, "twin")
        self.assert_exclusive()
        daemon.reconfigure(self.config({"crm": twins["crm"]}))
        self.order_and_settle(daemon, "crm")
        self.assertEqual(self.states(daemon)["crm"], "fresh", daemon.report())

    def import_into(self, daemon, name, token):
        return daemon.evertoken("import", name, text=json.dumps({"refresh_token": token}))

    def unsigned_twin(self):
        """The one with the seed has been refreshed twice, the other never had anything."""
        twins = self.twins()
        del twins["twin"]["refresh_token"]
        daemon = self.start(twins)
        daemon.wait_for("crm", "fresh")
        daemon.wait_for("twin", "login_required")
        self.seed = twins["crm"]["refresh_token"]
        self.order_and_settle(daemon, "crm")
        daemon.wait_for("crm", "fresh")
        return daemon

    def test_the_present_token_of_one_imported_into_the_other(self):
        daemon = self.unsigned_twin()
        self.import_into(daemon, "twin", self.server.live_refresh_token("crm"))
        time.sleep(A_WHILE)
        for _ in range(2):
            self.order_and_settle(daemon, "crm")
            self.order_and_settle(daemon, "twin")
        self.assert_exclusive()
        self.assertEqual(sorted(self.states(daemon).values())[0], "fresh", daemon.report())

    def test_a_token_that_the_other_has_spent_is_not_sent_again(self):
        daemon = self.unsigned_twin()
        spent = self.server.exchanges("crm")[-1].refresh_token
        for token in (spent, self.seed):
            self.import_into(daemon, "twin", token)
            time.sleep(A_WHILE)
            self.order_and_settle(daemon, "twin")
            self.assert_exclusive()
        self.order_and_settle(daemon, "crm")
        self.assertEqual(self.states(daemon)["crm"], "fresh", daemon.report())

    def test_its_own_spent_token_imported_again_is_not_sent_again(self):
        daemon = self.unsigned_twin()
        spent = self.server.exchanges("crm")[-1].refresh_token
        self.import_into(daemon, "crm", spent)
        time.sleep(A_WHILE)
        self.order_and_settle(daemon, "crm")
        self.assert_exclusive()
        self.assertEqual(self.states(daemon)["crm"], "fresh", daemon.report())
