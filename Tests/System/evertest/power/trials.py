"""One trial of a power cut: a daemon whose state and token files are on a disk of their own.

The daemon runs under the tracer, which stops it at the entry and the exit of every call that
changes or flushes a file there. At each stop the disk may be copied, or cut off for good.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import threading
from typing import Any, Callable, Optional

from evertest.basics import BIN
from evertest.disks.power import Disk
from evertest.kills.trials import LIFE, LIMIT, NAME, SECRET, Prepared, Trial
from evertest.oracle.oracle_proxy import Exchange
from evertest.servers.token_server import Memory, TokenServer
from evertest.state_layout import slot_files
from evertest.tracing.kill_trace import Step, Trace

GO, CUT = "go", "kill"


@dataclasses.dataclass(frozen=True)
class World:
    """All but the disk, at one moment: what the server knows, and what was asked of it."""

    seed: str
    live: Optional[str]
    memory: Memory
    exchanges: tuple[Exchange, ...] = ()

    def rotations(self) -> int:
        return sum(e.rotated for e in self.exchanges)


class PowerTrial(Trial):
    """Its directory is where the disk is mounted: configuration and socket lie there too, but
    whatever the disk says of those, they are written anew."""

    def __init__(self, base: pathlib.Path, number: int, prepared: Prepared, disk: Disk,
                 options: dict[str, Any]) -> None:
        server = TokenServer(lifetime=LIFE).start()  # its own: it remembers who spent which token
        super().__init__(base, number, server, dataclasses.replace(prepared, directory=None),
                         options)
        self.disk, self.prior, self.lives = disk, (), 0
        self.is_cut = False  # from then on the disk cannot be read either
        disk.place = self.directory
        self.first_seed = self.current_seed = self.seed.read_text().strip()
        try:
            disk.mount()
            self.put_configuration(self.first_seed)
        except BaseException:
            self.close()
            raise

    def sign_in(self, refresh_token: str) -> None:
        self.current_seed = refresh_token
        super().sign_in(refresh_token)

    def put_configuration(self, seed: str) -> None:
        self.sign_in(seed)
        self.daemon.configure(self.config())

    def world(self) -> World:
        """As it is now, for a daemon that is stopped or dead."""
        exchanges = tuple(self.exchanges())
        memory = self.server.memory(self.client)
        known = {token for token, _, _ in memory}
        memory += tuple((token, 0, False) for token in sorted(self.spent() - known))
        live = self.server.live_refresh_token(self.client)
        return World(self.current_seed, live, memory, exchanges)

    def spent(self) -> set[str]:
        return {t for t in (self.prepared.seed, self.first_seed) if t}

    def become(self, world: World) -> None:
        """Goes back, or on, to that moment: with a new client the server has no other memory."""
        self.lives += 1
        self.client = "client-%d" % (10**6 + self.lives)
        self.server.remember(self.client, SECRET, world.memory)
        self.prior = world.exchanges
        self.put_configuration(world.seed)

    def exchanges(self) -> list[Exchange]:
        """Before the cut, and since."""
        return list(self.prior) + self.proxy.exchanges

    def run(self, tracer: pathlib.Path, drive: Callable[[Trial], None], arguments: list[str],
            on_hold: Callable[[Step], str], environment: dict[str, str]) -> Trace:
        """As `trace`, but asks at each boundary of the disk whether to go on."""
        report = self.daemon.log.with_suffix(".trace")
        clean = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), **environment}
        with open(self.daemon.log, "ab") as log:
            self.tracer = subprocess.Popen(
                [tracer, "--out", report, "--within", str(self.directory) + "/", "--hold", "yes",
                 *arguments, "--", BIN / "evertokend", "--config", self.daemon.config_file],
                cwd="/", env=clean, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        answering = threading.Thread(target=self._answer, args=(on_hold,), daemon=True)
        self.trouble: Optional[BaseException] = None
        try:
            is_running = self._find_program()
            answering.start()
            if is_running:
                self._drive(drive)
            self.tracer.wait(LIMIT)
        finally:
            if self.program >= 0:
                os.close(self.program)
            self.tracer.kill()  # does nothing after an orderly end
            self.tracer.wait()
            if answering.ident:
                answering.join(LIMIT)
            self.tracer.stdin.close()
            self.tracer.stdout.close()
        if self.trouble:
            raise self.trouble
        return Trace(report)

    def _drive(self, drive: Callable[[Trial], None]) -> None:
        try:
            drive(self)
        except OSError:
            if not self.is_cut:
                raise

    def cut_off(self) -> None:
        self.is_cut = True
        self.disk.cut_off()

    def _answer(self, on_hold: Callable[[Step], str]) -> None:
        """Until the tracer ends. What goes wrong here ends the daemon and is told by `run`."""
        try:
            for line in self.tracer.stdout:
                kind, *fields = os.fsdecode(line).rstrip("\n").split("\t")
                assert kind == "hold", line
                step = Step.read(fields)
                order = on_hold(step) if self.is_on_the_disk(step.path) else GO
                self.tracer.stdin.write(order.encode() + b"\n")
                self.tracer.stdin.flush()
        except BrokenPipeError:
            pass  # the daemon has ended meanwhile
        except BaseException as error:
            self.trouble = error
            self.tracer.kill()

    def is_on_the_disk(self, path: str) -> bool:
        """Whether it is state or a token file, rather than what the trial has put there."""
        return path.startswith((str(self.directory / "state"), str(self.directory / "run")))

    def slot_files(self) -> list[pathlib.Path]:
        return slot_files(self.directory / "state" / NAME)

    def close(self) -> None:
        self.daemon.kill()
        self.disk.unmount()
        super().close()
        self.server.stop()
