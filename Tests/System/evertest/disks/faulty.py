"""Test disks that can be broken: ext4 in a loop-mounted image, with few inodes, quotas,
read-only."""

from __future__ import annotations

import ctypes
import os
import pathlib
import shutil
import struct
import subprocess
import time
from typing import Any

from evertest.basics import at_end
from evertest.disks.loop import LoopDisk, run

#: sys/quota.h: Q_SETQUOTA for users; the limits of blocks stand first, in KiB.
Q_SETQUOTA_OF_USERS, QIF_BLIMITS = 0x800008 << 8, 1


class Disk(LoopDisk):
    """A small ext4, made and mounted with these options; its root belongs to `owner`."""

    def __init__(self, case: Any, image: pathlib.Path, mount_point: pathlib.Path, *,
                 make: tuple[str, ...] = (), options: str = "", owner: int = 0,
                 mebibytes: int = 16) -> None:
        self.image, self.mount_point, self.mounted = image, mount_point, False
        self.options, self.owner = options, owner
        with open(image, "wb") as file:
            file.truncate(mebibytes << 20)
        run("mkfs.ext4", "-q", "-F", "-m", "0", *make, image)
        mount_point.mkdir(exist_ok=True)
        at_end(case, self.unmount, lazily=True)
        self.mount()
        at_end(case, case.daemon.close)  # before its disk goes: cleanups run backwards

    def _wait_for_release(self) -> None:
        """The kernel lets go of a loop device a little after its unmount, and a mount that comes
        before would get the old one, read-only if it was."""
        end = time.monotonic() + 10
        while time.monotonic() < end and subprocess.run(
                ["losetup", "--associated", self.image], capture_output=True, timeout=60).stdout:
            time.sleep(0.02)

    def mount(self) -> None:
        self._wait_for_release()
        options = "loop" + ("," + self.options if self.options else "")
        run("mount", "-t", "ext4", "-o", options, self.image, self.mount_point)
        self.mounted = True
        self.mount_point.chmod(0o755)
        os.chown(self.mount_point, self.owner, self.owner)

    def remount(self, options: str) -> subprocess.CompletedProcess[str]:
        """What mount(8) said to it."""
        return subprocess.run(["mount", "-o", "remount," + options, self.mount_point],
                              capture_output=True, text=True, timeout=60)

    def plug_in_again(self) -> None:
        """As a new device: open files of the old one stay on a dead disk."""
        self.unmount(lazily=True)
        again = self.image.with_suffix(".again")
        shutil.copyfile(self.image, again)
        self.image = again
        self.mount()

    def check(self) -> None:
        """fsck, as a boot does; 1 is "errors corrected"."""
        done = subprocess.run(["fsck.ext4", "-p", "-f", self.image], capture_output=True,
                              text=True, timeout=60)
        if done.returncode > 1:
            raise AssertionError(done.stdout + done.stderr)

    def use_up_inodes(self) -> None:
        """Leaves no inode, and makes sure of it."""
        folder = self.mount_point / "empty"
        folder.mkdir()
        for number in range(100_000):
            try:
                (folder / str(number)).touch()
            except OSError:
                break
        if os.statvfs(self.mount_point).f_ffree:
            raise AssertionError("there are still inodes")

    def free_inodes(self) -> None:
        for file in (self.mount_point / "empty").iterdir():
            file.unlink()

    def limit(self, uid: int, kibibytes: int) -> None:
        """quotactl(2), so that no package is needed for it."""
        device = subprocess.run(["findmnt", "-no", "SOURCE", self.mount_point], text=True,
                                check=True, capture_output=True).stdout.strip()
        limits = struct.pack("=8QI4x", kibibytes, kibibytes, 0, 0, 0, 0, 0, 0, QIF_BLIMITS)
        libc = ctypes.CDLL(None, use_errno=True)
        command = ctypes.c_int(ctypes.c_uint32(Q_SETQUOTA_OF_USERS).value - (1 << 32))
        if libc.quotactl(command, os.fsencode(device), uid, ctypes.create_string_buffer(limits)):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def quotas_refused(folder: pathlib.Path) -> str:
    """What the kernel says to an ext4 with quotas; empty when it mounts one."""
    image, place = folder / "quota.img", folder / "quota"
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    run("mkfs.ext4", "-q", "-F", "-O", "quota", image)
    place.mkdir()
    done = subprocess.run(["mount", "-t", "ext4", "-o", "loop,usrquota", image, place],
                          capture_output=True, text=True, timeout=60)
    if done.returncode == 0:
        run("umount", place)
    place.rmdir()
    image.unlink()
    return "" if done.returncode == 0 else done.stderr.strip() or "refused"


class Bind:
    """One directory on top of another, maybe read-only."""

    def __init__(self, case: Any, source: pathlib.Path, target: pathlib.Path) -> None:
        self.target, self.bound = target, False
        self.source = source
        at_end(case, self.release)
        self.bind()
        at_end(case, case.daemon.close)

    def bind(self) -> None:
        run("mount", "--bind", self.source, self.target)
        self.bound = True

    def read_only(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["mount", "-o", "remount,bind,ro", self.target],
                              capture_output=True, text=True, timeout=60)

    def writable(self) -> None:
        run("mount", "-o", "remount,bind,rw", self.target)

    def release(self) -> None:
        if self.bound:
            run("umount", "--lazy", self.target)
            self.bound = False
