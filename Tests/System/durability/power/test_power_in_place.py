"""A power cut while token files are written in place: until the write begins the old token is
there whole, once it is flushed the new one is, and between the two the next start puts it right.

As `test_power_cuts`, with two outputs of `"write": "in-place"`: snapshots at every boundary, with
and without write-back, flushes of these files of which some sectors are lost, and shutdowns.
Needs root and, from Debian: e2fsprogs, xfsprogs, btrfs-progs, mount, util-linux, gcc.
"""

from __future__ import annotations

import collections
import concurrent.futures
import json
import os
import pathlib
import random
import signal
import unittest

from evertest.disks.power import FLAVOURS, Flavour
from evertest.kills.scenarios import stop
from evertest.kills.trials import NAME, Trial
from evertest.power.campaign import Campaign, Cut, Ground
from evertest.power.judgement import PowerJudgement
from evertest.power.scenarios import Scenario, refresh_once
from evertest.power.trials import PowerTrial
from evertest.shims.power_shim import build_shim
from evertest.suite import Suite

SUITE = Suite(minutes=0.5)

#: Long enough to be torn: several sectors, which tell old from new.
RAW, JSON, LINES = "place", "place.json", 60
TORN, LOST_ROOM, NOT_MENDED = "torn outside of its write", "emptied", "not put right"
OUTPUTS = {"outputs": [{"path": "crm/token"}, {"path": "crm/token.json", "format": "json"},
                       {"path": "crm/" + RAW, "format": "template", "write": "in-place",
                        "template": "${access_token}\n" * LINES},
                       {"path": "crm/" + JSON, "format": "json", "write": "in-place"}]}
SHUTDOWNS, RESTARTS = 8, 12
WORKERS = 3 * (os.cpu_count() or 1)


def write_in_place(trial: Trial) -> None:
    """The files appear by a reload, whole; two refreshes write over them."""
    if not trial.until(trial.logged("Ready")):
        return
    trial.options = OUTPUTS
    trial.daemon.configure(trial.config())
    if trial.signal(signal.SIGHUP, (trial.directory / "run" / NAME / JSON).exists):
        if refresh_once(trial) and refresh_once(trial):
            stop(trial)


SCENARIO = Scenario("in place", write_in_place, "stable", ("--start", "Ready"), OUTPUTS)


class InPlaceJudgement(PowerJudgement):
    """What the files in place may hold follows from the calls that had returned at the cut."""

    def _check_other_outputs(self) -> None:
        for file in (RAW, JSON):
            self._check_in_place(file, *self._progress("/" + NAME + "/" + file))

    def _progress(self, end: str) -> tuple[bool, int, bool]:
        """Whether the file is durably there, how often it was written over since, and whether that
        is under way."""
        is_there, written, is_dirty, renamed = False, 0, False, False
        for step in self.trace.steps:
            if step.is_done("renameat", end):
                renamed = True
            if renamed and step.is_done("fsync", "/run/" + NAME):
                is_there = True
            if step.call == "pwrite64" and step.path.endswith(end):
                is_dirty = True
            if is_dirty and step.is_done("fsync", end):
                written, is_dirty = written + 1, False
        return is_there, written, is_dirty

    def _check_in_place(self, file: str, is_there: bool, written: int, is_dirty: bool) -> None:
        path = self.trial.directory / "run" / NAME / file
        first = len(self.trial.prepared.access_tokens) - 1
        tokens = self.trial.access_tokens()[first:]
        if not path.exists():
            if is_there:
                self.trial.fault(LOST_ROOM, file + " is gone")
            return
        text = path.read_bytes()
        if is_dirty:
            old, new = ((t + "\n").encode() * LINES for t in tokens[written:written + 2])
            is_mixed = file == JSON or len(text) == len(old) == len(new) and all(
                byte in pair for byte, pair in zip(text, zip(old, new)))
            if not text or not is_mixed:
                self.trial.fault(LOST_ROOM, "%s: %r" % (file, text))
        elif self._token(file, text) != tokens[written]:
            self.trial.fault(TORN, "%s, written %d times: %r" % (file, written, text))

    @staticmethod
    def _token(file: str, text: bytes) -> str:
        try:
            if file == JSON:
                return json.loads(text)["access_token"]
            token = text.decode().partition("\n")[0]
            return token if text == (token + "\n").encode() * LINES else "?"
        except (ValueError, KeyError, TypeError):
            return "?"

    def _check_end(self) -> None:
        super()._check_end()
        for file in (RAW, JSON):
            text = (self.trial.directory / "run" / NAME / file).read_bytes()
            if self._token(file, text) != self.trial.access_tokens()[-1]:
                self.trial.fault(NOT_MENDED, "%s: %r" % (file, text))


class InPlaceCampaign(Campaign):
    judgement = InPlaceJudgement
    torn_call, torn_files = "fsync", ("/" + NAME + "/" + RAW, "/" + NAME + "/" + JSON)

    def files_to_tear(self, trial: PowerTrial) -> list[pathlib.Path]:
        folder = trial.directory / "run" / NAME
        return [folder / f for f in (RAW, JSON) if (folder / f).exists()]


class InPlaceTest(unittest.TestCase):
    def test_a_daemon_that_does_not_flush_them_is_found_out(self) -> None:
        ground = Ground(self)
        campaign = InPlaceCampaign(ground.base, ground.tracer, FLAVOURS[0], 1)
        campaign.check()
        campaign.prepare()
        campaign.environment = {
            "LD_PRELOAD": str(build_shim(ground.directory)), "POWER_SHIM": "file",
            "POWER_SHIM_RECORD": str(ground.directory / "flushes")}
        cuts = campaign.snapshots(SCENARIO)
        for file in {cut.image.file for cut in cuts}:
            same = [cut for cut in cuts if cut.image.file == file]
            campaign.judge(same[0].image, same, None)
        self.assertIn(TORN, {fault.kind for cut in cuts for fault in cut.faults})

    def test_a_cut_leaves_the_old_or_the_new_token_and_the_next_start_puts_the_rest_right(self):
        seed = int(os.environ.get("EVERTOKEN_SEED") or random.SystemRandom().randrange(10**6))
        ground = Ground(self)
        print("\nEVERTOKEN_SEED=%d" % seed)
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as judges:
            for flavour in FLAVOURS:
                with self.subTest(flavour.name):
                    self.cut(InPlaceCampaign(ground.base, ground.tracer, flavour, seed), flavour,
                             judges, random.Random(seed))

    def cut(self, campaign: Campaign, flavour: Flavour,
            judges: concurrent.futures.Executor, chance: random.Random) -> None:
        try:
            campaign.check()
        except OSError as error:
            self.assertNotEqual(flavour.kind, "ext4", error)
            print("%-21s NOT TESTED: %s" % (flavour.name, error))
            return
        campaign.prepare()
        cuts: list[Cut] = []
        for written_back in (0, 0.3):
            some = campaign.snapshots(SCENARIO, written_back=written_back)
            some += [torn for _ in range(4) for torn in campaign.torn(some)]
            cuts += some
        count = campaign.boundaries[SCENARIO.name]
        if campaign.can_be_cut_off():
            numbers = sorted(chance.sample(range(count // 2, count), SHUTDOWNS))
            cuts += [c for c in judges.map(
                lambda n: campaign.shutdown(SCENARIO, n), numbers) if c]
        by_image = collections.defaultdict(list)
        for cut in cuts:
            by_image[cut.image.file].append(cut)
        groups = list(by_image.values())
        restarted = set(chance.sample(range(len(groups)), min(RESTARTS, len(groups))))
        restarted |= {i for i, group in enumerate(groups) if group[0].how == "torn"}
        list(judges.map(lambda item: campaign.judge(
            item[1][0].image, item[1], item[1][-1] if item[0] in restarted else None),
            enumerate(groups)))
        hows = collections.Counter(c.how for c in cuts)
        recovered = sum(c.is_recovered for c in cuts)
        bad = [c for c in cuts if c.faults]
        print("%-21s cuts %d (%s), images %d, restarts %d, with faults %d" % (
            flavour.name, len(cuts), ", ".join("%s %d" % h for h in sorted(hows.items())),
            len(groups), recovered, len(bad)))
        self.assertEqual([c.account() for c in bad[:5]], [])
        self.assertGreaterEqual(recovered, min(RESTARTS, len(groups)))
        if flavour.is_overwritten_in_place:
            self.assertGreater(hows["torn"], 3)
            self.assertEqual(hows["shutdown"], SHUTDOWNS)
        during = [c for c in cuts if c.step and c.step.path.endswith(campaign.torn_files)]
        self.assertGreater(len(during), 8, "no cut in the middle of a write")
