"""Tests that mostly wait run side by side, and a daemon that can be put under any pressure."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import unittest
from typing import Any, Optional

from evertest.basics import BIN, at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.sandbox import Control, read
from evertest.servers.token_server import Exchange, TokenServer
from evertest.shims.fault_shim import Shim, build_shim
from evertest.state_layout import slots_hold


class Recorder(unittest.TestResult):
    """What one test reported, to be told again later."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def addFailure(self, test: Any, err: Any) -> None:
        self.calls.append(("addFailure", test, err))

    def addError(self, test: Any, err: Any) -> None:
        self.calls.append(("addError", test, err))

    def addSkip(self, test: Any, reason: str) -> None:
        self.calls.append(("addSkip", test, reason))

    def addSuccess(self, test: Any) -> None:
        self.calls.append(("addSuccess", test))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        self.calls.append(("addSubTest", test, subtest, err))


class SideBySide(unittest.TestSuite):
    """Runs its tests in threads, `workers` at once, and reports them in order."""

    workers = 8

    def run(self, result: unittest.TestResult, debug: bool = False) -> unittest.TestResult:
        tests = list(_flat(self))
        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            ends = [pool.submit(recorded, test) for test in tests]
        for test, end in zip(tests, ends):
            result.startTest(test)
            for call in end.result().calls:
                getattr(result, call[0])(*call[1:])
            result.stopTest(test)
        return result


def _flat(suite: Any) -> Any:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _flat(test)
        else:
            yield test


def recorded(test: unittest.TestCase) -> Recorder:
    """Runs a test for itself."""
    recorder = Recorder()
    test.run(recorder)
    return recorder


def side_by_side(tests: Any, workers: int = 8) -> SideBySide:
    """For a module's `load_tests`."""
    suite = SideBySide(tests)
    suite.workers = workers
    return suite


class PressedDaemon(Daemon):
    """A daemon with a prefix command (setpriv, prlimit...), variables and streams of its own."""

    prefix: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    stderr_to: Any = None  # a descriptor instead of the log file
    extra: dict[str, Any] = {}  # for Popen

    def start(self, wait: bool = True) -> "PressedDaemon":
        plain = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.prefix, str(BIN / "evertokend"),
                 "--config", str(self.config_file), *self.arguments],
                cwd="/", env=plain | self.environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log if self.stderr_to is None else self.stderr_to, **self.extra)
        if wait:
            wait_until(lambda: self.try_status() is not None, 20, "an answer on the control socket",
                       self, pause=0.01)
        return self


class ServiceManager:
    """The socket that sd_notify(3) writes to: what came, and when."""

    def __init__(self, case: Any, path: pathlib.Path) -> None:
        self.path = path
        self.messages: list[tuple[float, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o666)
        self._socket.settimeout(0.2)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        at_end(case, self.close)

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                text = self._socket.recv(65536).decode()
            except TimeoutError:
                continue
            self.messages.append((time.monotonic(), text))

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def times(self, word: str) -> list[float]:
        return [at for at, text in list(self.messages) if word in text.splitlines()]

    def said(self, beginning: str) -> bool:
        return any(line.startswith(beginning)
                   for _, text in list(self.messages) for line in text.splitlines())


class FaultCase(unittest.TestCase):
    """A token server, a daemon that uses it, and the checks for every fault."""

    lifetime = 3600
    refresh: dict[str, Any] = {
        "min_interval": "0.5s", "retry": {"initial": "0.2s", "max": "0.5s"}}

    def setUp(self) -> None:
        self.folder = temporary_directory(self)
        self.folder.chmod(0o755)
        self.server = TokenServer(lifetime=self.lifetime).start()
        at_end(self, self.server.stop)
        self.daemon = PressedDaemon(self, self.folder, {})
        self.control = Control(self.daemon.socket)
        self.credentials: dict[str, Any] = {}
        self.readers: list[Any] = []

    def shim(self) -> Shim:
        """Makes the daemon, at its next start, one whose calls can be made to fail."""
        shim = Shim(build_shim(self.folder), self.folder / "shim")
        self.daemon.environment = self.daemon.environment | shim.environment
        return shim

    def as_user(self, uid: int, *places: pathlib.Path) -> None:
        """Runs the daemon as another user than root, who owns these places."""
        for place in (*places, self.folder):
            os.chown(place, uid, uid)
        os.chown(self.daemon.config_file, uid, uid)
        self.daemon.prefix = (
            "setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups", "--")

    def add(self, *names: str, **more: Any) -> None:
        """Signs credentials in and puts them into the configuration."""
        for name in names:
            seed = self.server.grant(name, "secret of " + name)
            self.credentials[name] = {
                "provider": "as", "client_id": name, "client_secret": "secret of " + name,
                "refresh_token": seed, "refresh": self.refresh} | more
        self.configure()

    def configure(self) -> None:
        request = {"url": self.server.url, "client_auth": "client_secret_basic"}
        self.daemon.configure({
            "providers": {"as": {"request": request}}, "credentials": self.credentials})

    def token(self, name: str = "crm") -> Optional[str]:
        return read(self.daemon.tokens / name / "token")

    def rotations(self, name: str = "crm") -> list[Exchange]:
        return self.server.exchanges(name)

    def await_rotations(self, count: int, name: str = "crm", timeout: float = 30) -> None:
        """Waits until `count` more tokens have been asked for and the last one is published."""
        goal = len(self.rotations(name)) + count

        def is_out() -> bool:
            seen = self.rotations(name)
            if not seen or len(seen) < goal:
                return False
            return self.token(name) == seen[-1].access_token

        wait_until(is_out, timeout, "%d more rotations of %s" % (count, name), self.daemon)

    def order(self, name: str = "crm") -> None:
        """Orders a refresh, as `evertoken refresh` does."""
        self.control.refresh(name)

    def refreshed(self, name: str = "crm") -> None:
        """Orders one and waits for its token."""
        before = len(self.rotations(name))
        self.order(name)
        wait_until(lambda: len(self.rotations(name)) > before
                   and self.token(name) == self.rotations(name)[-1].access_token,
                   20, "the refreshed token of " + name, self.daemon)

    def await_error(self, name: str, kind: str, timeout: float = 20) -> dict[str, Any]:
        """Waits for a status that says so, with what to do about it."""
        error = self.control.wait_for(
            name, lambda c: (c["last_error"] or {}).get("class") == kind,
            "an error of class " + kind, timeout)["last_error"]
        self.assertTrue(error["problem"].strip())
        self.assertTrue(error["remedy"].strip())
        return error

    def await_no_error(self, name: str = "crm") -> None:
        self.control.wait_for(name, lambda c: c["last_error"] is None, "no error any more")

    def stop(self) -> None:
        """SIGTERM; it ends well."""
        self.assertEqual(self.daemon.terminate(), 0, self.daemon.stderr()[-3000:])

    def state_holds(self, token: str, name: str = "crm") -> bool:
        return slots_hold(self.daemon.state / name, token)

    def assert_nothing_lost(self, *names: str) -> None:
        """The server's record: no token was sent twice, and the live one is in the state."""
        for name in names or tuple(self.credentials):
            sent = [e.refresh_token for e in self.rotations(name)]
            self.assertEqual(len(sent), len(set(sent)), "%s: a refresh token was sent twice" % name)
            self.assertEqual([e for e in self.rotations(name) if e.problem], [])
            live = self.server.live_refresh_token(name)
            self.assertIsNotNone(live)
            if sent and not self.state_holds(live, name):
                self.fail("%s: its live refresh token is in no slot\n%s"
                          % (name, self.daemon.report()))

    def assert_lives_after_restart(self, *names: str) -> None:
        """Stops it, starts it, and refreshes everything once more."""
        self.stop()
        self.assert_nothing_lost(*names)
        self.daemon.start()
        for name in names or tuple(self.credentials):
            self.control.wait_for(name, lambda c: c["state"] == "fresh", "a fresh token")
            self.refreshed(name)
        self.stop()
        self.assert_nothing_lost(*names)

    def end(self) -> None:
        """kill -9, wherever it is."""
        if self.daemon.process is not None and self.daemon.process.poll() is None:
            self.daemon.process.send_signal(signal.SIGKILL)
            self.daemon.process.wait()
