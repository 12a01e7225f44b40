"""Tokens that take two requests: a profile of two steps, and a daemon that uses it."""

import json
import unittest

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.servers.two_step_server import CLIENT, TwoStepServer

QUICK = {"min_interval": "0.5s", "retry": {"initial": "0.2s", "max": "0.5s"}}


def rotating(base, *, lifetime="2s", login=None, keep=None):
    """A profile whose first step spends the refresh token and whose second one signs in."""
    oauth = {"id": "oauth", "extends": "refresh_token",
             "request": {"url": base + "/oauth/token", "encoding": "query"},
             "response": {"keep": keep or {}}}
    session = {"id": "login", "extends": "none",
               "request": {"url": login or base + "/login", "encoding": "query", "params": {
                   "version": "*", "access_token": "${steps.oauth.access_token}"}},
               "response": {"access_token": "/BhRestToken", "default_lifetime": lifetime,
                            "keep": {"rest_url": "/restUrl"}}}
    return {"steps": [oauth, session], "lifecycle": {"refresh_token": "rotating"}}


class StepsCase(unittest.TestCase):
    daemon: Daemon

    def serve(self, **options):
        self.server = TwoStepServer(**options)
        at_end(self, self.server.stop)
        return self.server

    def start(self, profile, *names):
        """Starts a daemon with credentials of these names, each with a grant of its own."""
        credentials = {name: {"provider": "two", "refresh": QUICK} | CLIENT for name in names}
        if profile["lifecycle"]["refresh_token"] != "none":
            for name, entry in credentials.items():
                entry["refresh_token"] = self.server.grant(name)
        self.config = {"providers": {"two": profile}, "credentials": credentials}
        self.daemon = Daemon(self, temporary_directory(self), self.config).start()

    def status(self, name):
        return self.daemon.credentials()[name]

    def published(self, name):
        """The published token.json; None while there is none."""
        path = self.daemon.tokens / name / "token.json"
        return json.loads(path.read_text()) if path.exists() else None

    def wait_state(self, name, state, failure_class=None):
        """Waits for this state, and a last error of this class; the entry of the status."""
        def look():
            entry = self.status(name)
            error = entry["last_error"] or {}
            return entry if (entry["state"], error.get("class")) == (state, failure_class) else None

        what = "%s to be %s by %s" % (name, state, failure_class)
        return wait_until(look, 10, what, self.daemon, pause=0.02)

    def wait_calls(self, step, count, timeout=10.0):
        """Waits until this many requests of a step have come and are done with."""
        wait_until(lambda: sum(call.finished is not None for call in self.server.calls(step))
                   >= count, timeout, "request %d of %s" % (count, step), self.daemon, pause=0.02)
        return self.server.calls(step)

    def refresh(self, name):
        code, answer = self.daemon.request("POST", "/v1/credentials/%s/refresh" % name)
        self.assertLess(code, 300, answer)

    def assert_chain_whole(self, name):
        """Each refresh token the server gave is the one it was asked with next, and the last is
        alive."""
        calls = self.server.calls("oauth", name)
        self.assertTrue(calls)
        for call, following in zip(calls, calls[1:]):
            if call.rotated:
                self.assertEqual(following.refresh_token, call.new_refresh_token, following)
        newest = [call.new_refresh_token for call in calls if call.rotated][-1:]
        self.assertEqual([self.server.live(name)], newest)

    def assert_silent(self):
        """No token but the published one leaves the daemon, and none at all by log or status."""
        said = self.daemon.stderr() + json.dumps(self.daemon.status())
        secrets = self.server.secret_texts()
        self.assertGreater(len(secrets), 3)
        for secret in secrets:
            self.assertNotIn(secret, said)
