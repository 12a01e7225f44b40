"""Secrecy of the processes themselves: what /proc shows of them, what another process of the same
user may do to them, and what is left of one that crashes.

Needs root (to be another user, and to look at everything) and, from Debian: util-linux."""

import errno
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

from evertest.basics import at_end, wait_until
from evertest.programs import PLAIN_ENVIRONMENT
from evertest.secrecy.canaries import Vault
from evertest.secrecy.places import Verdict
from evertest.secrecy.processes import attack, core_files, descendants, snapshot, wait_status
from evertest.secrecy.world import AS_USER, World
from evertest.suite import Suite

SUITE = Suite(minutes=0.1)

#: Cores as large as they like, as a user may have set it.
UNLIMITED = ["prlimit", "--core=unlimited:unlimited"]
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGBUS, signal.SIGFPE,
           signal.SIGTRAP, signal.SIGQUIT)
#: What the shipped unit says.
UNIT = {"SWIFT_BACKTRACE": "enable=no"}


class ProcessCase(unittest.TestCase):
    """A daemon with a secret of each place, not under the tap: its tracer would be in the way."""

    def setUp(self):
        self.vault, self.verdict = Vault(), Verdict()
        self.world = World(self, self.vault)
        self.world.profile("basic", "client_secret_basic")
        for source in ("inline", "file", "env", "systemd", "command"):
            self.world.add(source, secret=self.world.secret(source))
        self.world.names = list(self.world.credentials)

    def start(self, **options):
        self.world.write_config()
        self.world.start(tap=False, **options)
        self.world.wait_for(self.world.names, lambda c: c["state"] == "fresh", "all tokens")
        return self.world.process.pid

    def search(self, place, pid, kinds=frozenset()):
        for page, data in snapshot(pid):
            self.verdict.add(self.vault, "%s of %s" % (page, place), data,
                             kinds if page == "environ" else frozenset())

    def assert_no_leak(self):
        self.assertGreater(self.verdict.bytes, 0)
        self.assertEqual(self.verdict.leaks, [])


class ProcTest(ProcessCase):
    def test_proc_shows_no_secret_of_the_daemon_a_hook_a_command_or_the_command_line(self):
        hold = self.directory_for_fifos()
        hook = self.world.program("hook", "read go < %s/hook" % hold)
        slow = self.world.program("slow", "read go < %s/slow" % hold,
                                  'cat "%s"' % self.world.private("slow", "x"))
        self.world.credentials["file"]["on_change"] = [{"exec": hook}]
        pid = self.start()
        self.world.add("slow", secret=("x", {"command": slow}))
        self.world.write_config()
        self.world.request("POST", "/v1/reload")
        children = wait_until(lambda: len(found := descendants(pid)) == 2 and found, 20,
                              "hook and command at once", self.world)
        for child in children:
            self.search("hook and command", child)
        # What the operator put into the environment is there, for root alone.
        self.search("daemon", pid, kinds={"client_secret"})
        self.assertEqual(self.verdict.allowed["environ of daemon", "client_secret"], 1)
        waiting = self.waiting_command_line()
        self.search("command line", waiting.pid)
        for name in ("hook", "slow"):
            (hold / name).write_text("go\n")
        waiting.communicate(timeout=30)
        self.assert_no_leak()
        print("\nsecrecy in /proc: %d pages of 4 kinds of processes, %d bytes, 0 leaks" % (
            len(self.verdict.places), self.verdict.bytes))

    def directory_for_fifos(self):
        """Where a program waits until it is told to go on."""
        hold = self.world.directory / "hold"
        hold.mkdir(mode=0o755)
        hold.chmod(0o755)
        for name in ("hook", "slow"):
            os.mkfifo(hold / name)
            (hold / name).chmod(0o666)
        return hold

    def waiting_command_line(self):
        """`evertoken login`, whose answer is long in coming; a token waits in its memory."""
        process = subprocess.Popen(
            [str(self.world.programs / "evertoken"), "import", "file"], text=True,
            env=PLAIN_ENVIRONMENT | {"EVERTOKEN_SOCKET": str(self.world.socket)},
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        at_end(self, process.kill)
        token = self.vault.new("imported", "IMP-RT")
        process.stdin.write('{"refresh_token": "%s"' % token)
        process.stdin.flush()
        wait_until(lambda: token_was_read(process.pid), 20, "a token in the command line's memory")
        return process

    def test_another_process_of_the_same_user_learns_nothing(self):
        victim = subprocess.Popen([*AS_USER, "sleep", "600"])
        at_end(self, victim.kill)
        pid = self.start()
        easy, hard = attack(AS_USER, victim.pid), attack(AS_USER, pid)
        victim.kill()
        victim.wait()
        # A stricter kernel may refuse some of it for any process.
        self.assertEqual((easy["environ"], easy["maps"], easy["fd"]), (0, 0, 0), easy)
        refused = {name: number for name, number in hard.items()
                   if number in (errno.EPERM, errno.EACCES)}
        self.assertEqual(refused, hard)
        self.assertEqual(set(hard), set(easy))
        self.assertEqual(pathlib.Path("/proc/%d/environ" % pid).stat().st_uid, 0)


def token_was_read(pid):
    """Whether a process waits in read(2) on its standard input, having read all that was there."""
    fields = pathlib.Path("/proc/%d/syscall" % pid).read_text().split()
    return fields[:2] == ["0", "0x0"] and pathlib.Path(
        "/proc/%d/wchan" % pid).read_text().startswith(("pipe", "anon_pipe"))


class CrashTest(ProcessCase):
    """A crash leaves no core, and prints nothing of what is in memory."""

    def crash(self, number, environment):
        """One daemon that dies of a signal; with its standard error."""
        self.world.environment = self.world.environment | environment
        pid = self.start_with_cores()
        os.kill(pid, number)
        status = wait_status(self.world.process)
        self.assertEqual(os.WTERMSIG(status), number)
        self.assertFalse(os.WCOREDUMP(status), signal.Signals(number).name)
        self.verdict.add(self.vault, "standard error", self.world.log.read_bytes() + b"\n")
        self.assertEqual(core_files(self.world.home, self.world.directory), [])

    def start_with_cores(self):
        self.world.write_config()
        command = [*UNLIMITED, *AS_USER, str(self.world.programs / "evertokend"), "--config",
                   str(self.world.config_file)]
        with open(self.world.log, "ab") as log:
            self.world.process = subprocess.Popen(
                command, cwd=self.world.home, env=self.world.environment, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL)
        self.world.processes.append(self.world.process)
        self.world.wait_for(self.world.names, lambda c: c["state"] == "fresh", "all tokens")
        return self.world.process.pid

    def assert_cores_are_made(self):
        """Another program, crashing the same way in the same place, does leave one."""
        pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
        if pattern.startswith(("|", "/")):
            return
        victim = subprocess.Popen([*UNLIMITED, *AS_USER, "sleep", "600"], cwd=self.world.home)
        at_end(self, victim.kill)
        wait_until(lambda: pathlib.Path("/proc/%d/comm" % victim.pid).read_text() == "sleep\n",
                   10, "sleep")
        victim.send_signal(signal.SIGSEGV)
        self.assertTrue(os.WCOREDUMP(wait_status(victim)))
        [core] = core_files(self.world.home)
        os.unlink(core)

    def test_the_daemon_leaves_no_core_and_says_nothing_whatever_the_signal(self):
        self.world.write_config()
        self.assert_cores_are_made()
        for number in CRASHES:
            self.crash(number, UNIT)
        self.crash(signal.SIGSEGV, {"SWIFT_BACKTRACE": ""})
        self.assert_no_leak()
        print("\nsecrecy of crashes: %d daemons crashed, %d bytes of standard error, 0 leaks" % (
            len(CRASHES) + 1, self.verdict.bytes))

    def test_the_limit_of_cores_is_zero_whatever_it_was(self):
        pid = self.start_with_cores()
        limits = pathlib.Path("/proc/%d/limits" % pid).read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")

    def test_no_handler_waits_for_a_crash(self):
        """No handler of Swift's, which would print memory behind registers, for any parent."""
        pid = self.start_with_cores()
        status = pathlib.Path("/proc/%d/status" % pid).read_text()
        caught = int(re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.M).group(1), 16)
        kept = [signal.Signals(n).name for n in CRASHES if caught >> (n - 1) & 1]
        self.assertEqual(kept, [])

    def test_no_backtracer_is_started_although_it_could_be_found(self):
        """Swift looks for it beside the program, and it prints what the registers point to. The
        unit forbids it; a daemon that is started by hand must do so itself."""
        found = self.world.directory / "libexec" / "swift" / "linux"
        found.mkdir(parents=True, mode=0o755)
        for folder in (found, *found.parents[:2]):
            folder.chmod(0o755)
        ran = self.world.home / "ran"
        self.world.program("backtrace", 'echo "$@" > %s' % ran)
        for name in ("swift-backtrace", "swift-backtrace-static"):
            shutil.copy(self.world.programs / "backtrace", found / name)
        pid = self.start_with_cores()
        os.kill(pid, signal.SIGSEGV)
        wait_until(lambda: ran.exists() or self.world.process.poll() is not None, 20, "its end")
        self.assertFalse(ran.exists(), "the backtracer was started")
        self.assertEqual(self.world.process.wait(10), -signal.SIGSEGV)

    def test_the_command_line_leaves_no_core_with_the_token_it_was_given(self):
        process = subprocess.Popen(
            [*UNLIMITED, *AS_USER, str(self.world.programs / "evertoken"), "import", "file"],
            cwd=self.make_private(), stdin=subprocess.PIPE, env=PLAIN_ENVIRONMENT | UNIT)
        at_end(self, process.kill)
        token = self.vault.new("imported", "IMP-RT")
        process.stdin.write(b'{"refresh_token": "%s"' % token.encode())
        process.stdin.flush()
        wait_until(lambda: token_was_read(process.pid), 20, "a token in the command line's memory")
        learnt = attack(AS_USER, process.pid)
        process.send_signal(signal.SIGSEGV)
        is_dumped = os.WCOREDUMP(wait_status(process))
        process.stdin.close()
        cores = core_files(self.world.home)
        held = [path for path in cores if token.encode() in pathlib.Path(path).read_bytes()]
        self.assertEqual((is_dumped, held), (False, []), "a core holds the refresh token")
        self.assertNotIn(0, learnt.values(), "its memory is open to other processes: %s" % learnt)

    def make_private(self):
        self.world.write_config()
        return self.world.home
