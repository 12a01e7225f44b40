#!/usr/bin/python3
"""A soak: many credentials for an hour, with reloads, kills and full disks in between.

    Tests/Benchmarks/soak.py [--minutes 60] [--credentials 20000] [--life 600-3600]
    Tests/Benchmarks/soak.py --minutes 1 --credentials 500 --life 20-60        as Tests/run

The state lies on a loop-mounted ext4, the token files in memory, the authorization server of this
folder rotates and counts. Its grace lets a refresh token be sent again while its successor was not
used, as providers do that allow for lost answers: SIGKILL loses those in flight.

In turn: a reload that changes a credential and adds one; a disk without a free block, on which one
more credential is added; and for 40 % of the time SIGKILL and a start. Then every credential has to
prove, by one more refresh, that the daemon holds the refresh token that the server takes; and again
at the end. In between private memory is watched.

Promised, and exit status 1 where one is broken: memory that does not grow by more than its noise;
no credential lost; no spent refresh token sent, and one sent again only after a kill, at most
max_in_flight of them each; no token that ends in its file, unless the daemon was down for longer
than what was left of it. Exit status 2: it could not be set up. Needs root for the mount, Debian's
golang-go, openssl, e2fsprogs and mount, and a release build.
"""

import argparse
import concurrent.futures
import contextlib
import json
import pathlib
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time

from contenders import (HERE, OURS, ROOT, CannotMeasure, Task, build_go, configure_ours,
                        credential_of_ours, need, touch_one, write_drop_in)
from readers import Readers
from targets import SOAK_GROWTH_REACHED, SOAK_GROWTH_TARGET
from watching import Program
from witness import Server

from evertest.disks.loop import LoopDisk

REFRESH_AT, MAX_IN_FLIGHT = 0.67, 64
READY_LIMIT = 600


class Cleanups(contextlib.ExitStack):
    """What the library of the system tests expects of a test."""

    addCleanup = contextlib.ExitStack.callback


class Soak:
    def __init__(self, options, folder, cleanups):
        self.options, self.folder, self.cleanups = options, folder, cleanups
        self.random = random.Random(options.seed)
        shortest, longest = options.life
        self.shortest = shortest
        average = (shortest + longest) / 2
        self.server = Server(
            build_go(HERE / "server", folder / "server"), round(average), grace=True, even=False,
            spread=(longest - shortest) / 2 / average, size=options.token_size)
        cleanups.callback(self.server.stop)
        tokens = tempfile.mkdtemp(prefix="evertoken-tokens.", dir="/dev/shm")
        cleanups.callback(shutil.rmtree, tokens, ignore_errors=True)
        (folder / "run").symlink_to(tokens)
        self.disk = LoopDisk(cleanups, folder / "state.img", folder / "state",
                             mebibytes=32 + options.credentials * options.kib_each // 1024)
        names = ["c%06d" % number for number in range(options.credentials)]
        self.task = Task(folder, names, self.server.url, round(average), reuse_grace="10m",
                         min_interval="1s")
        self.start = configure_ours(self.task, options.bin_dir / OURS)
        self.readers = Readers(folder / "run", names)
        self.counts = {"answered": 0, "twice": 0, "repeated": 0, "expired": 0, "refused": 0}
        self.downs, self.memory, self.broken = [], [], []
        self.done = {"reload": 0, "full disk": 0, "kill": 0}
        self.slowest_reload, self.sent_again = 0.0, 0
        self.history = [(time.time(), "the first start")]
        self.program = None

    # What is done to it.

    def run_program(self):
        self.program = Program(self.start, self.folder)
        self.cleanups.callback(self.program.stop)
        self.program.until_ready(READY_LIMIT)

    def reload(self):
        self.done["reload"] += 1
        touch_one(self.task, self.done["reload"])
        self._add_one()
        self._ask_reload()

    def full_disk(self):
        """One more credential on a disk without a free block: the others go on."""
        self.done["full disk"] += 1
        self.disk.fill()
        try:
            self._add_one()
            self._ask_reload()
            # At first, and after a proof, no token has come to its time.
            expects = time.monotonic() > self.first_due
            before, seconds = self.count()["answered"], min(30, self.period / 2)
            self.watch(seconds)
            if expects and self.rate * seconds > 20 and self.count()["answered"] == before:
                self.broken.append("no refresh on a full disk")
        finally:
            self.disk.free()

    def kill(self):
        self.done["kill"] += 1
        repeated = self.count()["repeated"]
        begun = time.time()
        self.program.kill()
        self.run_program()
        self.downs.append((begun, time.time()))
        self.watch(min(5, self.period / 2))
        again = self.count()["repeated"] - repeated
        if again > MAX_IN_FLIGHT:
            self.broken.append("%d refresh tokens sent again after one kill" % again)
        # What is left in the counter was not after a kill.
        self.counts["repeated"], self.sent_again = repeated, self.sent_again + again

    def _add_one(self):
        number = sum(1 for _ in (self.folder / "conf.d").iterdir())
        name = "extra%04d" % number
        write_drop_in(self.task, 500_000 + number, {name: credential_of_ours(name)})
        self.task.names.append(name)

    def _ask_reload(self):
        seconds, status, body = self.program.ask("POST", "/v1/reload")
        self.slowest_reload = max(self.slowest_reload, seconds)
        if status != 200:
            raise CannotMeasure("reload: %d %s" % (status, body[:500]))

    # What is seen of it.

    def count(self):
        seen = self.server.window()
        for key in self.counts:
            self.counts[key] += seen[key]
        return dict(self.counts)

    def watch(self, seconds):
        """Samples the memory until the time has passed."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.program.look()
            self.memory.append((time.monotonic(), self.program.status("RssAnon")))
            time.sleep(min(1, left))

    @property
    def period(self):
        return max(3.0, self.options.minutes * 60 / 20)

    @property
    def rate(self):
        """Refreshes a second that are due, on average."""
        return len(self.task.names) / (sum(self.options.life) / 2) / REFRESH_AT

    def soak(self):
        begun = time.monotonic()
        self.run_program()
        first = time.monotonic() - begun
        self.first_due = time.monotonic() + first + REFRESH_AT * self.shortest
        self.readers.start()
        seconds = self.options.minutes * 60
        self.disturb([self.reload, self.full_disk, self.kill], 0.4 * seconds)
        self.prove()
        # Pages that this needed go back before memory is compared.
        self.watch(min(120, 0.1 * seconds))
        self.memory = []
        self.disturb([self.reload, self.full_disk], 0.5 * seconds)
        self.judge_memory()
        self.prove()
        self.readers.stop()
        self.count()
        self.judge()
        self.tell(first, time.monotonic() - begun)

    def disturb(self, actions, seconds):
        """One after the other, until the time has passed."""
        until, turn = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            action = actions[turn % len(actions)]
            self.history.append((time.time(), action.__name__))
            action()
            turn += 1
            self.watch(min(self.random.uniform(0.5, 1) * self.period, until - time.monotonic()))

    def prove(self):
        """Has every credential refresh once more: those that cannot are lost."""
        self.history.append((time.time(), "proof"))
        time.sleep(2)  # A refresh that was just made is not asked for again.
        asked_at = time.time()
        missing = self._not_since(asked_at)
        deadline = time.monotonic() + 60 + len(missing) / 50
        while missing and time.monotonic() < deadline:
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                list(pool.map(self._ask_refresh, missing[:4000]))
            missing = self._not_since(asked_at)
        if missing:
            self.broken.append("%d credentials are lost, such as %s: %s" % (
                len(missing), missing[0], self.of(missing[0])))
        # All have new tokens now: for a while none is due.
        self.first_due = time.monotonic() + REFRESH_AT * self.shortest + 5

    def _ask_refresh(self, name):
        with contextlib.suppress(OSError):
            self.program.ask("POST", "/v1/credentials/%s/refresh?wait=20" % name)

    def _not_since(self, moment):
        audit = self.server.audit()
        return [name for name in self.task.names if audit.get(name, [0, 0])[1] < moment * 1000]

    # What is said of it.

    def judge_memory(self):
        """A straight line through the least of each tenth of the time: what a reload needs for a
        moment is no growth."""
        share = max(1, len(self.memory) // 10)
        floors = [min(self.memory[start:start + share], key=lambda one: one[1])
                  for start in range(0, len(self.memory), share)]
        times, sizes = [when for when, _ in floors], [size for _, size in floors]
        line = statistics.linear_regression(times, sizes)
        noise = statistics.pstdev(
            [size - line.slope * when - line.intercept for when, size in floors])
        grown = line.slope * (times[-1] - times[0])
        # A noise of more than a tenth would hide what it is to show.
        noise = min(3 * noise, 0.1 * statistics.mean(sizes))
        allowed, target = (max(noise, share / 100 * statistics.mean(sizes), 1000)
                           for share in (SOAK_GROWTH_REACHED, SOAK_GROWTH_TARGET))
        self.memory_said = (
            "%.0f kB at last, %+.0f kB in %.0f s (%s; the limit is %.0f kB, the target %.0f kB)" % (
                sizes[-1], grown, times[-1] - times[0],
                "met" if grown <= target else "not met", allowed, target))
        if grown > allowed:
            self.broken.append("memory grows: " + self.memory_said)

    def is_excused(self, when):
        """A token that ended while the daemon was down for longer than what is left of one."""
        margin = self.shortest * (1 - REFRESH_AT) - 1
        return any(begin <= when <= end + margin and end - begin > margin
                   for begin, end in self.downs)

    def judge(self):
        if self.counts["twice"]:
            self.broken.append("%d spent refresh tokens were sent" % self.counts["twice"])
        if self.counts["repeated"]:
            self.broken.append(
                "%d refresh tokens were sent again without a kill" % self.counts["repeated"])
        held = [one for one in self.readers.trouble if not self.is_excused(one[1])]
        self.ended_while_down = len(self.readers.trouble) - len(held)
        if held:
            name, when, why = held[0]
            before = [(at, word) for at, word in self.history if at <= when] or self.history[:1]
            self.broken.append("%d tokens ended in their files, such as that of %s (%s), %.1f s "
                               "after %s began" % (len(held), name, why, when - before[-1][0],
                                                   before[-1][1]))

    def of(self, name):
        _, _, body = self.program.ask("GET", "/v1/credentials/" + name)
        return json.dumps(json.loads(body))[:600]

    def tell(self, first, seconds):
        print("%d credentials, lives of %d to %d s, %.0f s, seed %d" % (
            len(self.task.names), *self.options.life, seconds, self.options.seed))
        print("first start %.1f s; %d refreshes, %.1f a second" % (
            first, self.counts["answered"], self.counts["answered"] / seconds))
        print("; ".join("%s: %d" % pair for pair in self.done.items()))
        print("slowest reload %.2f s; down at most %.2f s in a kill and start" % (
            self.slowest_reload, max([end - begin for begin, end in self.downs], default=0)))
        print("sent again after kills: %d; spent and sent: %d" % (
            self.sent_again, self.counts["twice"]))
        print("token files: %d passes, the longest %.2f s; ended in a file: %d, of these while "
              "down too long: %d" % (self.readers.passes, self.readers.longest_pass,
                                     len(self.readers.trouble), self.ended_while_down))
        print("private memory: " + self.memory_said)


def parsed_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--credentials", type=int, default=20_000)
    parser.add_argument("--life", type=_range, default=(600, 3600), metavar="FROM-TO",
                        help="seconds that a token lives")
    parser.add_argument("--token-size", type=int, default=1024, help="bytes of each token")
    parser.add_argument("--kib-each", type=int, default=160,
                        help="room on the disk for each credential")
    parser.add_argument("--bin-dir", type=pathlib.Path, default=ROOT / ".build" / "release")
    parser.add_argument("--folder", type=pathlib.Path, help="where the disk's image lies")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    options.bin_dir = options.bin_dir.resolve()
    return options


def _range(text):
    shortest, longest = map(int, text.split("-"))
    if not 10 <= shortest <= longest:
        raise argparse.ArgumentTypeError("from 10 s up")
    return shortest, longest


def main():
    options = parsed_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        need({"go": "golang-go", "openssl": "openssl", "mkfs.ext4": "e2fsprogs",
              "mount": "mount"})
        with (tempfile.TemporaryDirectory(prefix="evertoken-soak.", dir=options.folder) as name,
              Cleanups() as cleanups):
            soak = Soak(options, pathlib.Path(name), cleanups)
            soak.soak()
    except CannotMeasure as reason:
        print("soak.py: %s" % reason, file=sys.stderr)
        return 2
    for sentence in soak.broken:
        print("BROKEN: " + sentence, file=sys.stderr)
    return 1 if soak.broken else 0


if __name__ == "__main__":
    sys.exit(main())
