"""Streams without a reader, and signals: tests of `test_limits`."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import threading
import time
from typing import Any

from evertest.basics import at_end, wait_until
from evertest.faults.runs import FaultCase
from evertest.servers.token_server import Answer, boot_time

#: That come of themselves, or that a careless script sends.
STORM = (signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGWINCH, signal.SIGURG,
         signal.SIGCONT)
USERS = (signal.SIGUSR1, signal.SIGUSR2)


class Streaming(FaultCase):
    lifetime = 3

    def begin(self, *names: str) -> None:
        self.add(*(names or ("crm",)))
        self.daemon.start()
        for name in self.credentials:
            self.await_rotations(0, name)


class StandardError(Streaming):
    def full_pipe(self) -> tuple[int, int]:
        """A full pipe that no process reads."""
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b"x" * 512)
        except BlockingIOError:
            pass
        os.set_blocking(writing, True)
        for end in (reading, writing):
            at_end(self, close, end)
        return reading, writing

    def test_a_full_pipe_that_nobody_reads_stops_nothing(self) -> None:
        _, self.daemon.stderr_to = self.full_pipe()
        self.daemon.arguments = ("--log-level", "debug")
        self.begin()
        for _ in range(20):
            self.control.request("POST", "/v1/reload")
        self.await_rotations(2)
        self.assertLess(self.timed(self.stop), 10)
        self.assert_nothing_lost()

    def test_more_log_than_a_pipe_takes_stops_nothing_later_either(self) -> None:
        reading, self.daemon.stderr_to = os.pipe()
        for end in (reading, self.daemon.stderr_to):
            at_end(self, close, end)
        fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, 4096)
        self.begin()
        for _ in range(1500):
            self.control.request("POST", "/v1/reload")
        os.set_blocking(reading, False)
        self.await_rotations(2)
        self.assertGreater(len(os.read(reading, 65536)), 4000, "the pipe was not full")
        self.assertLess(self.timed(self.stop), 10)
        self.assert_nothing_lost()

    def test_a_reader_who_has_gone_ends_nothing(self) -> None:
        reading, self.daemon.stderr_to = os.pipe()
        at_end(self, close, self.daemon.stderr_to)
        self.begin()
        os.close(reading)
        self.control.request("POST", "/v1/reload")
        self.await_rotations(2)
        self.assert_lives_after_restart()

    def test_closed_from_the_start_no_file_of_the_daemon_takes_its_number(self) -> None:
        """Or else the log would be written into the state."""
        self.daemon.prefix = ("/bin/sh", "-c", 'exec "$0" "$@" 0<&- 1>&- 2>&-')
        self.begin()
        pid = self.daemon.process.pid
        for number in range(3):
            try:
                target = os.readlink("/proc/%d/fd/%d" % (pid, number))
            except FileNotFoundError:
                continue
            self.assertEqual(target, "/dev/null", "descriptor %d" % number)
        self.control.request("POST", "/v1/reload")
        self.await_rotations(2)
        self.assertEqual((self.daemon.state / ".lock").read_bytes(), b"")
        self.assert_lives_after_restart()

    def timed(self, function: Any) -> float:
        begun = time.monotonic()
        function()
        return time.monotonic() - begun


def close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass  # it was closed before


class NotifySocket(Streaming):
    def listen(self) -> socket.socket:
        path = self.folder / "notify"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        at_end(self, listener.close)
        listener.bind(str(path))
        self.daemon.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"}
        return listener

    def test_that_has_gone_stops_nothing(self) -> None:
        listener = self.listen()
        self.begin()
        listener.close()
        (self.folder / "notify").unlink()
        self.await_rotations(2)
        self.assert_lives_after_restart()

    def test_that_was_never_there_stops_nothing(self) -> None:
        self.listen().close()
        self.begin()
        self.await_rotations(2)
        self.assert_lives_after_restart()

    def test_that_is_full_stops_nothing(self) -> None:
        listener = self.listen()
        self.begin()  # its own messages fill the queue in a second or two
        time.sleep(2)
        goal = len(self.rotations()) + 3
        self.server.wait_for(lambda seen: len(seen) >= goal, timeout=15)
        self.assertTrue(self.is_full(listener), "there was still room for messages")
        self.stop()
        self.assert_nothing_lost()

    def is_full(self, listener: socket.socket) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as another:
            another.setblocking(False)
            try:
                another.sendto(b"STATUS=x", listener.getsockname())
            except BlockingIOError:
                return True
            return False


class Signals(Streaming):
    def test_a_storm_of_them_during_refreshes_ends_nothing_and_repeats_nothing(self) -> None:
        self.weather(STORM)

    def test_a_storm_of_user_signals_too(self) -> None:
        self.weather(USERS)

    def weather(self, signals: tuple[signal.Signals, ...]) -> None:
        self.begin("crm", "drive", "mail")
        process, sent, ended = self.daemon.process, [0], threading.Event()

        def storm() -> None:
            while not ended.is_set() and process.poll() is None:
                for number in signals:
                    process.send_signal(number)
                    sent[0] += 1
                time.sleep(0.002)

        thread = threading.Thread(target=storm)
        for name in self.credentials:
            self.server.plan(name, Answer(delay=0.5))
        thread.start()
        try:
            for name in self.credentials:
                self.await_rotations(3, name)
        finally:
            ended.set()
            thread.join()
        self.assertGreater(sent[0], 1000)
        print("signals: %d sent during %d refreshes" % (sent[0], len(self.server.exchanges())))
        self.assert_lives_after_restart()

    def test_a_stop_of_ten_seconds_is_made_up_for_at_once_and_nothing_is_sent_twice(self) -> None:
        names = ["account-%d" % number for number in range(8)]
        self.begin(*names)
        self.server.plan(names[0], Answer(delay=0.5))
        count = len(self.rotations(names[0]))
        self.server.wait_for(lambda seen: sum(e.client_id == names[0] for e in seen) > count)
        self.daemon.process.send_signal(signal.SIGSTOP)  # with one request on its way
        stopped_at = boot_time()
        time.sleep(1)  # what had left before it reaches the server
        counts = {name: len(self.rotations(name)) for name in names}
        time.sleep(9)
        self.assertEqual(counts, {name: len(self.rotations(name)) for name in names})
        self.daemon.process.send_signal(signal.SIGCONT)
        going_at = boot_time()
        self.assertGreater(going_at - stopped_at, 9)
        for name in names:
            wait_until(lambda: len(self.rotations(name)) > counts[name]
                       and self.token(name) == self.rotations(name)[-1].access_token,
                       10, "the refresh of " + name, self.daemon)
        late = [min(e.asked_at for e in self.rotations(name) if e.asked_at > going_at) - going_at
                for name in names]
        print("after ten seconds of SIGSTOP: refreshed within %.2f s" % max(late))
        self.assertLess(max(late), 3)
        self.assert_lives_after_restart()
