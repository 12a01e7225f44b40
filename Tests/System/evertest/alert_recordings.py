"""The samples that Prometheus would store for a daemon whose hours pass in seconds, and which of
the shipped alerts they trigger, by promtool.

The daemon is the real one, its clocks are the test's (`clocks`): between two scrapes the machine
has "slept" until the next renewal is due, and until the next scrape. promtool counts from 1970, so
times in the metrics are made to count from the first scrape.

Needs, from Debian: gcc, libc6-dev, python3-prometheus-client, python3-yaml; unpacks prometheus."""

from __future__ import annotations

import functools
import json
import pathlib
import re
import subprocess
import time
from typing import Any, Optional

import yaml

from evertest.basics import ROOT, SUPPORT
from evertest.clocks import SECOND, ClockedDaemon
from evertest.scrapes import Key, scrape

RULES = ROOT / "config" / "evertoken.alerts.yml"
TARGET = {"instance": "127.0.0.1:9464", "job": "evertoken"}
#: By alert, which credentials it fires for: a name, or a pair of it and the label `days`. ALL says
#: that it fires for the daemon.
Firing = dict[str, list[Any]]
ALL = [""]


class Recording:
    """Rows of samples, one every `interval` seconds of the daemon's life."""

    def __init__(self, daemon: ClockedDaemon, interval: int = 60) -> None:
        self.daemon, self.clocks, self.interval = daemon, daemon.clocks, interval
        self.rows: list[dict[Key, float]] = []
        self.base = self.now()
        self.checks: list[tuple[int, Firing]] = []
        self.settle(3)
        self.row()

    def now(self) -> float:
        """By the clock of Prometheus: the daemon's own wall clock may be stepped."""
        return time.time() + self.clocks["boot"] / SECOND

    @property
    def minute(self) -> int:
        """Of the last row."""
        return (len(self.rows) - 1) * self.interval // 60

    def live(self, minutes: int, patience: float = 3) -> None:
        """So many more minutes, renewals at their times, with rows."""
        for _ in range(minutes * 60 // self.interval):
            self.advance(self.base + len(self.rows) * self.interval, patience)
            self.row()

    def advance(self, target: float, patience: float) -> None:
        """To a time, by way of every renewal that is due before."""
        while self.now() < target:
            # The daemon tells whole seconds of a wall clock that may have been stepped.
            ahead = (self.clocks["wall"] - self.clocks["boot"]) / SECOND - 1
            due = [moment - ahead for moment in self.planned() if moment - ahead > self.now()]
            self.clocks.suspend(max(0, min(due + [target]) - self.now()))
            self.settle(patience)

    def planned(self) -> list[float]:
        """When renewals are."""
        return [entry["next_refresh_at"] for entry in self.entries() if entry["next_refresh_at"]]

    def settle(self, patience: float) -> None:
        """Waits until nothing is overdue or under way, at most for so many seconds. What is due
        within this second is left for the next jump."""
        end = time.monotonic() + patience
        self.daemon.request("GET", "/healthz")  # its loop looks at the clock after this
        while time.monotonic() < end and not all(map(self.is_idle, self.entries())):
            pass

    def is_idle(self, entry: dict[str, Any]) -> bool:
        """Nothing is planned while something is under way, or while a person is needed."""
        planned = entry["next_refresh_at"]
        if planned is None:
            return entry["state"] in ("login_required", "quarantined")
        return planned + 1 > self.clocks.wall()

    def entries(self) -> list[dict[str, Any]]:
        return list(self.daemon.credentials().values())

    def row(self) -> None:
        row = {(name, labels): value - self.base if "_timestamp_" in name else value
               for (name, labels), value in scrape(self.daemon).samples.items()}
        self.rows.append(row | {("up", ()): 1.0})

    def down(self, minutes: int) -> None:
        """This many minutes without an answer."""
        for _ in range(minutes * 60 // self.interval):
            self.rows.append({("up", ()): 0.0})

    def expect(self, firing: Firing) -> None:
        """Exactly these alerts fire now."""
        self.checks.append((self.minute, dict(firing)))

    def promtool(self, name: str, never: bool = False) -> dict[str, Any]:
        """As a test for promtool. With `never`, no alert fires at any time."""
        keys = sorted({key for row in self.rows for key in row})
        test = {"name": name, "interval": "%ds" % self.interval,
                "input_series": [{"series": written(key), "values": self.values(key)}
                                 for key in keys],
                "alert_rule_test": [entry for minute, firing in self.checks
                                    for entry in expectations(minute, firing)]}
        if never:
            test["promql_expr_test"] = [{
                "expr": 'count_over_time(ALERTS{alertstate="firing"}[48h])',
                "eval_time": "%dm" % self.minute, "exp_samples": []}]
        return test

    def values(self, key: Key) -> str:
        """As promtool has them; a series that ends is marked, as Prometheus does."""
        words, was_there = [], False
        for row in self.rows:
            value = row.get(key)
            words.append("stale" if value is None and was_there else
                         "_" if value is None else number(value))
            was_there = value is not None
        return " ".join(words)


def number(value: float) -> str:
    return str(int(value)) if value == int(value) else "%.6f" % value


def written(key: Key) -> str:
    """A series with its target's labels."""
    labels = dict(key[1]) | TARGET
    return "%s{%s}" % (key[0], ",".join("%s=%s" % (name, json.dumps(value))
                                        for name, value in sorted(labels.items())))


@functools.cache
def rules() -> list[dict[str, Any]]:
    """All alerting rules that are shipped."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expectations(minute: int, firing: Firing) -> list[dict[str, Any]]:
    """The expected state of every shipped alert at this minute: silent unless named."""
    names = {rule["alert"] for rule in rules()}
    if firing.keys() - names:
        raise AssertionError("no such alert: %s" % (firing.keys() - names))
    return [{"eval_time": "%dm" % minute, "alertname": name,
             "exp_alerts": [expected(name, subject) for subject in firing.get(name, [])]}
            for name in sorted(names)]


def expected(name: str, subject: Any) -> dict[str, Any]:
    credential, days = subject if isinstance(subject, tuple) else (subject, None)
    rule = next(rule for rule in rules()
                if rule["alert"] == name and rule["labels"].get("days") == days)
    labels = dict(TARGET) | ({"credential": credential} if credential else {})
    if name == "EvertokenAbsent":
        del labels["instance"]
    state = re.search(r'^evertoken_credential_state\{evertoken_credential_state="(\w+)"\} == 1$',
                      rule["expr"])
    if state:
        labels["evertoken_credential_state"] = state.group(1)
    annotations = {key: re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found.group(1)], text)
                   for key, text in rule["annotations"].items()}
    return {"exp_labels": labels | rule["labels"], "exp_annotations": annotations}


def run_promtool(*arguments: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([SUPPORT / "promtool.sh", *arguments], capture_output=True, text=True,
                          timeout=300)


def judge(directory: pathlib.Path, *tests: dict[str, Any],
          interval: str = "1m") -> Optional[str]:
    """The errors of promtool for these tests; None if they pass."""
    file = directory / "alerts.test.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": interval,
                                "tests": list(tests)}))
    done = run_promtool("test", "rules", file)
    return None if done.returncode == 0 else done.stdout + done.stderr
