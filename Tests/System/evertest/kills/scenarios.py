"""The scenarios of the campaign: the daemon's activity when it is killed, and the initial state.

In a scenario the daemon does its work and then stops normally, so that a run without a kill ends by
itself. The socket is not polled, because that would add boundaries.
"""

from __future__ import annotations

import dataclasses
import pathlib
import signal
from typing import Any, Callable

from evertest.basics import wait_until
from evertest.kills.judgement import CandidateJudgement, Judgement
from evertest.kills.trials import NAME, SECRET, Prepared, Trial
from evertest.servers.token_server import Answer
from evertest.tracing.kill_trace import SLOTS, Step, Trace

READY = ["--start", "Ready"]
HOOK = {"on_change": [{"exec": ["/bin/cp", "${DIR}/run/crm/token", "${DIR}/hooked"]}]}


@dataclasses.dataclass(frozen=True)
class Scenario:
    """`start` is from where boundaries count: the daemon's exec, or when it says "Ready"."""

    name: str
    drive: Callable[[Trial], None]
    prepared: str  # empty, stable, answered or intent
    start: tuple[str, ...] = ()
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    judgement: type[Judgement] = Judgement


def is_published(trial: Trial) -> bool:
    """Whether both token files hold the newest access token, and there is a new one."""
    tokens = trial.access_tokens()
    found = [trial.directory / "run" / NAME / file for file in ("token", "token.json")]
    return len(tokens) > trial.prepared.published + 1 and all(
        file.exists() and tokens[-1] in file.read_text() for file in found)


def start_and_stop(trial: Trial) -> None:
    if trial.until(lambda: is_published(trial)) and trial.until(trial.logged("Ready")):
        stop(trial)


def stop(trial: Trial) -> bool:
    return trial.signal(signal.SIGTERM, trial.logged("Stopping"))


def refresh(trial: Trial) -> None:
    if trial.until(trial.logged("Ready")):
        trial.ask_for_refresh()
        start_and_stop(trial)


def refresh_and_tell(trial: Trial) -> None:
    hooked = trial.directory / "hooked"
    if trial.until(trial.logged("Ready")):
        trial.ask_for_refresh()
        if trial.until(lambda: is_published(trial)) and trial.until(
                lambda: hooked.exists() and hooked.read_text() == trial.access_tokens()[-1]):
            stop(trial)


def reload(trial: Trial) -> None:
    """A person has signed in again and changed the configuration; then a refresh."""
    if not trial.until(trial.logged("Ready")):
        return
    trial.sign_in(trial.server.grant(trial.client, SECRET))
    outputs = [{"path": "crm/token"}, {"path": "crm/token.json", "format": "json"},
               {"path": "crm/curlrc", "format": "curl"}]
    trial.daemon.configure(trial.config(outputs=outputs))
    if trial.signal(signal.SIGHUP, (trial.directory / "run" / NAME / "curlrc").exists):
        trial.ask_for_refresh()
        start_and_stop(trial)


def refresh_once(trial: Trial) -> bool:
    """From then on the stored token is of this trial's server and client, not of the prepared
    one's."""
    if not trial.until(trial.logged("Ready")):
        return False
    trial.ask_for_refresh("?wait=30s")  # until its files are flushed
    return has_next_token(trial, 0)


def has_next_token(trial: Trial, count: int) -> bool:
    """Waits for more access tokens than that, with the newest published."""
    more = trial.prepared.published + 1 + count
    return trial.until(lambda: len(trial.access_tokens()) > more and is_published(trial))


def name_candidate(trial: Trial, token: str) -> bool:
    trial.sign_in(token)
    return trial.signal(signal.SIGHUP, trial.logged("names a new refresh token"))


def prove_candidate(trial: Trial, *answers: Answer) -> None:
    """A second sign-in beside the one that works, and both are good."""
    if refresh_once(trial):
        trial.server.plan(trial.client, *answers)
        new = trial.server.grant(trial.client, SECRET, beside=True)
        if name_candidate(trial, new) and has_next_token(trial, 1):
            stop(trial)


def prove_candidate_later(trial: Trial) -> None:
    """The first try meets an outage."""
    prove_candidate(trial, Answer(status=503))


def refuse_candidate(trial: Trial) -> None:
    """The configured text is not a token."""
    if refresh_once(trial) and name_candidate(trial, "CHANGEME") and trial.until(
            trial.logged("the stored one goes on")):
        stop(trial)


def stop_while_it_waits(trial: Trial) -> None:
    """SIGTERM while the server, which has rotated, holds its answer back."""
    trial.release.clear()
    if not trial.until(trial.logged("Ready")):
        return
    trial.ask_for_refresh()
    if trial.until(lambda: any(e.rotated for e in trial.exchanges())):
        stop(trial)
        trial.release.set()


SCENARIOS = [
    Scenario("first start", start_and_stop, "empty"),
    Scenario("refresh", refresh, "stable", ("--start", "Ready")),
    Scenario("refresh with on_change", refresh_and_tell, "stable", ("--start", "Ready"), HOOK),
    Scenario("reload with a new sign-in", reload, "stable", ("--start", "Ready")),
    Scenario("candidate beside a token", prove_candidate_later, "stable", ("--start", "Ready"),
             judgement=CandidateJudgement),
    Scenario("candidate that is refused", refuse_candidate, "stable", ("--start", "Ready"),
             judgement=CandidateJudgement),
    Scenario("stop during a refresh", stop_while_it_waits, "stable", ("--start", "Ready")),
    Scenario("recovery of a saved answer", start_and_stop, "answered"),
    Scenario("recovery of an interrupted request", start_and_stop, "intent"),
]


class Preparation:
    """Makes the states that scenarios begin with, with the real daemon."""

    def __init__(self, new_trial: Callable[[Prepared, dict[str, Any]], Trial],
                 tracer: pathlib.Path, keep: pathlib.Path) -> None:
        self.new_trial, self.tracer, self.keep = new_trial, tracer, keep

    def make(self) -> dict[str, Prepared]:
        stable = self._stable()
        return {"empty": Prepared(), "stable": stable,
                "answered": self._killed(stable, "answered", lambda s: s.offset > 0),
                "intent": self._killed(stable, "intent", lambda s: s.offset == 0)}

    def _stable(self) -> Prepared:
        """After a first start and an orderly stop."""
        trial = self.new_trial(Prepared(), {})
        trial.daemon.start()
        wait_until(lambda: is_published(trial), 20, "a first token", trial.daemon)
        trial.daemon.terminate()
        return self._taken(trial, "stable", 0)

    def _killed(self, stable: Prepared, name: str, is_wanted: Callable[[Step], bool]) -> Prepared:
        """Killed in a refresh, just after what was wanted had been flushed to a slot."""
        trace, _ = self._refresh(stable, [])
        slot = flush_after(trace, is_wanted)
        number = sum(s.label() == slot.label() for s in trace.steps if s.number <= slot.number)
        trace, trial = self._refresh(stable, ["--kill-at", str(number), "--on", slot.label()])
        if trace.end != "killed":
            raise AssertionError("the daemon could not be killed for the state " + name)
        return self._taken(trial, name, 0)

    def _refresh(self, stable: Prepared, arguments: list[str]) -> tuple[Trace, Trial]:
        trial = self.new_trial(stable, {})
        trace = trial.trace(self.tracer, refresh, READY + arguments)
        trial.proxy.wait_settled()
        return trace, trial

    def _taken(self, trial: Trial, name: str, published: int) -> Prepared:
        directory, tokens = self.keep / name, tuple(trial.access_tokens())
        seed = trial.seed.read_text().strip()
        trial.directory.rename(directory)
        live = trial.server.live_refresh_token(trial.client)
        trial.close()
        return Prepared(directory, seed, live, tokens, published)


def flush_after(trace: Trace, is_wanted: Callable[[Step], bool]) -> Step:
    """The end of the flush that follows the wanted write to a slot."""
    written = False
    for step in trace.steps:
        if step.is_done("pwrite64", *SLOTS):
            written |= is_wanted(step)
        elif written and step.is_done("fdatasync", *SLOTS):
            return step
    raise AssertionError("the slots were not written as expected: %s" % trace.steps)
