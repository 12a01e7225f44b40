"""The bytes that the daemon sends when a token endpoint misbehaves: each request once, and only to
the configured host.

A silent repetition spends a single-use refresh token twice, and HTTP libraries often repeat
requests. So the servers here are bare sockets that record every byte
(evertest/servers/raw_server.py), and the tests count connections and requests.
"""

import json
import os
import time
import unittest
import unittest.mock
import urllib.request

from evertest.servers.raw_server import answer, hanging_up, replying, resetting
from evertest.suite import Suite
from evertest.wire import WireCase, form, granting

SUITE = Suite(timed=True, minutes=0.5)


def breaking_off(data):
    """Reads the request, says this much, closes."""
    def script(connection):
        connection.read_request()
        connection.send(data)
    return script


ENDINGS = {
    "closed": hanging_up,
    "closed-at-once": lambda connection: None,
    "reset": resetting,
    "not-http": breaking_off(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    "cut-in-the-status": breaking_off(b"HTTP/1.1 20"),
    "cut-in-the-head": breaking_off(b"HTTP/1.1 200 OK\r\nContent-Ty"),
    "cut-after-100": breaking_off(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "cut-in-the-body": breaking_off(answer(200, granting(9))[:-80]),
}


class NoSilentRetryTest(WireCase):
    def test_a_request_without_an_answer_is_seen_as_ambiguous_and_tried_once_more_only(self):
        servers = {name: self.serve(replying(200, granting(1)), ending)
                   for name, ending in ENDINGS.items()}
        self.start({name: self.provider(server) for name, server in servers.items()})
        for name, server in servers.items():
            with self.subTest(name):
                self.wait_state(name, "fresh")
                self.refresh(name)
                first = self.wait_connections(server, 2)
                status = self.wait_error(name, "ambiguous", timeout=1)
                self.assertEqual(len(server.connections), 2, "sent again before it was noted")
                self.assertEqual(status["state"], "retrying")
                second = self.wait_connections(server, 3)
                self.assertLessEqual(second.opened_at - first.asked_at, 2)
        for name, server in servers.items():
            with self.subTest(name):
                self.assert_stays(lambda: len(server.connections) == 3, 1, "a third request")
                self.assert_one_request_each(server)
                sent = [form(request)["refresh_token"] for request in server.requests]
                self.assertEqual(sent, [f"seed-{name}", "rt-1", "rt-1"])
                status = self.status(name)
                left = status["expires_at"] - status["next_refresh_at"]
                self.assertTrue(300 <= left <= 400, f"the third is due {left} s before the end")
                self.assertEqual(self.output(name), "at-1")
                self.assertNotIn("URL", status["last_error"]["problem"])  # it was right

    def test_the_third_request_comes_when_little_is_left_of_the_token(self):
        server = self.serve(replying(200, granting(1, lifetime=8)), hanging_up)
        self.start({"short": self.provider(server)})
        first = self.wait_connections(server, 1)
        self.wait_state("short", "fresh")
        self.refresh("short")
        self.wait_connections(server, 3)
        third = self.wait_connections(server, 4)
        self.assertGreaterEqual(third.opened_at - first.asked_at, 3.9)  # half of it is "little"
        self.assertLess(third.opened_at - first.asked_at, 8)
        self.assert_one_request_each(server)

    def test_an_authorization_code_is_sent_once_whatever_becomes_of_its_answer(self):
        server = self.serve(replying(200, granting(1)), hanging_up, replying(200, granting(2)))
        self.start({"signed": self.provider(server)})
        self.wait_state("signed", "fresh")
        done = self.command("login", "signed", "--code", "only-once")
        self.assertNotEqual(done.returncode, 0)
        self.assert_stays(lambda: len(server.connections) == 2, 2, "the code was sent again")
        self.assertEqual(form(server.requests[1])["code"], "only-once")
        self.assertEqual(self.status("signed")["state"], "fresh")
        self.refresh("signed")
        self.wait_connections(server, 3)
        self.assertEqual(form(server.requests[2])["refresh_token"], "rt-1")

    def test_a_refused_connection_is_no_ambiguity(self):
        server = self.serve(replying(200, granting(1)))
        provider = self.provider(server)
        server.stop()
        self.start({"away": provider})
        status = self.wait_error("away", "transient")
        self.assertIn("does not accept connections", status["last_error"]["problem"])

    def test_no_connection_is_ever_used_twice(self):
        number = iter(range(1, 100))

        def keeping_alive(connection):
            while connection.read_request() is not None:
                connection.send(answer(200, granting(next(number), lifetime=2), [
                    ("Connection", "keep-alive"), ("Keep-Alive", "timeout=60")]))
            connection.ended_at = time.monotonic()

        server = self.serve(keeping_alive)
        self.start({"eager": self.provider(server)})
        self.wait_connections(server, 5, timeout=20)
        self.assert_one_request_each(server)
        for connection in server.connections[:4]:
            self.assertEqual(connection.requests[0].header("Connection"), "close")
            self.assertLess(connection.ended_at - connection.asked_at, 1)
        server.plan(hanging_up)
        before = len(server.connections)
        self.wait_error("eager", "ambiguous")
        self.assertEqual(len(server.connections), before + 1)
        self.assert_one_request_each(server)


class RedirectTest(WireCase):
    def test_a_redirect_is_never_followed(self):
        elsewhere = self.serve(replying(200, granting("stolen")))
        location = ("Location", f"http://127.0.0.1:{elsewhere.port}/token")
        servers = {f"r{code}": self.serve(
            replying(code, b"<a>moved</a>", [location, ("Content-Type", "text/html")]))
            for code in (301, 302, 303, 307, 308)}
        self.start({name: self.provider(server) for name, server in servers.items()})
        for name, server in servers.items():
            with self.subTest(name):
                status = self.wait_state(name, "misconfigured")
                self.assertEqual(status["last_error"]["class"], "config")
                self.assertEqual(status["last_error"]["http_status"], int(name[1:]))
                self.assertIn("redirect", status["last_error"]["problem"])
                self.assertEqual(len(server.connections), 1)
                server.plan(replying(200, granting(2)))
                self.refresh(name)
                self.wait_state(name, "fresh")
                self.assertEqual(form(server.requests[-1])["refresh_token"], f"seed-{name}")
        self.assertEqual(elsewhere.connections, [])

    def test_a_redirect_is_one_whatever_its_body_says(self):
        for error in ("invalid_grant", "temporarily_unavailable"):
            with self.subTest(error):
                body = json.dumps({"error": error}).encode()
                server = self.serve(replying(302, body, [("Location", "http://127.0.0.1:1/")]))
                self.start({"moved": self.provider(server)})
                self.wait_for("moved", lambda s: s["last_error"], "an error")
                self.assertEqual(self.status("moved")["last_error"]["class"], "config")
                self.daemon.close()


class ProxyTest(WireCase):
    def test_proxy_variables_of_the_environment_are_ignored(self):
        proxy = self.serve(replying(200, granting("by-proxy")))
        server = self.serve(replying(200, granting("direct")))
        names = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")
        settings = {key: f"http://127.0.0.1:{proxy.port}"
                    for name in names for key in (name, name.upper())}
        settings |= {"no_proxy": "", "NO_PROXY": ""}
        with unittest.mock.patch.dict(os.environ, settings):
            # That the variables work at all: another program is led by them.
            url = f"http://127.0.0.1:{server.port}/control"
            with urllib.request.urlopen(url, timeout=10) as reply:
                self.assertIn(b"by-proxy", reply.read())
            self.start({"plain": self.provider(server)})
        self.wait_state("plain", "fresh")
        self.assertEqual(self.output("plain"), "at-direct")
        self.assertEqual([one.target for one in proxy.requests], [url])
        self.assertEqual([one.target for one in server.requests], ["/token"])
