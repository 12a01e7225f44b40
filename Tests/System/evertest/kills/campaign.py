"""A campaign of kills: runs the trials and reports their results."""

from __future__ import annotations

import dataclasses
import itertools
import traceback
from typing import Any, Callable, Optional

from evertest.basics import at_end, require_binaries, temporary_directory
from evertest.kills.scenarios import Preparation, Scenario
from evertest.kills.trials import LIFE, Fault, Prepared, Trial
from evertest.servers.token_server import TokenServer
from evertest.tracing.kill_trace import Step, Trace, build_tracer


@dataclasses.dataclass(frozen=True)
class Aim:
    """Which boundary of which scenario: the n-th of all, or of those that are `on` this."""

    scenario: Scenario
    number: int
    on: str = ""

    def arguments(self) -> list[str]:
        return ["--kill-at", str(self.number)] + ["--on", self.on] * bool(self.on)

    def text(self) -> str:
        return "%s, boundary %d %s" % (self.scenario.name, self.number, self.on)


@dataclasses.dataclass
class Result:
    aim: Aim
    end: str = ""  # of the traced process: killed, or ended before it came so far
    killed_at: Optional[Step] = None
    is_cut_off: bool = False
    is_ambiguous: bool = False
    faults: list[Fault] = dataclasses.field(default_factory=list)
    log: str = ""

    @property
    def is_injected(self) -> bool:
        return self.end == "killed"

    def account(self) -> str:
        faults = "".join("\n  %s: %s" % (f.kind, f.account) for f in self.faults)
        return "%s, at %s:%s\n%s" % (self.aim.text(), self.killed_at, faults, self.log)


class Campaign:
    """Makes trials, each with directories and a client of its own."""

    def __init__(self, case: Any) -> None:
        require_binaries()
        self.base = temporary_directory(case)
        self.tracer = build_tracer(self.base)
        self.server = TokenServer(lifetime=LIFE).start()
        at_end(case, self.server.stop)
        self.numbers = itertools.count(1)
        self.prepared: dict[str, Prepared] = Preparation(
            self.new_trial, self.tracer, self.base).make()

    def new_trial(self, prepared: Prepared, options: dict[str, Any]) -> Trial:
        return Trial(self.base, next(self.numbers), self.server, prepared, options)

    def count(self, scenario: Scenario) -> Trace:
        """One run to the end. Threads take turns as they like: no two runs are quite alike."""
        trial = self.new_trial(self.prepared[scenario.prepared], scenario.options)
        try:
            trace = trial.trace(self.tracer, scenario.drive, list(scenario.start))
            if (trace.end, trace.status) != ("ended", 0):
                raise AssertionError("%s without a kill: %s, status %d\n%s" % (
                    scenario.name, trace.end, trace.status, trial.daemon.stderr()[-2000:]))
            return trace
        finally:
            trial.close()

    def attempt(self, aim: Aim, sabotage: Callable[[Trial], None] = lambda trial: None) -> Result:
        """One trial. `sabotage` damages the files between the kill and the examination."""
        scenario, result = aim.scenario, Result(aim)
        trial = self.new_trial(self.prepared[scenario.prepared], scenario.options)
        try:
            trace = trial.trace(self.tracer, scenario.drive,
                                [*scenario.start, *aim.arguments()])
            result.end, result.killed_at = trace.end, trace.killed_at
            judgement = scenario.judgement(trial, trace)
            sabotage(trial)
            judgement.examine()
            judgement.recover()
            result.is_cut_off, result.is_ambiguous = judgement.is_cut_off, judgement.is_ambiguous
        except Exception:  # a trial that cannot be finished is a fault like any other
            trial.fault("not finished", traceback.format_exc())
        result.faults = trial.faults
        if trial.faults:
            result.log = trial.daemon.stderr()[-3000:]
        trial.close()
        return result
