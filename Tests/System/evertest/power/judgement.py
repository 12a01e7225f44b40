"""After a power cut: is every required refresh token on the disk, and does the daemon continue from
there?

The calls that had returned at the cut determine what is required: the flush of an answer, the flush
of the directory of a token file. If the daemon omits a flush, its next step shows that it considers
its data safe.
"""

from __future__ import annotations

from typing import Optional

from evertest.kills.judgement import LOST, SEVERAL, CandidateJudgement, Judgement
from evertest.kills.trials import NAME
from evertest.power.trials import PowerTrial, World
from evertest.tracing.kill_trace import SLOTS, Step, Trace

WENT_BACK = "a token file went back"
EARLY = "published before the answer was flushed"
UNFOUNDED = "a request was sent before its intent was flushed"
RENAMES = ("rename", "renameat", "renameat2")


class CutTrace:
    """What had happened when the power went: the trace up to one boundary, or all of it; before
    that, what an earlier process did, whose unflushed data this one found in memory."""

    def __init__(self, trace: Trace, number: Optional[int], earlier: list[Step]) -> None:
        self.is_over = number is None  # the daemon had stopped in order
        self.steps = [s for s in trace.steps if number is None or s.number <= number]
        self.intents = self.flushed = self.saved = 0
        self.is_asking = False
        self.early: Optional[Step] = None
        #: By token file: how many answers had been saved when its last durable version was made.
        self.in_place: dict[str, int] = {}
        self._answer: Optional[str] = None  # a slot with an answer that was not yet flushed
        self._record: Optional[str] = None  # a slot with a record that was not yet flushed
        self._renamed: Optional[tuple[str, str, int]] = None  # token file, folder, answers saved
        self._is_answered = False  # and not settled: the next record does that
        for step in earlier:
            self._take(step, "/")
        self._is_answered = self.is_asking = False  # a new process does not settle, it reads again
        for step in self.steps:
            # To a new process a file that is as it should be is published: it goes on to the next.
            self._take(step, "/run/%s/.evertoken-" % NAME if earlier else "/")
        if self._renamed and self.is_over:
            self._put_in_place(*self._renamed)

    def answers_saved(self) -> int:
        """How many answers the daemon had reason to think safe, or went on as if they were; none
        where it had since begun to ask again, which may have left its mark."""
        return 0 if self.is_asking else self.saved

    def _take(self, step: Step, onward: str) -> None:
        """`onward`: what a path has in it when work has gone on to something else."""
        if self._renamed and self._is_left(self._renamed[1], step, onward):
            self._put_in_place(*self._renamed)
        if step.is_done("pwrite64", *SLOTS) and step.offset > 0:
            self._answer, self._is_answered, self.is_asking = step.path, True, False
        elif step.is_done("pwrite64", *SLOTS) and step.result < 1 << 16:
            self._record, self.is_asking = step.path, not self._is_answered
        elif step.is_done("fdatasync", *SLOTS) or step.is_done("fsync", *SLOTS):
            self._flush(step.path)
        elif step.call in RENAMES and step.is_exit and step.result == 0:
            if self._answer:  # not flushed, and published all the same
                self.early = self.early or step
                self.saved, self._answer = self.saved + 1, None
            folder, _, file = step.path.rpartition("/")
            self._renamed = file, folder, self.saved

    def _flush(self, slot: str) -> None:
        if slot == self._answer:
            self.flushed, self.saved, self._answer = self.flushed + 1, self.saved + 1, None
        if slot == self._record:
            self.intents += not self._is_answered
            self._record, self._is_answered = None, False

    def _put_in_place(self, file: str, _: str, saved: int) -> None:
        self.in_place[file], self._renamed = saved, None

    @staticmethod
    def _is_left(folder: str, step: Step, onward: str) -> bool:
        """Whether the folder of a renamed file has been flushed, or work goes on without that."""
        if step.call == "fsync" and step.path == folder:
            return step.is_exit and step.result == 0
        return step.path.startswith("/") and onward in step.path


class PowerJudgement(Judgement):
    """One cut: the disk that it left is mounted in the trial, and no daemon runs."""

    def __init__(self, trial: PowerTrial, trace: CutTrace, world: World, is_torn: bool) -> None:
        self.trial, self.trace, self.world, self.is_torn = trial, trace, world, is_torn
        self.before = list(world.exchanges)
        self.is_cut_off = self.is_ambiguous = False
        self.files = dict.fromkeys(("token", "token.json"), trial.prepared.published)

    def examine(self) -> None:
        trial, trace, live = self.trial, self.trace, self.world.live
        rotations = self.world.rotations() + self.refusals()  # each an answer to be saved
        if live is None:
            trial.fault(SEVERAL, "the grant was revoked before the cut")
        elif self.is_torn and trace.saved < rotations:
            self.is_cut_off = True  # it may be there, in a record that no checksum vouches for
        elif not trial.is_on_disk(live):
            self.is_cut_off = trace.saved < rotations
            if not self.is_cut_off:
                trial.fault(LOST, "rotations %d, answers saved %d, of them flushed %d" % (
                    rotations, trace.saved, trace.flushed))
        if self.is_cut_off and not trial.is_on_disk(self.before[-1].refresh_token or "?"):
            trial.fault(LOST, "neither the answer is there nor the refresh token that was sent")
        if trace.early and trace.early is trace.steps[-1]:  # once: later cuts are about the rest
            trial.fault(EARLY, str(trace.early))
        if len(self.before) > trace.intents:
            trial.fault(UNFOUNDED, "%d requests, %d intents" % (len(self.before), trace.intents))
        self.files = trial.check_files(self.files, "at the cut")
        first = len(trial.prepared.access_tokens) - 1
        newest = len(trial.access_tokens()) - 1
        for file, number in self.files.items():
            if self.is_cut_off and number == newest:
                trial.fault(LOST, file + " holds the access token of an answer that no slot has")
            if file in trace.in_place and number < first + trace.in_place[file]:
                trial.fault(WENT_BACK, "%s: durable was %d, and it holds %d" % (
                    file, first + trace.in_place[file], number))
        self._check_other_outputs()

    def _check_other_outputs(self) -> None:
        """What else a configuration has published is whole too, wherever it is there."""
        folder = self.trial.directory / "run" / NAME
        for file in folder.iterdir() if folder.exists() else ():
            if file.name not in self.files and not file.name.startswith("."):
                text = file.read_text(errors="replace")
                if not text.endswith("\n") or not any(
                        token in text for token in self.trial.access_tokens()):
                    self.trial.fault("a torn token file", "%s: %r" % (file.name, text[:80]))

    def _check_account(self) -> None:
        """An answer that was being flushed may be there or not: then both accounts are true."""
        if not self.is_torn:
            super()._check_account()


class PowerCandidateJudgement(CandidateJudgement, PowerJudgement):
    """The same beside a candidate. To the daemon this trial's server is another one than that of
    the cut: what is configured there is all that it may send, and the stored token is kept."""

    def _sign_in_again(self) -> None:
        if self.is_cut_off:  # of the answer to what is configured
            return Judgement._sign_in_again(self)
        return super()._sign_in_again()


class PowerRefusedJudgement(PowerCandidateJudgement):
    """What was configured is no token, and is taken back after the cut."""

    def refusals(self) -> int:
        return 0  # what came of it does not matter any more

    def recover(self) -> None:
        self.trial.put_configuration(self.trial.prepared.seed or "")
        super().recover()
