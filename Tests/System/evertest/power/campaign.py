"""A campaign of power cuts on one file system: prepares disks, cuts, and checks what is left."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import random
import traceback
from typing import Any, Callable, Optional

from evertest.basics import at_end, require_binaries, temporary_directory
from evertest.disks.power import (Disk, Flavour, copy_sparsely, extents, make_image, mount_memory,
                                  release_all, tear, unmount_memory)
from evertest.kills.trials import Fault, Prepared
from evertest.power.judgement import CutTrace, PowerJudgement
from evertest.power.scenarios import SCENARIOS, Scenario
from evertest.power.trials import CUT, GO, PowerTrial, World
from evertest.tracing.kill_trace import SLOTS, Step, Trace, build_tracer


@dataclasses.dataclass(frozen=True)
class Image:
    """The disk after a cut, as a file. `places` are those of its slots."""

    file: pathlib.Path
    places: tuple[range, ...] = ()


@dataclasses.dataclass
class Cut:
    """The power went at this boundary (none: after the end), and this is what was left."""

    scenario: Scenario
    how: str  # snapshot, with write-back or without; shutdown; torn
    step: Optional[Step]
    image: Image
    world: World
    trace: Any = None
    is_ambiguous: bool = False
    is_recovered: bool = False
    faults: list[Fault] = dataclasses.field(default_factory=list)
    log: str = ""

    def account(self) -> str:
        faults = "".join("\n  %s: %s" % (f.kind, f.account) for f in self.faults)
        return "%s, %s at %s:%s\n%s" % (
            self.scenario.name, self.how, self.step or "the end", faults, self.log[-3000:])


@dataclasses.dataclass(frozen=True)
class Start:
    """A disk to begin a scenario with, and what goes with it."""

    image: pathlib.Path
    prepared: Prepared


class Campaign:
    """On one file system; several may run at once, each with its own directory below `base`."""

    judgement = PowerJudgement
    #: The flush that is torn: of which files, by which call.
    torn_call, torn_files = "fdatasync", SLOTS

    def __init__(self, base: pathlib.Path, tracer: pathlib.Path, flavour: Flavour, seed: int,
                 environment: Optional[dict[str, str]] = None) -> None:
        self.tracer, self.flavour, self.environment = tracer, flavour, environment or {}
        self.base = base / flavour.name.replace(" ", "-").replace("=", "-")
        self.base.mkdir()
        self.numbers = itertools.count(1)
        self.chance = random.Random("%d %s" % (seed, flavour.name))
        self.boundaries: dict[str, int] = {}
        self.starts: dict[str, Start] = {}

    def check(self) -> None:
        """Raises OSError where this file system cannot be made or mounted here."""
        image, place = self.base / "first.img", self.base / "first"
        place.mkdir()
        make_image(self.flavour, image)
        Disk(self.flavour, image, place).mount().unmount()
        self.starts["empty"] = Start(image, Prepared())

    def can_be_cut_off(self) -> bool:
        """Whether it knows the ioctl."""
        image = self.new_image()
        copy_sparsely(self.starts["empty"].image, image)
        disk = Disk(self.flavour, image, self.base / "first").mount()
        try:
            disk.cut_off()
            return True
        except OSError:
            return False
        finally:
            disk.unmount()
            image.unlink()

    def new_image(self) -> pathlib.Path:
        return self.base / ("%05d.img" % next(self.numbers))

    def new_trial(self, image: pathlib.Path, prepared: Prepared,
                  options: dict[str, Any]) -> PowerTrial:
        disk = Disk(self.flavour, image, self.base)
        return PowerTrial(self.base, next(self.numbers), prepared, disk, options)

    def prepare(self) -> None:
        """The other states to begin with: each is what an earlier cut has left."""
        first = self.snapshots(self._named("first start"), is_wanted=lambda step: False)
        self._keep("stable", first[-1], 0)
        seen: list[Cut] = self.snapshots(
            self._named("refresh"), is_wanted=lambda s: s.is_done("fdatasync", *SLOTS))
        intent, answered = seen[:2]
        assert len(answered.world.exchanges) > len(intent.world.exchanges), "not as expected"
        self._keep("intent", intent, 0)
        self._keep("answered", answered, 0)
        self.boundaries.clear()  # that was only the preparation

    @staticmethod
    def _named(name: str) -> Scenario:
        return next(s for s in SCENARIOS if s.name == name)

    def _keep(self, name: str, cut: Cut, published: int) -> None:
        before = self.starts[cut.scenario.prepared].prepared.access_tokens
        tokens = tuple(e.access_token for e in cut.world.exchanges if e.access_token)
        self.starts[name] = Start(cut.image.file, Prepared(
            None, cut.world.seed, cut.world.live, before + tokens, published))

    # Cutting.

    def snapshots(self, scenario: Scenario, is_wanted: Callable[[Step], bool] = lambda s: True,
                  written_back: float = 0) -> list[Cut]:
        """One run to its end; a copy of the disk at each boundary, and after the end. At that share
        of the boundaries the kernel happens to write back what is dirty, just before."""
        trial = self._begin(scenario)
        cuts: list[Cut] = []
        last: tuple[Any, Any] = (None, None)
        seen = 0

        def cut(step: Optional[Step]) -> str:
            nonlocal last, seen
            seen += step is not None
            if step and self.chance.random() < written_back:
                trial.disk.write_back()
            if step is None or is_wanted(step):
                if last[0] != trial.disk.activity():
                    file = self.new_image()
                    activity = trial.disk.copy(file)
                    last = activity, Image(file, self._places(trial, step))
                elif step and not last[1].places:
                    last = last[0], Image(last[1].file, self._places(trial, step))
                how = "snapshot with write-back" if written_back else "snapshot"
                cuts.append(Cut(scenario, how, step, last[1], trial.world()))
            return GO

        try:
            earlier, trace = self._run(trial, scenario, cut)
            if (trace.end, trace.status) != ("ended", 0):
                raise AssertionError("%s without a cut: %s, status %d\n%s" % (
                    scenario.name, trace.end, trace.status, trial.daemon.stderr()[-2000:]))
            cut(None)
            self.boundaries[scenario.name] = seen
        finally:
            trial.close()
        for one in cuts:
            one.trace = CutTrace(trace, one.step.number if one.step else None, earlier)
        return cuts

    def shutdown(self, scenario: Scenario, number: int) -> Optional[Cut]:
        """One run that is cut off at its boundary of this number; none where it has fewer."""
        trial = self._begin(scenario)
        seen, found = itertools.count(1), []

        def cut(step: Step) -> str:
            if next(seen) < number:
                return GO
            found.append((step, trial.world()))
            trial.cut_off()
            return CUT

        try:
            earlier, trace = self._run(trial, scenario, cut)
        finally:
            trial.close()
        if not found:
            trial.disk.image.unlink()
            return None
        step, world = found[0]
        assert trace.end == "killed", trace.end
        return Cut(scenario, "shutdown", step, Image(trial.disk.image), world,
                   CutTrace(trace, step.number, earlier))

    def _run(self, trial: PowerTrial, scenario: Scenario, cut: Callable[[Step], str]
             ) -> tuple[list[Step], Trace]:
        """What was done before a kill, if that belongs to the scenario, and the run to be cut."""
        earlier: list[Step] = []
        if scenario.before and scenario.killed_when:
            is_there = scenario.killed_when
            trace = trial.run(self.tracer, scenario.before, list(scenario.start),
                              lambda step: CUT if is_there(step) else GO, self.environment)
            if trace.end != "killed":
                raise AssertionError("%s: not killed, but %s" % (scenario.name, trace.end))
            trial.proxy.wait_settled()
            trial.daemon.log.write_text("")  # what is waited for is to be said again
            earlier = trace.steps
            start: list[str] = []
        else:
            start = list(scenario.start)
        return earlier, trial.run(self.tracer, scenario.drive, start, cut, self.environment)

    def torn(self, cuts: list[Cut]) -> list[Cut]:
        """From each flush of a slot that changed several sectors: some of them are lost. The world
        is the one before the flush: its caller has not learnt of its end."""
        made = []
        for before, after in itertools.pairwise(cuts):
            if not (before.step and after.step
                    and after.step.is_done(self.torn_call, *self.torn_files)
                    and after.image.places and before.image.file != after.image.file):
                continue
            file = self.new_image()
            if tear(before.image.file, after.image.file, file, list(after.image.places),
                    self.chance):
                made.append(dataclasses.replace(
                    before, how="torn", image=Image(file), faults=[]))
            else:
                file.unlink()
        return made

    def _begin(self, scenario: Scenario) -> PowerTrial:
        start, image = self.starts[scenario.prepared], self.new_image()
        copy_sparsely(start.image, image)
        return self.new_trial(image, start.prepared, {})

    def _places(self, trial: PowerTrial, step: Optional[Step]) -> tuple[range, ...]:
        if step is None or not self.flavour.is_overwritten_in_place:
            return ()
        return tuple(r for file in self.files_to_tear(trial) for r in extents(file))

    def files_to_tear(self, trial: PowerTrial) -> list[pathlib.Path]:
        return trial.slot_files()

    # Judging.

    def judge(self, image: Image, cuts: list[Cut], recovered: Optional[Cut]) -> None:
        """All cuts that left this very image: what is on it, and for one, how the daemon gets on.
        The image file is used up."""
        scenario = cuts[0].scenario
        start = self.starts[scenario.prepared]
        try:
            trial = self.new_trial(image.file, start.prepared, scenario.after)
        except Exception:  # a disk that is cut in two and cannot be mounted is a fault too
            cuts[0].faults.append(Fault("not mounted again", traceback.format_exc()))
            return
        try:
            for cut in sorted(cuts, key=lambda c: c is recovered):  # recovery changes the disk
                self._judge_one(trial, cut, cut is recovered)
        finally:
            trial.close()
            image.file.unlink()

    def _judge_one(self, trial: PowerTrial, cut: Cut, is_recovered: bool) -> None:
        trial.faults = cut.faults
        try:
            trial.become(cut.world)
            judge = cut.scenario.judgement or self.judgement
            judgement = judge(trial, cut.trace, cut.world, cut.how == "torn")
            judgement.examine()
            cut.is_ambiguous = judgement.is_cut_off
            if is_recovered:
                judgement.recover()
                cut.is_recovered = True
        except Exception:
            trial.fault("not finished", traceback.format_exc())
        if cut.faults:
            cut.log = trial.daemon.stderr()


class Ground:
    """What all campaigns of a test stand on: memory for their images, and the tracer."""

    def __init__(self, case: Any) -> None:
        require_binaries()
        directory = temporary_directory(case)
        self.base = directory / "disks"
        at_end(case, unmount_memory, self.base)
        mount_memory(self.base)
        at_end(case, release_all)
        self.tracer = build_tracer(directory)
        self.directory = directory
