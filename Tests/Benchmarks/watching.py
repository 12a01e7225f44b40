"""A running program, seen from outside: processor time, memory, threads, readiness, its socket."""

import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "Measurements"), str(TESTS / "System")]

from evertest.daemon import UnixConnection  # noqa: E402
from programs import CannotMeasure, field  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def ask(path, method, target, timeout=120):
    """One request on a control socket: seconds until its last byte, status, bytes of the body."""
    begun = time.monotonic()
    connection = UnixConnection(path, timeout)
    try:
        connection.request(method, target)
        answer = connection.getresponse()
        body = answer.read()
        return time.monotonic() - begun, answer.status, body
    finally:
        connection.close()


class Program:
    """A program under measurement, and its children. Reading /proc does not wake it."""

    def __init__(self, start, folder):
        self.folder, self.log = folder, open(folder / "log", "ab")
        self.notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = folder / "notify"
        name.unlink(missing_ok=True)
        self.notifications.bind(str(name))
        self.ready_after = None
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "NOTIFY_SOCKET": str(name),
                       **start.environment}
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            start.argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env=environment, start_new_session=True)
        self.most_threads = self.most_private = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        """Notes when READY=1 comes; a queue that is not read would hold the program up."""
        while True:
            try:
                message = self.notifications.recv(65536)
            except OSError:
                return
            if not message:
                return  # The socket was shut down.
            if b"READY=1" in message.split(b"\n") and self.ready_after is None:
                self.ready_after = time.monotonic() - self.started

    def status(self, name):
        """The sum of a number in /proc/PID/status over the program and its children."""
        total = 0
        for pid in self.processes():
            try:
                total += field(pathlib.Path("/proc/%d/status" % pid), name)
            except (OSError, CannotMeasure):
                continue  # It has ended.
        return total

    def look(self):
        """Notes what only a look at the right moment sees; kB and threads."""
        self.most_threads = max(self.most_threads, self.status("Threads"))
        self.most_private = max(self.most_private, self.status("RssAnon"))

    def processes(self):
        """The program and its children; all of one session."""
        if self.process.poll() is not None:
            raise CannotMeasure("the program ended: " + self.last_lines())
        found = [self.process.pid]
        if len(os.listdir("/proc/%d/task" % found[0])) > 1:
            return found  # A program with threads has no children here.
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != found[0]:
                try:
                    if os.getsid(int(name)) == found[0]:
                        found.append(int(name))
                except OSError:
                    continue
        return found

    def processor_seconds(self):
        """Of the program and of its children, those that have ended included."""
        total = 0.0
        for pid in self.processes():
            try:
                # The kernel's clock of a process: CLOCK_PROCESS_CPUTIME_ID of another one, exact
                # where /proc/PID/stat has ticks of 10 ms.
                total += time.clock_gettime((~pid << 3) | 2)
                fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
                total += (int(fields[13]) + int(fields[14])) / TICKS
            except OSError:
                continue
        return total

    def ask(self, method, target):
        return ask(self.folder / "control.sock", method, target)

    def last_lines(self):
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def until_written(self, names, limit):
        """Seconds from the start until the token file of each is there."""
        missing, run = list(names), self.folder / "run"
        while missing:
            self.look()
            if time.monotonic() - self.started > limit:
                raise CannotMeasure("%d of %d token files are missing after %d s: %s" % (
                    len(missing), len(names), limit, self.last_lines()))
            while missing and (run / missing[-1] / "token").exists():
                missing.pop()
            time.sleep(0.02)
        return time.monotonic() - self.started

    def until_ready(self, limit):
        """Seconds from the start until READY=1."""
        while self.ready_after is None:
            self.look()
            if time.monotonic() - self.started > limit:
                raise CannotMeasure("no READY=1 after %d s: %s" % (limit, self.last_lines()))
            time.sleep(0.01)
        return self.ready_after

    def kill(self):
        """SIGKILL; returns once the kernel has released everything that the program held."""
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, 9)
            except ProcessLookupError:
                pass
        self.process.wait()
        self._release()

    def stop(self):
        """SIGTERM; SIGKILL after two minutes. Twice is once."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, 15)
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def _release(self):
        if not self.log.closed:
            self.notifications.shutdown(socket.SHUT_RDWR)
            self.notifications.close()
            self.log.close()
