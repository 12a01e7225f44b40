"""Daemons with the shipped profiles, and proxies that play every provider for them."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import subprocess
import threading
from typing import Any, Optional

from evertest.basics import BIN, at_end, wait_until
from evertest.daemon import Daemon
from evertest.profiles.catalogue import Documented, Keys, spread, wire
from evertest.servers.certificates import Authority, context
from evertest.servers.recording_proxy import RecordingProxy, Seen, http_answer
from evertest.state_layout import ORIGIN

UNDOCUMENTED = http_answer(404, {}, b"no documentation names this place")
#: Longer than all requests of one daemon take, in seconds.
LIMIT = 30


@dataclasses.dataclass(frozen=True)
class Refused:
    """The outcome of one documented error."""

    documented: Documented
    error: dict[str, Any]
    status: dict[str, Any]
    token_file: str
    seen: list[Seen]

    def __str__(self) -> str:
        return f"{self.documented.name}: {self.error['status']} {self.error['body']!r}"


class World:
    """The data of all runs: CA, keys, and which profiles can share a daemon."""

    def __init__(self, case: Any, directory: pathlib.Path, names: list[str]) -> None:
        self.case, self.directory = case, directory
        self.documented = {name: Documented(name) for name in names}
        self.keys = Keys(directory)
        authority = Authority(directory)
        hosts = sorted(set().union(*(one.hosts for one in self.documented.values())))
        self.ca_file = str(authority.certificate)
        self.context = context(authority.server(names=",".join("DNS:" + host for host in hosts)))
        groups = enumerate(spread(self.documented.values()))
        self.first = [FirstTokens(self, f"{number}", group) for number, group in groups]

    def errors(self) -> int:
        return max(len(one.errors) for one in self.documented.values())


class Run:
    """One daemon whose way out is one proxy; a host belongs to one credential."""

    def __init__(self, world: World, place: str, group: list[Documented]) -> None:
        self.world, self.group = world, {one.name: one for one in group}
        self.hosts = {host: one for one in group for host in one.hosts}
        self.directory = world.directory / place
        self.directory.mkdir(mode=0o700)
        self.proxy = RecordingProxy(world.context, self.respond).start()
        at_end(world.case, self.proxy.stop)
        credentials = {one.name: one.entry(world.keys, self.directory) for one in group}
        config = {"proxy": self.proxy.url, "ca_file": world.ca_file, "credentials": credentials}
        self.daemon = Daemon(world.case, self.directory, config)

    def respond(self, seen: Seen) -> Optional[bytes]:
        raise NotImplementedError

    def documented(self, seen: Seen) -> tuple[Optional[Documented], Optional[int]]:
        """Whose request it is, and which exchange."""
        one = self.hosts.get(seen.host)
        return one, one.exchange_at(seen.url) if one else None

    def seen(self, name: str) -> list[Seen]:
        """The requests to the hosts of this profile."""
        return [each for each in self.proxy.seen if each.host in self.group[name].hosts]

    def settle(self, is_settled: Any, what: str) -> dict[str, dict[str, Any]]:
        """Waits until this holds for each credential's status; then, or when it has been waited
        for long enough, all of them: the tests say which are not as they should be."""
        try:
            wait_until(lambda: all(map(is_settled, self.daemon.credentials().values())), LIMIT,
                       what, self.daemon)
        except AssertionError:
            if self.daemon.died():
                raise
        return self.daemon.credentials()

    def token_file(self, name: str, file: str) -> str:
        path = self.daemon.tokens / name / file
        return path.read_text() if path.exists() else "(none)"


class FirstTokens(Run):
    """From the seed to the first token: every provider answers as its documentation shows."""

    def respond(self, seen: Seen) -> Optional[bytes]:
        one, index = self.documented(seen)
        if one is None or index is None:
            return UNDOCUMENTED
        return wire(one.exchanges[index]["answer"])

    def finish(self) -> None:
        """Waits for all tokens, remembers what is to be seen of them, and stops in order."""
        self.states = self.settle(
            lambda entry: entry["state"] == "fresh" or entry["last_error"], "all tokens")
        self.shown = subprocess.run(
            [BIN / "evertoken", "status", "--json", "--socket", self.daemon.socket],
            capture_output=True, text=True, timeout=30, check=True).stdout
        self.files = {name: {path.name: path.read_text() for path in
                             self.daemon.tokens.glob(f"{name}/*")} for name in self.group}
        self.exit_status = self.daemon.terminate()


class Refusals(Run):
    """The next refresh of a first run's credentials, each refused by one of its documented errors.

    It goes on from a copy of that run's state, so that no error meets what another one left; only
    where the refused request is not made again while its earlier answer lasts, it starts without.
    Requests of a credential after its refusal are recorded and get no answer, so that a retry
    changes nothing while the tests read the status.
    """

    def __init__(self, first: FirstTokens, number: int) -> None:
        self.number, self.lock, self.over = number, threading.Lock(), threading.Event()
        self.refused: set[str] = set()
        group = [one for one in first.group.values() if len(one.errors) > number]
        super().__init__(first.world, f"{first.directory.name}-{number}", group)
        others = [name for name in first.group if name not in self.group]
        stateless = [one.name for one in group
                     if one.is_cached(one.errors[number].get("exchange", 0))]
        for source, copy, without in (
                (first.daemon.state, self.daemon.state, others + stateless),
                (first.daemon.tokens, self.daemon.tokens, others)):
            # Without the note of where it was made: a copy would be quarantined.
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns(ORIGIN, *without))
        at_end(first.world.case, self.over.set)

    def respond(self, seen: Seen) -> Optional[bytes]:
        one, index = self.documented(seen)
        if one is None or index is None:
            return UNDOCUMENTED
        error = one.errors[self.number]
        with self.lock:
            is_over = one.name in self.refused
            if not is_over and index < error.get("exchange", 0):
                return wire(one.exchanges[index]["answer"])
            self.refused.add(one.name)
        if not is_over:
            return wire(error)
        self.over.wait(LIMIT * 2)
        return None

    def order(self) -> None:
        """Wants every token renewed now. Where the provider wants longer between two refreshes
        than a test has, the refresh token is brought again, as if its owner had signed in anew."""
        self.daemon.start()
        self.settle(lambda entry: entry["state"] != "pending" or entry["last_error"],
                    "what the state holds")
        for name, one in self.group.items():
            if one.waits:
                self.daemon.sign_in(name, {"refresh_token": one.next_refresh_token})
                continue
            code, reply = self.daemon.request("POST", f"/v1/credentials/{name}/refresh")
            if code >= 300:
                raise AssertionError(f"refresh of {name}: {code} {reply}")

    def finish(self) -> list[Refused]:
        states = self.settle(
            lambda entry: entry["last_error"] or entry["refreshes"] > 1, "all refusals")
        # A new start follows at once, and is to be seen.
        again = [name for name, entry in states.items()
                 if (entry["last_error"] or {}).get("class") == "reacquire"]
        wait_until(lambda: all(len(self.seen(name)) > 1 for name in again), LIMIT,
                   f"{again} to start over", self.daemon)
        result = [Refused(one, one.errors[self.number], states[name],
                          self.token_file(name, "token.json"), self.seen(name))
                  for name, one in self.group.items()]
        self.stderr = self.daemon.stderr()
        self.daemon.kill()
        self.over.set()
        self.proxy.stop()
        shutil.rmtree(self.directory)
        return result
