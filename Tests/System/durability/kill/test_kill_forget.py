"""`forget` killed at every boundary of its system calls: whatever is left, a daemon that starts on
it sends no refresh token that is spent, and a second `forget` finishes.

The initial token in the configuration is spent, and the server would end the whole sign-in."""

import hashlib
import os
import shutil
import subprocess

from evertest.basics import BIN
from evertest.programs import PLAIN_ENVIRONMENT, PlainDaemon, ProgramCase, evertoken
from evertest.state_layout import MARK, ORIGIN, SLOTS
from evertest.suite import Suite
from evertest.tracing.kill_trace import Trace, build_tracer

SUITE = Suite(minutes=0.4)

#: What only looks; a kill between two of them leaves the same.
LOOKS = ("read", "pread64", "lseek", "fstat", "newfstatat", "fstatfs", "getdents64", "fgetxattr",
         "flistxattr", "faccessat", "access", "close")


def sequence(slot):
    """Of the newest record of a slot's file, as its attribute remembers it."""
    return max(int(name.rsplit(".", 1)[1]) for name in os.listxattr(slot)
               if name.startswith(MARK))


class KilledForget(ProgramCase):
    def setUp(self):
        super().setUp()
        self.entry = self.credential("crm")
        daemon = self.daemon({"crm": self.entry}, place="model")
        daemon.wait_for("crm", "fresh")
        for _ in range(2):
            self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        self.assertEqual(daemon.terminate(), 0)
        self.model = daemon
        self.asked = len(self.server.exchanges())
        self.tracer = build_tracer(self.directory)

    def copy(self, name):
        """The same state in a place of its own, and a daemon that does not run there."""
        folder = self.directory / name
        folder.mkdir(mode=0o700)
        # Without the note of where it was made: a copy would be quarantined.
        shutil.copytree(self.model.state, folder / "state",
                        ignore=shutil.ignore_patterns(ORIGIN))
        return PlainDaemon(self, folder, self.config({"crm": self.entry}), {})

    def forget(self, daemon, *options):
        report = daemon.directory / "report"
        subprocess.run(
            [self.tracer, "--out", report, "--within", str(daemon.directory) + "/", *options, "--",
             BIN / "evertoken", "forget", "crm", "--yes", "--offline", "--config",
             daemon.config_file], env=PLAIN_ENVIRONMENT, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=False)
        return Trace(report)

    @staticmethod
    def left(daemon):
        """What is on the disk, in one word."""
        digest = hashlib.sha256()
        for path in sorted(daemon.state.rglob("*")):
            content = path.read_bytes() if path.is_file() else b""
            digest.update(("%s %d " % (path.relative_to(daemon.state), len(content))).encode())
            digest.update(content)
        return digest.hexdigest()

    def examine(self, daemon, step):
        """A daemon on what is left, and then a second try."""
        daemon.start()
        state = daemon.wait_for_any("crm", ("fresh", "login_required", "quarantined"))
        daemon.evertoken("refresh", "crm", "--wait") if state != "fresh" else None
        self.assertEqual(len(self.server.exchanges()), self.asked, "%s: %s was sent" % (
            step, self.server.exchanges()[-1].refresh_token))
        self.assertEqual(daemon.terminate(), 0)
        done = evertoken("forget", "crm", "--yes", "--config", str(daemon.config_file))
        self.assert_exit(done, 0)
        token = self.server.live_refresh_token("crm").encode()
        self.assertFalse([path for path in daemon.state.rglob("*")
                          if path.is_file() and token in path.read_bytes()], str(step))
        daemon.start()
        daemon.wait_for("crm", "login_required")
        self.assertEqual(len(self.server.exchanges()), self.asked, str(step))
        self.assertEqual(daemon.terminate(), 0)
        return state

    def test_whatever_is_left_no_spent_token_is_sent(self):
        whole = self.copy("whole")
        trace = self.forget(whole)
        self.assertEqual((trace.end, trace.status), ("ended", 0))
        self.assertFalse((whole.state / "crm").exists())
        labels = {}
        for step in trace.steps:
            label = "\t".join((step.call, "exit" if step.is_exit else "entry", step.path))
            labels[step] = label.replace(str(whole.directory), "${DIR}")
        counted, seen, states = {}, set(), set()
        for number, step in enumerate(trace.steps):
            label = labels[step]
            counted[label] = counted.get(label, 0) + 1
            if step.call in LOOKS or "/state" not in step.path:
                continue
            with self.subTest(label, number=counted[label]):
                daemon = self.copy("killed-%d" % number)
                label = label.replace("${DIR}", str(daemon.directory))
                killed = self.forget(daemon, "--on", label, "--kill-at",
                                     str(counted[labels[step]]))
                self.assertEqual(killed.end, "killed", "the boundary was not met")
                left = self.left(daemon)
                if left not in seen:
                    seen.add(left)
                    states.add(self.examine(daemon, label))
            shutil.rmtree(self.directory / ("killed-%d" % number), ignore_errors=True)
        # It was killed before it did anything, and after it had done all.
        self.assertLessEqual({"fresh", "login_required"}, states)
        self.assertGreater(len(seen), 5)
        calls = {step.call for step in trace.steps}
        self.assertTrue({"fsync", "unlinkat"} <= calls, calls)
        self.assertTrue(any("rename" in call for call in calls), calls)

    def test_the_traces_are_on_the_disk_before_a_slot_is_touched_and_the_newest_goes_last(self):
        daemon = self.copy("order")
        newest = max((sequence(daemon.state / "crm" / name), name) for name in SLOTS)
        trace = self.forget(daemon)
        trace_at = [i for i, s in enumerate(trace.steps)
                    if s.is_exit and s.call.startswith("rename") and s.result >= 0]
        directory_at = [i for i, s in enumerate(trace.steps)
                        if s.is_exit and s.call == "fsync" and i > trace_at[0]]
        writes = [i for i, s in enumerate(trace.steps)
                  if s.call in ("pwrite64", "write", "unlinkat")
                  and s.path.endswith(SLOTS)]
        self.assertLess(trace_at[0], directory_at[0])
        self.assertLess(directory_at[0], writes[0])
        self.assertTrue(trace.steps[writes[-1]].path.endswith(newest[1]))
        self.assertFalse(trace.steps[writes[0]].path.endswith(newest[1]))
