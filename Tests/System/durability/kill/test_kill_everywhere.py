"""kill -9 at every boundary of every system call loses no refresh token and sends none twice.

The daemon runs under a tracer that kills it at one exact boundary: the entry or the exit of one
system call, in whichever thread. Each scenario is run twice without a kill, to count its
boundaries; then each trial takes one of them. All boundaries that are work (a file of the daemon is
touched, something is sent or received, a program is started) are always taken; of all boundaries
an even sample. What a trial must show is in `kill_judgement`.

An answer that the server gave and whose write to a slot had not returned is lost with the process;
no client can help that. Those trials are counted apart: the daemon must say so, ask no more often
than the policy allows, and work again after a new sign-in.

Environment: EVERTOKEN_SEED repeats the choice; EVERTOKEN_KILL_TRIALS is how many trials to make at
least (500), or `all` for every boundary.
"""

from __future__ import annotations

import collections
import concurrent.futures
import functools
import operator
import os
import random
import time
import unittest

from evertest.kills.campaign import Aim, Campaign, Result
from evertest.kills.judgement import LOST, SEVERAL
from evertest.kills.scenarios import SCENARIOS
from evertest.suite import Suite
from evertest.tracing.kill_trace import Trace

SUITE = Suite(alone=True, minutes=4.1)

ORDER = os.environ.get("EVERTOKEN_KILL_TRIALS", "500")
SAMPLE = 150  # of all boundaries, beside those that are work, at least
WORKERS = 3 * (os.cpu_count() or 1)  # a trial waits for most of its time


def stratified(count: int, of: int, chance: random.Random) -> list[int]:
    """One number from each of `count` equal parts of 1...of."""
    edges = [1 + of * part // count for part in range(count + 1)]
    return [chance.randrange(low, high) for low, high in zip(edges, edges[1:]) if low < high]


class KillEverywhereTest(unittest.TestCase):
    def test_a_kill_at_any_boundary_loses_nothing_and_sends_nothing_twice(self) -> None:
        seed = int(os.environ.get("EVERTOKEN_SEED") or random.SystemRandom().randrange(10**6))
        begun = time.monotonic()
        campaign = Campaign(self)
        traces = {s.name: [campaign.count(s) for _ in range(2)] for s in SCENARIOS}
        aims = choose(traces, random.Random(seed))
        print("\nEVERTOKEN_SEED=%d, %d trials" % (seed, len(aims)))
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            results = list(pool.map(campaign.attempt, aims))
        for scenario in SCENARIOS:
            print_scenario(scenario.name, traces[scenario.name],
                           [r for r in results if r.aim.scenario is scenario])
        ended = [r for r in results if r.end == "ended"]
        kinds = collections.Counter(f.kind for r in results for f in r.faults)
        injected = sum(r.is_injected for r in results)
        print("trials %d, injected %d, ended before %d, cut off %d, ambiguous %d, lost %d, "
              "double sends %d, other faults %d, in %.0f s" % (
                  len(results), injected, len(ended), sum(r.is_cut_off for r in results),
                  sum(r.is_ambiguous for r in results), kinds[LOST], kinds[SEVERAL],
                  sum(kinds.values()) - kinds[LOST] - kinds[SEVERAL], time.monotonic() - begun))
        for result in ended[:10]:
            print("ended before:", result.aim.text())
        bad = [r for r in results if r.faults]
        examples = {(r.aim.scenario.name, r.faults[0].kind): r.account() for r in bad}
        self.assertEqual(len(bad), 0, "\n".join(list(examples.values())[:10]))
        self.assertEqual(injected, len(results) - len(ended))
        elsewhere = [r.account() for r in results if r.is_injected and r.aim.on not in (
            "", r.killed_at.label())]
        self.assertEqual(elsewhere, [])
        self.assertLessEqual(len(ended), len(results) // 20, "the counts are not repeatable")
        self.assertGreater(sum(r.is_cut_off for r in results), 0, "no trial was at the worst time")
        if ORDER != "all":
            self.assertGreaterEqual(injected, int(ORDER) * 19 // 20)


def choose(traces: dict[str, list[Trace]], chance: random.Random) -> list[Aim]:
    """All boundaries that are work, and of all boundaries an even sample, or all; shuffled."""
    aims = [Aim(scenario, number, label) for scenario in SCENARIOS
            for label, count in common_labels(traces[scenario.name]).items()
            for number in range(1, count + 1)]
    every = {name: min(trace.all for trace in both) for name, both in traces.items()}
    wanted = sum(every.values())
    if ORDER != "all":
        wanted = min(wanted, max(SAMPLE, int(ORDER) - len(aims)))
    for scenario in SCENARIOS:
        total = every[scenario.name]
        share = -(-wanted * total // sum(every.values()))
        aims += [Aim(scenario, number) for number in stratified(share, total, chance)]
    chance.shuffle(aims)
    return aims


def common_labels(traces: list[Trace]) -> collections.Counter[str]:
    """The work that every run does, and how often."""
    return functools.reduce(operator.and_, (trace.labels() for trace in traces))


def print_scenario(name: str, counted: list[Trace], results: list[Result]) -> None:
    """How much of it was covered: of the work, and of all boundaries by number."""
    injected = [r for r in results if r.is_injected]
    hit = sum(bool(r.aim.on) for r in injected)
    every = {r.killed_at.number for r in injected}
    total = min(trace.all for trace in counted)
    print("%-36s trials %4d, injected %4d, cut off %3d, faulty %d; work %d of %d boundaries, all "
          "%.1f %% of %d" % (
              name, len(results), len(injected), sum(r.is_cut_off for r in results),
              sum(bool(r.faults) for r in results), hit, sum(common_labels(counted).values()),
              min(100.0, 100.0 * len(every) / total), total))
