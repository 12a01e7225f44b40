"""A daemon whose clocks the test controls, by `Tests/Support/clock_shim.c`.

The simulated clocks add offsets to the real ones, so a wait takes real time, but a step, a suspend
or a reboot takes none. The server uses real time and decides about validity.
"""

from __future__ import annotations

import mmap
import pathlib
import shutil
import struct
import subprocess
import time
import unittest
import uuid
from typing import Any, Optional

from evertest.basics import BIN, SUPPORT, at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.programs import PLAIN_ENVIRONMENT
from evertest.servers.token_server import Exchange, TokenServer

SECOND = 1_000_000_000
YEAR = 31_556_952
#: The words of `struct board` in clock_shim.c, in its order.
WORDS = ("sequence wall boot monotonic drift drift_since jumps sync_delay wall_reads boot_reads "
         "monotonic_reads watches cancellations timers syncs").split()
#: A test's own file is bound over this one where a machine is to have been rebooted.
BOOT_ID = "/proc/sys/kernel/random/boot_id"
#: Enough to see that nothing was asked: what is wrongly due is sent within milliseconds.
A_WHILE = 0.4


def tell(what: str, **counts: object) -> None:
    """The one line of a campaign."""
    print("\n%s: %s" % (what, ", ".join("%s %s" % (value, name.replace("_", " "))
                                        for name, value in counts.items())))


def build_shim(directory: pathlib.Path) -> pathlib.Path:
    """Compiles the shim."""
    compiler = next(filter(None, map(shutil.which, ("gcc", "clang", "cc"))), None)
    if compiler is None:
        raise AssertionError("no C compiler: install gcc")
    shim = directory / "clock_shim.so"
    subprocess.run([compiler, "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    "-o", shim, SUPPORT / "clock_shim.c", "-ldl"], check=True)
    return shim


class Clocks:
    """The board that the shim reads, and writes its counts on."""

    def __init__(self, case: Any, path: pathlib.Path) -> None:
        self.path = path
        path.write_bytes(bytes(4096))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 4096)

    def __getitem__(self, word: str) -> int:
        return struct.unpack_from("=q", self.memory, 8 * WORDS.index(word))[0]

    def __setitem__(self, word: str, value: int) -> None:
        struct.pack_into("=q", self.memory, 8 * WORDS.index(word), value)

    def change(self, jumps: bool = True, **offsets: int) -> None:
        """Sets words of the board as one; a jump is told to those who watch for it."""
        self["sequence"] += 1
        for word, value in offsets.items():
            self[word] = value
        self["sequence"] += 1
        if jumps:
            self["jumps"] += 1

    def _wall(self) -> int:
        drifted = (time.monotonic_ns() - self["drift_since"]) * self["drift"] // SECOND
        return time.time_ns() + self["wall"] + drifted

    def wall(self) -> float:
        """What the daemon takes for the time of day, in epoch seconds."""
        return self._wall() / SECOND

    def step(self, seconds: float) -> None:
        self.change(wall=self["wall"] + int(seconds * SECOND))

    def step_to(self, epoch: float) -> None:
        self.change(wall=self["wall"] + int(epoch * SECOND) - self._wall())

    def drift(self, factor: float) -> None:
        """From now on the wall clock makes so many seconds of one; 1 keeps what has gathered."""
        gathered = self._wall() - time.time_ns()
        self.change(jumps=False, wall=gathered, drift=int((factor - 1) * SECOND),
                    drift_since=time.monotonic_ns())

    def suspend(self, seconds: float) -> None:
        """The machine has slept so long: CLOCK_MONOTONIC stood still meanwhile."""
        slept = int(seconds * SECOND)
        self.change(wall=self["wall"] + slept, boot=self["boot"] + slept)

    def reboot(self, wall: float, uptime: float = 12) -> None:
        """The offsets of a machine that came up `uptime` seconds ago and takes `wall` for the
        time of day. For a daemon that is not running."""
        self.drift(1)
        up = int(uptime * SECOND)
        self.change(boot=up - time.clock_gettime_ns(time.CLOCK_BOOTTIME),
                    monotonic=up - time.monotonic_ns())
        self.step_to(wall)


class ClockedDaemon(Daemon):
    """A daemon under the shim; with `boot_id`, in a mount namespace that has this one."""

    def __init__(self, case: Any, directory: pathlib.Path, config: dict[str, Any],
                 shim: pathlib.Path) -> None:
        super().__init__(case, directory, config)
        self.shim, self.clocks = shim, Clocks(case, directory / "clocks")
        self.boot_id: Optional[str] = None
        self.prefix: tuple[str, ...] = ()
        self.is_shimmed = True

    def start(self, wait: bool = True) -> "ClockedDaemon":
        command = ["setpriv", "--pdeathsig", "KILL", *self.prefix]
        if self.boot_id is not None:
            file = self.directory / "boot_id"
            file.write_text(self.boot_id + "\n")
            command += ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                        'mount --bind "$0" %s && exec "$@"' % BOOT_ID, str(file)]
        if self.is_shimmed:
            command += ["env", "LD_PRELOAD=%s" % self.shim,
                        "EVERTOKEN_CLOCK_FILE=%s" % self.clocks.path]
        command += [str(BIN / "evertokend"), "--config", str(self.config_file)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, cwd="/", env=PLAIN_ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        if wait:
            wait_until(lambda: self.try_status() is not None, 20, "an answer on the control socket",
                       self, pause=0.01)
        return self

    def reboot(self, wall: float) -> None:
        """Stops, and starts on a machine with another boot_id, seconds after its start."""
        self.terminate()
        self.boot_id = str(uuid.uuid4())
        self.clocks.reboot(wall)
        self.start()
        seen = pathlib.Path("/proc/%d/root%s" % (self.process.pid, BOOT_ID)).read_text()
        if seen.strip() != self.boot_id or abs(self.status()["started_at"] - wall) > 30:
            raise AssertionError("it was not rebooted: boot_id %s\n%s" % (seen, self.report()))


class ClockCase(unittest.TestCase):
    """A server of tokens that live for seconds, and one of tokens that live for an hour."""

    SHORT, LONG = 6, 3600
    shim: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.shim = build_shim(temporary_directory(cls))

    def setUp(self) -> None:
        self.directory = temporary_directory(self)
        self.servers = {"short": TokenServer(lifetime=self.SHORT).start(),
                        "long": TokenServer(lifetime=self.LONG).start()}
        for server in self.servers.values():
            at_end(self, server.stop)

    def config(self, *names: str, **response: Any) -> dict[str, Any]:
        """Credentials named after their server: short-1, long-1, long-2."""
        credentials = {}
        for name in names:
            kind = name.split("-")[0]
            credentials[name] = {
                "provider": kind, "client_id": name, "client_secret": "secret of " + name,
                "refresh_token": self.servers[kind].grant(name, "secret of " + name),
                "refresh": {"min_interval": "0.5s"}}
        providers = {kind: {"request": {"url": server.url, "client_auth": "client_secret_basic"},
                            "response": response}
                     for kind, server in self.servers.items()}
        return {"providers": providers, "credentials": credentials}

    def daemon(self, *names: str, wall: Optional[float] = None, **response: Any) -> ClockedDaemon:
        """A running daemon whose credentials all have a token, and may have another at once."""
        daemon = ClockedDaemon(self, self.directory, self.config(*names, **response), self.shim)
        self.clocks = daemon.clocks
        if wall is not None:
            self.clocks.step_to(wall)
        self.observed = daemon.start()
        wait_until(lambda: {e["state"] for e in daemon.credentials().values()} == {"fresh"}, 20,
                   "a first token of each", daemon, pause=0.02)
        return daemon

    def exchanges(self, name: str) -> list[Exchange]:
        return self.servers[name.split("-")[0]].exchanges(name)

    def count(self, name: str) -> int:
        return len(self.exchanges(name))

    def await_fresh(self, *names: str, limit: float = 20) -> None:
        """Waits until the last answer to each is published, and nothing more is under way."""
        def settled() -> bool:
            entries = self.observed.credentials()
            return all(entries[n]["state"] == "fresh" and self.is_last_published(n) for n in names)

        wait_until(settled, limit, "%s to be fresh" % ", ".join(names), self.observed, pause=0.02)

    def is_last_published(self, name: str) -> bool:
        seen = self.exchanges(name)
        return bool(seen) and self.published(name, "token") == seen[-1].access_token

    def order_refresh(self, name: str) -> None:
        """Orders one, and returns when the server has the request."""
        before = self.count(name)
        code, answer = self.observed.request("POST", "/v1/credentials/%s/refresh" % name)
        self.assertLess(code, 300, answer)
        wait_until(lambda: self.count(name) > before, 10, "a request for " + name, self.observed,
                   pause=0.01)

    def published(self, name: str, file: str) -> Optional[str]:
        path = self.observed.tokens / name / file
        return path.read_text() if path.exists() else None

    def watch(self, seconds: float) -> None:
        """Lets time pass in which something must not happen; it is looked at all the while that no
        published token is dead."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, entry in self.observed.credentials().items():
                self.assertIn(entry["state"], ("fresh", "refreshing"), "%s: %s\n%s" % (
                    name, entry, self.observed.report()))
            time.sleep(0.02)

    def assert_pace(self, name: str, since: int = 0) -> int:
        """Each refresh came when due: after about half of the life, and never after its end."""
        asked = [e.asked_at for e in self.exchanges(name)[since:]]
        gaps = [later - earlier for earlier, later in zip(asked, asked[1:])]
        self.assertGreater(len(gaps), 0, "%s was not refreshed at all" % name)
        self.assertGreater(min(gaps), 0.4 * self.SHORT, "%s: an extra refresh: %s\n%s" % (
            name, gaps, self.observed.report()))
        self.assertLess(max(gaps), self.SHORT, "%s: a missed refresh: %s\n%s" % (
            name, gaps, self.observed.report()))
        return len(asked)

    def assert_no_problem(self) -> None:
        """No spent refresh token and no refusal, but for one that was planned, of any server."""
        self.assertEqual([e for s in self.servers.values() for e in s.exchanges()
                          if e.problem and e.status != 429], [])
