"""The resources of a process, and removing them: limits, memory groups, descriptors."""

from __future__ import annotations

import os
import pathlib
import resource
import secrets
import subprocess
import time
from typing import Any, Optional

from evertest.basics import at_end

#: Where a version 1 memory controller is mounted, and a version 2 one.
GROUPS = (pathlib.Path("/sys/fs/cgroup/memory"), pathlib.Path("/sys/fs/cgroup"))


def descriptors(pid: int) -> int:
    return len(os.listdir("/proc/%d/fd" % pid))


def processor_seconds(pid: int) -> float:
    """Used so far, by all its threads."""
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def address_space(pid: int) -> int:
    pages = pathlib.Path("/proc/%d/statm" % pid).read_text().split()[0]
    return int(pages) * resource.getpagesize()


def limit(pid: int, name: str, amount: str, user: int = 0) -> None:
    """Sets the soft limit of a running process; the hard one stays, to be able to go back."""
    prlimit(pid, user, "--%s=%s:" % (name, amount))


def unlimit(pid: int, name: str, user: int = 0) -> None:
    """As much as the hard limit allows."""
    limit(pid, name, prlimit(pid, user, "--" + name, "--output=HARD", "--noheadings"), user)


def prlimit(pid: int, user: int, *arguments: str) -> str:
    """By the process's own user: root may not everywhere."""
    return subprocess.run(
        ["setpriv", "--reuid=%d" % user, "--regid=%d" % user, "--clear-groups", "prlimit",
         "--pid=%d" % pid, *arguments], check=True, capture_output=True, text=True).stdout.strip()


class MemoryGroup:
    """A memory cgroup of one's own, of version 1 or 2."""

    def __init__(self, path: pathlib.Path, amount_file: str) -> None:
        self.path, self._amount = path, path / amount_file

    def set(self, amount: int) -> None:
        self._amount.write_text(str(amount))
        swap = self.path / "memory.swap.max"
        if swap.exists():
            swap.write_text("0")

    def shell(self) -> tuple[str, ...]:
        """A command that puts itself in and becomes the one after it."""
        return ("/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(self.path))

    def remove(self) -> None:
        if self.path.exists():
            for _ in range(50):
                try:
                    return self.path.rmdir()
                except OSError:
                    time.sleep(0.1)  # the last process is on its way out


def memory_group(case: Any) -> Optional[MemoryGroup]:
    """None where no memory group can be made."""
    for base in GROUPS:
        path = base / ("evertoken-test-" + secrets.token_hex(4))
        try:
            path.mkdir()
        except OSError:
            continue
        for name in ("memory.limit_in_bytes", "memory.max"):
            if (path / name).exists():
                group = MemoryGroup(path, name)
                at_end(case, group.remove)
                at_end(case, case.daemon.close)
                return group
        path.rmdir()
    return None
