"""A machine-id is an identity where a disk keeps it: a state that came from another machine is not
used until a person has looked (I10). One that lies in memory, as on machines without a writable
root, is another one after each boot and says nothing.

The daemon runs in a mount namespace with an /etc of its own. Needs root and e2fsprogs.
"""

import os
import pathlib
import shutil
import subprocess

from evertest.disks.loop import LoopDisk
from evertest.programs import ProgramCase
from evertest.suite import Suite

SUITE = Suite(minutes=0.3)

#: What the daemon may need of /etc besides its machine-id.
NEEDED = ("passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache", "localtime")
#: A directory that lies on a disk, as /etc.
ON_DISK = 'mount --bind "$0" /etc && exec "$@"'
#: A file over another: systemd's way to give an id to one boot.
BOUND = 'mount --bind "$0/etc" /etc && mount --bind "$0/id" /etc/machine-id && exec "$@"'
IN_MEMORY = ('mount -t tmpfs none "$0/memory" && cp -a "$0/etc/." "$0/memory" && '
             'cp "$0/id" "$0/memory/machine-id" && mount --bind "$0/memory" /etc && exec "$@"')
OVER_MEMORY = ('mount -t tmpfs none "$0/memory" && mkdir "$0/memory/up" "$0/memory/work" && '
               'mount -t overlay none -o "lowerdir=$0/etc,upperdir=$0/memory/up,'
               'workdir=$0/memory/work" /etc && cp "$0/id" /etc/machine-id && exec "$@"')
OVER_DISK = ('mount -t overlay none -o "lowerdir=$0/etc,upperdir=$0/up,workdir=$0/work" /etc && '
             'cp "$0/id" /etc/machine-id && exec "$@"')
#: As in a container: where the upper layer is cannot be seen from inside.
OVER_UNKNOWN = OVER_DISK.replace('exec "$@"', 'mount -t tmpfs none "$0" && exec "$@"')


class MachineTest(ProgramCase):
    def setUp(self):
        super().setUp()
        disk = LoopDisk(self, self.directory / "machine.img", self.directory / "disk")
        self.place = disk.mount_point / "machine"
        for name in ("etc", "memory", "up", "work"):
            (self.place / name).mkdir(parents=True)
        for name in NEEDED:
            if pathlib.Path("/etc", name).exists():
                shutil.copy2(pathlib.Path("/etc", name), self.place / "etc" / name)
        self.identify(self.place / "etc" / "machine-id")

    def start_on_a_disk(self):
        """A daemon whose state knows the id of this disk."""
        self.main = self.daemon({})
        self.main.configure(self.config({"crm": self.credential("crm")}))
        self.boot(ON_DISK, self.place / "etc")
        self.assert_works()

    def identify(self, path, text=None):
        """Another machine's id, or another boot's."""
        path.write_text(os.urandom(16).hex() + "\n" if text is None else text)

    def boot(self, script, place=None, text=None):
        """Starts the daemon in a namespace that this script makes, with a new id for this boot."""
        if self.main.process.poll() is None:
            self.assertEqual(self.main.terminate(), 0)
        self.identify(self.place / "id", text)
        self.main.prefix = ["unshare", "--mount", "sh", "-ec", script, str(place or self.place)]
        self.main.start()

    def rotate(self):
        done = self.main.evertoken("refresh", "crm", "--wait")
        self.assertEqual(done.returncode, 0, done.stderr)

    def assert_works(self):
        self.main.wait_for("crm", "fresh")
        self.rotate()
        self.assertEqual([e for e in self.server.exchanges() if e.problem], [])

    def assert_quarantined(self):
        entry = self.main.wait_for("crm", "quarantined")
        self.assertIn("another machine", entry["last_error"]["problem"])
        asked = len(self.server.exchanges("crm"))
        self.assertNotEqual(self.main.evertoken("refresh", "crm", "--wait").returncode, 0)
        self.assertEqual(len(self.server.exchanges("crm")), asked)

    def accept(self):
        self.assertEqual(self.main.evertoken("accept", "crm", "--yes").returncode, 0)
        self.assert_works()

    def test_a_block_copy_of_the_disk_with_an_id_of_its_own_is_quarantined(self):
        """Its files are the same to the last inode."""
        disk = LoopDisk(self, self.directory / "copied.img", self.directory / "copied")
        shutil.copytree(self.place / "etc", disk.mount_point / "etc")
        self.main = self.daemon({})
        self.main.configure(self.config({"crm": self.credential("crm")}) | {
            "state_dir": str(disk.mount_point / "state")})
        self.boot(ON_DISK, disk.mount_point / "etc")
        self.assert_works()
        self.assertEqual(self.main.terminate(), 0)
        disk.unmount()
        copy = self.directory / "copy.img"
        subprocess.run(["cp", "--sparse=always", disk.image, copy], check=True, timeout=60)
        original, disk.image = disk.image, copy
        disk.mount()
        self.identify(disk.mount_point / "etc" / "machine-id")
        self.boot(ON_DISK, disk.mount_point / "etc")
        self.assert_quarantined()
        self.assertEqual(self.main.terminate(), 0)
        disk.unmount()
        disk.image = original
        disk.mount()
        self.boot(ON_DISK, disk.mount_point / "etc")
        self.assert_works()

    def test_an_id_of_one_boot_says_nothing_however_it_is_mounted(self):
        self.start_on_a_disk()
        for name, script in {"bound": BOUND, "memory": IN_MEMORY, "overlay": OVER_MEMORY}.items():
            for _ in range(2):
                with self.subTest(name):
                    self.boot(script)
                    self.assert_works()

    def test_no_id_and_one_that_is_not_initialised_say_nothing(self):
        self.start_on_a_disk()
        for text in ("", "uninitialized\n"):
            with self.subTest(text):
                self.identify(self.place / "etc" / "machine-id", text)
                self.boot(ON_DISK, self.place / "etc")
                self.assert_works()
        (self.place / "etc" / "machine-id").unlink()
        self.boot(ON_DISK, self.place / "etc")
        self.assert_works()

    def test_a_boot_with_a_passing_id_does_not_hide_that_the_disk_went_to_another_machine(self):
        self.start_on_a_disk()
        self.boot(BOUND)
        self.assert_works()
        self.identify(self.place / "etc" / "machine-id")
        self.boot(ON_DISK, self.place / "etc")
        self.assert_quarantined()

    def test_an_id_on_the_disk_under_an_overlay_is_an_identity(self):
        self.start_on_a_disk()
        for _ in range(2):
            self.boot(OVER_DISK)
            self.assert_quarantined()
            self.accept()

    def test_where_it_cannot_be_told_the_first_change_costs_one_accept(self):
        self.start_on_a_disk()
        self.boot(OVER_UNKNOWN)
        self.assert_quarantined()
        self.accept()
        for _ in range(2):
            self.boot(OVER_UNKNOWN)
            self.assert_works()
