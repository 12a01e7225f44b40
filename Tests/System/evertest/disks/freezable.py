"""A file system that stops in the middle of a write: ext4 in a loop image, frozen by fsfreeze(8).

What writes there then sleeps in the kernel and cannot be killed. So it is thawed whatever happens:
after each test, when the interpreter exits, and by a process of its own if that is killed.
"""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any

from evertest.basics import at_end
from evertest.disks.loop import LoopDisk, run


class FreezableDisk(LoopDisk):
    """Mounted from the start; thawed before it is unmounted."""

    def __init__(self, case: Any, image: pathlib.Path, mount_point: pathlib.Path) -> None:
        super().__init__(case, image, mount_point)
        # It thaws when the pipe is closed, and the kernel closes that of a killed process.
        self.keeper = subprocess.Popen(
            ["sh", "-c", 'cat >/dev/null; fsfreeze -u "$0" 2>/dev/null', mount_point],
            stdin=subprocess.PIPE, start_new_session=True)
        self.is_frozen = False
        # Cleanups run backwards: this one before the unmount.
        at_end(case, self.release)

    def freeze(self) -> None:
        self.is_frozen = True
        run("fsfreeze", "-f", self.mount_point)

    def thaw(self) -> None:
        """Twice is once."""
        if self.is_frozen:
            run("fsfreeze", "-u", self.mount_point)
            self.is_frozen = False

    def release(self) -> None:
        """Thaws, and ends the process that would have. Twice is once."""
        try:
            self.thaw()
        finally:
            if self.keeper.stdin and not self.keeper.stdin.closed:
                self.keeper.stdin.close()
            self.keeper.wait(60)
