"""Real authorization servers, each started by its script in Tests/Support with a fresh database."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.parse
from typing import Any, Optional

from evertest.basics import SUPPORT, at_end, temporary_directory


def post_form(url: str, fields: dict[str, str], client: Optional[tuple[str, str]] = None,
              context: Optional[ssl.SSLContext] = None) -> tuple[int, bytes]:
    """A form POST to loopback, by no proxy: with client_secret_basic where there is a `client`,
    over TLS where there is a `context`."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=15)
    if context is not None:
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=15, context=context)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if client is not None:
        pair = ":".join(map(urllib.parse.quote_plus, client))
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    try:
        connection.request("POST", parts.path, urllib.parse.urlencode(fields), headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def free_ports(count: int) -> int:
    """The first of `count` consecutive unused ports on loopback."""
    for first in range(20000 + os.getpid() % 500 * 20, 32000):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, one in enumerate(sockets):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind(("127.0.0.1", first + offset))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise AssertionError("no %d consecutive free ports" % count)


class AuthorizationServer:
    """A real server run by its script; fresh database, own directory, own ports."""

    script, flag, ports = "", "", 1
    web = ("web", "s3cret-web")

    def __init__(self, case: Any, *options: str) -> None:
        self.directory = temporary_directory(case) / "server"
        at_end(case, self.stop)
        self.run("start", "--port", str(free_ports(self.ports)), *options)
        self.facts: dict[str, str] = json.loads((self.directory / "as.json").read_text())

    def run(self, command: str, *options: str) -> str:
        """Runs a command of the script; its output, or a failure with all it wrote."""
        done = subprocess.run([SUPPORT / self.script, command, "--dir", self.directory, *options],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise AssertionError("%s %s: exit status %d\n%s%s" % (
                self.script, command, done.returncode, done.stdout[-3000:], done.stderr[-3000:]))
        return done.stdout

    def stop(self) -> None:
        if self.directory.exists():
            self.run("stop")

    def login(self, issuer: str) -> dict[str, Any]:
        """A token response for client `web` by authorization code and PKCE."""
        for _ in range(5):  # under load a server's database may be busy; nothing is proved here
            tokens = json.loads(self.run("login", self.flag, issuer))
            if "error" not in tokens:
                break
            time.sleep(0.5)
        if not tokens.get("refresh_token"):
            raise AssertionError("login at %s gave no refresh token: %s" % (issuer, tokens))
        return tokens

    def introspection_url(self, issuer: str) -> str:
        raise NotImplementedError

    def introspect(self, issuer: str, token: str, client: tuple[str, str] = web) -> bool:
        """Whether the server says the access token is active (RFC 7662)."""
        status, body = post_form(self.introspection_url(issuer), {"token": token}, client)
        if status != 200:
            raise AssertionError("introspection at %s: %d %r" % (issuer, status, body[:300]))
        return json.loads(body)["active"] is True


class Glewlwyd(AuthorizationServer):
    """Issuers rotate, static, expiring, long, dpop: paths /api/ISSUER/token of one server. With
    `tls` it serves https by an authority of its own and takes client certificates of that."""

    script, flag = "glewlwyd.sh", "--plugin"

    def __init__(self, case: Any, access_ttl: int, refresh_ttl: int = 20,
                 tls: bool = False, more: tuple[str, ...] = ()) -> None:
        super().__init__(case, "--access-ttl", str(access_ttl), "--refresh-ttl", str(refresh_ttl),
                         *(["--tls"] if tls else []), *more)
        self.base = self.facts["BASE"]

    def approve_device(self, user_code: str) -> None:
        """Has alice approve a device's code at the issuer `rotate`."""
        done = subprocess.run(
            [SUPPORT / self.script, "approve", user_code, "--dir", self.directory],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if done.returncode != 0 or not done.stdout.startswith("302 "):
            raise AssertionError("approve: %s%s" % (done.stdout, done.stderr))

    def introspection_url(self, issuer: str) -> str:
        return "%s/api/%s/introspect" % (self.base, issuer)


class DjangoToolkit(AuthorizationServer):
    """Issuers rotate, static, grace: one server each, path /o/token/."""

    script, flag, ports = "django-oauth-toolkit.sh", "--mode", 3

    def __init__(self, case: Any, access_ttl: int, grace: int = 10) -> None:
        super().__init__(case, "--access-ttl", str(access_ttl), "--grace", str(grace))

    def base_of(self, issuer: str) -> str:
        """Scheme, host and port of an issuer, for a proxy in front of it."""
        return self.facts["BASE_" + issuer.upper()].removesuffix("/o")

    def introspection_url(self, issuer: str) -> str:
        return "%s/o/introspect/" % self.base_of(issuer)
