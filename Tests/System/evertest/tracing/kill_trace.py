"""The tracer that kills a program at one system-call boundary, and its report.

What it does and writes is described in `Tests/Support/kill_tracer.c`.
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import shutil
import subprocess
from typing import Optional

from evertest import state_layout
from evertest.basics import SUPPORT

SLOTS = tuple("/" + name for name in state_layout.SLOTS)


def build_tracer(directory: pathlib.Path) -> pathlib.Path:
    """Compiles the tracer; its table of names comes from the headers of this machine."""
    compiler = next(filter(None, map(shutil.which, ("gcc", "clang", "cc"))), None)
    if compiler is None:
        raise AssertionError("no C compiler: install gcc")
    macros = subprocess.run([compiler, "-E", "-dM", "-x", "c", "-"], text=True, check=True,
                            input="#include <sys/syscall.h>\n", capture_output=True).stdout
    names = [line.split()[1] for line in macros.splitlines() if line.startswith("#define SYS_")]
    (directory / "syscall_names.h").write_text(
        "".join('[%s] = "%s",\n' % (name, name.removeprefix("SYS_")) for name in sorted(names)))
    tracer = directory / "kill_tracer"
    subprocess.run([compiler, "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-I", directory,
                    "-o", tracer, SUPPORT / "kill_tracer.c"], check=True)
    return tracer


@dataclasses.dataclass(frozen=True)
class Step:
    """One boundary that is work: a file of the trial or a socket is touched, or a fork."""

    number: int  # among all boundaries
    call: str
    is_exit: bool
    result: int
    offset: int
    path: str

    @classmethod
    def read(cls, fields: list[str]) -> "Step":
        number, _, result, offset, call, side, path = fields
        return cls(int(number), call, side == "exit", int(result), int(offset), path)

    def is_done(self, call: str, *ends: str) -> bool:
        """Whether this is the successful end of that call on a path that ends so."""
        return (self.call == call and self.is_exit and self.result >= 0
                and self.path.endswith(ends))

    def label(self) -> str:
        """What the tracer calls it, with ${DIR} for the trial's directory: alike in every run."""
        path = self.path
        if path.startswith("/"):
            path = "/".join(["${DIR}", *path.split("/")[4:]])  # below /tmp/CAMPAIGN/TRIAL
        return "\t".join((self.call, "exit" if self.is_exit else "entry", path))


class Trace:
    """The tracer's report."""

    def __init__(self, file: pathlib.Path) -> None:
        self.steps: list[Step] = []
        self.killed_at: Optional[Step] = None
        self.end = ""
        self.calls: dict[str, int] = {}
        self.all = self.work = self.status = 0
        for line in file.read_text().splitlines():
            kind, *fields = line.split("\t")
            if kind == "step":
                self.steps.append(Step.read(fields))
            elif kind == "at":
                self.killed_at = Step.read(fields)
            elif kind == "calls":
                self.calls[fields[0]] = int(fields[1])
            elif kind == "end":
                self.end, self.status = fields[0], int(fields[1])
            else:
                setattr(self, kind, int(fields[0]))

    def labels(self) -> "collections.Counter[str]":
        return collections.Counter(step.label() for step in self.steps)

    def answers_saved(self) -> int:
        """How many writes of an answer to a slot have returned: to anywhere but its start."""
        return sum(s.is_done("pwrite64", *SLOTS) and s.offset > 0 for s in self.steps)

    def published_early(self) -> Optional[Step]:
        """A token file put in place before an answer was flushed."""
        unflushed = set()
        for step in self.steps:
            if step.is_done("pwrite64", *SLOTS) and step.offset > 0:
                unflushed.add(step.path)
            elif step.is_done("fdatasync", *SLOTS):
                unflushed.discard(step.path)
            elif unflushed and step.call.startswith("rename"):
                return step
        return None

    def saved_when_put_in_place(self, file: str) -> int:
        """How many answers had been saved when a rename to that token file returned last."""
        saved = found = 0
        for step in self.steps:
            saved += step.is_done("pwrite64", *SLOTS) and step.offset > 0
            if any(step.is_done(c, file) for c in ("rename", "renameat", "renameat2")):
                found = saved
        return found
