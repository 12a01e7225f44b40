"""Common parts of the tests of both programs: a provider on loopback, a daemon that uses it, and
the command line as a user or a script runs it."""

import json
import os
import signal
import subprocess
import time
import unittest

from evertest.basics import BIN, at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.servers.token_server import TokenServer

#: What both programs get of the environment, so that none of the tester's own variables matters.
PLAIN_ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


def evertoken(*arguments, socket=None, text="", timeout=60, environment=None, prefix=()):
    """Runs the command line to its end; standard input is `text`, never the terminal.

    The daemon is named by `socket`, as EVERTOKEN_SOCKET, unless the arguments name it.
    """
    variables = PLAIN_ENVIRONMENT | ({"EVERTOKEN_SOCKET": str(socket)} if socket else {})
    return subprocess.run(
        [*prefix, str(BIN / "evertoken"), *arguments], input=text, capture_output=True, text=True,
        env=variables | (environment or {}), timeout=timeout)


class PlainDaemon(Daemon):
    """A daemon with exactly the environment it is given besides PATH."""

    def __init__(self, case, directory, config, environment):
        super().__init__(case, directory, config)
        self.environment = PLAIN_ENVIRONMENT | environment
        self.prefix = []  # a program that becomes the daemon, with its arguments

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.prefix, str(BIN / "evertokend"),
                 "--config", str(self.config_file)],
                cwd="/", env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            wait_until(lambda: self.try_status() is not None, 20, "an answer on the control socket",
                       self, pause=0.01)
        return self

    def evertoken(self, *arguments, **options):
        """The command line, talking to this daemon."""
        return evertoken(*arguments, socket=self.socket, **options)

    def reconfigure(self, config):
        """Writes another configuration and reloads; fails where it is refused."""
        self.configure(config)
        done = self.evertoken("reload")
        if done.returncode != 0:
            raise AssertionError("reload: %d %s" % (done.returncode, done.stderr))

    def wait_for(self, name, state, timeout=20.0):
        """Waits for a state of a credential; its entry of the status."""
        def look():
            entry = self.credentials().get(name)
            return entry if entry and entry["state"] == state else None

        return wait_until(look, timeout, "%s to be %s" % (name, state), self)

    def wait_for_any(self, name, states, timeout=20.0):
        """Waits for one of several states of a credential; which it is."""
        def look():
            state = self.credentials().get(name, {}).get("state")
            return state if state in states else None

        return wait_until(look, timeout, "%s to be one of %s" % (name, states), self)

    def file(self, path):
        """The text of an output below the token directory; None while there is none."""
        try:
            return (self.tokens / path).read_text()
        except FileNotFoundError:
            return None


class ProgramCase(unittest.TestCase):
    """A provider named `as` (`machine` for client credentials), and daemons that use it."""

    #: Of the access tokens, in seconds.
    lifetime = 3600

    def setUp(self):
        self.directory = temporary_directory(self)
        self.server = self.make_server().start()
        at_end(self, self.server.stop)

    def make_server(self):
        return TokenServer(lifetime=self.lifetime)

    def credential(self, name, **more):
        """An entry of `credentials` whose user has just signed in. The floor between two refreshes
        is low, so that a test can order one at any time."""
        secret = "secret-of-" + name
        seed = self.server.grant(name, secret)
        return {"provider": "as", "client_id": name, "client_secret": secret,
                "refresh_token": seed, "refresh": {"min_interval": "0.5s"}} | more

    def signed_out(self, name, **more):
        """The same, but its refresh token is none of the server's."""
        return self.credential(name) | {"refresh_token": "never-issued-" + name} | more

    def machine(self, name, **more):
        """An entry of the client_credentials grant."""
        entry = self.credential(name, provider="machine")
        del entry["refresh_token"]
        return entry | more

    def config(self, credentials, **more):
        request = {"request": {"url": self.server.url, "client_auth": "client_secret_basic"}}
        return {"providers": {"as": request,
                              "machine": {"extends": "client_credentials"} | request},
                "credentials": credentials} | more

    def daemon(self, credentials, *, place="daemon", environment=None, **more):
        """A running daemon with a directory of its own."""
        folder = self.directory / place
        folder.mkdir(mode=0o700)
        config = self.config(credentials, **more)
        return PlainDaemon(self, folder, config, environment or {}).start()

    def fresh_daemon(self, *names, **more):
        """A running daemon whose credentials, of these names, all have a token."""
        daemon = self.daemon({name: self.credential(name) for name in names}, **more)
        for name in names:
            daemon.wait_for(name, "fresh")
        return daemon

    def assert_exit(self, done, status, *words):
        """The exit status, and what the message must speak of."""
        account = "%s\n%s%s" % (" ".join(map(str, done.args)), done.stdout, done.stderr)
        self.assertEqual(done.returncode, status, account)
        for word in words:
            self.assertIn(word, done.stderr, account)


def write_private(path, text):
    """A file only its owner can read, with this text."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def write_program(path, *lines):
    """An executable file of these lines."""
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)
    return path


def noted_pids(path):
    """The process ids that programs wrote to a file, one a line."""
    text = path.read_text() if path.exists() else ""
    return [int(line) for line in text.split()]


def end_noted_groups(path):
    """Kills what a failed test may have left: each noted process leads a group of its own."""
    for pid in noted_pids(path):
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def timed(function, *arguments, **keywords):
    """What a call returned, and how many seconds it took."""
    start = time.monotonic()
    result = function(*arguments, **keywords)
    return result, time.monotonic() - start


def token_json(daemon, name):
    """The published token.json of a credential, parsed."""
    return json.loads(daemon.file(name + "/token.json"))
