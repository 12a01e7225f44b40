"""Runs suites of system tests, each in a process of its own: `python3 -m evertest.runner`.

Three run at a time, for most of them wait; the longest begin first. Then those that must be alone,
one after the other. Last, each timed suite that failed is tried once more, with no other beside it:
if it passes then, it is a flake, reported with the tests that failed first. What a suite prints is
shown when it ends.

    python3 -m evertest.runner [--report FILE] [--list] [NAME…]      all suites if none is named

Exit status: 0 all passed (flakes included), 1 a suite failed, 64 no such suite, or one that
declares nothing. FILE gets a line for each number and name: passed N, failed N, broken NAME,
flake NAME: TESTS.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Optional

from evertest.basics import ROOT
from evertest.suite import Declared, Undeclared, declared

SYSTEM = ROOT / "Tests" / "System"
TOGETHER = 3
#: Lines of its output that are shown of one suite.
SHOWN = 400


@dataclasses.dataclass
class Outcome:
    """How one run of a suite ended."""

    status: int
    ran: int
    wrong: int
    tests: list[str]  # that failed, as Class.test

    @property
    def passed(self) -> bool:
        return self.status == 0 and self.ran > 0


def read(status: int, output: str) -> Outcome:
    """What unittest's own words say of a run."""
    ran = re.findall(r"^Ran (\d+) tests?", output, re.MULTILINE)
    counts = re.findall(r"^FAILED \((.*)\)$", output, re.MULTILINE)
    wrong = sum(map(int, re.findall(r"(?:failures|errors)=(\d+)", counts[-1]))) if counts else 0
    failed = re.findall(r"^(?:FAIL|ERROR): (\S+) \(([\w.]+)\)", output, re.MULTILINE)
    # A test's own name is the last part of its identity; that of setUpClass is not.
    tests = [".".join(where.split(".")[-2:]) if where.endswith("." + name)
             else where.split(".")[-1] + "." + name for name, where in failed]
    outcome = Outcome(status, int(ran[-1]) if ran else 0, wrong, sorted(set(tests)))
    if not outcome.passed:
        outcome.wrong = max(1, wrong)
    return outcome


class Runner:
    def __init__(self, system: pathlib.Path, suites: list[Declared]) -> None:
        self.system, self.suites = system, suites
        self.outcomes: dict[str, Outcome] = {}
        self.flakes: dict[str, list[str]] = {}
        self._printing = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ends = False

    def run(self) -> bool:
        """Runs them all; whether all have passed."""
        together = [one for one in self.suites if not one.suite.alone]
        with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
            for end in [pool.submit(self._first, one) for one in together]:
                end.result()
        for one in self.suites:
            if one.suite.alone:
                self._first(one)
        for one in self.suites:
            if one.suite.timed and not self._ends and not self.outcomes[one.name].passed:
                self._once_more(one)
        return not self._ends and all(outcome.passed for outcome in self.outcomes.values())

    def report(self) -> list[str]:
        """Numbers and names, a line for each."""
        outcomes = self.outcomes.values()
        lines = ["passed %d" % sum(max(0, o.ran - o.wrong) for o in outcomes),
                 "failed %d" % sum(o.wrong for o in outcomes)]
        lines += ["broken " + name + (" (ran no test)" if outcome.ran == 0 else "")
                  for name, outcome in sorted(self.outcomes.items()) if not outcome.passed]
        return lines + ["flake %s: %s" % (name, ", ".join(tests) or "the suite did not end")
                        for name, tests in sorted(self.flakes.items())]

    def stop(self, *_: object) -> None:
        """Begins no more suites and ends those that run, which clean up after themselves."""
        self._ends = True
        for process in list(self._running):
            process.terminate()

    def _first(self, one: Declared) -> None:
        outcome = self._try(one, one.name)
        if outcome is not None:
            self.outcomes[one.name] = outcome

    def _once_more(self, one: Declared) -> None:
        first = self.outcomes[one.name]
        outcome = self._try(one, one.name + ", once more")
        if outcome is None:
            return
        self.outcomes[one.name] = outcome
        if outcome.passed:
            self.flakes[one.name] = first.tests

    def _try(self, one: Declared, title: str) -> Optional[Outcome]:
        """One run of a suite; nothing once the runner was told to end."""
        if self._ends:
            return None
        begun = time.monotonic()
        command = [sys.executable, "-B", "-m", "unittest", "discover", "-s", str(self.system),
                   "-p", one.path.name]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as process:
            self._running.add(process)
            output = process.communicate()[0].decode(errors="replace")
            self._running.discard(process)
        with self._printing:
            shown = "\n".join(output.splitlines()[-SHOWN:])
            print("\n=== %s (%.0f s)\n%s" % (title, time.monotonic() - begun, shown), flush=True)
        return read(process.returncode, output)


def chosen(suites: list[Declared], names: list[str]) -> list[Declared]:
    unknown = set(names) - {one.name for one in suites}
    if unknown:
        raise Undeclared("no suite is named %s" % ", ".join(sorted(unknown)))
    return [one for one in suites if not names or one.name in names]


def main(arguments: list[str], system: pathlib.Path = SYSTEM) -> int:
    parser = argparse.ArgumentParser(prog="evertest.runner")
    parser.add_argument("names", metavar="NAME", nargs="*")
    parser.add_argument("--report", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args(arguments)
    try:
        suites = chosen(declared(system), options.names)
    except Undeclared as error:
        print("Tests/run: %s" % error, file=sys.stderr)
        return os.EX_USAGE
    if options.list:
        for one in suites:
            words = [word for word in ("timed", "alone") if getattr(one.suite, word)]
            print("%-32s %-22s %4.1f min  %s" % (
                one.name, one.path.parent.relative_to(system), one.suite.minutes,
                " ".join(words)))
        return 0
    runner = Runner(system, suites)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, runner.stop)
    passed = runner.run()
    if options.report:
        options.report.write_text("\n".join(runner.report()) + "\n", encoding="utf-8")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
