"""Faults at the worst moments, injected by the shim: an answer that the disk refuses, a disk that
takes eight seconds, one bad slot among good ones, and errors that no test disk can produce."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time

from evertest.basics import wait_until
from evertest.disks.faulty import Disk
from evertest.disks.loop import LoopDisk
from evertest.faults.runs import FaultCase, ServiceManager
from evertest.servers.token_server import Answer, boot_time
from evertest.shims.fault_shim import DELAY, FUNCTIONS, NOTE, PASS, SHORT, WRITING


class AnUnsavedAnswer(FaultCase):
    """The provider has rotated, and the sync of the answer is an EIO."""

    lifetime = 6

    def setUp(self):
        super().setUp()
        self.disk = Disk(self, self.folder / "state.img", self.daemon.state)
        self.faults = self.shim()
        self.manager = ServiceManager(self, self.folder / "notify")
        self.daemon.environment |= {"NOTIFY_SOCKET": str(self.manager.path)}

    def begin(self):
        """Up to the moment after the one: an exchange that only the memory holds."""
        self.add("crm")
        self.daemon.start()
        self.control.wait_for("crm", lambda c: c["state"] == "fresh", "a first token")
        self.old = self.token()
        count = len(self.rotations())
        self.server.plan("crm", Answer(delay=0.5))
        self.order()
        self.server.wait_for(lambda seen: len(seen) == count + 1)
        self.fault = self.faults.arm(["fdatasync", "fsync"], self.daemon.state, error=errno.EIO)
        self.faults.wait_injected(self.fault)
        self.unsaved = self.rotations()[-1]
        self.struck = self.fault.first_at
        self.await_error("crm", "storage", timeout=5)
        self.said_after = time.monotonic() - self.struck

    def on_the_platters(self, token):
        """Whether a copy of the disk, as a power cut would leave it now, has the token."""
        image = self.folder / "copy.img"
        shutil.copyfile(self.disk.image, image)
        disk = LoopDisk(self, image, self.folder / "copy", make=False)
        try:
            return disk.holds("crm", token)
        finally:
            disk.unmount()

    def test_is_held_published_before_readers_have_none_and_saved_when_the_disk_works(self):
        self.begin()
        self.assertLess(self.said_after, 1.5, "I36: within a second")
        self.assertEqual(self.token(), self.old, "published before it was durable")
        wait_until(lambda: self.token() == self.unsaved.access_token, 8,
                   "the token that could not be saved, before the old one ends", self.daemon)
        issued = next(e for e in self.rotations() if e.access_token == self.old)
        self.assertLess(boot_time(), issued.asked_at + self.lifetime + 0.1, "too late")
        self.assertGreater(boot_time(), issued.asked_at + self.lifetime / 4, "too early")
        time.sleep(1)
        self.assertEqual(self.rotations()[-1].number, self.unsaved.number, "asked meanwhile")
        self.assertFalse(self.daemon.died(), "it gave up the only copy of a refresh token")
        self.await_error("crm", "storage")
        self.fault.disarm()
        self.await_no_error()
        live = self.server.live_refresh_token("crm")
        wait_until(lambda: self.state_holds(live), 5, "the live token in a slot", self.daemon)
        self.assertTrue(self.on_the_platters(self.unsaved.next_refresh_token)
                        or self.server.live_refresh_token("crm")
                        != self.unsaved.next_refresh_token)
        self.await_rotations(1)
        self.assert_lives_after_restart()

    def test_what_is_called_saved_is_on_the_disk_itself_and_not_only_in_memory(self):
        self.lifetime = self.server.lifetime = 3600
        self.begin()
        self.fault.disarm()
        self.await_no_error()
        wait_until(lambda: self.token() == self.unsaved.access_token, 5, "its token", self.daemon)
        self.assertTrue(self.on_the_platters(self.unsaved.next_refresh_token))
        self.assert_lives_after_restart()

    def test_survives_a_sigterm_which_waits_for_the_disk(self):
        self.begin()
        self.daemon.process.send_signal(signal.SIGTERM)
        time.sleep(3)
        self.assertFalse(self.daemon.died(), "it left with the only copy of a refresh token (I6)")
        status = self.control.status()
        self.assertEqual(status.get("state"), "stopping")
        self.assertEqual(status["credentials"][0]["last_error"]["class"], "storage")
        self.assertEqual(self.rotations()[-1].number, self.unsaved.number, "asked while stopping")
        self.fault.disarm()
        self.assertEqual(self.daemon.process.wait(10), 0)
        self.assert_nothing_lost()
        self.daemon.start()
        self.await_rotations(1)
        self.assert_lives_after_restart()

    def test_makes_a_stopping_daemon_ask_the_service_manager_for_more_time(self):
        """systemd.service(5) kills it at TimeoutStopSec otherwise, and with it the token."""
        self.begin()
        self.daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: self.manager.said("STOPPING=1"), 5, "STOPPING=1", self.daemon)
        wait_until(lambda: self.manager.said("EXTEND_TIMEOUT_USEC="), 5,
                   "EXTEND_TIMEOUT_USEC=", self.daemon)
        self.fault.disarm()
        self.assertEqual(self.daemon.process.wait(10), 0)
        self.assert_nothing_lost()


class ASlowDisk(FaultCase):
    lifetime = 3

    def test_of_one_credential_delays_no_other_and_starves_no_watchdog(self):
        """I26, I35: eight seconds for each sync of one, a watchdog of two."""
        shim, manager = self.shim(), ServiceManager(self, self.folder / "notify")
        self.daemon.environment |= {
            "NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "2000000"}
        self.add("slow", "quick")
        self.daemon.start()
        self.await_rotations(1, "quick")
        self.await_rotations(0, "slow")
        fault = shim.arm(["fdatasync"], self.daemon.state / "slow", action=DELAY, seconds=8)
        shim.wait_injected(fault)
        begun = boot_time()
        time.sleep(9)
        fault.disarm()
        asked = [e.asked_at for e in self.rotations("quick") if e.asked_at > begun - self.lifetime]
        gaps = [later - earlier for earlier, later in zip(asked, asked[1:])]
        self.assertGreaterEqual(len(gaps), 3, "the other one was not refreshed")
        self.assertLess(max(gaps), self.lifetime, "the other one's token ended")
        pings = [at for at in manager.times("WATCHDOG=1") if at > fault.first_at - 2]
        silences = [later - earlier for earlier, later in zip(pings, pings[1:])]
        self.assertGreater(len(pings), 6)
        self.assertLess(max(silences), 2.0, "a watchdog would have killed it")
        self.await_rotations(1, "slow")
        self.assert_lives_after_restart()


class OneBadSlot(FaultCase):
    """I5: the store is one device; what fails for one credential may fail for all."""

    def begin(self):
        self.faults = self.shim()
        self.add("bad", "good")
        self.daemon.start()
        self.await_rotations(0, "bad")
        self.await_rotations(0, "good")

    def test_keeps_the_others_of_its_store_from_sending_until_a_probe_was_written(self):
        """The other's own slots are fine; nothing else of the store can be written."""
        self.begin()
        counts = {name: len(self.rotations(name)) for name in ("bad", "good")}
        self.faults.arm(WRITING, self.daemon.state / "good", action=PASS)
        dead = self.faults.arm(WRITING, self.daemon.state, error=errno.EIO)
        self.order("bad")
        self.await_error("bad", "storage")
        self.order("good")
        time.sleep(2)  # several tries would fit
        for name, count in counts.items():
            self.assertEqual(len(self.rotations(name)), count, name + " sent on a bad store")
        self.assertGreater(dead.injected, 0)
        self.await_error("good", "storage")
        dead.disarm()
        for name in counts:
            self.await_no_error(name)
            self.refreshed(name)
        self.assert_lives_after_restart()

    def test_failing_once_is_followed_by_a_probe_before_another_credential_sends(self):
        self.begin()
        shim = self.faults
        fault = shim.arm(["fdatasync"], self.daemon.state / "bad", error=errno.EIO, count=1)
        shim.arm(("pwrite", "write", "fdatasync", "fsync", "read"), self.daemon.state, action=NOTE)
        self.order("bad")
        shim.wait_injected(fault)
        self.refreshed("good")
        lines = [line for line in shim.lines() if line.at >= fault.first_at]
        own = str(self.daemon.state / "good")
        intent = next(i for i, line in enumerate(lines)
                      if line.function == "pwrite" and line.path.startswith(own))
        before = [line for line in lines[1:intent] if not line.path.startswith(own)]
        self.assertTrue(is_probed(before), "no write, sync and reading back of anything between "
                        "the EIO and the next intent: %s" % [(b.function, b.path) for b in before])
        self.assert_lives_after_restart()


def is_probed(lines):
    """Whether some file was written, then synced, then read."""
    steps = (("pwrite", "write"), ("fdatasync", "fsync"), ("read",))
    for path in {line.path for line in lines}:
        wanted = iter(steps)
        step = next(wanted)
        for line in (line for line in lines if line.path == path):
            if line.function in step:
                step = next(wanted, None)
                if step is None:
                    return True
    return False


class OtherErrors(FaultCase):
    def begin(self):
        self.faults = self.shim()
        self.add("crm")
        self.daemon.start()
        self.await_rotations(0)

    def test_a_quota_at_the_first_start_edquot_injected_by_the_shim(self):
        shim = self.shim()
        self.add("crm")
        fault = shim.arm(["pwrite"], self.daemon.state / "crm", error=errno.EDQUOT)
        self.daemon.start()
        error = self.await_error("crm", "storage")
        self.assertIn(os.strerror(errno.EDQUOT), error["problem"])
        self.assertEqual(self.rotations(), [], "sent with nowhere to keep it")
        self.assertGreater(fault.injected, 0)
        fault.disarm()
        self.await_rotations(0)
        self.await_no_error()
        self.assert_lives_after_restart()

    def test_a_quota_for_tokens_edquot_injected_by_the_shim(self):
        self.begin()
        old = self.token()
        fault = self.faults.arm(["write"], self.daemon.tokens, error=errno.EDQUOT)
        self.order()
        error = self.await_error("crm", "output")
        self.assertIn(os.strerror(errno.EDQUOT), error["problem"])
        self.assertEqual(self.token(), old)
        self.assertGreater(fault.injected, 0)
        fault.disarm()
        self.await_no_error()
        self.assertEqual(self.token(), self.rotations()[-1].access_token)
        self.assert_lives_after_restart()

    def test_writes_and_reads_that_stop_half_way_are_gone_on_with(self):
        shim = self.shim()
        self.add("crm")
        short = shim.arm(["pwrite", "write", "read"], self.folder, action=SHORT)
        self.daemon.start()
        self.await_rotations(0)
        for _ in range(3):
            self.refreshed()
        self.assertGreater(short.injected, 20)
        self.assertIsNone(self.control.credential("crm")["last_error"])
        short.disarm()
        self.assert_lives_after_restart()

    def test_every_other_call_interrupted_by_a_signal_is_made_again(self):
        self.begin()
        for _ in range(4):
            count = sum(len(self.rotations(name)) for name in ("crm",))
            for function in ("pwrite", "write", "read"):
                self.faults.arm([function], self.folder, error=errno.EINTR, count=1)
            self.refreshed()
            self.assertEqual(len(self.rotations()), count + 1)
            self.assertIsNone(self.control.credential("crm")["last_error"])
        interrupted = [line for line in self.faults.lines() if line.what == "error"]
        self.assertGreaterEqual(len(interrupted), 12)
        self.assert_lives_after_restart()

    def test_no_descriptors_no_memory_and_a_read_only_disk_in_the_midst_are_got_over(self):
        self.begin()
        for error in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS):
            with self.subTest(error=errno.errorcode[error]):
                self.faults.reuse()
                count = len(self.rotations())
                fault = self.faults.arm(
                    [f for f in FUNCTIONS if f != "read"], self.daemon.state, error=error)
                self.order()
                said = self.await_error("crm", "storage")
                self.assertIn(os.strerror(error), said["problem"])
                self.assertEqual(len(self.rotations()), count)
                self.assertGreater(fault.injected, 0)
                fault.disarm()
                self.await_no_error()
                wait_until(lambda: len(self.rotations()) > count, 10, "the refresh", self.daemon)
        self.assert_lives_after_restart()
