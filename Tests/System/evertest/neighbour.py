"""A well-behaved provider beside hostile ones, and a watch on what is published of it."""

import time

from evertest.servers.raw_server import RawServer, answer
from evertest.wire import granting


class Neighbour:
    """A well-behaved server of tokens that live two seconds, and whether what is published of them
    is ever older than that; beside it the daemon's resident memory, all the time."""

    LIFETIME = 2

    def __init__(self):
        self.server = RawServer(self._issue)
        self.issued = {}  # token -> when the request for it had been read
        self.looks, self.stale, self.memory = 0, [], []

    def _issue(self, connection):
        connection.read_request()
        number = len(self.issued) + 1
        self.issued[f"at-{number}"] = time.monotonic()
        connection.send(answer(200, granting(number, lifetime=self.LIFETIME)))

    def watch(self, daemon, stop):
        status = f"/proc/{daemon.process.pid}/status"
        while not stop.wait(0.02):
            now = time.monotonic()
            token = (daemon.tokens / "neighbour" / "token").read_text()
            age = now - self.issued[token]
            self.looks += 1
            if age > self.LIFETIME:
                self.stale.append((token, round(age, 3)))
            with open(status, encoding="ascii") as lines:
                size = next(line for line in lines if line.startswith("VmRSS:"))
            self.memory.append(int(size.split()[1]) * 1024)
