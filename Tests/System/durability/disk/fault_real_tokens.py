"""Real faults of the directory that token files are written to; the state is on a good disk.

Refreshes must continue whatever happens here: a refresh token is worth more than a file. Published
files stay unchanged, the status says `output` with a remedy, and the newest token is published as
soon as writing works again, without intervention."""

from __future__ import annotations

import errno
import os
import shutil
import time

from evertest.basics import wait_until
from evertest.disks.faulty import Bind, Disk
from evertest.faults.runs import FaultCase

STRANGER = 61235


class TokensInABadPlace(FaultCase):
    def disk(self, **more):
        return Disk(self, self.folder / "tokens.img", self.daemon.tokens, **more)

    def begin(self):
        self.add("crm")
        self.daemon.start()
        self.control.wait_for("crm", lambda c: c["state"] == "fresh", "a first token")

    def refreshed_in_vain(self, *words, is_readable=True, is_asked=False):
        """A refresh whose token cannot be published: it is kept, and the status says so."""
        before = self.token() if is_readable else None
        count = len(self.rotations())
        self.order()
        wait_until(lambda: len(self.rotations()) > count, 10, "a refresh all the same", self.daemon)
        begun = time.monotonic()
        error = self.await_error("crm", "output", timeout=5)
        self.assertLess(time.monotonic() - begun, 2.5)
        for word in words:
            self.assertIn(word, error["problem"])
        if is_readable:
            self.assertEqual(self.token(), before, "what was published was touched")
        if is_asked:
            code, answer = self.daemon.request("GET", "/v1/credentials/crm/token", timeout=5)
            self.assertEqual(code, 200, answer)
            self.assertEqual(answer["access_token"], self.rotations()[-1].access_token)
        self.assert_nothing_lost()

    def await_recovery(self):
        """The newest token comes by itself; the next refresh works, and so does a restart."""
        # A file that was written where a disk is mounted since is missed at the next look.
        wait_until(lambda: self.token() == self.rotations()[-1].access_token, 75,
                   "the newest token, the place is good again", self.daemon)
        self.await_no_error()
        self.refreshed()
        self.assert_lives_after_restart()


class ATokenDiskThatFails(TokensInABadPlace):
    def test_full(self):
        disk = self.disk()
        self.begin()
        disk.fill()
        self.refreshed_in_vain(os.strerror(errno.ENOSPC))
        disk.free()
        self.await_recovery()

    def test_full_at_the_first_start(self):
        disk = self.disk()
        disk.fill()
        self.add("crm")
        self.daemon.start()
        self.await_error("crm", "output")
        self.assertIsNone(self.token())
        self.assertEqual(len(self.rotations()), 1, "asked again although the answer is here")
        disk.free()
        self.await_recovery()

    def test_without_inodes(self):
        disk = self.disk(make=("-N", "64"))
        self.begin()
        disk.use_up_inodes()
        self.refreshed_in_vain(os.strerror(errno.ENOSPC))
        disk.free_inodes()
        self.await_recovery()

    def test_read_only_by_a_remount(self):
        disk = self.disk()
        self.begin()
        self.assertEqual(disk.remount("ro").returncode, 0, "a file is held open for writing")
        self.refreshed_in_vain(os.strerror(errno.EROFS))
        self.assertEqual(disk.remount("rw").returncode, 0)
        self.await_recovery()

    def test_read_only_by_a_bind_mount_beneath(self):
        self.daemon.tokens.mkdir()
        bind = Bind(self, self.daemon.tokens, self.daemon.tokens)
        self.begin()
        self.assertEqual(bind.read_only().returncode, 0)
        self.refreshed_in_vain(os.strerror(errno.EROFS))
        bind.writable()
        self.await_recovery()

    def test_gone_from_its_bus_until_it_is_mounted_again(self):
        disk = self.disk()
        self.begin()
        disk.fail()
        self.refreshed_in_vain(is_readable=False)
        disk.plug_in_again()
        self.await_recovery()


class TheControlSocket(TokensInABadPlace):
    def test_gives_the_newest_token_at_once_while_the_files_cannot_be_written(self):
        disk = self.disk()
        self.begin()
        disk.fill()
        self.refreshed_in_vain(is_asked=True)


class ATokenDirectoryThatVanishes(TokensInABadPlace):
    def test_the_directory_of_a_credential_is_made_again(self):
        self.begin()
        shutil.rmtree(self.daemon.tokens / "crm")
        self.refreshed()
        self.assert_lives_after_restart()

    def test_the_whole_directory_is_made_again_or_found_when_somebody_made_it_anew(self):
        self.begin()
        for make in (lambda: None, lambda: self.daemon.tokens.mkdir(mode=0o755)):
            wait_until(self.is_removed, 10, "the last file to be written", self.daemon)
            make()
            self.refreshed()
        self.assert_lives_after_restart()

    def is_removed(self):
        """A file that is being written is new in a directory that is already empty."""
        try:
            shutil.rmtree(self.daemon.tokens)
            return True
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            return False

    def test_a_directory_replaced_by_a_file(self):
        self.begin()
        place, aside = self.daemon.tokens / "crm", self.daemon.tokens / "aside"
        place.rename(aside)
        place.touch()
        self.refreshed_in_vain(is_readable=False)
        place.unlink()
        aside.rename(place)
        self.await_recovery()

    def test_a_token_file_replaced_by_a_directory(self):
        self.begin()
        place = self.daemon.tokens / "crm" / "token"
        place.unlink()
        place.mkdir()
        self.refreshed_in_vain(is_readable=False)
        place.rmdir()
        self.await_recovery()

    def test_a_directory_it_may_not_enter(self):
        self.daemon.tokens.mkdir()
        os.chown(self.daemon.tokens, STRANGER, STRANGER)
        self.as_user(STRANGER)
        self.begin()
        self.daemon.tokens.chmod(0)
        self.refreshed_in_vain(os.strerror(errno.EACCES))
        self.daemon.tokens.chmod(0o755)
        self.await_recovery()
