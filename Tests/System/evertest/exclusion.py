"""Many daemons for one state directory: simultaneous starts, and which daemon answers.

The proxy counts concurrent requests for one refresh token, and the server behind it revokes
everything when a spent one is used: these two decide, never the daemon.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
from typing import Any, Iterator, Optional

from evertest.basics import BIN, at_end, wait_until
from evertest.daemon import UnixConnection
from evertest.oracle.oracle_proxy import OracleProxy
from evertest.programs import PLAIN_ENVIRONMENT, PlainDaemon, ProgramCase

#: sysexits(3), EX_CANTCREAT: what a daemon exits with that may not have its state directory.
TAKEN = 73
#: Enough to see that nothing was asked, in seconds.
A_WHILE = 0.5


class Contender:
    """One process that tries to be the daemon, and its output."""

    def __init__(self, command: list[str], log: pathlib.Path, gate: Optional[int] = None) -> None:
        self.log = log
        start = ["setpriv", "--pdeathsig", "KILL"]
        if gate is not None:
            start += ["sh", "-c", 'read -r _; exec "$@"', "sh"]
        with open(log, "wb") as file:
            self.process = subprocess.Popen(
                [*start, *command], cwd="/", env=PLAIN_ENVIRONMENT, stdout=file, stderr=file,
                stdin=subprocess.DEVNULL if gate is None else gate)

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """Ends it, stopped or not. May be called twice."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Wave:
    """Processes that are loaded and wait for a common start."""

    def __init__(self, case: Any, command: list[str], count: int, folder: pathlib.Path) -> None:
        folder.mkdir(exist_ok=True)
        gate, self.stroke = os.pipe()
        self.members = [Contender(command, folder / str(number), gate) for number in range(count)]
        os.close(gate)
        for member in self.members:
            at_end(case, member.kill)

    def release(self) -> None:
        """All at once: the end of the pipe that they read."""
        os.close(self.stroke)

    def alive(self) -> list[Contender]:
        return [m for m in self.members if m.process.poll() is None]

    def losers(self) -> list[Contender]:
        return [m for m in self.members if m.process.poll() is not None]


def serving_pid(path: pathlib.Path) -> Optional[int]:
    """Which process listens on a Unix socket; None when none does."""
    connection = UnixConnection(path, 5)
    try:
        connection.connect()
        peer = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return struct.unpack("3i", peer)[0]
    except OSError:
        return None
    finally:
        connection.close()


class ExclusionCase(ProgramCase):
    """A server behind a proxy that holds each answer back for a moment, to make races wide."""

    #: Seconds.
    hold = 0.03

    def setUp(self) -> None:
        super().setUp()
        self.proxy = OracleProxy("http://127.0.0.1:%d" % self.server.port,
                                 str(self.directory / "record.jsonl"),
                                 hold=lambda exchange: self.hold).start()
        at_end(self, self.proxy.stop)
        self.denied: list[Contender] = []
        self.is_condemned = False  # once is enough

    def tearDown(self) -> None:
        self.hold = 0
        if not self.is_condemned:
            self.assert_exclusive()

    def config(self, credentials: dict[str, Any], **more: Any) -> dict[str, Any]:
        request = {"request": {"url": self.proxy.base + "/token",
                               "client_auth": "client_secret_basic"}}
        return {"providers": {"as": request}, "credentials": credentials} | more

    def assert_exclusive(self) -> None:
        """The point of it all."""
        self.proxy.wait_settled()
        self.is_condemned = True
        self.assertLessEqual(self.proxy.max_in_flight(), 1, "two requests at once: %s" % [
            e for e in self.proxy.exchanges if e.in_flight > 1])
        spent = "a spent refresh token came back"
        self.assertEqual([e for e in self.server.exchanges() if e.problem == spent], [],
                         "sent after it was spent")
        self.is_condemned = False

    def tell(self, what: str, **counts: Any) -> None:
        """The result line of a campaign."""
        counts |= {"requests": len(self.proxy.exchanges),
                   "most_in_flight": self.proxy.max_in_flight()}
        print("\n%s: %s" % (what, ", ".join("%s %s" % (value, name.replace("_", " "))
                                            for name, value in counts.items())))

    def assert_denied(self, contender: Contender, state: str) -> None:
        """It stopped by itself, quickly, saying what to do, with the status that says so too."""
        try:
            status = contender.process.wait(10)
        except subprocess.TimeoutExpired:
            raise AssertionError("a second daemon runs for %s\n%s" % (
                state, contender.said())) from None
        self.assertEqual(status, TAKEN, contender.said())
        self.assertRegex(contender.said(), "another evertokend uses .*%s; stop it, or give" % state)
        self.denied.append(contender)

    def second(self, daemon: PlainDaemon, place: str, prefix: tuple[str, ...] = (),
               **changes: Any) -> Contender:
        """Another daemon, started, with files of its own but for what `changes` says."""
        folder = self.directory / place
        folder.mkdir()
        other = PlainDaemon(self, folder, {}, {})
        other.configure(self.credentials_of(daemon) | {"state_dir": str(daemon.state)} | changes)
        contender = Contender([*prefix, str(BIN / "evertokend"), "--config",
                               str(other.config_file)], folder / "log")
        contender.socket = other.socket
        at_end(self, contender.kill)
        return contender

    def credentials_of(self, daemon: PlainDaemon) -> dict[str, Any]:
        return self.known[daemon]

    def holder(self, *names: str, place: str = "daemon", **more: Any) -> PlainDaemon:
        """A daemon that has the state directory, all its credentials fresh."""
        folder = self.directory / place
        folder.mkdir(mode=0o700)
        config = self.config({name: self.credential(name, **more) for name in names})
        daemon = PlainDaemon(self, folder, config, {}).start()
        self.known = {daemon: config}
        for name in names:
            daemon.wait_for(name, "fresh")
        return daemon

    def refresh(self, daemon: PlainDaemon, name: str) -> None:
        """Orders one, and waits until its token is out."""
        before = len(self.server.exchanges(name))
        code, answer = daemon.request("POST", "/v1/credentials/%s/refresh" % name)
        self.assertLess(code, 300, answer)
        self.await_published(daemon, name, before + 1)

    def await_published(self, daemon: PlainDaemon, name: str, count: int) -> None:
        """Waits until so many requests have been made, and the last answer is durable and out."""
        def is_out() -> bool:
            seen = self.server.exchanges(name)
            return (len(seen) >= count and daemon.file(name + "/token") == seen[-1].access_token
                    and daemon.credentials()[name]["state"] == "fresh")

        wait_until(is_out, 20, "token %d of %s" % (count, name), None, pause=0.02)

    @contextlib.contextmanager
    def stopped(self, pid: int) -> Iterator[None]:
        """SIGSTOP, and SIGCONT after."""
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: pathlib.Path("/proc/%d/stat" % pid).read_text()
                       .rsplit(")", 1)[1].split()[0] == "T", 5, "it to stop")
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


def at_once(functions: list[Any]) -> list[Any]:
    """Calls them from a thread each, begun together; what they returned, in order."""
    results: list[Any] = [None] * len(functions)
    barrier = threading.Barrier(len(functions))

    def call(number: int) -> None:
        barrier.wait()
        results[number] = functions[number]()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
