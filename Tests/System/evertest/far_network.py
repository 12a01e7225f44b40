"""A network of two hosts: this one, and a namespace where programs under test run. The link between
them can be cut and restored; packets sent meanwhile are dropped without notice.

Needs root and, from Debian: iproute2, util-linux (nsenter)."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any, Optional

from evertest.basics import at_end, wait_until

#: The states of proc_net_tcp(5) in which a kernel may still send what it was given.
SENDING = {"01", "04", "06", "08", "09", "0B"}

#: Connects to an address, says so, waits for a line, sends it, and stays.
CLIENT = """import socket, sys, time
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("connected", flush=True)
connection.sendall(sys.stdin.readline().encode())
print("sent", flush=True)
time.sleep(600)
"""


class FarNetwork:
    """`here` and `there` are the addresses of both ends; `prefix` runs a program over there."""

    def __init__(self, case: Any) -> None:
        self.case = case
        number = os.getpid() % 16384
        # A block for benchmarks between hosts (RFC 2544): no other network uses it.
        block = "198.18.%d" % (number >> 6)
        self.here = "%s.%d" % (block, (number & 63) * 4 + 1)
        self.there = "%s.%d" % (block, (number & 63) * 4 + 2)
        self.name, self._device = "evertoken%d" % os.getpid(), "evt%d" % os.getpid()
        at_end(case, self.remove)
        self._ip("netns", "add", self.name)
        self._ip("link", "add", self._device, "type", "veth", "peer", "name", "far",
                 "netns", self.name)
        self._ip("address", "add", self.here + "/30", "dev", self._device)
        self._ip("-n", self.name, "address", "add", self.there + "/30", "dev", "far")
        for device in ("lo", "far"):
            self._ip("-n", self.name, "link", "set", device, "up")
        self.mend()
        self._introduce()
        self.prefix = ["nsenter", "--net=/run/netns/" + self.name]

    def _ip(self, *arguments: str) -> None:
        program = shutil.which("ip", path=os.environ["PATH"] + ":/usr/sbin:/sbin") or "ip"
        done = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=30)
        if done.returncode != 0:
            raise AssertionError("ip %s: %s" % (" ".join(arguments), done.stderr))

    def _introduce(self) -> None:
        """Each end knows the other for good. A kernel that has to look for it would keep packets
        until it finds it, for seconds, whatever becomes of the sockets that sent them."""
        near = pathlib.Path("/sys/class/net", self._device, "address").read_text().strip()
        self._ip("-n", self.name, "neighbor", "add", self.here, "lladdr", near, "dev", "far",
                 "nud", "permanent")

    def cut(self) -> None:
        """The link is down: nothing passes in either direction."""
        self._ip("link", "set", self._device, "down")

    def mend(self) -> None:
        self._ip("link", "set", self._device, "up")

    def remove(self) -> None:
        """The link goes with the namespace's end of it."""
        if pathlib.Path("/run/netns", self.name).exists():
            self._ip("link", "delete", self._device)
            self._ip("netns", "delete", self.name)

    def client(self, port: int) -> "FarClient":
        """A program over there that is connected to a port of this host."""
        return FarClient(self, port)

    def queues(self, port: int) -> list[tuple[int, int]]:
        """Of each connection from over there to a port here that may still send: how many bytes
        its kernel has yet to deliver, and how many its program has yet to read."""
        table = subprocess.run([*self.prefix, "cat", "/proc/net/tcp"], capture_output=True,
                               text=True, timeout=30, check=True).stdout
        found = []
        for line in table.splitlines()[1:]:
            fields = line.split()
            if int(fields[2].split(":")[1], 16) == port and fields[3] in SENDING:
                sent, received = fields[4].split(":")
                found.append((int(sent, 16), int(received, 16)))
        return found


class FarClient:
    """A program whose kernel may continue to send after its death."""

    def __init__(self, network: FarNetwork, port: int) -> None:
        self._process = subprocess.Popen(
            [*network.prefix, sys.executable, "-c", CLIENT, network.here, str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        at_end(network.case, self.kill)
        self._expect("connected")

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line != word + "\n":
            raise AssertionError("the far client says %r, not %r" % (line, word))

    def send(self, text: str) -> None:
        """Gives a line to its kernel."""
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()
        self._expect("sent")

    def kill(self) -> None:
        """kill -9."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def wait_for_queue(network: FarNetwork, port: int, side: int, least: int, what: str,
                   witness: Optional[Any] = None) -> None:
    """Waits until a connection has so many bytes to deliver (side 0) or to read (side 1)."""
    wait_until(lambda: any(one[side] >= least for one in network.queues(port)), 10, what, witness,
               pause=0.02)
