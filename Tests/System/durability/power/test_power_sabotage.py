"""The campaign of `test_power_cuts` can fail: it detects a daemon that omits a flush.

A library that is loaded before the C library omits the flush and reports success. A library that
only counts the flushes must not be reported.
"""

from __future__ import annotations

import os
import pathlib
import random
import unittest

from evertest.disks.power import FLAVOURS, Disk, Flavour, extents, make_image, tear
from evertest.kills.judgement import LOST
from evertest.power.campaign import Campaign, Cut, Ground
from evertest.power.judgement import EARLY, UNFOUNDED, WENT_BACK
from evertest.power.scenarios import SCENARIOS
from evertest.shims.power_shim import build_shim
from evertest.suite import Suite

SUITE = Suite(minutes=0.2)


class SabotageTest(unittest.TestCase):
    """On ext4, with a refresh; judged without starting the daemon again."""

    def setUp(self) -> None:
        self.ground = Ground(self)
        self.record = self.ground.directory / "flushes"
        self.campaign = Campaign(self.ground.base, self.ground.tracer, FLAVOURS[0], 1)
        self.campaign.check()
        self.campaign.prepare()
        self.scenario = next(s for s in SCENARIOS if s.name == "refresh")

    def sabotage(self, what: str) -> None:
        self.campaign.environment = {
            "LD_PRELOAD": str(build_shim(self.ground.directory)), "POWER_SHIM": what,
            "POWER_SHIM_RECORD": str(self.record)}

    def snapshots(self) -> list[Cut]:
        cuts = self.campaign.snapshots(self.scenario)
        for file in {cut.image.file for cut in cuts}:
            same = [cut for cut in cuts if cut.image.file == file]
            self.campaign.judge(same[0].image, same, None)
        flushes = self.record.read_text().split()
        self.assertLessEqual({"fdatasync", "directory", "file"}, set(flushes), "no library loaded")
        return cuts

    def shut_down_at(self, cuts: list[Cut], kind: str) -> set[str]:
        """The kinds of faults, with the disk cut off where a snapshot has shown this one."""
        number = next(i for i, cut in enumerate(cuts, 1) if kind in kinds(cut))
        cut = self.campaign.shutdown(self.scenario, number)
        self.assertIsNotNone(cut)
        self.campaign.judge(cut.image, [cut], None)
        return kinds(cut)

    def test_a_library_that_only_counts_is_not_found_guilty(self) -> None:
        self.sabotage("nothing")
        faults = [cut.account() for cut in self.snapshots() if cut.faults]
        self.assertEqual(faults, [])

    def test_an_answer_that_is_not_flushed_is_found_lost_in_copies_and_after_a_shutdown(self):
        self.sabotage("fdatasync")
        cuts = self.snapshots()
        found = set().union(*map(kinds, cuts))
        self.assertLessEqual({LOST, EARLY, UNFOUNDED}, found)
        self.assertIn(LOST, self.shut_down_at(cuts, LOST))

    def test_a_token_file_whose_folder_is_not_flushed_is_found_to_go_back(self) -> None:
        self.sabotage("directory")
        cuts = self.snapshots()
        self.assertEqual(set().union(*map(kinds, cuts)), {WENT_BACK})
        self.assertIn(WENT_BACK, self.shut_down_at(cuts, WENT_BACK))

    def test_a_token_that_was_lost_is_found_after_the_restart_too(self) -> None:
        """The restart is judged too, not only the disk."""
        self.sabotage("fdatasync")
        cuts = self.campaign.snapshots(self.scenario)
        last = cuts[-1]
        self.assertIsNone(last.step)
        same = [cut for cut in cuts if cut.image.file == last.image.file]
        self.campaign.environment = {}
        self.campaign.judge(last.image, same, last)
        self.assertIn(LOST, kinds(last))


class DiskTest(unittest.TestCase):
    """The disks do what the campaign believes of them, on every file system that is here."""

    def setUp(self) -> None:
        self.ground = Ground(self)

    def disk(self, flavour: Flavour) -> Disk:
        place = self.ground.base / flavour.name.replace(" ", "-")
        place.mkdir()
        image = place.with_suffix(".img")
        make_image(flavour, image)
        return Disk(flavour, image, place).mount()

    @staticmethod
    def write_two(place: pathlib.Path) -> None:
        """Two files, of which only the first is flushed."""
        (place / "flushed").write_text("the text")
        for path in (place / "flushed", place):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        (place / "not-flushed").write_text("the text")

    @staticmethod
    def names(disk: Disk) -> set[str]:
        """The files that hold the text they were given."""
        return {f.name for f in disk.place.iterdir() if f.is_file() and f.read_text() == "the text"}

    def test_a_copy_and_a_disk_cut_off_hold_what_was_flushed_and_nothing_else(self) -> None:
        for flavour in FLAVOURS:
            with self.subTest(flavour.name):
                try:
                    disk = self.disk(flavour)
                except OSError:
                    self.assertNotEqual(flavour.kind, "ext4")
                    continue
                self.write_two(disk.place)
                disk.copy(disk.image.with_suffix(".copy"))
                if flavour.is_overwritten_in_place:
                    disk.cut_off()
                    disk.unmount()
                    disk.mount()
                    self.assertEqual(self.names(disk), {"flushed"})
                disk.unmount()
                copy = Disk(flavour, disk.image.with_suffix(".copy"), disk.place).mount()
                self.assertEqual(self.names(copy), {"flushed"})
                copy.unmount()

    def test_a_torn_flush_has_some_sectors_of_before_and_some_of_after(self) -> None:
        disk, chance = self.disk(FLAVOURS[0]), random.Random(1)
        file, old, new = disk.place / "file", *(disk.image.with_suffix(s) for s in (".a", ".b"))
        for text, image in ((b"a" * 4096, old), (b"b" * 4096, new)):
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(descriptor, text, 0)
            os.fsync(descriptor)
            os.close(descriptor)
            disk.copy(image)
        torn = disk.image.with_suffix(".c")
        dropped = tear(old, new, torn, extents(file), chance)
        disk.unmount()
        with_tear = Disk(FLAVOURS[0], torn, disk.place).mount()
        text = file.read_bytes()
        with_tear.unmount()
        self.assertEqual(text.count(b"a"), 512 * dropped)
        self.assertEqual(text.count(b"b"), 4096 - 512 * dropped)
        self.assertIn(dropped, range(1, 8))


def kinds(cut: Cut) -> set[str]:
    return {fault.kind for fault in cut.faults}
