"""Every file system call of the daemon fails once, and once permanently, and the daemon recovers.

A clean run is counted first: how often each function is called on the files of the state (and,
apart, of the tokens) during a first start and during a refresh. Then each of those calls in turn
fails: once with EIO, once with ENOSPC, and once so that all that writes fails from there on, until
the disk is mended a second and a half later. What a trial must show is in `Trial.examine`."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import errno
import os
import random
import time
import traceback
import unittest
from typing import Any, Optional

from evertest.basics import temporary_directory, wait_until
from evertest.disks.faulty import Disk
from evertest.faults.runs import FaultCase, recorded
from evertest.servers.token_server import boot_time
from evertest.shims.fault_shim import FOREVER, FUNCTIONS, NOTE, WRITING, Rule, Shim, build_shim

ORDER = os.environ.get("EVERTOKEN_FAULT_TRIALS", "300")
WORKERS = 16
DOWN = 2.5  # seconds until a dead disk works again; the status must report it within one
MORE_ERRORS = ("EDQUOT", "EROFS", "EMFILE", "ENFILE", "ENOMEM", "EINTR")


@dataclasses.dataclass(frozen=True)
class Aim:
    scenario: str  # start or refresh
    place: str  # state or run, the daemon's directory
    function: str
    number: int
    error: str
    is_lasting: bool

    def text(self) -> str:
        return "%s: %s %d in %s, %s%s" % (self.scenario, self.function, self.number, self.place,
                                          self.error, " from then on" * self.is_lasting)


@dataclasses.dataclass
class Result:
    aim: Aim
    injected: int = 0
    is_shown: bool = False  # the status spoke of it
    is_refused: bool = False  # the daemon ended with a message
    problem: str = ""


class Trial(FaultCase):
    """One fault and its effects."""

    disk: Any = None
    library: Any = None

    def __init__(self, aim: Optional[Aim], number: int) -> None:
        super().__init__("examine")
        self.number, self.result = number, Result(aim)  # type: ignore[arg-type]

    def setUp(self) -> None:
        super().setUp()
        self.daemon.state = self.disk.mount_point / ("trial-%d" % self.number)
        self.control_shim = Shim(self.library, self.folder / "shim")
        self.daemon.environment = self.control_shim.environment
        self.add("crm")
        self.seen_tokens: list[str] = []
        self.errors: list[tuple[float, dict[str, Any]]] = []

    def path(self, place: str) -> str:
        return str(self.daemon.state if place == "state" else self.daemon.tokens)

    def count(self) -> dict[str, dict[tuple[str, str], int]]:
        """A clean run: calls by scenario, place and function."""
        shim = self.control_shim
        rules = {(place, name): rule for place in ("state", "run")
                 for name, rule in self.noted(shim, place).items()}
        self.daemon.start()
        wait_until(self.is_fine, 20, "a first token", self.daemon)
        first = self.settled(rules)
        self.refreshed()
        second = self.settled(rules)
        return {"start": first, "refresh": {k: n - first[k] for k, n in second.items()}}

    def noted(self, shim: Shim, place: str) -> dict[str, Rule]:
        names = [n for n in FUNCTIONS if (place, n) not in (("state", "write"), ("run", "pwrite"),
                                                            ("run", "fdatasync"))]
        return shim.count(names, self.path(place))

    def settled(self, rules: dict[tuple[str, str], Rule]) -> dict[tuple[str, str], int]:
        """The counts, once they do not change any more."""
        while True:
            before = {key: rule.seen for key, rule in rules.items()}
            time.sleep(0.4)
            if before == {key: rule.seen for key, rule in rules.items()}:
                return before

    def is_fine(self) -> bool:
        credential = self.observe()
        return credential.get("state") == "fresh" and credential["last_error"] is None

    def observe(self) -> dict[str, Any]:
        """The status now; the published token must be there from the first one on, and never go
        back to an older one (I15, I17)."""
        asked = time.monotonic()
        credential = self.control.credential("crm")
        error = credential.get("last_error")
        if error:
            self.assertTrue(error["remedy"] and error["problem"])
            self.errors.append((asked, error))
        token = self.token()
        if token is None or token in self.seen_tokens[:-1]:
            self.assertEqual(self.seen_tokens, [], "the published token went away or back")
        elif token not in self.seen_tokens:
            self.assertIn(token, [e.access_token for e in self.rotations()])
            self.seen_tokens.append(token)
        return credential

    def examine(self) -> None:
        aim, shim = self.result.aim, self.control_shim
        if aim.scenario == "refresh":
            self.daemon.start()
            wait_until(self.is_fine, 20, "a first token", self.daemon)
        count = len(self.rotations())
        # The fault first: what it stops is not noted.
        fault = shim.arm(
            [aim.function], self.path(aim.place), error=getattr(errno, aim.error),
            first=aim.number, count=FOREVER if aim.is_lasting else 1,
            after=WRITING if aim.is_lasting else ())
        shim.arm(WRITING, self.path(aim.place), action=NOTE)
        if aim.scenario == "refresh":
            self.order()
        else:
            self.start_anyhow()
        shim.wait_injected(fault)
        if aim.is_lasting:
            self.live_with_it(fault)
        fault.disarm()
        if self.daemon.died():
            self.assert_refused()
            self.daemon.start()
        wait_until(lambda: self.is_fine() and len(self.rotations()) > count, 20,
                   "recovery from " + aim.text(), self.daemon)
        self.result.injected, self.result.is_shown = fault.injected, bool(self.errors)
        self.refreshed()
        self.observe()
        self.assert_failed_syncs_were_made_good()
        self.assert_lives_after_restart()

    def start_anyhow(self) -> None:
        self.daemon.start(wait=False)
        wait_until(lambda: self.daemon.process.poll() is not None or self.daemon.try_status(),
                   20, "a start or an end")

    def live_with_it(self, fault: Rule) -> None:
        """While all that writes fails: the status says so within a second (I36), nothing is sent
        (I4), and the process stays."""
        kind = "storage" if self.result.aim.place == "state" else "output"
        struck, count = fault.first_at, len(self.rotations())
        offset = boot_time() - time.monotonic()
        while time.monotonic() < struck + DOWN:
            if self.daemon.process.poll() is not None:
                return  # at its start, before it had anything
            self.observe()
            time.sleep(0.05)
        late = [e for at, e in self.errors if at > struck and e["class"] == kind]
        self.assertTrue(late, "a second after %s the status says nothing of %s" % (
            self.result.aim.text(), kind))
        if kind == "storage":
            after = [e for e in self.rotations()[count:] if e.asked_at > struck + offset + 0.2]
            self.assertEqual(after, [], "sent with nowhere to keep the answer")

    def assert_refused(self) -> None:
        """It ended at its start: with sysexits' "cannot create", and words."""
        self.result.is_refused = True
        self.assertEqual(self.result.aim.scenario, "start")
        self.assertEqual(self.daemon.process.returncode, 73, self.daemon.stderr())
        self.assertIn(os.strerror(getattr(errno, self.result.aim.error)), self.daemon.stderr())
        self.assertEqual(self.rotations(), [])

    def assert_failed_syncs_were_made_good(self) -> None:
        """What could not be synced is synced before the next request is sent; a slot is written
        again first, for its pages may be called clean (I4, I5)."""
        aim = self.result.aim
        if aim.place != "state" or aim.function not in ("fsync", "fdatasync") or aim.is_lasting:
            return
        lines = self.control_shim.lines()
        struck = next(i for i, line in enumerate(lines) if line.what == "error")
        path = lines[struck].path
        offset = boot_time() - time.monotonic()
        sent = next((e.asked_at - offset for e in self.rotations()
                     if e.asked_at - offset > lines[struck].at), time.monotonic())
        after = [line for line in lines[struck + 1:] if line.path == path and line.at < sent]
        syncs = [line for line in after if line.function in ("fsync", "fdatasync")]
        self.assertTrue(syncs, "%s: %s was never synced again" % (aim.text(), path))
        if os.path.isfile(path):
            lost = next(line.size for line in reversed(lines[:struck])
                        if line.path == path and line.function == "pwrite")
            again = [line for line in after if line.function == "pwrite" and line.size >= lost
                     and line.at <= syncs[-1].at]
            self.assertTrue(again, "%s: the %d bytes before it were not written again, only %s" % (
                aim.text(), lost, [line.size for line in after if line.function == "pwrite"]))


class EveryCall(unittest.TestCase):
    def test_failing_once_or_from_then_on_loses_nothing_and_is_got_over(self) -> None:
        seed = int(os.environ.get("EVERTOKEN_SEED") or random.SystemRandom().randrange(10**6))
        begun = time.monotonic()
        base = temporary_directory(self)
        self.daemon = self  # the disk wants one to close: each trial closes its own
        Trial.disk = Disk(self, base / "state.img", base / "disk", mebibytes=160)
        Trial.library = build_shim(base)
        counts = self.counted()
        aims = choose(counts, random.Random(seed))
        trials = [Trial(aim, number) for number, aim in enumerate(aims, 1)]
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            results = list(pool.map(attempted, trials))
        bad = [r for r in results if r.problem]
        print("disk faults: %d trials of %d calls, injected %d, shown %d, refused at the start %d, "
              "faulty %d, in %.0f s; seed %d" % (
                  len(results), sum(len_of(counts)), sum(r.injected for r in results),
                  sum(r.is_shown for r in results), sum(r.is_refused for r in results), len(bad),
                  time.monotonic() - begun, seed))
        kinds = collections.Counter(r.problem.strip().splitlines()[-1][:100] for r in bad)
        self.assertEqual(len(bad), 0, "\n".join(
            ["%d x %s" % (n, kind) for kind, n in kinds.items()]
            + [r.aim.text() for r in bad] + [r.problem[:4000] for r in bad[:4]]))
        self.assertTrue(all(r.injected for r in results))
        self.assertGreater(sum(r.is_shown for r in results), len(results) // 3)

    def close(self) -> None:
        pass

    def counted(self) -> dict[str, dict[tuple[str, str], int]]:
        trial = Trial(None, 0)
        trial.setUp()
        try:
            return trial.count()
        finally:
            trial.daemon.close()
            trial.doCleanups()


def len_of(counts: dict[str, dict[tuple[str, str], int]]) -> list[int]:
    return [n for calls in counts.values() for n in calls.values()]


def attempted(trial: Trial) -> Result:
    recorder = recorded(trial)
    for call in recorder.calls:
        if call[0] in ("addFailure", "addError"):
            trial.result.problem = "%s\n%s" % (
                trial.result.aim.text(), "".join(traceback.format_exception(*call[2])))
    return trial.result


def choose(counts: dict[str, dict[tuple[str, str], int]], chance: random.Random) -> list[Aim]:
    """All calls: EIO, ENOSPC, dead from then on; of those an even part unless all are wanted."""
    aims = []
    for scenario, calls in counts.items():
        for (place, function), number in sorted(calls.items()):
            for n in range(1, number + 1):
                kinds = [("EIO", False), ("ENOSPC", False), ("EIO", True)]
                kinds += [(name, False) for name in MORE_ERRORS]
                aims += [Aim(scenario, place, function, n, *kind) for kind in kinds]
    if ORDER == "all":
        return aims
    usual = [aim for aim in aims if aim.error not in MORE_ERRORS]
    return chance.sample(usual, min(int(ORDER), len(usual)))
