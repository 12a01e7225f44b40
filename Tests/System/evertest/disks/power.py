"""Disks that lose power: file systems in loop-mounted image files, and copies of these files.

What was written but never left the page cache is not in the image file, and so not in a copy of it:
a copy is what a machine finds after a power cut. A copy counts only when the disk did nothing while
it was made. ext4 and xfs can also be cut off alive, by an ioctl; btrfs has none in most kernels.
"""

from __future__ import annotations

import array
import ctypes
import dataclasses
import errno
import fcntl
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import threading
import time
from typing import Optional

#: linux/fs.h, ext4.h and xfs_fs.h: _IOR('X', 125, __u32); flag 2 also drops the journal's tail.
FS_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2
#: linux/fs.h and fiemap.h: _IOWR('f', 11, struct fiemap); flag 1 syncs first, so 0.
FS_IOC_FIEMAP = 0xC020660B
SECTOR = 512
LIBC = ctypes.CDLL(None, use_errno=True)
LIMIT = 60  # seconds for a mount or the like


@dataclasses.dataclass(frozen=True)
class Flavour:
    """A file system and how it is mounted. Overwrites stay in their place except on btrfs."""

    name: str
    kind: str
    size: int
    make: tuple[str, ...]
    options: str

    @property
    def is_overwritten_in_place(self) -> bool:
        return self.kind != "btrfs"


EXT4 = ("mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", "-J", "size=4")
FLAVOURS = [
    Flavour("ext4 data=ordered", "ext4", 32 << 20, EXT4, "noatime,data=ordered"),
    Flavour("ext4 data=writeback", "ext4", 32 << 20, EXT4, "noatime,data=writeback"),
    # A copy has the identity of its original, which may be mounted.
    Flavour("xfs", "xfs", 320 << 20, ("mkfs.xfs", "-q", "-f"), "noatime,nouuid"),
    Flavour("btrfs", "btrfs", 192 << 20, ("mkfs.btrfs", "-q", "-f"), "noatime"),
]


def run(*command: object) -> None:
    done = subprocess.run([str(c) for c in command], timeout=LIMIT, text=True, check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise OSError(errno.EIO, "%s: %s" % (" ".join(map(str, command)), done.stderr.strip()))


def make_image(flavour: Flavour, image: pathlib.Path) -> None:
    """A new file system, in a file that takes room only where something was written."""
    with open(image, "wb") as file:
        file.truncate(flavour.size)
    run(*flavour.make, image)
    run("fallocate", "--dig-holes", image)


def copy_sparsely(source: pathlib.Path, target: pathlib.Path) -> None:
    with open(source, "rb") as old, open(target, "wb") as new:
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        end = 0
        while end < size:
            try:
                start = os.lseek(old.fileno(), end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # only a hole is left
                    return
                raise
            end = os.lseek(old.fileno(), start, os.SEEK_HOLE)
            while start < end:
                start += os.copy_file_range(old.fileno(), new.fileno(), end - start, start, start)


class Disk:
    """An image that is mounted on a directory, or not at the moment."""

    #: One mount at a time: two that look for a free loop device may find the same.
    turn = threading.Lock()
    #: Kernels before 6.7 take two btrfs of one identity for two disks of one file system.
    one_btrfs = threading.Lock()
    all: "set[Disk]" = set()

    def __init__(self, flavour: Flavour, image: pathlib.Path, place: pathlib.Path) -> None:
        self.flavour, self.image, self.place = flavour, image, place
        self.device: Optional[str] = None

    def mount(self) -> "Disk":
        if self.flavour.kind == "btrfs" and not self.one_btrfs.acquire(timeout=LIMIT):
            raise OSError(errno.EBUSY, "another btrfs is still mounted")
        try:
            with self.turn:
                run("mount", "-t", self.flavour.kind, "-o", "loop," + self.flavour.options,
                    self.image, self.place)
            self.device = device_of(self.place)
        except OSError:
            if self.flavour.kind == "btrfs":
                self.one_btrfs.release()
            raise
        Disk.all.add(self)
        return self

    def unmount(self, lazily: bool = False) -> None:
        """Releases the loop device too; twice is once."""
        if self.device is None:
            return
        end = time.monotonic() + LIMIT
        while True:
            try:
                run("umount", *(["--lazy"] if lazily else []), self.place)
                break
            except OSError as error:  # busy: what was killed there has not quite gone
                if "busy" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(0.01)
        self.device = None
        Disk.all.discard(self)
        if self.flavour.kind == "btrfs":
            self.one_btrfs.release()

    def activity(self) -> tuple[str, ...]:
        """Differs after anything was written, dropped or flushed (Documentation/block/stat)."""
        assert self.device is not None
        file = pathlib.Path("/sys/block", pathlib.Path(self.device).name, "stat")
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            fields = file.read_text().split()
            if fields[8] == "0":  # nothing is on its way
                return fields[4], fields[6], fields[11], fields[15]
            time.sleep(0.0005)
        raise TimeoutError("the disk is never at rest: " + str(self.place))

    def copy(self, target: pathlib.Path) -> tuple[str, ...]:
        """Copies what has reached the disk, while it is at rest; its activity so far."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            before = self.activity()
            copy_sparsely(self.image, target)
            if self.activity() == before:
                return before
        raise TimeoutError("the disk never rests long enough: " + str(self.place))

    def write_back(self) -> None:
        """What the kernel does by itself after some seconds: all that is dirty goes to the disk."""
        descriptor = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if LIBC.syncfs(descriptor) != 0:
                raise OSError(ctypes.get_errno(), "syncfs of %s" % self.place)
        finally:
            os.close(descriptor)

    def cut_off(self) -> None:
        """From now on nothing reaches the disk, nor what is still in its journal's memory."""
        descriptor = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, FS_IOC_SHUTDOWN, NO_LOG_FLUSH.to_bytes(4, sys.byteorder))
        finally:
            os.close(descriptor)


def device_of(place: pathlib.Path) -> str:
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        device, mounted_on = line.split()[:2]
        if mounted_on == str(place):
            return device
    raise OSError(errno.ENOENT, "not mounted: %s" % place)


def release_all() -> None:
    """Whatever is still mounted, after an interruption."""
    for disk in list(Disk.all):
        try:
            disk.unmount(lazily=True)
        except OSError as error:
            if os.path.ismount(disk.place):  # else its own trial was quicker
                print(error, file=sys.stderr)


def extents(file: pathlib.Path) -> list[range]:
    """Where in the image a file's blocks are (Documentation/filesystems/fiemap)."""
    count = 32
    head = struct.pack("=QQLLLL", 0, 1 << 62, 0, 0, count, 0)
    buffer = array.array("B", head + bytes(56 * count))
    descriptor = os.open(file, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, FS_IOC_FIEMAP, buffer)
    finally:
        os.close(descriptor)
    found = struct.unpack_from("=QQLLLL", buffer)[3]
    ranges = []
    for index in range(found):
        _, physical, length = struct.unpack_from("=QQQ", buffer, 32 + 56 * index)
        ranges.append(range(physical, physical + length))
    return ranges


def tear(before: pathlib.Path, after: pathlib.Path, torn: pathlib.Path, places: list[range],
         chance: random.Random) -> int:
    """Makes `torn`: as `after`, but some of the sectors that changed in these places are as they
    were. What a disk has done that lost power in the middle of a flush. How many were dropped."""
    copy_sparsely(after, torn)
    with open(before, "rb") as old, open(torn, "r+b") as new:
        changed = [s for place in places for s in range(place.start, place.stop, SECTOR)
                   if os.pread(old.fileno(), SECTOR, s) != os.pread(new.fileno(), SECTOR, s)]
        if len(changed) < 2:
            return 0  # a sector is written or it is not
        dropped = chance.sample(changed, chance.randrange(1, len(changed)))
        for sector in dropped:
            os.pwrite(new.fileno(), os.pread(old.fileno(), SECTOR, sector), sector)
    return len(dropped)


def mount_memory(place: pathlib.Path) -> None:
    """Room for images: a file system in memory, whose pages are the disks' platters."""
    place.mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "size=4g,mode=0700", "evertoken-test", place)


def unmount_memory(place: pathlib.Path) -> None:
    """May be called twice."""
    if os.path.ismount(place):
        run("umount", "--lazy", place)
    shutil.rmtree(place, ignore_errors=True)
