"""State on a disk that is full, that fails, and that loses power: ext4 in a loop-mounted image.

Token files lie on another disk, as they do in production, so that only the state suffers. The
server's record is the judge: it revokes everything when a spent refresh token comes back.

Needs root and, from Debian: e2fsprogs, mount, util-linux. Mounts and loop devices are released
after each test, also when it fails or is interrupted."""

import os
import random
import shutil
import signal
import time
import unittest

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.disks.loop import LoopDisk
from evertest.sandbox import Control, read
from evertest.servers.token_server import Answer, TokenServer
from evertest.suite import Suite

SUITE = Suite(minutes=0.8)


class DiskCase(unittest.TestCase):
    """A server whose tokens live for seconds, and a daemon with its state on a disk of its own."""

    def setUp(self):
        self.folder = temporary_directory(self)
        self.server = TokenServer(lifetime=3).start()
        at_end(self, self.server.stop)
        self.daemon = Daemon(self, self.folder, {})
        self.control = Control(self.daemon.socket)
        self.disk = LoopDisk(self, self.folder / "state.img", self.daemon.state)
        # The daemon ends before its disk does: cleanups run in the opposite order.
        at_end(self, self.daemon.close)
        self.credentials = {}

    def add(self, *names):
        """Signs the credentials in and puts them into the config, which is not yet reloaded."""
        for name in names:
            self.credentials[name] = {
                "provider": "as",
                "client_id": f"{name}-client",
                "client_secret": f"secret of {name}",
                "refresh_token": self.server.grant(f"{name}-client", f"secret of {name}"),
                "refresh": {"retry": {"initial": "0.2s", "max": "0.5s"}},
            }
        request = {"url": self.server.url, "client_auth": "client_secret_basic"}
        self.daemon.configure({
            "providers": {"as": {"request": request}}, "credentials": self.credentials})

    def token(self, name="crm"):
        return read(self.daemon.tokens / name / "token")

    def published(self, name="crm"):
        """The exchange whose access token readers see now; None before the first."""
        token = self.token(name)
        return token and self.server.issued_with(token)

    def await_rotations(self, count, name="crm"):
        """Waits until `count` more tokens have been asked for and the last one is published."""
        client = f"{name}-client"
        goal = len(self.server.exchanges(client)) + count

        def is_out():
            seen = self.server.exchanges(client)
            return len(seen) >= goal and self.token(name) == seen[-1].access_token

        wait_until(is_out, 30, f"{count} more rotations of {name}", self.daemon)

    def assert_no_spent_token_came_back(self):
        self.assertEqual([e for e in self.server.exchanges() if e.problem], [])

    def assert_published_survives_a_power_cut(self):
        """The disk has the refresh token that came with the published token, after the cut."""
        self.disk.fail()
        last = self.published()
        self.daemon.kill()
        self.disk.unmount()
        self.disk.mount()
        self.assertTrue(self.disk.holds("crm", last.next_refresh_token))

    def assert_storage_error(self, name, **more):
        """Waits for a status that says so, with what to do about it."""
        error = self.control.wait_for(
            name, lambda c: (c["last_error"] or {}).get("class") == "storage",
            "an error of class storage", **more)["last_error"]
        self.assertTrue(error["problem"].strip())
        self.assertTrue(error["remedy"].strip())
        return error


class AFullDisk(DiskCase):
    def test_rotation_goes_on_but_a_credential_without_slots_sends_nothing_until_it_fits(self):
        self.add("crm")
        self.daemon.start()
        self.await_rotations(1)
        self.disk.fill()
        self.await_rotations(2)

        self.add("drive")
        self.daemon.process.send_signal(signal.SIGHUP)
        error = self.assert_storage_error("drive")
        self.assertRegex(error["problem"].lower(), "space|full")
        self.await_rotations(2)
        self.assertEqual(self.server.exchanges("drive-client"), [], "sent with nowhere to keep it")
        self.assertIsNone(self.token("drive"))
        self.assertEqual(self.control.credential("crm")["last_error"], None)

        self.disk.free()
        wait_until(lambda: self.token("drive"), 30, "a token for drive, there is room", self.daemon)
        self.control.wait_for(
            "drive", lambda c: c["last_error"] is None, "no error any more")
        self.assert_no_spent_token_came_back()

    def test_what_was_rotated_on_a_full_disk_survives_a_power_cut(self):
        self.add("crm")
        self.daemon.start()
        self.await_rotations(1)
        self.disk.fill()
        self.await_rotations(2)
        self.assert_published_survives_a_power_cut()


class AFailingDisk(DiskCase):
    def test_no_request_leaves_and_the_last_durable_refresh_token_is_used_after_a_remount(self):
        self.add("crm")
        self.daemon.start()
        self.await_rotations(2)
        self.disk.fail()
        last = self.published()
        count = len(self.server.exchanges())

        self.assert_storage_error("crm")
        self.control.wait_for("crm", lambda c: c["state"] == "expired", "its token to expire")
        self.assertEqual(len(self.server.exchanges()), count, "asked with nowhere to keep it")
        self.assertEqual(self.token(), last.access_token, "the published token is gone")
        self.assertEqual(self.control.credential("crm")["last_error"]["class"], "storage")
        self.assertFalse(self.daemon.died())

        self.assertEqual(self.daemon.terminate(), 0)
        self.disk.unmount()
        self.disk.mount()
        self.daemon.start()
        self.await_rotations(2)
        self.assertEqual(
            self.server.exchanges()[count].refresh_token, last.next_refresh_token)
        self.assert_no_spent_token_came_back()

    def test_an_answer_that_cannot_be_saved_is_kept_and_published_before_the_old_one_expires(self):
        self.server.lifetime = 6
        self.add("crm")
        self.daemon.start()
        self.await_rotations(1)
        self.server.plan("crm-client", Answer(delay=1))
        count = len(self.server.exchanges())
        self.server.wait_for(lambda seen: len(seen) == count + 1)
        self.disk.fail()
        unsaved = self.server.exchanges()[count]
        self.assertIsNone(unsaved.answered_at, "the answer was quicker than the disaster")

        self.assert_storage_error("crm")
        self.assertNotEqual(self.token(), unsaved.access_token, "published before it was durable")
        wait_until(lambda: self.token() == unsaved.access_token, 10,
                   "the token that could not be saved, before readers have none", self.daemon)
        self.control.wait_for("crm", lambda c: c["state"] == "expired", "that one to expire too")
        self.assertEqual(len(self.server.exchanges()), count + 1, "asked again, with nothing saved")
        self.assertFalse(self.daemon.died(), "it gave up the only copy of a refresh token")


class APowerCut(DiskCase):
    def test_after_each_of_five_cuts_the_published_generation_is_on_the_disk_and_works(self):
        self.add("crm")
        for cut in range(5):
            with self.subTest(cut=cut):
                self.daemon.start()
                self.await_rotations(2)
                self.assert_published_survives_a_power_cut()
        self.daemon.start()
        self.await_rotations(1)
        self.assert_no_spent_token_came_back()

    def test_every_copy_of_the_disk_taken_during_rotations_holds_what_was_published(self):
        seed = int(os.environ.get("EVERTOKEN_SEED", time.time_ns() % 1_000_000))
        chance = random.Random(seed)
        self.server.lifetime = 2
        names = [f"account-{number}" for number in range(8)]
        self.add(*names)
        self.daemon.start()
        for name in names:
            wait_until(lambda: self.token(name), 20, f"a first token of {name}", self.daemon)
        before = len(self.server.exchanges())
        for copy in range(15):
            time.sleep(chance.uniform(0, 0.5))  # the moment of the cut is the thing under test
            published = {name: self.published(name).next_refresh_token for name in names}
            image = self.folder / f"copy-{copy}.img"
            shutil.copyfile(self.disk.image, image)
            disk = LoopDisk(self, image, self.folder / "copy", make=False)
            lost = [n for n, token in published.items() if not disk.holds(n, token)]
            disk.unmount()
            image.unlink()
            self.assertEqual(lost, [], f"EVERTOKEN_SEED={seed}, copy {copy}")
        self.assertGreater(len(self.server.exchanges()), before, "nothing rotated meanwhile")
        self.assert_no_spent_token_came_back()
