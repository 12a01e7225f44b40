"""`evertoken login --device` (RFC 8628) against Glewlwyd: approval, haste, expiry, refusal."""

from __future__ import annotations

import json
import re

from evertest.basics import wait_until
from evertest.login_world import CLIENT, SECRET, LoginCase, SmallServer, Waiting
from evertest.servers.authorization import post_form
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.6)

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def user_code(waiting: Waiting) -> str:
    waiting.url()
    found = wait_until(lambda: re.search(r"(?m)^with the code\n\n  (\S+)$", waiting.stdout), 10,
                       "a code")
    return found.group(1)


class DeviceFlow(LoginCase):
    options = ("--device-ttl", "6")

    def polls(self) -> list[tuple[int, str]]:
        """The status and error of every poll so far."""
        return [(status, answer.get("error", "")) for _, form, status, answer
                in self.endpoint.exchanges if form.get("grant_type") == GRANT]

    def setUp(self) -> None:
        super().setUp()
        self.endpoint.exchanges.clear()

    def test_approval_after_a_while(self) -> None:
        daemon = self.daemon()
        waiting = self.login(daemon, "--device")
        code = user_code(waiting)
        wait_until(lambda: (400, "authorization_pending") in self.polls(), 10, "a poll")
        status = daemon.credentials()["crm"]
        self.assertEqual((status["state"], status["consecutive_failures"]), ("login_required", 0))
        self.server.approve_device(code)
        self.assert_signed_in(daemon, waiting)
        self.assertEqual(self.polls()[-1], (200, ""))
        self.assert_no_secret(daemon, waiting)
        self.assertNotIn("failed", daemon.stderr().lower())
        first = self.endpoint.exchanges[0]
        self.assertTrue(first[0].endswith("/device_authorization"))
        self.assertEqual((first[1]["client_id"], first[1]["scope"]), (CLIENT, "svc"))
        status, _ = daemon.request("POST", "/v1/credentials/crm/refresh?wait=20")
        self.assertEqual(status, 200, daemon.report())

    def test_slow_down_is_obeyed(self) -> None:
        daemon = self.daemon()
        waiting = self.login(daemon, "--device", "--timeout", "5s")
        user_code(waiting)
        wait_until(lambda: self.endpoint.exchanges, 10, "a device code")
        device_code = self.endpoint.exchanges[0][3]["device_code"]
        # Another client polls too fast, so that the server answers slow_down.
        form = {"grant_type": GRANT, "device_code": device_code}
        url = self.server.base + "/api/rotate/token"

        def annoy() -> bool:
            post_form(url, form, (CLIENT, SECRET))
            return (400, "slow_down") in self.polls()

        wait_until(annoy, 6, "slow_down", pause=0.1)
        count = len(self.polls())
        self.assert_ended(waiting, 75, "the code was not approved in time")
        # At 1 s there would have been more.
        self.assertLessEqual(len(self.polls()), count + 1, self.polls())

    def test_a_code_that_expires(self) -> None:
        daemon = self.daemon()
        waiting = self.login(daemon, "--device")
        user_code(waiting)
        self.assert_ended(waiting, 75, "new one")
        self.assertEqual({error for _, error in self.polls()}, {"authorization_pending"})
        self.assertEqual(daemon.credentials()["crm"]["state"], "login_required")

    def test_tokens_there_are_stay_while_nobody_approves(self) -> None:
        daemon = self.daemon()
        daemon.sign_in("crm", self.server.login("rotate"))
        wait_until(lambda: daemon.credentials()["crm"]["state"] == "fresh", 10, "a token", daemon)
        before = (daemon.tokens / "crm" / "token").read_text()
        waiting = self.login(daemon, "--device", "--timeout", "3s")
        user_code(waiting)
        self.assert_ended(waiting, 75, "not approved")
        self.assertGreaterEqual(len(self.polls()), 2)
        self.assertEqual((daemon.tokens / "crm" / "token").read_text(), before)
        status, _ = daemon.request("POST", "/v1/credentials/crm/refresh?wait=20")
        self.assertEqual(status, 200, daemon.report())


class DeviceAnswers(LoginCase):
    """Answers that Glewlwyd never gives."""

    def scripted(self, *answers: tuple[int, dict[str, object]]) -> Waiting:
        rest = list(answers)

        def answer(_method: str, path: str, _headers: object, body: bytes) -> object:
            self.seen.append(body.decode())
            if path == "/device":
                facts = {"device_code": "dev-SECRET", "user_code": "AB-CD", "interval": 1,
                         "expires_in": 30, "verification_url": "https://g.example/device"}
                return 200, {"Content-Type": "application/json"}, json.dumps(facts).encode()
            given = rest.pop(0)
            if given is None:
                return None
            return given[0], {"Content-Type": "application/json"}, json.dumps(given[1]).encode()

        self.seen: list[str] = []
        server = SmallServer(self, answer)
        config = self.config()
        config["providers"]["as"] = {
            "authorization": {"device_url": server.base + "/device"},
            "request": {"url": server.base + "/token"}}
        self.running = self.daemon(config)
        return self.login(self.running)

    def test_denied(self) -> None:
        for error in ("access_denied", "authorization_declined"):
            waiting = self.scripted((403, {"error": error, "error_description": "RAW words"}))
            self.assertEqual(user_code(waiting), "AB-CD")
            self.assert_ended(waiting, 77, error)
            self.assertNotIn("RAW", waiting.stderr)
            self.assertNotIn("SECRET", waiting.stdout + waiting.stderr + self.running.stderr())
            self.running.close()

    def test_expired_and_unknown_codes(self) -> None:
        waiting = self.scripted((400, {"error": "expired_token"}))
        self.assert_ended(waiting, 75, "expired_token")

    def test_an_outage_is_waited_out(self) -> None:
        waiting = self.scripted((503, {}), None, (200, {"access_token": "a", "expires_in": 600,
                                                        "refresh_token": "r"}))
        self.assert_ended(waiting, 0, "503", "asking again")
        self.assertEqual(self.running.credentials()["crm"]["consecutive_failures"], 0)
