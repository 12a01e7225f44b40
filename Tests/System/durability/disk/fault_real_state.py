"""Real faults of the disk that holds the refresh tokens; the token files lie on another one."""

from __future__ import annotations

import errno
import os
import shutil
import time

from evertest.basics import wait_until
from evertest.disks.faulty import Bind, Disk, quotas_refused
from evertest.faults.runs import FaultCase
from evertest.state_layout import SLOT_B, slot_files

#: A user number that no account has.
STRANGER = 61234


class StateOnABadDisk(FaultCase):
    def disk(self, **more):
        return Disk(self, self.folder / "state.img", self.daemon.state, **more)

    def begin(self):
        self.add("crm")
        self.daemon.start()
        self.await_rotations(0)
        self.control.wait_for("crm", lambda c: c["state"] == "fresh", "a first token")

    def ordered_in_vain(self, name="crm", kind="storage"):
        """Orders a refresh and sees that none is sent, that the status says why, and that the
        published token stays."""
        count, token = len(self.rotations(name)), self.token(name)
        begun = time.monotonic()
        self.order(name)
        error = self.await_error(name, kind, timeout=5)
        self.assertLess(time.monotonic() - begun, 2.5)
        time.sleep(1)  # long enough for several retries, of which none may be sent
        self.assertEqual(len(self.rotations(name)), count, "sent with nowhere to keep the answer")
        self.assertEqual(self.token(name), token)
        self.assertFalse(self.daemon.died())
        return error


class AStateDiskWithoutRoom(StateOnABadDisk):
    def test_a_first_start_on_a_full_disk_sends_nothing_until_there_is_room(self):
        disk = self.disk()
        disk.fill()
        self.add("crm")
        self.daemon.start()
        error = self.await_error("crm", "storage")
        self.assertRegex(error["problem"].lower(), "space|full")
        self.assertEqual(self.rotations(), [])
        disk.free()
        self.await_rotations(0)
        self.control.wait_for("crm", lambda c: c["state"] == "fresh", "a token")
        self.await_no_error()
        self.assert_lives_after_restart()

    def test_rotation_goes_on_without_inodes_and_a_new_credential_waits_for_one(self):
        disk = self.disk(make=("-N", "64"))
        self.begin()
        disk.use_up_inodes()
        self.refreshed()
        self.refreshed()
        self.add("drive")
        self.control.request("POST", "/v1/reload")
        self.await_error("drive", "storage")
        self.assertEqual(self.rotations("drive"), [], "sent with nowhere to keep it")
        self.refreshed()
        disk.free_inodes()
        wait_until(lambda: self.token("drive"), 20, "a token of drive", self.daemon)
        self.assert_lives_after_restart()

    def test_a_quota_is_like_a_full_disk_where_the_kernel_has_quotas_and_it_says_so_if_not(self):
        problem = quotas_refused(self.folder)
        if problem:
            print("no quotas here, EDQUOT is injected by the shim instead: " + problem[:80])
            self.assertRegex(problem, "wrong fs type|not supported|bad option|No such process")
            return
        disk = self.disk(make=("-O", "quota"), options="usrquota", owner=STRANGER)
        self.as_user(STRANGER)
        self.begin()
        disk.limit(STRANGER, 200)
        self.refreshed()
        self.add("drive")
        self.control.request("POST", "/v1/reload")
        error = self.await_error("drive", "storage")
        self.assertIn(os.strerror(errno.EDQUOT), error["problem"])
        self.assertEqual(self.rotations("drive"), [])
        self.refreshed()
        disk.limit(STRANGER, 0)
        wait_until(lambda: self.token("drive"), 20, "a token of drive", self.daemon)
        self.assert_lives_after_restart()


class AReadOnlyState(StateOnABadDisk):
    def test_a_remount_is_refused_while_the_daemon_runs_and_rotation_goes_on(self):
        disk = self.disk()
        self.begin()
        done = disk.remount("ro")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "busy")
        self.refreshed()
        self.assert_lives_after_restart()

    def test_after_an_aborted_journal_nothing_is_sent_until_a_check_and_a_remount(self):
        disk = self.disk(options="errors=remount-ro")
        self.begin()
        disk.remount("abort")
        self.ordered_in_vain()
        self.assertRaises(OSError, (disk.mount_point / "x").touch)
        self.stop()
        disk.unmount()
        disk.check()
        disk.mount()
        self.daemon.start()
        self.refreshed()
        self.assert_lives_after_restart()

    def test_a_start_on_a_read_only_mount_ends_with_a_message_and_sends_nothing(self):
        self.disk()
        self.begin()
        self.stop()
        bind = Bind(self, self.daemon.state, self.daemon.state)
        self.assertEqual(bind.read_only().returncode, 0)
        before = len(self.daemon.stderr())
        self.daemon.start(wait=False)
        self.assertEqual(self.daemon.process.wait(20), 73, "sysexits: cannot create")
        said = self.daemon.stderr()[before:]
        self.assertIn(str(self.daemon.state), said)
        self.assertIn(os.strerror(errno.EROFS), said)
        self.assertEqual(len(self.rotations()), 1)
        bind.release()
        self.daemon.start()
        self.refreshed()
        self.assert_lives_after_restart()


class AStateThatVanishes(StateOnABadDisk):
    def test_an_unmounted_disk_is_kept_by_the_daemon_and_has_all_when_it_is_mounted_again(self):
        disk = self.disk()
        self.begin()
        disk.unmount(lazily=True)
        self.assertEqual(list(self.daemon.state.iterdir()), [])
        self.order()
        self.server.wait_for(lambda seen: len(seen) >= 1)
        self.stop()
        disk.mount()
        self.assert_nothing_lost()
        self.daemon.start()
        self.refreshed()
        self.assert_lives_after_restart()

    def test_what_is_mounted_over_it_is_not_written_to(self):
        self.disk()
        self.begin()
        above = self.folder / "above"
        above.mkdir()
        bind = Bind(self, above, self.daemon.state)
        self.refreshed()
        self.refreshed()
        self.assertEqual(list(above.iterdir()), [])
        self.stop()
        bind.release()
        self.daemon.start()
        self.refreshed()
        self.assert_lives_after_restart()

    def test_a_removed_credential_directory_never_makes_it_send_the_spent_seed(self):
        self.disk()
        self.begin()
        self.refreshed()
        shutil.rmtree(self.daemon.state / "crm")
        self.assert_the_seed_stays_here()

    def test_a_removed_state_directory_never_makes_it_send_the_spent_seed(self):
        self.begin()
        self.refreshed()
        shutil.rmtree(self.daemon.state)
        self.assert_the_seed_stays_here()

    def test_removed_slots_never_make_it_send_the_spent_seed(self):
        self.disk()
        self.begin()
        self.refreshed()
        for slot in slot_files(self.daemon.state / "crm"):
            slot.unlink()
        self.assert_the_seed_stays_here()

    def assert_the_seed_stays_here(self):
        """The daemon may continue with the token in memory, or report that it is lost."""
        token = self.token()
        self.order()
        time.sleep(2)  # no spent token may be sent
        self.assertEqual([e for e in self.rotations() if e.problem], [])
        self.assertIsNotNone(self.server.live_refresh_token("crm"))
        credential = self.control.credential("crm")
        if len(self.rotations()) > 2:
            self.assertTrue(self.state_holds(self.server.live_refresh_token("crm")))
            self.assertEqual(self.token(), self.rotations()[-1].access_token)
        else:
            self.assertEqual(self.token(), token, "the published token is gone")
            self.assertEqual((credential["last_error"] or {}).get("class"), "storage", credential)

    def test_a_directory_replaced_by_a_file_stops_requests_until_it_is_back(self):
        self.disk()
        self.begin()
        place, aside = self.daemon.state / "crm", self.daemon.state / "aside"
        place.rename(aside)
        place.touch()
        self.ordered_in_vain()
        place.unlink()
        aside.rename(place)
        self.await_no_error()
        self.refreshed()
        self.assert_lives_after_restart()

    def test_a_slot_replaced_by_a_directory_stops_requests_until_it_is_back(self):
        self.disk()
        self.begin()
        place, aside = self.daemon.state / "crm" / SLOT_B, self.daemon.state / "aside"
        place.rename(aside)
        place.mkdir()
        self.ordered_in_vain()
        place.rmdir()
        aside.rename(place)
        self.await_no_error()
        self.refreshed()
        self.assert_lives_after_restart()

    def test_a_directory_it_may_not_enter_stops_requests_until_it_may(self):
        disk = self.disk(owner=STRANGER)
        self.as_user(STRANGER)
        self.begin()
        disk.mount_point.chmod(0)
        error = self.ordered_in_vain()
        self.assertIn(os.strerror(errno.EACCES), error["problem"])
        disk.mount_point.chmod(0o700)
        self.await_no_error()
        self.refreshed()
        self.assert_lives_after_restart()
