"""One case: a program, a number of credentials, http or https; what it costs, as a row."""

import contextlib
import dataclasses
import pathlib
import shutil
import subprocess
import tempfile
import time

from contenders import CONTENDERS, OURS, CRON, CannotMeasure, Task, touch_one
from watching import Program
from witness import Server

SHORTEST_LIFE = 12
#: Of the first start, and of one that has nothing but its state.
START_LIMIT = 900
#: Due in the case that finds the most that a program can do.
OVERLOAD_PER_SECOND = 4000


@dataclasses.dataclass(frozen=True)
class Case:
    program: str
    credentials: int
    scheme: str = "http"
    rotates: bool = True
    is_overload: bool = False

    def __str__(self):
        words = [self.program, str(self.credentials), self.scheme]
        return " ".join(words + ["static"] * (not self.rotates) + ["overload"] * self.is_overload)


class Run:
    """A case that is being measured."""

    def __init__(self, case, options, binaries, folder, trust):
        self.case, self.options, self.binaries = case, options, binaries
        self.contender = CONTENDERS[case.program]
        self.folder = folder / str(case).replace(" ", "-")
        self.trust = trust if case.scheme == "https" else None
        self.row = dataclasses.asdict(case)
        self.names = ["c%06d" % number for number in range(case.credentials)]
        self.stack = contextlib.ExitStack()

    def measure(self):
        self.folder.mkdir()
        with self.stack:
            # Token files lie where they do on a host: in memory.
            tokens = tempfile.mkdtemp(prefix="evertoken-tokens.", dir=self.options.token_folder)
            self.stack.callback(shutil.rmtree, tokens, ignore_errors=True)
            self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            (self.folder / "run").symlink_to(tokens)
            self.tokens = pathlib.Path(tokens)
            self._serve()
            if self.case.is_overload:
                self._overload()
            else:
                self._first_start()
                self._window()
                self._sizes()
                if self.case.program == OURS:
                    self._questions()
                self.program.stop()
                if self.case.program != CRON:
                    self._starts()
        return self.row

    def _serve(self):
        due = min(self.options.rate, self.contender.most_rate)
        if self.case.is_overload:
            due = OVERLOAD_PER_SECOND
        life = round(self.case.credentials / due / 0.67)
        life = max(2 if self.case.is_overload else SHORTEST_LIFE, life)
        self.row.update(life_s=life, due_per_s=self.case.credentials / life / 0.67)
        self.server = Server(
            self.binaries["server"], life, size=self.options.token_size, trust=self.trust,
            rotates=self.case.rotates)
        self.stack.callback(self.server.stop)
        task = Task(self.folder, self.names, self.server.url, life, self.server.authority,
                    self.case.rotates)
        self.task = dataclasses.replace(task, folder=self.folder)
        self.start = self.contender.configure(self.task, self.binaries[self.case.program])

    def _run(self):
        self.program = Program(self.start, self.folder)
        self.stack.callback(self.program.stop)
        return self.program

    def _first_start(self):
        self.row["first_start_s"] = self._run().until_written(self.names, START_LIMIT)
        self.row["first_start_per_s"] = len(self.names) / self.row["first_start_s"]
        # By then the refreshes are due at the mean rate: see newLife of the server.
        time.sleep(max(4, self.options.settle * self.row["life_s"]))
        # A sweep of cron's is not cut in two.
        self.window_seconds = (max(self.options.seconds, self.row["life_s"])
                               if self.case.program == CRON else self.options.seconds)

    def _window(self):
        self.server.window()
        spent, begun = self.program.processor_seconds(), time.monotonic()
        while time.monotonic() - begun < self.window_seconds:
            self.program.look()
            time.sleep(0.2)
        spent = self.program.processor_seconds() - spent
        seen = self.server.window()
        self.row["rate_per_s"] = seen["answered"] / (time.monotonic() - begun)
        self.row["cpu_ms_per_refresh"] = 1000 * spent / max(1, seen["answered"])
        self.row.update((key, seen[key]) for key in (
            "late_p50", "late_p99", "late_max", "twice", "expired"))

    def _overload(self):
        """As many refreshes as it can make, with far more due than that."""
        self._run()
        self.window_seconds = self.options.seconds
        time.sleep(max(5, self.window_seconds / 2))
        self._window()
        self.row["threads"] = self.program.most_threads

    def _questions(self):
        """How long the control socket's answers take, and how late refreshes are meanwhile."""
        self._ask("GET", "/v1/status", "status")
        self._ask("GET", "/metrics", "metrics")
        self._ask("GET", "/healthz", "health", (200, 503))
        for step in range(3):
            touch_one(self.task, step + 1)
            self._ask("POST", "/v1/reload", "reload", times=1)
        self.row["asked_private_kB"] = self.program.status("RssAnon")

    def _ask(self, method, target, key, fine=(200,), times=3):
        # What was late before the question does not count.
        self._count()
        taken = []
        for _ in range(times):
            seconds, status, body = self.program.ask(method, target)
            if status not in fine:
                raise CannotMeasure("%s %s: %d %s" % (method, target, status, body[:300]))
            taken.append(seconds)
        time.sleep(0.2)
        seen = self._count()
        self.row[key + "_s"] = max(taken + [self.row.get(key + "_s", 0)])
        self.row[key + "_late_max"] = max(seen["late_max"], self.row.get(key + "_late_max", 0))
        if method == "GET":
            self.row[key + "_bytes"] = len(body)

    def _count(self):
        seen = self.server.window()
        for key in ("twice", "expired"):
            self.row[key] += seen[key]
        return seen

    def _sizes(self):
        row, program = self.row, self.program
        row["private_kB"], row["resident_kB"] = program.status("RssAnon"), program.status("VmRSS")
        row["peak_private_kB"] = program.most_private
        row["threads"] = program.most_threads
        row["state_bytes"] = on_disk(self.folder / "state")

    def _starts(self):
        """Starts with valid state: with the token files in place, and without."""
        row = self.row
        if self.case.program == OURS:
            row["start_present_s"] = self._run().until_ready(START_LIMIT)
            self._after_start("start_")
            self.program.stop()
        for name in self.names:
            shutil.rmtree(self.tokens / name, ignore_errors=True)
        row["start_empty_s"] = self._run().until_written(self.names, START_LIMIT)
        if self.case.program == OURS:
            row["ready_empty_s"] = self.program.until_ready(START_LIMIT)
        else:
            self._after_start("start_")
        self.row["threads"] = max(self.row["threads"], self.program.most_threads)
        self.program.stop()
        row["twice"] += self.server.window()["twice"]

    def _after_start(self, prefix):
        time.sleep(1)
        self.program.look()
        self.row[prefix + "private_kB"] = self.program.status("RssAnon")
        self.row[prefix + "peak_kB"] = self.program.most_private
        self.row["threads"] = max(self.row["threads"], self.program.most_threads)


def on_disk(folder):
    """Bytes that the files below a folder take."""
    done = subprocess.run(["du", "-s", "-B1", str(folder)], capture_output=True, text=True,
                          check=True)
    return int(done.stdout.split()[0])
