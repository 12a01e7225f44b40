"""Tokens that need two requests: the first result is durable before the second request is sent, and
only the second result is published.

The server (evertest/servers/two_step_server.py) ends a chain of refresh tokens at the first
mistake, so a chain that is alive at the end of a test is the proof that none was made. Hosts that
an answer names are in test_steps_hosts.py, kills at the worst moments in test_steps_kill.py.
"""

from evertest.basics import wait_until
from evertest.steps import StepsCase, rotating
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.6)


def cached(base, **more):
    """A profile whose first step has no refresh token, and lasts."""
    success = [{"path": "/code", "in": [0]}]

    def expiry(field):
        return {"from": field, "as": "seconds"}

    app = {"id": "app", "extends": "none", "cache": True,
           "request": {"url": base + "/app", "encoding": "json",
                       "params": {"app_id": "${client_id}", "app_secret": "${client_secret}"}},
           "response": {"success": success, "access_token": "/app_access_token",
                        "expires": expiry("/expire")}}
    tenant = {"id": "tenant", "extends": "none",
              "request": {"url": base + "/tenant", "encoding": "json",
                          "params": {"app_access_token": "${steps.app.access_token}"}},
              "response": {"success": success, "access_token": "/tenant_access_token",
                           "expires": expiry("/expire")}}
    return {"extends": "none", "steps": [app, tenant],
            "lifecycle": {"refresh_token": "none"}} | more


class TwoStepsTest(StepsCase):
    NAMES = ("crm-1", "crm-2", "crm-3", "crm-4")

    def test_what_is_published_is_the_second_steps_token_with_what_it_keeps(self):
        self.start(rotating(self.serve().base), *self.NAMES)
        seen = {name: [] for name in self.NAMES}

        def enough():
            for name, tokens in seen.items():
                now = self.published(name)
                if now and (not tokens or tokens[-1] != now):
                    tokens.append(now)
            return min(map(len, seen.values())) >= 8

        wait_until(enough, 40, "eight tokens of each credential", self.daemon, pause=0.02)
        self.assertEqual(self.daemon.terminate(), 0, self.daemon.report())
        print("\nrotations %d, tokens published %d" % (
            self.server.rotations(), sum(map(len, seen.values()))))
        for name, tokens in seen.items():
            self.assert_chain_whole(name)
            logins = self.server.calls("login", name)
            asked = [call.access_token for call in self.server.calls("oauth", name)]
            self.assertEqual([call.presented for call in logins], asked)
            given = [(call.given, call.rest_url) for call in logins]
            found = [(token["access_token"], token["rest_url"]) for token in tokens]
            self.assertEqual(found, [pair for pair in given if pair in found])
            for token in tokens:
                self.assertEqual(token["expires_at"] - token["issued_at"], 2, token)

    def test_no_token_of_a_first_step_is_published_or_told(self):
        self.start(rotating(self.serve().base), "crm")
        self.wait_calls("login", 3)
        self.wait_state("crm", "fresh")
        firsts = {text for text in self.server.secret_texts() if not text.startswith("session-")}
        for path in self.daemon.tokens.rglob("*"):
            text = path.read_text() if path.is_file() else ""
            for first in firsts:
                self.assertNotIn(first, text, path)
        self.assert_silent()

    def test_while_the_second_step_fails_the_newest_refresh_token_is_used_and_the_token_stays(self):
        self.start(rotating(self.serve().base, lifetime="1h"), "crm")
        self.wait_state("crm", "fresh")
        before = self.published("crm")
        self.server.refuse("login", 500)
        self.refresh("crm")
        failing = self.wait_calls("login", 5)[1:]
        self.assertEqual({call.status for call in failing}, {500})
        error = self.wait_state("crm", "retrying", "transient")["last_error"]
        self.assertEqual(error["http_status"], 500)
        self.assertEqual(self.published("crm"), before)
        self.server.refuse("login", None)
        self.wait_state("crm", "fresh")
        self.assertEqual(self.published("crm")["access_token"],
                         self.server.calls("login")[-1].given)
        self.assertNotEqual(self.published("crm"), before)
        self.assert_chain_whole("crm")
        self.assert_silent()

    def test_a_first_step_that_fails_leaves_its_refresh_token_and_the_second_step_alone(self):
        self.start(rotating(self.serve().base, lifetime="1h"), "crm")
        self.wait_state("crm", "fresh")
        before = self.published("crm")
        self.server.refuse("oauth", 503)
        self.refresh("crm")
        self.wait_calls("oauth", 4)
        self.wait_state("crm", "retrying", "transient")
        self.assertEqual(len(self.server.calls("login")), 1)
        self.assertEqual(self.published("crm"), before)
        self.server.refuse("oauth", None)
        self.wait_state("crm", "fresh")
        self.assert_chain_whole("crm")

    def test_a_second_step_that_refuses_is_no_matter_of_the_refresh_token(self):
        for status, body, code in ((401, "", ""), (401, '{"error": "invalid_grant"}', "grant"),
                                   (403, "<html>no</html>", ""), (400, "{}", "")):
            with self.subTest(status=status, body=body):
                self.start(rotating(self.serve().base, lifetime="1h"), "crm")
                self.wait_state("crm", "fresh")
                before = self.published("crm")
                self.server.refuse("login", status, body)
                self.refresh("crm")
                error = self.wait_state("crm", "retrying", "config")["last_error"]
                self.assertEqual(error["http_status"], status)
                self.assertIn(code, error["problem"])
                self.assertEqual(self.published("crm"), before)
                self.assertGreaterEqual(len(self.server.calls("login")), 2)
                self.server.refuse("login", None)
                self.refresh("crm")
                self.wait_state("crm", "fresh")
                self.assertNotEqual(self.published("crm"), before)
                self.assert_chain_whole("crm")
                self.daemon.close()


class CachedStepTest(StepsCase):
    def test_a_cached_step_is_asked_once_for_many_runs_of_the_other_and_across_a_restart(self):
        self.start(cached(self.serve(tenant_lifetime=2).base), "shop")
        self.wait_calls("tenant", 4)
        self.daemon.restart()
        self.wait_calls("tenant", 6)
        self.daemon.kill()
        self.daemon.start()
        tenants = self.wait_calls("tenant", 8)
        apps = self.server.calls("app")
        self.assertEqual(len(apps), 1)
        self.assertEqual({call.presented for call in tenants}, {apps[0].access_token})
        self.assertEqual({call.status for call in tenants}, {200})
        self.wait_state("shop", "fresh")
        self.assertIn(self.published("shop")["access_token"],
                      [call.given for call in self.server.calls("tenant")[-2:]])
        self.assert_silent()

    def test_an_expired_cached_step_is_asked_again_before_it_could_be_refused(self):
        self.start(cached(self.serve(app_lifetime=4, tenant_lifetime=2).base), "shop")
        apps = self.wait_calls("app", 4, timeout=20)
        self.wait_calls("tenant", 8)
        self.assertEqual({call.status for call in self.server.calls()}, {200})
        for earlier, later in zip(apps, apps[1:]):
            # A quarter of its life is kept in reserve.
            self.assertGreater(later.received - earlier.received, 2.9)
        used = [call.presented for call in self.server.calls("tenant")]
        for app in apps[:3]:
            self.assertGreaterEqual(used.count(app.access_token), 2, used)

    def test_a_cached_step_that_is_refused_is_asked_again(self):
        own = {"errors": [{"if": [{"path": "/code", "in": [99991664]}], "class": "reauth"}]}
        for profile in ({}, own):
            with self.subTest(profile):
                self.start(cached(self.serve().base, **profile), "shop")
                self.wait_state("shop", "fresh")
                before = self.published("shop")
                self.server.revoke_apps()
                self.refresh("shop")
                # What was cached is asked for anew before anything else is blamed.
                self.wait_calls("tenant", 3)
                self.wait_state("shop", "fresh")
                first, second = self.server.calls("app")
                self.assertEqual([call.presented for call in self.server.calls("tenant")],
                                 [first.access_token] * 2 + [second.access_token])
                self.assertNotEqual(self.published("shop"), before)
                self.daemon.close()

    def test_a_cached_step_outlasts_a_failure_of_the_other(self):
        self.start(cached(self.serve().base), "shop")
        self.wait_state("shop", "fresh")
        self.server.refuse("tenant", 500)
        self.refresh("shop")
        self.wait_calls("tenant", 4)
        self.server.refuse("tenant", None)
        self.wait_state("shop", "fresh")
        self.assertEqual(len(self.server.calls("app")), 1)
