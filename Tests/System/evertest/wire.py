"""A daemon whose servers are bare sockets, which record every byte that they are sent."""

import json
import subprocess
import time
import unittest
import urllib.parse

from evertest.basics import BIN, at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.servers.raw_server import RawServer

QUICK = {"min_interval": "0.5s", "timeout": "5s"}


def granting(number, lifetime=3600, **more):
    """The body of an RFC 6749 answer with access token at-NUMBER and refresh token rt-NUMBER."""
    fields = {"access_token": f"at-{number}", "token_type": "Bearer", "expires_in": lifetime,
              "refresh_token": f"rt-{number}"} | more
    return json.dumps(fields).encode()


def form(request):
    """The parameters of a form body; a name given twice is an error."""
    pairs = urllib.parse.parse_qsl(request.body.decode("ascii"), keep_blank_values=True,
                                   strict_parsing=True)
    if len(dict(pairs)) != len(pairs):
        raise AssertionError(f"a parameter stands twice: {request.body!r}")
    return dict(pairs)


class WireCase(unittest.TestCase):
    """A daemon, its servers and how to look at both."""

    daemon: Daemon

    def serve(self, *scripts, context=None):
        server = RawServer(*scripts, context=context).start()
        at_end(self, server.stop)
        return server

    @staticmethod
    def provider(server, *, scheme="http", path="/token", **request):
        """An RFC 6749 provider at this server."""
        url = f"{scheme}://127.0.0.1:{server.port}{path}"
        return {"request": {"url": url, "client_auth": "client_secret_basic"} | request}

    @staticmethod
    def credential(provider, **more):
        return {"provider": provider, "client_id": "client", "client_secret": "secret",
                "refresh_token": f"seed-{provider}", "refresh": QUICK} | more

    def start(self, providers, credentials=None, **more):
        """Starts the daemon; without `credentials` each provider has one of the same name."""
        credentials = credentials or {name: self.credential(name) for name in providers}
        config = {"providers": providers, "credentials": credentials} | more
        self.daemon = Daemon(self, temporary_directory(self), config).start()
        return self.daemon

    def status(self, name):
        return self.daemon.credentials()[name]

    def wait_for(self, name, condition, what, timeout=10.0):
        """Waits until `condition(status of the credential)` holds; returns that status."""
        def look():
            status = self.status(name)
            return status if condition(status) else None

        return wait_until(look, timeout, f"{name}: {what}", self.daemon, pause=0.02)

    def wait_state(self, name, state, timeout=10.0):
        return self.wait_for(name, lambda s: s["state"] == state, f"state {state}", timeout)

    def wait_error(self, name, failure_class, timeout=10.0):
        """Waits for a last error of this class."""
        return self.wait_for(
            name, lambda s: s["last_error"] and s["last_error"]["class"] == failure_class,
            f"an error of class {failure_class}", timeout)

    def wait_connections(self, server, count, timeout=10.0):
        """Waits until the server has seen this many, the last with a whole request."""
        wait_until(lambda: len(server.connections) >= count and server.connections[count - 1]
                   .asked_at, timeout, f"connection {count}", self.daemon, pause=0.01)
        return server.connections[count - 1]

    def refresh(self, name):
        code, reply = self.daemon.request("POST", f"/v1/credentials/{name}/refresh")
        self.assertLess(code, 300, reply)

    def output(self, name, file="token"):
        """What other programs read; None while it is not there."""
        path = self.daemon.tokens / name / file
        return path.read_text() if path.exists() else None

    def assert_stays(self, condition, seconds, what):
        """Watches that a condition holds all the time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertTrue(condition(), f"{what}\n{self.daemon.report()}")
            time.sleep(0.05)

    def assert_one_request_each(self, server):
        """No connection ever carries a second request, or half of one."""
        for connection in server.connections:
            self.assertEqual(len(connection.requests), 1, bytes(connection.plain))

    def command(self, *arguments):
        """Runs the command line against the daemon."""
        return subprocess.run([BIN / "evertoken", *arguments, "--socket", self.daemon.socket],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False)
