"""The set-up of the isolation campaign: a hundred healthy credentials at two good providers, and
all attacks on their daemon.

EVERTOKEN_ISOLATION_ATTACKS names the attacks to be made, separated by commas: all of `ATTACKS`
if it is not set. One that is suspected can be tried alone.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from typing import Any, Callable, Optional

from evertest.basics import LIBRARY, at_end, wait_until
from evertest.disks.freezable import FreezableDisk
from evertest.isolation.endpoints import NAME_SERVER
from evertest.programs import PlainDaemon
from evertest.servers.token_server import TokenServer

HEALTHY = ["good%03d" % number for number in range(100)]
#: In seconds. A token is renewed after three quarters of its life, so each about every nine.
LIFETIME = 12
#: For what is due within a few seconds.
PATIENCE = 15
#: Attacks, and how many credentials each takes.
ATTACKS = {"bodies": 24, "drips": 8, "silence": 70, "names": 12, "disk": 8, "hooks": 20,
           "peers": 0, "commands": 10}
#: The shortest settings that the schema allows.
EAGER = {"min_interval": "0.5s", "retry": {"initial": "0.2s", "max": "1s"}}
HANGING_HOOKS = [["/bin/sleep", "600"],
                 ["/bin/sh", "-c", "sleep 600 & sleep 600 & sleep 600 & wait"]]
#: Shows the daemon another resolv.conf.
IN_NAMESPACE = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


def chosen_attacks() -> list[str]:
    wanted = os.environ.get("EVERTOKEN_ISOLATION_ATTACKS")
    names = list(ATTACKS) if wanted is None else [name for name in wanted.split(",") if name]
    unknown = set(names) - set(ATTACKS)
    if unknown:
        raise AssertionError("no such attack: %s" % ", ".join(sorted(unknown)))
    return names


class Provider(TokenServer):
    """A token server that remembers when each access token ends."""

    def __init__(self) -> None:
        super().__init__(lifetime=LIFETIME)
        self.ends: dict[str, float] = {}

    def _grant_tokens(self, exchange: Any, status: int) -> str:
        body = super()._grant_tokens(exchange, status)
        self.ends[exchange.access_token] = exchange.asked_at + self.lifetime
        return body


class Helper:
    """A module of this campaign as a process; it ends with this one, for its input does."""

    def __init__(self, case: Any, module: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, "-B",
             str(LIBRARY / "isolation" / (module + ".py")), *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        at_end(case, self.end)

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("%s ended before its time" % self.process.args)
        return line

    def finish(self) -> dict[str, int]:
        """Ends it; what it counted."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        counts: dict[str, int] = json.loads(self.line())
        self.end()
        return counts

    def end(self) -> None:
        """Twice is once."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


class World:
    """The providers, one daemon's directories, and its two configurations."""

    def __init__(self, case: Any, directory: pathlib.Path) -> None:
        directory.chmod(0o711)  # for the user nobody, who must reach the socket
        self.case, self.directory = case, directory
        self.providers = [Provider().start() for _ in range(2)]
        for provider in self.providers:
            at_end(case, provider.stop)
        # Programs that a killed daemon left running.
        at_end(case, self.kill_programs)
        self.metrics_port = free_port()
        self.healthy = {name: self.good(name, number) for number, name in enumerate(HEALTHY)}
        self.disk: Optional[FreezableDisk] = None
        self.helpers: list[Helper] = []
        self.daemon = PlainDaemon(case, directory, self.config({}, {}), {"HOME": str(directory)})

    def good(self, name: str, number: int) -> dict[str, Any]:
        server = number % len(self.providers)
        secret = "secret-of-" + name
        return {"provider": "as%d" % server, "client_id": name, "client_secret": secret,
                "refresh_token": self.providers[server].grant(name, secret),
                "refresh": {"min_interval": "0.5s", "at": "75%", "margin": "2s"}}

    def config(self, providers: dict[str, Any], credentials: dict[str, Any]) -> dict[str, Any]:
        """The healthy ones are the same in all."""
        good = {"as%d" % n: profile(server.url) for n, server in enumerate(self.providers)}
        return {"providers": good | providers, "credentials": self.healthy | credentials,
                "control": {"mode": "0666"},
                "metrics": {"listen": "127.0.0.1:%d" % self.metrics_port}}

    def ends(self, token: str) -> float:
        """When an access token ends at its server; one that no server knows has never lived."""
        return max(provider.ends.get(token, 0) for provider in self.providers)

    def waits(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits for it; whether it came true. A daemon that is slow to answer is asked again."""
        try:
            return wait_until(condition, seconds, "it", None, pause=0.25)
        except AssertionError:
            return False

    def is_healthy(self) -> bool:
        """Whether every healthy credential has a token that lives, and says so."""
        states = self.daemon.credentials()
        return all(states[name]["state"] in ("fresh", "refreshing") for name in HEALTHY)

    def attack(self, names: list[str]) -> None:
        """Starts the daemon again, with these attacks; it is left alone until the disk that is to
        be frozen has been written to, or for `PATIENCE` if that never comes."""
        endpoints = Helper(self.case, "endpoints", *names)
        self.helpers.append(endpoints)
        base = "http://127.0.0.1:%d/" % int(endpoints.line())
        if "disk" in names:
            self.disk = FreezableDisk(
                self.case, self.directory / "disk.img", self.directory / "disk")
            # A daemon that hangs there is killed after the thaw and before the unmount.
            at_end(self.case, self.daemon.close)
            at_end(self.case, self.disk.release)
        providers, credentials = self.hostile(base, names)
        self.daemon.configure(self.config(providers, credentials))
        if "names" in names:
            resolver = self.directory / "resolv.conf"
            resolver.write_text("nameserver %s\n" % NAME_SERVER)
            self.daemon.prefix = ["unshare", "--mount", "sh", "-c", IN_NAMESPACE, str(resolver)]
        self.daemon.start()
        if "peers" in names:
            self.helpers.append(Helper(
                self.case, "peers", self.daemon.socket, self.metrics_port))
        if self.disk is not None:
            self.waits(lambda: len(self.written_since(0)) == ATTACKS["disk"], PATIENCE)
            self.disk.freeze()

    def written_since(self, then: float) -> list[pathlib.Path]:
        """The files on the disk that have been written since a time of the wall clock."""
        assert self.disk is not None
        return [file for file in self.disk.mount_point.glob("disk*")
                if file.stat().st_mtime > then]

    def never_written_again(self) -> int:
        """Thaws the disk; how many of the credentials that write there do so no more."""
        if self.disk is None:
            return 0
        self.disk.thaw()
        # What hung wrote an older token at once; the next ones are due within seconds.
        then, all_of_them = time.time() + 2, ATTACKS["disk"]
        self.waits(lambda: len(self.written_since(then)) == all_of_them, PATIENCE)
        return all_of_them - len(self.written_since(then))

    def hostile(self, base: str, names: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The providers and the credentials of these attacks."""
        providers = {path: profile(base + path)
                     for path in ("bodies", "refusals", "drips", "silence", "short")}
        credentials: dict[str, Any] = {}
        for attack in names:
            for number in range(ATTACKS[attack]):
                name = "%s%02d" % (attack, number)
                entry = {"provider": attack if attack in providers else "short",
                         "client_id": name, "client_secret": "secret",
                         "refresh_token": "seed-of-" + name, "refresh": EAGER}
                if attack == "bodies" and number % 2:
                    entry["provider"] = "refusals"
                elif attack == "names":
                    providers[name] = profile("https://mute%d.example.test/token" % number)
                    entry["provider"] = name
                elif attack == "disk" and self.disk is not None:
                    entry["outputs"] = [{"path": str(self.disk.mount_point / name)}]
                elif attack == "hooks":
                    entry["on_change"] = [{"exec": HANGING_HOOKS[number % 2], "timeout": "60s"}]
                elif attack == "commands":
                    entry["client_secret"] = {"command": ["/bin/sleep", "600"]}
                credentials[name] = entry
        return providers, credentials

    def end_attack(self) -> dict[str, int]:
        """Ends the attackers; what they did."""
        counts: dict[str, int] = {}
        for helper in self.helpers:
            counts |= helper.finish()
        self.helpers = []
        return counts

    def programs(self, mark: bytes = b"") -> list[int]:
        """The processes that the daemon started for hooks and secrets, and their children; those
        with this mark in their environment."""
        place, found = os.fsencode(self.directory), []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == self.daemon.process.pid:
                continue
            try:
                environment = (entry / "environ").read_bytes()
                if place in environment and mark in environment:
                    found.append(int(entry.name))
            except OSError:
                pass  # it has ended
        return found

    def kill_programs(self) -> None:
        """Twice is once."""
        if self.daemon.process is None:
            return
        for pid in self.programs():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def profile(url: str) -> dict[str, Any]:
    return {"request": {"url": url, "client_auth": "client_secret_basic"}}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
