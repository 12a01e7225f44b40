"""The soak's judge: what it must call broken, and what it must not."""

import sys
import time
import unittest

from evertest.basics import ROOT, temporary_directory
from evertest.suite import Suite

sys.path.insert(0, str(ROOT / "Tests" / "Benchmarks"))

import readers  # noqa: E402
import soak  # noqa: E402

SUITE = Suite(minutes=0.1)


class ReaderTest(unittest.TestCase):
    def setUp(self):
        self.folder = temporary_directory(self)
        self.readers = readers.Readers(self.folder, ["crm"])

    def write(self, serial, seconds, name="crm"):
        (self.folder / name).mkdir(exist_ok=True)
        (self.folder / name / "token").write_text("at-%s-%d-%d-5f-xxx" % (
            name, serial, 1000 * (time.time() + seconds)))

    def look(self, times=1):
        for _ in range(times):
            self.readers._read("crm")
        return [why for _, _, why in self.readers.trouble]

    def test_a_file_that_has_never_been_there_and_one_that_lives_are_no_trouble(self):
        self.assertEqual(self.look(), [])
        self.write(1, 60)
        self.assertEqual(self.look(2), [])

    def test_a_token_that_ended_is_told_once_and_the_next_one_that_ends_again(self):
        self.write(1, -0.01)
        self.assertEqual(self.look(3), ["ended"])
        self.write(2, 60)
        self.assertEqual(self.look(3), ["ended"])
        self.write(3, -0.01)
        self.assertEqual(self.look(3), ["ended", "ended"])

    def test_a_file_that_is_gone_or_torn_is_trouble(self):
        self.write(1, 60)
        self.look()
        (self.folder / "crm" / "token").write_text("at-cr")
        self.assertEqual(self.look(), ["no whole token"])
        (self.folder / "crm" / "token").unlink()
        self.assertEqual(self.look(2), ["no whole token", "no file"])

    def test_the_thread_reads_until_it_is_stopped(self):
        self.write(1, -0.01)
        self.readers.start()
        self.readers.stop()
        self.assertEqual((self.readers.passes, len(self.readers.trouble)), (1, 1))


class Judged(soak.Soak):
    """A soak of which nothing runs."""

    def __init__(self):
        self.shortest, self.downs, self.broken, self.memory = 30, [], [], []
        self.counts = {"answered": 9, "twice": 0, "repeated": 0, "expired": 0, "refused": 0}
        self.readers, self.history = readers.Readers(None, []), [(990, "reload"), (1000, "kill")]


class JudgeTest(unittest.TestCase):
    def setUp(self):
        self.soak = Judged()

    def remember(self, sizes):
        self.soak.memory = [(float(second), size) for second, size in enumerate(sizes)]
        self.soak.judge_memory()
        return self.soak.broken

    def test_memory_that_sways_has_not_grown_and_memory_that_doubles_has(self):
        self.assertEqual(self.remember([50_000 + 5_000 * (n % 2) for n in range(100)]), [])
        self.assertIn("(met", self.soak.memory_said)
        self.assertIn("memory grows", self.remember(range(50_000, 150_000, 1000))[0])

    def test_what_a_reload_takes_for_a_moment_hides_no_growth(self):
        self.remember([50_000 + 100_000 * (n % 7 == 3) for n in range(100)])
        self.assertIn("(met", self.soak.memory_said)
        self.remember([50_000 + 100 * n + 100_000 * (n % 7 == 3) for n in range(100)])
        self.assertIn("(not met", self.soak.memory_said)

    def test_nothing_wrong_is_nothing_broken(self):
        self.soak.judge()
        self.assertEqual(self.soak.broken, [])

    def test_a_spent_token_that_was_sent_and_one_sent_again_without_a_kill_are_broken(self):
        self.soak.counts.update(twice=1, repeated=1)
        self.soak.judge()
        self.assertEqual(len(self.soak.broken), 2)

    def test_a_token_that_ended_is_broken_unless_the_daemon_was_down_for_longer_than_it_had(self):
        # A life of 30 s leaves about 9 s after the moment of a refresh.
        for down, is_broken in ((5, True), (20, False)):
            with self.subTest(down=down):
                judged = Judged()
                judged.downs = [(1000, 1000 + down)]
                judged.readers.trouble = [("crm", 1004, "ended")]
                judged.judge()
                self.assertEqual(len(judged.broken), int(is_broken))
                self.assertTrue(all("4.0 s after kill began" in one for one in judged.broken))
        judged.readers.trouble.append(("crm", 5000, "ended"))
        judged.judge()
        self.assertEqual(len(judged.broken), 1)
