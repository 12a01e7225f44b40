"""Symbolic links where the daemon's own files should be: none is followed, neither to read a token
nor to write one."""

from __future__ import annotations

import os
import time

from evertest.basics import wait_until
from evertest.faults.runs import FaultCase
from evertest.state_layout import LOCK, ORIGIN, PROBE, SLOTS, SLOT_A

STATE_FILES = tuple("crm/" + name for name in SLOTS)


class LinksInTheState(FaultCase):
    def begin(self):
        self.add("crm")
        self.daemon.start()
        self.await_rotations(0)
        self.control.wait_for("crm", lambda c: c["state"] == "fresh", "a first token")
        self.stop()
        self.victim = self.folder / "victim"
        self.victim.write_text("not the daemon's\n")

    def replace(self, name):
        """Moves the file and puts a link to another user's file in its place."""
        place = self.daemon.state / name
        place.rename(self.folder / ("aside-" + place.name))
        place.symlink_to(self.victim)

    def assert_untouched(self):
        self.assertEqual(self.victim.read_text(), "not the daemon's\n")
        self.assertEqual(len(self.rotations()), 1, "sent with its state elsewhere")

    def test_a_slot_that_is_a_link_is_an_error_and_nothing_is_sent(self):
        self.begin()
        for name in STATE_FILES:
            self.replace(name)
        self.daemon.start()
        self.await_error("crm", "storage")
        self.order()
        time.sleep(1)  # several tries would fit
        self.assert_untouched()
        self.assertNotEqual(
            self.control.request("POST", "/v1/credentials/crm/forget")[0], 200)
        self.assert_untouched()

    def test_no_token_is_read_through_a_link(self):
        self.begin()
        for name in STATE_FILES:
            place = self.daemon.state / name
            aside = self.folder / ("aside-" + place.name)
            place.rename(aside)
            place.symlink_to(aside)
        (self.daemon.tokens / "crm" / "token").unlink()
        self.daemon.start()
        self.await_error("crm", "storage")
        self.assertIsNone(self.token())
        self.assertEqual(len(self.rotations()), 1)

    def test_a_first_slot_that_would_be_made_behind_a_link_is_an_error(self):
        self.add("crm")
        (self.daemon.state / "crm").mkdir(parents=True, mode=0o700)
        (self.daemon.state / "crm" / SLOT_A).symlink_to(self.folder / "victim")
        self.daemon.start()
        self.await_error("crm", "storage")
        self.order()
        time.sleep(1)  # several tries would fit
        self.assertFalse((self.folder / "victim").exists())
        self.assertEqual(self.rotations(), [])

    def test_a_note_of_its_origin_that_is_a_link_is_an_error(self):
        self.begin()
        self.replace("crm/" + ORIGIN)
        self.daemon.start()
        self.order()
        self.await_error("crm", "storage")
        self.assert_untouched()

    def test_a_lock_that_is_a_link_keeps_the_daemon_from_starting(self):
        self.begin()
        self.replace(LOCK)
        self.daemon.start(wait=False)
        self.assertEqual(self.daemon.process.wait(20), 73, "sysexits: cannot create")
        self.assertIn(os.strerror(40), self.daemon.stderr())
        self.assert_untouched()

    def test_a_probe_that_is_a_link_is_not_written(self):
        self.begin()
        self.replace(PROBE)
        self.daemon.start()
        self.control.wait_for("crm", lambda c: c["state"] == "fresh", "its token")
        self.assert_untouched()


class LinksAmongTheTokens(FaultCase):
    def test_a_link_to_a_file_with_this_very_token_is_refused_by_name(self):
        """Else the owner of that file could change what others read."""
        self.add("crm")
        self.daemon.start()
        self.await_rotations(0)
        self.control.wait_for("crm", lambda c: c["state"] == "fresh", "a first token")
        self.stop()
        place, aside = self.daemon.tokens / "crm" / "token", self.folder / "aside"
        place.rename(aside)
        place.symlink_to(aside)
        self.daemon.start()
        error = self.await_error("crm", "output")
        self.assertIn("crm/token", error["problem"])
        self.assertIn("link", error["problem"])
        self.assertTrue(place.is_symlink(), "the link was replaced")
        before = aside.read_bytes()
        self.order()
        wait_until(lambda: len(self.rotations()) > 1, 10, "a refresh all the same", self.daemon)
        self.assertEqual(aside.read_bytes(), before)
