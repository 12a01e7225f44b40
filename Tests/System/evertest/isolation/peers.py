"""Hostile clients of a daemon's two listeners, as the user nobody, in a separate process.

    peers.py CONTROL_SOCKET METRICS_PORT

All are paced and at the lowest priority: they take the daemon's places, not the processors. The
process ends when its standard input does, and prints what it did.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import pwd
import resource
import select
import socket
import sys
import threading
import time
from typing import Callable

#: How many of each kind stay connected.
UNREAD, SILENT, SILENT_TCP, UNREAD_TCP = 300, 60, 40, 8
#: Of the whole process, a second; what a connection that was closed waits for its successor.
CONNECTIONS, FLOOD, REST = 60, 200, 1.0
STATUS = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
COUNTS: collections.Counter[str] = collections.Counter()


class Pace:
    """At most so many a second, for all threads together."""

    def __init__(self, rate: float) -> None:
        self.pause, self.next, self.lock = 1 / rate, time.monotonic(), threading.Lock()

    def wait(self) -> None:
        with self.lock:
            now = time.monotonic()
            self.next = max(now, self.next + self.pause)
            pause = self.next - now
        time.sleep(pause)


class Crowd:
    """So many connections that say something, or nothing, and never read; each that the daemon
    closes is opened again after a rest."""

    def __init__(self, name: str, count: int, words: bytes,
                 connect: Callable[[], socket.socket]) -> None:
        self.name, self.count, self.words, self.connect = name, count, words, connect
        self.open: dict[int, socket.socket] = {}
        self.poll = select.poll()
        self.rests: list[float] = [0.0] * count  # when each missing one may be opened

    def step(self, pace: Pace) -> None:
        """Opens what is missing and forgets what was closed."""
        now = time.monotonic()
        due = [time_ for time_ in self.rests if time_ <= now]
        self.rests = [time_ for time_ in self.rests if time_ > now]
        for number, _ in enumerate(due):
            pace.wait()
            try:
                self.add(self.connect())
            except OSError:
                COUNTS[self.name + " refused"] += 1
                self.rests += [time.monotonic() + REST] * (len(due) - number)
                break
        for descriptor, _ in self.poll.poll(0):
            self.poll.unregister(descriptor)
            self.open.pop(descriptor).close()
            self.rests.append(time.monotonic() + REST)

    def add(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.send(self.words)
        self.open[connection.fileno()] = connection
        self.poll.register(connection, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        COUNTS[self.name] += 1


def unix(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(2)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def tcp(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(2)
    try:
        connection.connect(("127.0.0.1", port))
    except OSError:
        connection.close()
        raise
    return connection


def flood(path: str) -> None:
    """Asks for the status over and over, and reads it."""
    pace = Pace(FLOOD)
    while True:
        pace.wait()
        with contextlib.suppress(OSError), contextlib.closing(unix(path)) as connection:
            connection.settimeout(20)
            connection.sendall(STATUS)
            first = part = connection.recv(1 << 18)
            while part:
                part = connection.recv(1 << 18)
            COUNTS["flood" if first.startswith(b"HTTP/1.1 200") else "flood refused"] += 1


def crowds(path: str, port: int) -> None:
    """Keeps all the crowds there."""
    pace = Pace(CONNECTIONS)
    kinds = [Crowd("silent", SILENT, b"", lambda: unix(path)),
             Crowd("silent tcp", SILENT_TCP, b"", lambda: tcp(port)),
             Crowd("unread tcp", UNREAD_TCP, METRICS, lambda: tcp(port)),
             Crowd("unread", UNREAD, STATUS, lambda: unix(path))]
    while True:
        for crowd in kinds:
            crowd.step(pace)
        time.sleep(0.05)


def main(path: str, port: int) -> None:
    os.nice(19)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    user = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    for body in (lambda: flood(path), lambda: crowds(path, port)):
        threading.Thread(target=body, daemon=True).start()
    sys.stdin.read()
    print(json.dumps(COUNTS), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
    os._exit(0)
