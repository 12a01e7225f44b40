"""An ext4 file system in a loop-mounted image, which can be filled and made to fail."""

import errno
import fcntl
import os
import subprocess
import sys

from evertest.basics import at_end
from evertest.state_layout import slots_hold

#: linux/fs.h and ext4.h: _IOR('X', 125, __u32); flag 2 drops what the journal has not yet written.
FS_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2


def run(*command):
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)


class LoopDisk:
    """An ext4 in a file, without blocks reserved for root, mounted on a directory."""

    def __init__(self, case, image, mount_point, *, make=True, mebibytes=16):
        self.image, self.mount_point, self.mounted = image, mount_point, False
        if make:
            with open(image, "wb") as file:
                file.truncate(mebibytes << 20)
            run("mkfs.ext4", "-q", "-F", "-m", "0", image)
        mount_point.mkdir(exist_ok=True)
        at_end(case, self.unmount, lazily=True)
        self.mount()

    def mount(self):
        run("mount", "-t", "ext4", "-o", "loop", self.image, self.mount_point)
        self.mounted = True
        self.mount_point.chmod(0o700)

    def unmount(self, lazily=False):
        """Releases the loop device too; twice is once."""
        if self.mounted:
            run("umount", *(["--lazy"] if lazily else []), self.mount_point)
            self.mounted = False

    def fill(self):
        """Leaves not one free block, and makes sure of it."""
        # What the file system had set aside for delayed writes may come back after a flush.
        for _ in range(5):
            self._write_until_refused()
            if os.statvfs(self.mount_point).f_bavail == 0:
                break
        assert os.statvfs(self.mount_point).f_bavail == 0
        try:
            (self.mount_point / "one-more").mkdir()
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
        else:
            raise AssertionError("there is still room for a directory")

    def _write_until_refused(self):
        descriptor = os.open(self.mount_point / "filler", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            # The most of a large one at once; the rest as a program would, until it is refused.
            room = os.fstatvfs(descriptor)
            most = room.f_bavail * room.f_frsize - (8 << 20)
            if most > 0:
                os.posix_fallocate(descriptor, 0, most)
            os.lseek(descriptor, 0, os.SEEK_END)
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        os.write(descriptor, bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free(self):
        (self.mount_point / "filler").unlink()

    def fail(self):
        """From now on every write and sync is EIO, and what was not synced is lost: what a disk
        does that drops off its bus, and what a power cut leaves behind."""
        descriptor = os.open(self.mount_point, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, FS_IOC_SHUTDOWN, NO_LOG_FLUSH.to_bytes(4, sys.byteorder))
        finally:
            os.close(descriptor)

    def holds(self, name, token):
        """Whether a slot of this credential has the token in it."""
        return slots_hold(self.mount_point / name, token)
