"""Injects faults into a running daemon: `Support/fault_shim.c` and its rules."""

from __future__ import annotations

import dataclasses
import mmap
import os
import pathlib
import shutil
import struct
import subprocess
import threading
import time
from typing import Any, Iterable

from evertest.basics import SUPPORT

FUNCTIONS = ("pwrite", "write", "fdatasync", "fsync", "rename", "create", "open", "mkdir", "read")
#: And those that cannot fail: posix_fadvise(2) that pages are not needed.
NOTED = (*FUNCTIONS, "forget")
#: What changes a disk.
WRITING = ("pwrite", "write", "fdatasync", "fsync", "rename", "create", "mkdir")
#: PASS shields a path from all later rules.
NOTE, ERROR, SHORT, DELAY, PASS = range(5)
FOREVER = 0xFFFFFFFF
#: struct rule: armed functions after action error first count milliseconds seen injected at path
RULE = struct.Struct("=10IQ208s")
RULES = 16
SEEN_AT = 32  # of `seen`, `injected` and `first_at` in a rule

_building = threading.Lock()
_built: dict[pathlib.Path, pathlib.Path] = {}


def build_shim(directory: pathlib.Path) -> pathlib.Path:
    """The compiled library, made once per directory."""
    with _building:
        if directory not in _built:
            compiler = next(filter(None, map(shutil.which, ("gcc", "clang", "cc"))), None)
            if compiler is None:
                raise AssertionError("no C compiler: install gcc")
            library = directory / "fault_shim.so"
            subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror",
                            "-o", library, SUPPORT / "fault_shim.c"], check=True)
            library.chmod(0o755)
            _built[directory] = library
        return _built[directory]


def bits(functions: Iterable[str]) -> int:
    return sum(1 << NOTED.index(name) for name in functions)


@dataclasses.dataclass(frozen=True)
class Line:
    """One call that a rule was for."""

    at: float  # time.monotonic()
    what: str  # note, error, short, delay or pass
    function: str
    number: int
    size: int  # of what was to be written or read
    path: str


class Rule:
    """One armed rule: what it saw and did, and its end."""

    def __init__(self, memory: mmap.mmap, index: int) -> None:
        self._memory, self._offset = memory, index * RULE.size

    def _counts(self) -> tuple[int, int, int]:
        return struct.unpack_from("=IIQ", self._memory, self._offset + SEEN_AT)

    @property
    def seen(self) -> int:
        return self._counts()[0]

    @property
    def injected(self) -> int:
        return self._counts()[1]

    @property
    def first_at(self) -> float:
        """When it first struck, as time.monotonic() counts."""
        return self._counts()[2] / 1e9

    def disarm(self) -> None:
        struct.pack_into("=I", self._memory, self._offset, 0)


class Shim:
    """The control of one daemon's shim; its `environment` goes to the daemon."""

    def __init__(self, library: pathlib.Path, directory: pathlib.Path) -> None:
        self.directory = directory
        directory.mkdir()
        (directory / "log").touch()
        (directory / "control").write_bytes(bytes(RULES * RULE.size))
        for name in ("log", "control"):
            (directory / name).chmod(0o666)
        with open(directory / "control", "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._used = 0
        self.environment = {"LD_PRELOAD": str(library), "EVERTOKEN_FAULT_SHIM": str(directory)}

    def arm(self, functions: Iterable[str], path: Any, *, action: int = ERROR, error: int = 0,
            first: int = 1, count: int = FOREVER, after: Iterable[str] = (),
            seconds: float = 0) -> Rule:
        """From now on the `first`-th call of these functions on a path with this text, and the
        next ones up to `count`, get this. Rules are used once: there are sixteen."""
        if self._used == RULES:
            self.reuse()
        rule = Rule(self._memory, self._used)
        RULE.pack_into(self._memory, self._used * RULE.size, 0, bits(functions), bits(after),
                       action, error, first, count, int(seconds * 1000), 0, 0, 0,
                       os.fsencode(path))
        struct.pack_into("=I", self._memory, self._used * RULE.size, 1)
        self._used += 1
        return rule

    def reuse(self) -> None:
        """Disarms all rules and forgets them."""
        self.disarm()
        self._used = 0

    def disarm(self) -> None:
        for index in range(self._used):
            Rule(self._memory, index).disarm()

    def count(self, functions: Iterable[str], path: Any) -> dict[str, Rule]:
        """Counts the calls of each function, and lets all of them pass."""
        return {name: self.arm([name], path, action=NOTE) for name in functions}

    def lines(self) -> list[Line]:
        """The log: every injection and every noted call, in order."""
        found = []
        for text in (self.directory / "log").read_text().splitlines():
            at, what, function, number, size, path = text.split("\t", 5)
            found.append(
                Line(int(at) / 1e9, what, function, int(number), int(size), path))
        return found

    def wait_injected(self, rule: Rule, timeout: float = 15) -> None:
        """Fails unless the fault is injected in time, because otherwise the test proves nothing."""
        deadline = time.monotonic() + timeout
        while rule.injected == 0:
            if time.monotonic() > deadline:
                raise AssertionError("nothing was injected in %g s: %s"
                                     % (timeout, self.lines()[-5:]))
            time.sleep(0.01)
