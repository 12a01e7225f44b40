"""Common parts of the sign-in tests: a Glewlwyd whose token endpoint is recorded, a daemon, a user
without a browser, and a waiting `evertoken login`."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import re
import subprocess
import threading
import unittest
import urllib.parse
from typing import Any, Optional

from evertest.basics import BIN, at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.programs import PLAIN_ENVIRONMENT
from evertest.servers.authorization import Glewlwyd, free_ports

CLIENT, SECRET = "web", "s3cret-web"


class SmallServer:
    """An HTTP server on loopback; `answer` gets method, path, headers and body, and returns status,
    headers and body, or None to close the connection."""

    def __init__(self, case: Any, answer: Any) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                given = answer(self.command, self.path, dict(self.headers), self.rfile.read(length))
                if given is None:
                    self.close_connection = True
                    return
                status, headers, body = given
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass  # the client had enough

            do_GET = do_POST = serve

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        at_end(case, self.stop)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class WatchedEndpoint:
    """Forwards to a server and remembers every form and answer."""

    def __init__(self, case: Any, base: str) -> None:
        self.target = urllib.parse.urlsplit(base)
        self.exchanges: list[tuple[str, dict[str, str], int, dict[str, Any]]] = []
        self.base = SmallServer(case, self.answer).base

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        connection = http.client.HTTPConnection(
            self.target.hostname or "", self.target.port, timeout=20)
        kept = {name: value for name, value in headers.items()
                if name.lower() in ("authorization", "content-type", "accept")}
        try:
            connection.request(method, path, body or None, kept)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        try:
            answer = json.loads(data)
        except ValueError:
            answer = {}
        form = dict(urllib.parse.parse_qsl(body.decode()))
        self.exchanges.append((path, form, response.status, answer))
        return response.status, {"Content-Type": response.getheader("Content-Type") or ""}, data

    def secrets(self) -> set[str]:
        """Everything that must not appear elsewhere."""
        found = set()
        for _, form, _, answer in self.exchanges:
            found |= {form.get(name) for name in ("code", "code_verifier", "device_code",
                                                  "client_secret", "refresh_token")}
            found |= {answer.get(name) for name in ("access_token", "refresh_token", "device_code")}
        return {str(secret) for secret in found if secret}


class Waiting:
    """`evertoken login`, started and not ended."""

    def __init__(self, case: Any, arguments: list[str], environment: dict[str, str],
                 text: Optional[str], prefix: tuple[str, ...] = ()) -> None:
        self.arguments = [str(BIN / "evertoken"), *arguments]
        self.process = subprocess.Popen(
            [*prefix, *self.arguments], env=PLAIN_ENVIRONMENT | environment,
            stdin=subprocess.DEVNULL if text is None else subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        at_end(case, self.stop)
        self.stdout, self.stderr = "", ""
        self.readers = [threading.Thread(target=self.read, args=(name,), daemon=True)
                        for name in ("stdout", "stderr")]
        for reader in self.readers:
            reader.start()
        self.command_line = ""

    def read(self, name: str) -> None:
        for line in getattr(self.process, name):
            setattr(self, name, getattr(self, name) + line)

    def url(self) -> str:
        """The address that it tells the person to open."""
        def look() -> Optional[str]:
            found = re.search(r"(?m)^  (https?://\S+)$", self.stdout)
            if not found and self.process.poll() is not None:
                raise AssertionError("it ended: %s%s" % (self.stdout, self.stderr))
            return found and found.group(1)

        url = wait_until(look, 20, "an address", pause=0.01)
        with open("/proc/%d/cmdline" % self.process.pid, encoding="utf-8") as file:
            self.command_line = file.read()
        return url

    def type(self, text: str) -> None:
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def end(self, timeout: float = 30) -> int:
        status = self.process.wait(timeout)
        for reader in self.readers:
            reader.join(10)
        return status

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join(10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream and not stream.closed:
                try:
                    stream.close()
                except OSError:
                    pass


def get(url: str, cookie: str = "", method: str = "GET",
        headers: Optional[dict[str, str]] = None) -> tuple[int, dict[str, str], bytes]:
    """One request; redirects are not followed."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        sent = (headers or {}) | ({"Cookie": cookie} if cookie else {})
        connection.request(method, target, headers=sent)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return response.status, names, response.read()
    finally:
        connection.close()


def come_back(url: str) -> tuple[int, dict[str, str], bytes]:
    """What the browser sees at the redirect URI: it is sent on to an address without the code."""
    status, names, page = get(url)
    if status != 303:
        return status, names, page
    return get(urllib.parse.urljoin(url, names["location"]))


def query(url: str) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


class LoginCase(unittest.TestCase):
    """One Glewlwyd for the class, with credentials at it as the test wants them."""

    options: tuple[str, ...] = ()

    @classmethod
    def setUpClass(cls) -> None:
        cls.port = free_ports(2) + 1
        cls.redirect = "http://127.0.0.1:%d/callback" % cls.port
        cls.server = Glewlwyd(cls, 600, more=("--redirect", cls.redirect, *cls.options))
        cls.issuer = cls.server.base + "/api/rotate"
        cls.endpoint = WatchedEndpoint(cls, cls.server.base)
        jar = (cls.server.directory / "alice.cookie").read_text().splitlines()
        fields = [line.removeprefix("#HttpOnly_").split("\t") for line in jar if "\t" in line]
        cls.cookie = "; ".join("%s=%s" % (parts[5], parts[6]) for parts in fields)

    def setUp(self) -> None:
        self.directory = temporary_directory(self)

    def provider(self, **more: Any) -> dict[str, Any]:
        """A profile of the server's; `more` is its `authorization`."""
        authorization = {"url": self.issuer + "/auth", "scope": "svc",
                         "device_url": self.endpoint.base + "/api/rotate/device_authorization"}
        return {"authorization": authorization | more, "request": {
            "url": self.endpoint.base + "/api/rotate/token", "client_auth": "client_secret_basic"}}

    def credential(self, **more: Any) -> dict[str, Any]:
        return {"provider": "as", "client_id": CLIENT, "client_secret": SECRET,
                "variables": {"redirect_uri": self.redirect},
                "refresh": {"min_interval": "0.5s"}} | more

    def config(self, authorization: Optional[dict[str, Any]] = None, **more: Any) -> dict[str, Any]:
        return {"providers": {"as": self.provider(**(authorization or {}))},
                "credentials": {"crm": self.credential(**more)}}

    def daemon(self, config: Optional[dict[str, Any]] = None, start: bool = True) -> Daemon:
        daemon = Daemon(self, self.directory, config or self.config())
        return daemon.start() if start else daemon

    def login(self, daemon: Daemon, *arguments: str, text: Optional[str] = None,
              environment: Optional[dict[str, str]] = None,
              prefix: tuple[str, ...] = ()) -> Waiting:
        return Waiting(self, ["login", "crm", *arguments],
                       {"EVERTOKEN_SOCKET": str(daemon.socket)} | (environment or {}), text, prefix)

    def approve(self, url: str) -> str:
        """Signs in and agrees, as the person's browser would; where the server sends it then."""
        status, headers, _ = get(url + "&g_continue=", self.cookie)
        self.assertEqual(status, 302, url)
        return headers["location"]

    def assert_ended(self, waiting: Waiting, status: int, *words: str, timeout: float = 30) -> None:
        got = waiting.end(timeout)
        account = "%s\n%s%s" % (waiting.arguments, waiting.stdout, waiting.stderr)
        self.assertEqual(got, status, account)
        for word in words:
            self.assertIn(word, waiting.stderr, account)

    def assert_signed_in(self, daemon: Daemon, waiting: Waiting) -> None:
        self.assert_ended(waiting, 0)
        self.assertIn("crm: signed in", waiting.stdout)
        token = daemon.tokens / "crm" / "token"
        wait_until(token.exists, 10, "the token file", daemon, pause=0.01)
        self.assertTrue(self.server.introspect("rotate", token.read_text()))

    def assert_no_secret(self, daemon: Optional[Daemon], *waitings: Waiting) -> None:
        """What only the daemon and the server may know stands in no output, log or argument."""
        secrets = self.endpoint.secrets() | {SECRET}
        self.assertGreater(len(secrets), 3)
        texts = {"the daemon's log": daemon.stderr() if daemon else ""}
        for waiting in waitings:
            texts |= {"stdout": waiting.stdout, "stderr": waiting.stderr,
                      "the command line": waiting.command_line}
        for place, text in texts.items():
            for secret in secrets:
                self.assertNotIn(secret, text, "a secret in %s" % place)


def path_with(folder: os.PathLike[str]) -> str:
    return "%s:%s" % (folder, PLAIN_ENVIRONMENT["PATH"])
