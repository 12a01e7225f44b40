"""A power cut at any call that writes loses no refresh token, and token files are whole.

State and token files are on a disk of their own, in two directories: ext4 (data=ordered and
data=writeback), xfs and btrfs in loop-mounted images. A tracer stops the daemon at the entry and
the exit of every call that changes or flushes one of these files. There the power goes:

- snapshot: the image file is copied: what is in the page cache only is not in it. All boundaries of
  a run are taken, and once more with the kernel writing back what is dirty at some of them;
- torn: a copy in which some of the sectors are missing that the flush under way was writing to a
  slot (not on btrfs, which writes elsewhere);
- shutdown: the ioctl that drops what is not yet on the disk, then kill -9 (not on btrfs, which has
  no such ioctl); one run of the daemon for each.

What is left is mounted and judged (`power_judgement`), then the daemon is started on it and must
get on. Many boundaries leave the very same disk: each is judged by what had happened by then, and
one of them, by chance, is where the daemon is started. Three scenarios have a kill -9 before, whose
unflushed data the next process finds in memory as if it were safe.

An answer that the server gave and whose flush had not returned is lost with the power; no client
can help that. Those cuts are counted apart, as ambiguous.

Environment: EVERTOKEN_SEED repeats the choice; EVERTOKEN_CUT_TRIALS is how many times at least the
daemon is to be started after a cut (by default, one round), or `all`: at every boundary.
Needs root and, from Debian: e2fsprogs, xfsprogs, btrfs-progs, mount, util-linux, gcc.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import os
import random
import time
import unittest
from typing import Optional

from evertest.disks.power import FLAVOURS, Flavour, copy_sparsely
from evertest.kills.judgement import LOST, SEVERAL
from evertest.power.campaign import Campaign, Cut, Ground, Image
from evertest.power.scenarios import SCENARIOS, Scenario
from evertest.suite import Suite

SUITE = Suite(alone=True, minutes=2.4)

ORDER = os.environ.get("EVERTOKEN_CUT_TRIALS", "")
SHUTDOWNS = 5  # of each scenario, in one round
RESTARTS = 999 if ORDER else 6  # at so many images of a run, at most; at the torn ones always
WRITTEN_BACK = 0.2  # of the boundaries
WORKERS = 3 * (os.cpu_count() or 1)  # a restart waits for most of its time
TEARS = 8 if ORDER else 1  # of each flush


@dataclasses.dataclass
class Outcome:
    """What a campaign on one file system came to."""

    flavour: Flavour
    unavailable: str = ""
    can_shut_down: bool = False
    boundaries: dict[str, int] = dataclasses.field(default_factory=dict)
    cuts: list[Cut] = dataclasses.field(default_factory=list)
    images: int = 0

    def recovered(self) -> int:
        return sum(cut.is_recovered for cut in self.cuts)

    def line(self) -> str:
        if self.unavailable:
            return "%-21s NOT TESTED: IT CANNOT BE MOUNTED HERE: %s" % (
                self.flavour.name, self.unavailable)
        hows = collections.Counter(cut.how for cut in self.cuts)
        kinds = collections.Counter(f.kind for cut in self.cuts for f in cut.faults)
        return ("%-21s boundaries %d, cuts %d (%s), images %d, restarts %d, lost %d, ambiguous %d, "
                "double sends %d, other faults %d" % (
                    self.flavour.name, sum(self.boundaries.values()), len(self.cuts),
                    ", ".join("%s %d" % item for item in sorted(hows.items()))
                    + ("" if self.can_shut_down else "; it has no shutdown ioctl"),
                    self.images, self.recovered(), kinds[LOST],
                    sum(cut.is_ambiguous for cut in self.cuts), kinds[SEVERAL],
                    sum(kinds.values()) - kinds[LOST] - kinds[SEVERAL]))


class Run:
    """One campaign, in rounds, until there are enough trials."""

    def __init__(self, ground: Ground, flavour: Flavour, seed: int,
                 judges: concurrent.futures.Executor) -> None:
        self.campaign = Campaign(ground.base, ground.tracer, flavour, seed)
        self.chance = random.Random("%d %s choice" % (seed, flavour.name))
        self.outcome, self.judges = Outcome(flavour), judges

    def make(self) -> Outcome:
        campaign, outcome = self.campaign, self.outcome
        try:
            campaign.check()
        except OSError as error:
            outcome.unavailable = str(error)
            return outcome
        outcome.can_shut_down = campaign.can_be_cut_off()
        campaign.prepare()
        wanted = -(-int(ORDER) // len(FLAVOURS)) if ORDER.isdigit() else 1
        while outcome.recovered() < wanted:
            before = outcome.recovered()
            for scenario in SCENARIOS:
                self.snapshots(scenario)
                if outcome.can_shut_down:
                    self.shutdowns(scenario)
            if outcome.recovered() == before:
                break  # every trial fails: that is told soon enough
        outcome.boundaries = campaign.boundaries
        return outcome

    def snapshots(self, scenario: Scenario) -> None:
        for written_back in (0, WRITTEN_BACK):
            cuts = self.campaign.snapshots(scenario, written_back=written_back)
            cuts += [torn for _ in range(TEARS) for torn in self.campaign.torn(cuts)]
            by_image = collections.defaultdict(list)
            for cut in cuts:
                by_image[cut.image.file].append(cut)
            self.judge(list(by_image.values()))

    def shutdowns(self, scenario: Scenario) -> None:
        count = self.campaign.boundaries[scenario.name]
        parts = count if ORDER == "all" else min(SHUTDOWNS, count)
        edges = [1 + count * part // parts for part in range(parts + 1)]
        numbers = [self.chance.randrange(low, high) for low, high in zip(edges, edges[1:])]
        cuts = self.judges.map(lambda n: self.campaign.shutdown(scenario, n), numbers)
        self.judge([[cut] for cut in cuts if cut])

    def judge(self, groups: list[list[Cut]]) -> None:
        """Each group left the same image. With `all` the daemon is started at each cut."""
        self.outcome.images += len(groups)
        restarted = set(self.chance.sample(range(len(groups)), min(RESTARTS, len(groups))))
        restarted |= {index for index, cuts in enumerate(groups) if cuts[0].how == "torn"}
        jobs: list[tuple[Image, list[Cut], Optional[Cut]]] = []
        for index, cuts in enumerate(groups):
            self.outcome.cuts += cuts
            first, *more = cuts
            if ORDER == "all":
                for cut in more:
                    own = Image(self.campaign.new_image())
                    copy_sparsely(first.image.file, own.file)
                    jobs.append((own, [cut], cut))
                cuts = [first]
            one = self.chance.choice(cuts) if index in restarted else None
            jobs.append((first.image, cuts, one))
        list(self.judges.map(lambda job: self.campaign.judge(*job), jobs))


class PowerCutsTest(unittest.TestCase):
    def test_a_power_cut_at_any_boundary_loses_nothing_and_the_daemon_gets_on(self) -> None:
        seed = int(os.environ.get("EVERTOKEN_SEED") or random.SystemRandom().randrange(10**6))
        begun, ground = time.monotonic(), Ground(self)
        print("\nEVERTOKEN_SEED=%d" % seed)
        with (concurrent.futures.ThreadPoolExecutor(WORKERS) as judges,
              concurrent.futures.ThreadPoolExecutor(len(FLAVOURS)) as pool):
            runs = [Run(ground, flavour, seed, judges) for flavour in FLAVOURS]
            try:
                outcomes = list(pool.map(Run.make, runs))
            except BaseException:  # interrupted: nothing more is begun
                judges.shutdown(wait=False, cancel_futures=True)
                raise
        for outcome in outcomes:
            print(outcome.line())
        here = [o for o in outcomes if not o.unavailable]
        cuts = [cut for outcome in here for cut in outcome.cuts]
        kinds = collections.Counter(f.kind for cut in cuts for f in cut.faults)
        print("power cuts: %d cuts, %d images of %s, %d restarts, %d ambiguous, %d lost, %d double "
              "sends, %d other faults; seed %d, %.0f s" % (
                  len(cuts), sum(o.images for o in here), ", ".join(o.flavour.name for o in here),
                  sum(o.recovered() for o in here), sum(c.is_ambiguous for c in cuts),
                  kinds[LOST], kinds[SEVERAL],
                  sum(kinds.values()) - kinds[LOST] - kinds[SEVERAL], seed,
                  time.monotonic() - begun))
        self.assert_no_fault(cuts)
        for outcome in outcomes:
            self.assert_it_was_a_campaign(outcome)

    def assert_no_fault(self, cuts: list[Cut]) -> None:
        bad = [cut for cut in cuts if cut.faults]
        count = collections.Counter((c.scenario.name, f.kind) for c in bad for f in c.faults)
        for (scenario, kind), number in sorted(count.items()):
            print("%-36s %3d times %s" % (scenario, number, kind))
        examples = {(c.scenario.name, c.how, c.faults[0].kind): c.account() for c in bad}
        self.assertEqual(len(bad), 0, "\n".join(list(examples.values())[:10]))

    def assert_it_was_a_campaign(self, outcome: Outcome) -> None:
        """ext4 has to be there, and all that is there was cut, in every way and scenario."""
        if outcome.flavour.kind == "ext4":
            self.assertEqual(outcome.unavailable, "")
            self.assertTrue(outcome.can_shut_down)
        if outcome.unavailable:
            return
        self.assertEqual(len(outcome.boundaries), len(SCENARIOS))
        self.assertGreater(min(outcome.boundaries.values()), 20, outcome.boundaries)
        hows = {"snapshot", "snapshot with write-back"}
        hows |= {"shutdown"} if outcome.can_shut_down else set()
        hows |= {"torn"} if outcome.flavour.is_overwritten_in_place else set()
        self.assertEqual({cut.how for cut in outcome.cuts}, hows)
        self.assertTrue(any(c.is_ambiguous for c in outcome.cuts), "no cut at the worst time")
        self.assertGreater(outcome.images, 50)
        self.assertGreaterEqual(outcome.recovered(), 10 * len(SCENARIOS))
