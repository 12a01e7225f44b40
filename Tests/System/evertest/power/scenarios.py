"""The scenarios of power cuts: the daemon's activity, and the initial state.

As in `kill_scenarios` the daemon does its work, then stops normally, and is not polled.
"""

from __future__ import annotations

import dataclasses
import signal
from typing import Any, Callable, Optional

from evertest.kills.scenarios import (is_published, prove_candidate, refuse_candidate,
                                      start_and_stop, stop)
from evertest.kills.trials import NAME, Trial
from evertest.power.judgement import PowerCandidateJudgement, PowerJudgement, PowerRefusedJudgement
from evertest.state_layout import SLOT_B
from evertest.tracing.kill_trace import SLOTS, Step

MORE_OUTPUTS = {"outputs": [{"path": "crm/token"}, {"path": "crm/token.json", "format": "json"},
                            {"path": "crm/curlrc", "format": "curl"}]}


def refresh(trial: Trial) -> None:
    if refresh_once(trial):
        stop(trial)


def refresh_once(trial: Trial) -> bool:
    if not trial.until(trial.logged("Ready")):
        return False
    count = len(trial.access_tokens())
    trial.ask_for_refresh()
    return trial.until(lambda: len(trial.access_tokens()) > count and is_published(trial))


def refresh_twice(trial: Trial) -> None:
    """Each answer goes to the slot in which the one before it was settled."""
    if refresh_once(trial) and refresh_once(trial):
        stop(trial)


def reload(trial: Trial) -> None:
    if not trial.until(trial.logged("Ready")):
        return
    trial.options = MORE_OUTPUTS
    trial.daemon.configure(trial.config())
    if trial.signal(signal.SIGHUP, (trial.directory / "run" / NAME / "curlrc").exists):
        if refresh_once(trial):
            stop(trial)


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    drive: Callable[[Trial], None]
    prepared: str  # empty, stable, answered or intent
    start: tuple[str, ...] = ()
    after: dict[str, Any] = dataclasses.field(default_factory=dict)  # the options at recovery
    #: First the daemon is killed at such a boundary, in `before`; the disk keeps its power, and
    #: what was not flushed is still in memory, as if it were safe. Then `drive`.
    killed_when: Optional[Callable[[Step], bool]] = None
    before: Optional[Callable[[Trial], None]] = None
    judgement: Optional[type[PowerJudgement]] = None  # another one than the campaign's


SCENARIOS = [
    Scenario("first start", start_and_stop, "empty"),
    Scenario("refresh", refresh, "stable", ("--start", "Ready")),
    Scenario("refresh, then another", refresh_twice, "stable", ("--start", "Ready")),
    Scenario("reload with new outputs", reload, "stable", ("--start", "Ready"), MORE_OUTPUTS),
    Scenario("candidate beside a token", prove_candidate, "stable", ("--start", "Ready"),
             judgement=PowerCandidateJudgement),
    Scenario("candidate that is refused", refuse_candidate, "stable", ("--start", "Ready"),
             judgement=PowerRefusedJudgement),
    Scenario("recovery of a saved answer", start_and_stop, "answered"),
    Scenario("recovery of an interrupted request", start_and_stop, "intent"),
    Scenario("restart, slots not flushed", refresh, "empty", before=start_and_stop,
             killed_when=lambda s: s.is_done("pwrite64", "/" + SLOT_B)),
    Scenario("restart, answer not flushed", refresh, "stable", before=refresh,
             killed_when=lambda s: s.is_done("pwrite64", *SLOTS) and s.offset > 0),
    Scenario("restart, token file not flushed", refresh, "stable", before=refresh,
             killed_when=lambda s: s.is_done("renameat", "/token")),
]
