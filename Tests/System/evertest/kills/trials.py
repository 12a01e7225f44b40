"""One trial: a daemon, its directories and its server, run until it is killed at one boundary.

The authorization server takes a refresh token once and ends the grant at a second use; a proxy
records the requests. `kill_judgement` checks what is left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
from typing import Any, Callable, Optional

from evertest.basics import BIN
from evertest.daemon import Daemon
from evertest.oracle.oracle_proxy import Exchange, OracleProxy
from evertest.servers.token_server import TokenServer
from evertest.state_layout import ORIGIN, slot_files
from evertest.tracing.kill_trace import Trace

NAME, SECRET = "crm", "the secret of the client"
LIFE = 7 * 86_400  # seconds: no token of a prepared state falls due while a campaign runs
LIMIT = 30.0  # seconds for any one wait


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What a trial begins with: the state and token files of a daemon that ran before."""

    directory: Optional[pathlib.Path] = None
    seed: Optional[str] = None  # as configured
    refresh_token: Optional[str] = None  # the one that lives
    access_tokens: tuple[str, ...] = ()  # oldest first
    published: int = -1  # which of them is in the token files


@dataclasses.dataclass(frozen=True)
class Fault:
    kind: str
    account: str


class NoCase:
    """Stands in for the test: a trial cleans up by itself, in its own thread."""

    @staticmethod
    def addCleanup(*_: Any, **__: Any) -> None:
        pass


class Trial:
    """Directories, a client of the server, a proxy that records, and a daemon, of one trial."""

    def __init__(self, base: pathlib.Path, number: int, server: TokenServer, prepared: Prepared,
                 options: dict[str, Any]) -> None:
        self.directory, self.server, self.prepared = base / ("%05d" % number), server, prepared
        self.directory.mkdir()
        self.client = "client-%d" % number
        self.faults: list[Fault] = []
        self.release = threading.Event()  # set: answers are held no longer
        self.release.set()
        self.proxy = OracleProxy("http://127.0.0.1:%d" % server.port,
                                 str(base / ("%05d.jsonl" % number)), hold=self._hold).start()
        self.options = options
        self.seed = self.directory / "seed"
        if prepared.directory is not None:
            for part in ("state", "run"):
                # Without the note of where it was made: a copy would be quarantined.
                shutil.copytree(prepared.directory / part, self.directory / part,
                                ignore=shutil.ignore_patterns(ORIGIN))
        self.sign_in(prepared.seed or server.grant(self.client, SECRET))
        if prepared.refresh_token is not None:
            server.grant(self.client, SECRET, prepared.refresh_token)
        self.daemon = Daemon(NoCase(), self.directory, self.config())
        self.daemon.log = base / ("%05d.log" % number)  # its writes are no work
        self.tracer: Any = None
        self.program = -1

    def _hold(self, _: Exchange) -> float:
        self.release.wait(LIMIT)
        return 0.0

    def config(self, **more: Any) -> dict[str, Any]:
        entry = {"provider": "as", "client_id": self.client, "client_secret": SECRET,
                 "refresh_token": {"file": str(self.seed)}} | self.options | more
        return {"defaults": {"refresh": {"min_interval": "0.5s"}},
                "providers": {"as": {"request": {"url": self.proxy.base + "/token",
                                                 "client_auth": "client_secret_basic"}}},
                "credentials": {NAME: json.loads(
                    json.dumps(entry).replace("${DIR}", str(self.directory)))}}

    def sign_in(self, refresh_token: str) -> None:
        """Puts a seed in place, whole."""
        new = self.seed.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(refresh_token + "\n")
        new.rename(self.seed)

    # While it is traced.

    def trace(self, tracer: pathlib.Path, drive: Callable[["Trial"], None],
              arguments: list[str]) -> Trace:
        """Runs the daemon under the tracer while `drive` has it do things, to its end."""
        report = self.daemon.log.with_suffix(".trace")
        theirs = ("NOTIFY_SOCKET", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "WATCHDOG_USEC",
                  "CREDENTIALS_DIRECTORY", "EVERTOKEN_SOCKET", "LISTEN_FDS", "INVOCATION_ID")
        with open(self.daemon.log, "ab") as log:
            self.tracer = subprocess.Popen(
                [tracer, "--out", report, "--within", str(self.directory) + "/",
                 *(a.replace("${DIR}", str(self.directory)) for a in arguments), "--",
                 BIN / "evertokend", "--config", self.daemon.config_file], cwd=self.directory,
                env={k: v for k, v in os.environ.items() if k not in theirs},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        try:
            if self._find_program():
                drive(self)
            self.tracer.wait(LIMIT)
        finally:
            if self.program >= 0:
                os.close(self.program)
            self.release.set()
            self.tracer.kill()  # does nothing after an orderly end
            self.tracer.wait()
            self.tracer.stdout.close()
        return Trace(report)

    def _find_program(self) -> bool:
        """False when it is dead already."""
        line = self.tracer.stdout.readline()
        if not line:
            raise AssertionError("the tracer did not start: " + self.daemon.stderr()[-500:])
        try:
            self.program = os.pidfd_open(int(line))
        except ProcessLookupError:
            return False
        return True

    def until(self, condition: Callable[[], object]) -> bool:
        """Waits; false when the daemon has been killed meanwhile."""
        end = time.monotonic() + LIMIT
        while self.tracer.poll() is None:
            if condition():
                return True
            if time.monotonic() > end:
                raise AssertionError("waited %g s in vain; the log: %s" % (
                    LIMIT, self.daemon.stderr()[-2000:]))
            time.sleep(0.002)
        return False

    def logged(self, text: str) -> Callable[[], bool]:
        return lambda: text in self.daemon.stderr()

    def signal(self, number: signal.Signals, condition: Callable[[], object]) -> bool:
        """Sends it until `condition` holds, once a second: whether one is heard that comes before
        the daemon listens is not the matter here. False when the daemon has been killed."""
        next_at = 0.0

        def is_heard() -> bool:
            nonlocal next_at
            if condition():
                return True
            if time.monotonic() >= next_at:
                next_at = time.monotonic() + 1
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self.program, number)
            return False

        return self.until(is_heard)

    def ask_for_refresh(self, query: str = "") -> None:
        try:
            self.daemon.request("POST", "/v1/credentials/%s/refresh%s" % (NAME, query))
        except (OSError, http.client.HTTPException):
            return  # killed while it was asked; if not, what is waited for next does not come

    # What it left.

    def fault(self, kind: str, account: str) -> bool:
        """Always false: the check has failed."""
        self.faults.append(Fault(kind, account))
        return False

    def exchanges(self) -> list[Exchange]:
        return self.proxy.exchanges

    def access_tokens(self) -> list[str]:
        """All there ever were, oldest first."""
        return list(self.prepared.access_tokens) + [
            e.access_token for e in self.exchanges() if e.access_token]

    def slots(self) -> list[bytes]:
        return [f.read_bytes() for f in slot_files(self.directory / "state" / NAME)]

    def is_on_disk(self, refresh_token: str) -> bool:
        return (any(refresh_token.encode() in slot for slot in self.slots())
                or self.seed.read_text().strip() == refresh_token)

    def published(self, file: str) -> int:
        """Which access token a token file holds; -1 where there is no file, and never was."""
        path = self.directory / "run" / NAME / file
        if not path.exists():
            return -1
        text = path.read_text(errors="replace")
        try:
            token = text if file == "token" else json.loads(text)["access_token"]
            return self.access_tokens().index(token)
        except (ValueError, KeyError, TypeError):
            self.fault("a torn token file", "%s: %r" % (file, text[:80]))
            return len(self.access_tokens())

    def check_files(self, since: dict[str, int], when: str) -> dict[str, int]:
        """No token file is torn, missing or older than before."""
        now = {file: self.published(file) for file in ("token", "token.json")}
        for file, number in now.items():
            if number < since[file]:
                self.fault("a token file went back", "%s: from %d to %d %s" % (
                    file, since[file], number, when))
        return now

    def close(self) -> None:
        self.daemon.kill()
        self.proxy.stop()
        if not self.faults:
            shutil.rmtree(self.directory, ignore_errors=True)
            for file in self.directory.parent.glob(self.directory.name + ".*"):
                file.unlink()
