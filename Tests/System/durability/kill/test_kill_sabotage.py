"""The campaign of `test_kill_everywhere` can fail, and its tracer kills where it says.

Between the kill and the examination the files are damaged as by a bug of the daemon; the
examination must find the damage.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import unittest
from typing import Callable

from evertest.basics import temporary_directory
from evertest.kills.campaign import Aim, Campaign
from evertest.kills.judgement import LOST, SEVERAL
from evertest.kills.scenarios import SCENARIOS
from evertest.kills.trials import Trial
from evertest.state_layout import ORIGIN
from evertest.suite import Suite
from evertest.tracing.kill_trace import Trace, build_tracer

SUITE = Suite(minutes=0.1)


class TracerTest(unittest.TestCase):
    def killed_at(self, side: str) -> tuple[Trace, bool]:
        """The trace of `mkdir`, killed on that side of its call; whether it made its directory."""
        directory = temporary_directory(self)
        made, report = directory / "made", directory / "report"
        on = "mkdir\t%s\t%s" % (side, made)
        subprocess.run([build_tracer(directory), "--out", report, "--within", directory, "--on", on,
                        "--kill-at", "1", "--", "/bin/mkdir", made], check=True,
                       stdout=subprocess.DEVNULL, timeout=30)
        return Trace(report), made.exists()

    def test_at_an_entry_the_call_does_not_run(self) -> None:
        trace, made = self.killed_at("entry")
        self.assertEqual((trace.end, trace.killed_at.call, made), ("killed", "mkdir", False))

    def test_at_an_exit_the_call_has_run(self) -> None:
        trace, made = self.killed_at("exit")
        self.assertEqual((trace.end, trace.killed_at.call, made), ("killed", "mkdir", True))

    def test_a_program_that_does_not_come_so_far_is_not_called_killed(self) -> None:
        trace, made = self.killed_at("never")
        self.assertEqual((trace.end, trace.status, made), ("ended", 0, True))


class SabotageTest(unittest.TestCase):
    """The campaign can fail: the files are damaged as by a bug of the daemon."""

    campaign: Campaign

    @classmethod
    def setUpClass(cls) -> None:
        cls.campaign = Campaign(cls)
        cls.scenario = next(s for s in SCENARIOS if s.name == "refresh")

    def killed_after_publishing(self, sabotage: Callable[[Trial], None]) -> set[str]:
        """The kinds of faults found, given a kill when all is published."""
        put = "renameat\texit\t${DIR}/run/crm/token.json"
        result = self.campaign.attempt(Aim(self.scenario, 1, put), sabotage)
        self.assertTrue(result.is_injected, result.account())
        return {fault.kind for fault in result.faults}

    def test_without_sabotage_there_is_no_fault(self) -> None:
        self.assertEqual(self.killed_after_publishing(lambda trial: None), set())

    def test_slots_that_lose_their_data_are_found(self) -> None:
        def empty(trial: Trial) -> None:
            for slot in (trial.directory / "state" / "crm").iterdir():
                slot.write_bytes(bytes(slot.stat().st_size))
        self.assertIn(LOST, self.killed_after_publishing(empty))

    def test_an_answer_that_was_not_kept_is_found_lost_and_its_request_sent_twice(self) -> None:
        def put_back(trial: Trial) -> None:
            shutil.rmtree(trial.directory / "state")
            # Nothing that would tell the daemon that it is an old copy.
            shutil.copytree(trial.prepared.directory / "state", trial.directory / "state",
                            ignore=shutil.ignore_patterns(ORIGIN))
            (trial.directory / "run" / "crm" / "token.json").unlink()
        self.assertLessEqual({LOST, SEVERAL}, self.killed_after_publishing(put_back))

    def test_a_torn_token_file_is_found(self) -> None:
        def tear(trial: Trial) -> None:
            file = trial.directory / "run" / "crm" / "token.json"
            os.truncate(file, file.stat().st_size // 2)
        self.assertIn("a torn token file", self.killed_after_publishing(tear))

    def test_an_older_token_put_back_is_found(self) -> None:
        def age(trial: Trial) -> None:
            file: pathlib.Path = trial.directory / "run" / "crm" / "token"
            file.write_text(trial.prepared.access_tokens[0])
        self.assertIn("a token file went back", self.killed_after_publishing(age))
