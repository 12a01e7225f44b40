"""The measurements of the isolation campaign while the daemon runs: lateness, steps of the loop,
threads, memory, lapses of tokens, and how long root waits for a status."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
import re
import threading
import time
from typing import Any, Callable

from evertest.servers.token_server import boot_time

#: Between two scrapes, two statuses and two looks at all token files, in seconds.
SCRAPES, STATUSES, LOOKS = 0.25, 0.5, 0.5
SAMPLE = re.compile(
    r'^evertoken_(refresh_lateness_seconds|refreshes_total|refresh_attempts_total)'
    r'\{credential="(good\d+)"[^}]*\} (\S+)$', re.M)
BUCKET = re.compile(
    r'^evertoken_loop_step_(cpu_seconds|seconds)_(?:bucket\{le="([^"]+)"\}|(count)) (\S+)$', re.M)
#: Of processor time for one step of the loop.
LONGEST_STEP = "0.05"


@dataclasses.dataclass
class Steps:
    """Of one histogram: cumulative counts by upper bound, and how many there are."""

    buckets: dict[str, float] = dataclasses.field(default_factory=dict)
    count: float = 0

    def since(self, before: "Steps") -> "Steps":
        return Steps({bound: value - before.buckets.get(bound, 0)
                      for bound, value in self.buckets.items()}, self.count - before.count)

    @property
    def longer(self) -> float:
        """How many took longer than a step may."""
        return self.count - self.buckets.get(LONGEST_STEP, 0)

    @property
    def highest(self) -> str:
        """The upper bound of the longest one."""
        if not self.count:
            return "none"
        return next(bound for bound, value in self.buckets.items() if value == self.count)


@dataclasses.dataclass
class Figures:
    """The measurements of one phase."""

    lateness: list[float] = dataclasses.field(default_factory=list)
    cpu: Steps = dataclasses.field(default_factory=Steps)
    wall: Steps = dataclasses.field(default_factory=Steps)
    threads: int = 0
    resident: int = 0  # KiB
    lapses: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    statuses: list[float] = dataclasses.field(default_factory=list)
    scrapes: list[float] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)

    def lateness_at(self, share: float) -> float:
        """The smallest value that this share of the samples did not exceed; of fewer than a
        thousand, 99.9 % is all."""
        ordered = sorted(self.lateness)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.inf

    def rows(self) -> dict[str, str]:
        """For the table."""
        return {
            "samples of lateness": str(len(self.lateness)),
            "lateness p50": "%.4f s" % self.lateness_at(0.5),
            "lateness p99.9": "%.4f s" % self.lateness_at(0.999),
            "lateness max": "%.4f s" % self.lateness_at(1),
            "longest step, CPU": "<= %s s" % self.cpu.highest,
            "longest step, wall": "<= %s s" % self.wall.highest,
            "steps": "%d" % self.cpu.count,
            "steps over %s s of CPU" % LONGEST_STEP: "%d" % self.cpu.longer,
            "steps over %s s, wall" % LONGEST_STEP: "%d" % self.wall.longer,
            "lapses": str(len(self.lapses)),
            "threads, max": str(self.threads),
            "VmRSS, max": "%.1f MiB" % (self.resident / 1024),
            "root's status, max": "%.3f s" % max(self.statuses, default=math.inf),
            "scrape, max": "%.3f s" % max(self.scrapes, default=math.inf),
        }


def steps_of(text: str) -> dict[str, Steps]:
    """The two histograms of a scrape; empty ones where it has none."""
    found = {"cpu_seconds": Steps(), "seconds": Steps()}
    for kind, bound, count, value in BUCKET.findall(text):
        if count:
            found[kind].count = float(value)
        else:
            found[kind].buckets[bound] = float(value)
    return found


class Renewals:
    """Turns scrapes into one lateness for each renewal, and more for one that is overdue."""

    def __init__(self) -> None:
        self.before: dict[str, tuple[float, float]] = {}  # lateness, count of attempts
        self.counted: dict[str, float] = {}  # the lateness that was counted last
        self.lateness: list[float] = []

    def take(self, text: str) -> None:
        """The first scrape counts nothing."""
        late: dict[str, float] = {}
        counts: dict[str, float] = {}
        for kind, name, value in SAMPLE.findall(text):
            if kind == "refresh_lateness_seconds":
                late[name] = float(value)
            else:
                counts[name] = counts.get(name, 0) + float(value)
        for name, value in late.items():
            count = counts.get(name, 0)
            old_value, old_count = self.before.get(name, (value, count))
            self.before[name] = value, count
            # It grows while a renewal is due, changes when one starts, and stays when that ends.
            has_ended = count != old_count and value != self.counted.get(name)
            if has_ended or value > old_value:
                self.lateness.append(value)
                self.counted[name] = value


class Measurement:
    """Measures in threads of its own from `start` to `stop`."""

    def __init__(self, daemon: Any, ends: Callable[[str], float], names: list[str]) -> None:
        self.daemon, self.ends, self.names = daemon, ends, names
        self.figures = Figures()
        self.renewals = Renewals()
        self.first: dict[str, Steps] = {}
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._repeat, args=pair, daemon=True)
                        for pair in ((self._scrape, SCRAPES), (self._ask, STATUSES),
                                     (self._look, LOOKS))]

    def start(self) -> "Measurement":
        for thread in self.threads:
            thread.start()
        return self

    def stop(self) -> Figures:
        """Ends with one more of each: whatever is late by now is seen."""
        self.over.set()
        for thread in self.threads:
            thread.join(120)
        self.figures.lateness = self.renewals.lateness
        return self.figures

    def _repeat(self, step: Callable[[], None], pause: float) -> None:
        is_last = False
        while True:
            begin = time.monotonic()
            try:
                step()
            except Exception as error:  # reported at the end
                self.figures.problems.append("%s: %r" % (step.__name__, error))
            if is_last:
                return
            is_last = self.over.wait(max(0.0, begin + pause - time.monotonic()))

    def _timed(self, path: str, times: list[float]) -> str:
        begin = time.monotonic()
        try:
            code, answer = self.daemon.request("GET", path, timeout=20)
        finally:
            times.append(time.monotonic() - begin)
        if code != 200:
            raise AssertionError("GET %s: %d" % (path, code))
        return answer if isinstance(answer, str) else ""

    def _scrape(self) -> None:
        status = pathlib.Path("/proc/%d/status" % self.daemon.process.pid).read_text()
        for line in status.splitlines():
            key, _, value = line.partition(":")
            if key == "Threads":
                self.figures.threads = max(self.figures.threads, int(value))
            elif key == "VmRSS":
                self.figures.resident = max(self.figures.resident, int(value.split()[0]))
        text = self._timed("/metrics", self.figures.scrapes)
        self.renewals.take(text)
        steps = steps_of(text)
        self.first = self.first or steps
        self.figures.cpu = steps["cpu_seconds"].since(self.first["cpu_seconds"])
        self.figures.wall = steps["seconds"].since(self.first["seconds"])

    def _ask(self) -> None:
        self._timed("/v1/status", self.figures.statuses)

    def _look(self) -> None:
        """Every token that a reader would get now must be alive at its server."""
        for name in self.names:
            now = boot_time()
            token = json.loads(self.daemon.file(name + "/token.json") or "{}").get("access_token")
            if token is None or self.ends(token) < now:
                self.figures.lapses.add((name, str(token)))


def table(columns: dict[str, Figures]) -> str:
    """The figures side by side."""
    rows = {title: figures.rows() for title, figures in columns.items()}
    lines = ["%-30s" % "" + "".join("%18s" % title for title in rows)]
    for row in next(iter(rows.values())):
        lines.append("%-30s" % row + "".join("%18s" % column[row] for column in rows.values()))
    return "\n".join(lines)
