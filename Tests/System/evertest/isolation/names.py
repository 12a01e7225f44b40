"""A daemon with a resolv.conf, hosts and nsswitch.conf of its own, and a name server."""

import contextlib
import os
import re
import socket
import struct
import threading

from evertest.basics import wait_until
from evertest.isolation.providers import IsolationCase

# Suites run beside each other, and port 53 is one.
NAME_SERVER = f"127.77.{os.getpid() // 250 % 250}.{1 + os.getpid() % 250}"
#: Any look-up takes longer than these tests do.
PATIENT = f"nameserver {NAME_SERVER}\noptions timeout:20 attempts:4\n"
MOUNT = """for name in resolv.conf hosts nsswitch.conf; do
    mount --bind "$0/$name" "$(readlink -f "/etc/$name")"
done
exec "$@"
"""
HOSTS = f"""127.0.0.1 localhost
::1 localhost
127.0.0.1 token.example.test
127.0.0.1 dotted.example.test.
::1 both.example.test
127.0.0.1 both.example.test
127.0.0.1 proxy.example.test
"""


class NameServer:
    """Port 53, UDP and TCP: no answer at all, or an IPv4 address for the names that begin with
    `known` and "no such name" for all others (RFC 1035 section 4.1)."""

    ADDRESS, NO_SUCH_NAME = 1, 3

    def __init__(self, *, is_mute):
        self.is_mute = is_mute
        self.questions = []  # (name, type), in the order they came
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((NAME_SERVER, 53))
        self._tcp = socket.create_server((NAME_SERVER, 53))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stopping = False

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._stopping = True
        with contextlib.suppress(OSError):  # twice is once
            self._udp.sendto(b"", (NAME_SERVER, 53))
        self._thread.join(10)
        self._udp.close()
        self._tcp.close()

    def _run(self):
        while True:
            data, sender = self._udp.recvfrom(4096)
            if self._stopping:
                return
            labels, at = [], 12
            while data[at]:
                labels.append(data[at + 1:at + 1 + data[at]].decode())
                at += 1 + data[at]
            name, kind = ".".join(labels).lower(), data[at + 2]
            self.questions.append((name, kind))
            if not self.is_mute:
                self._udp.sendto(self._answer(data[:2], data[12:at + 5], name, kind), sender)

    def _answer(self, number, question, name, kind):
        is_known = name.startswith("known")
        found = b""
        if is_known and kind == self.ADDRESS:
            found = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, 4) + bytes([127, 0, 0, 1])
        flags = 0x8180 | (0 if is_known else self.NO_SUCH_NAME)
        counts = struct.pack("!HHHHH", flags, 1, 1 if found else 0, 0, 0)
        return number + counts + question + found

    @property
    def asked(self):
        """The names that were asked for."""
        return {name for name, _ in self.questions}


class NamesCase(IsolationCase):
    """A daemon with name servers and names of its own."""

    is_mute = True

    def setUp(self):
        super().setUp()
        self.names = self.serve(NameServer(is_mute=self.is_mute))

    def isolated(self, providers, credentials, **more):
        daemon = super().isolated(providers, credentials, **more)
        places = self.directory / "etc"
        places.mkdir()
        for name, text in (("resolv.conf", PATIENT), ("hosts", HOSTS),
                           ("nsswitch.conf", "hosts: files dns\npasswd: files\ngroup: files\n")):
            (places / name).write_text(text)
        daemon.prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", MOUNT,
                         str(places)]
        return daemon

    def problem(self, daemon, name, wanted, timeout=30):
        """Waits until the last error of a credential speaks of this."""
        def look():
            error = daemon.credentials()[name]["last_error"]
            return error and re.search(wanted, error["problem"]) and error["problem"]

        return wait_until(look, timeout, f"{name}: {wanted}", daemon)
