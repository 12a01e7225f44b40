"""Observes a rotating daemon: what it publishes, what it sends, and what must hold.

The wire is recorded by `OracleProxy`, the published files by a thread that reads them all the time
and introspects each new token at the authorization server at once. The checks compare the two
records; the daemon's own status counts only where the status itself is tested.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import json
import pathlib
import threading
import time
from typing import Any, Callable, Optional

from evertest.basics import wait_until
from evertest.daemon import Daemon
from evertest.oracle.oracle_proxy import Exchange, OracleProxy
from evertest.servers.authorization import AuthorizationServer

NEEDS_A_PERSON = ("login_required", "misconfigured", "quarantined")


@dataclasses.dataclass(frozen=True)
class Credential:
    """One credential under test. Without a seed it is of the client_credentials grant."""

    name: str
    issuer: str
    seed: Optional[str]
    client: tuple[str, str]

    def config(self, directory: pathlib.Path, **more: Any) -> dict[str, Any]:
        entry = {"provider": self.issuer, "client_id": self.client[0],
                 "client_secret": self.client[1]} | more
        if self.seed:
            seed = directory / (self.name + ".seed")
            seed.touch(mode=0o600)
            seed.write_text(self.seed + "\n")
            entry["refresh_token"] = {"file": str(seed)}
        return entry


def sign_in(server: AuthorizationServer, issuers: tuple[str, ...], each: int) -> list[Credential]:
    """Signs in `each` times at every issuer, in this order; a credential for each grant."""
    def one(issuer: str, number: int) -> Credential:
        seed = server.login(issuer)["refresh_token"]
        return Credential("%s-%d" % (issuer, number), issuer, seed, server.web)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, [issuer for issuer in issuers for _ in range(each)],
                             list(range(1, each + 1)) * len(issuers)))


@dataclasses.dataclass
class Sighting:
    """A token seen for the first time in a published file, and the server's word on it."""

    name: str
    token: str
    seen: float
    active: Optional[bool] = None
    judged: float = 0.0


class PublishedFiles(threading.Thread):
    """Reads NAME/token and NAME/token.json of every credential some hundred times a second."""

    def __init__(self, tokens: pathlib.Path, credentials: list[Credential],
                 introspect: Callable[[Credential, str], bool]) -> None:
        super().__init__(name="published-files", daemon=True)
        self.tokens, self.credentials, self.introspect = tokens, credentials, introspect
        self.sightings: dict[tuple[str, str], Sighting] = {}
        self.sequence: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
        self.lapses: dict[tuple[str, str], float] = {}  # (name, what was wrong): since when
        self._seen: set[pathlib.Path] = set()
        self._over = threading.Event()
        self._judges = concurrent.futures.ThreadPoolExecutor(4)
        self._verdicts: list[concurrent.futures.Future[None]] = []

    def run(self) -> None:
        while not self._over.wait(0.008):
            for credential in self.credentials:
                self._look(credential)

    def stop(self) -> None:
        """Ends the watch; an introspection that failed is raised here."""
        self._over.set()
        if self.is_alive():
            self.join()
        self._judges.shutdown()
        for verdict in self._verdicts:
            verdict.result()

    def _look(self, credential: Credential) -> None:
        name = credential.name
        token = self._read(name, "token")
        self._note(name, "token", token)
        if token and (name, token) not in self.sightings:
            sighting = Sighting(name, token, time.time())
            self.sightings[name, token] = sighting
            self._verdicts.append(self._judges.submit(self._judge, credential, sighting))
        now = time.time()
        text = self._read(name, "token.json")
        if not text:
            return
        try:
            fields = json.loads(text)
            token, expiry = fields["access_token"], fields["expires_at"]
        except (ValueError, KeyError) as error:
            return self._lapse(name, "token.json is no token: %r in %r" % (error, text[:80]))
        self._note(name, "token.json", token)
        if expiry <= now:
            self._lapse(name, "token.json is stale: expires_at %s has passed" % expiry)

    def _read(self, name: str, file: str) -> Optional[str]:
        path = self.tokens / name / file
        try:
            text = path.read_text()
        except FileNotFoundError:
            if path in self._seen:
                self._lapse(name, file + " is missing")
            return None
        self._seen.add(path)
        if not text:
            self._lapse(name, file + " is empty")
        return text

    def _note(self, name: str, file: str, token: Optional[str]) -> None:
        if token and self.sequence[name, file][-1:] != [token]:
            self.sequence[name, file].append(token)

    def _lapse(self, name: str, what: str) -> None:
        self.lapses.setdefault((name, what), time.time())

    def _judge(self, credential: Credential, sighting: Sighting) -> None:
        sighting.active = self.introspect(credential, sighting.token)
        sighting.judged = time.time()


class RotationRun:
    """One daemon under observation, with everything needed to judge it afterwards."""

    def __init__(self, daemon: Daemon, proxies: list[OracleProxy], credentials: list[Credential],
                 introspect: Callable[[Credential, str], bool], access_ttl: int) -> None:
        self.daemon, self.proxies, self.credentials = daemon, proxies, credentials
        self.access_ttl, self.ended = access_ttl, float("inf")
        self.files = PublishedFiles(daemon.tokens, credentials, introspect)
        self.entries: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)

    def observe(self, goal: Callable[[], bool], limit: float) -> None:
        """Runs until `goal` holds. Whether it was reached in time is for the tests to say."""
        self.files.start()
        end = time.monotonic() + limit

        def over() -> bool:
            self._note_states()
            return goal() or self.daemon.died() or time.monotonic() > end

        wait_until(over, limit + 60, "the end of the observation", pause=0.1)
        self.ended = time.time()
        self.files.stop()

    def _note_states(self) -> None:
        status = self.daemon.try_status()
        for entry in status["credentials"] if status else []:
            history = self.entries[entry["name"]]
            if not history or history[-1] != entry:
                history.append(entry)

    def state(self, name: str) -> str:
        return self.entries[name][-1]["state"] if self.entries[name] else "(never in status)"

    def exchanges(self) -> dict[str, list[Exchange]]:
        """What came while observed, by credential: a chain of refresh tokens starts at a seed."""
        owner = {c.seed: c.name for c in self.credentials}
        result: dict[str, list[Exchange]] = {c.name: [] for c in self.credentials}
        for exchange in [e for proxy in self.proxies for e in proxy.exchanges]:
            name = owner.get(exchange.refresh_token)
            if name is None or exchange.received > self.ended:
                continue
            result[name].append(exchange)
            if exchange.new_refresh_token:
                owner[exchange.new_refresh_token] = name
        return result

    def refreshes(self) -> dict[str, int]:
        """By issuer, how many refreshes the server granted and the daemon received."""
        record = self.exchanges()
        result: dict[str, int] = collections.Counter()
        for credential in self.credentials:
            result[credential.issuer] += sum(
                e.status == 200 and e.delivered for e in record[credential.name])
        return result

    def asked_too_late(self, sighting: Sighting, source: Exchange) -> bool:
        """Whether a token from the answer `source` may rightly have been inactive when judged.

        A server may count whole seconds (a life of N s is N-1 to N s), and may end the old access
        token as soon as it gives a new one.
        """
        replaced = any(e.status == 200 and e.access_token != sighting.token
                       and e.number > source.number and e.received < sighting.judged
                       for e in self.exchanges()[sighting.name])
        return replaced or sighting.judged > source.answered_at + self.access_ttl - 1

    def first_refusal(self, name: str) -> float:
        """When the server first refused this credential; the end of time if it never did."""
        return min((e.received for e in self.exchanges()[name]
                    if e.status is not None and 400 <= e.status < 500), default=float("inf"))


class RotationChecks:
    """What holds for every issuer; a test case inherits it and sets `observed` in setUpClass."""

    observed: RotationRun
    at_least: dict[str, int]
    may_end: tuple[str, ...] = ()  # issuers that let a refresh token die

    def test_each_issuer_refreshed_as_often_as_asked(self) -> None:
        run = self.observed
        self.assertFalse(run.daemon.died(), run.daemon.report())
        counts = run.refreshes()
        print("\n%s: refreshes %s, tokens published %d" % (
            type(self).__name__, dict(counts), len(run.files.sightings)))
        for issuer, least in self.at_least.items():
            self.assertGreaterEqual(counts[issuer], least, "%s\n%s" % (
                issuer, run.daemon.report()))

    def test_every_published_token_is_accepted_by_the_server(self) -> None:
        record, late, refused = self.observed.exchanges(), [], []
        for sighting in self.observed.files.sightings.values():
            source = next((e for e in record[sighting.name] if e.access_token == sighting.token),
                          None)
            self.assertIsNotNone(source, "%s: published a token that the server never gave it: "
                                 "%s..." % (sighting.name, sighting.token[:12]))
            if not sighting.active:
                account = "%s: seen %.3f s, judged %.3f s after the answer" % (
                    sighting.name, sighting.seen - source.answered_at,
                    sighting.judged - source.answered_at)
                asked_late = self.observed.asked_too_late(sighting, source)
                (late if asked_late else refused).append(account)
        self.assertEqual(refused, [], "published, but not accepted by the server")
        self.assertLessEqual(len(late), len(self.observed.files.sightings) // 20,
                             "too many tokens were published too late to be judged: %s" % late)

    def test_every_answer_that_arrived_is_published(self) -> None:
        for name, exchanges in self.observed.exchanges().items():
            seen = {token for owner, token in self.observed.files.sightings if owner == name}
            arrived = [e for e in exchanges if e.status == 200 and e.delivered]
            for exchange in arrived[:-1]:  # the last may have come as the watch ended
                self.assertIn(exchange.access_token, seen, "%s: the answer to request %d was "
                              "never in NAME/token" % (name, exchange.number))

    def test_no_refresh_token_is_ever_in_two_requests_at_once(self) -> None:
        for proxy in self.observed.proxies:
            self.assertEqual(proxy.max_in_flight(), 1, [
                e for e in proxy.exchanges if e.refresh_token and e.in_flight > 1])

    def test_the_published_files_are_never_missing_empty_or_stale(self) -> None:
        files, lapses = self.observed.files, []
        for credential in self.observed.credentials:
            self.assertTrue(files.sequence[credential.name, "token.json"],
                            "%s was never published\n%s" % (
                                credential.name, self.observed.daemon.report()))
            refusal = self.observed.first_refusal(credential.name)
            lapses += ["%s: %s" % (name, what) for (name, what), since in files.lapses.items()
                       if name == credential.name and since < refusal]
        self.assertEqual(lapses, [])

    def test_no_published_token_is_older_than_one_seen_before(self) -> None:
        for name, exchanges in self.observed.exchanges().items():
            age = {e.access_token: e.number for e in reversed(exchanges) if e.access_token}
            for file in ("token", "token.json"):
                order = [age.get(token) for token in self.observed.files.sequence[name, file]]
                self.assertNotIn(None, order, "%s/%s: not a token of the server" % (name, file))
                self.assertEqual(order, sorted(set(order)), "%s/%s went back" % (name, file))

    def test_only_a_refresh_token_that_ended_needs_a_person(self) -> None:
        for credential in self.observed.credentials:
            allowed = ("login_required",) if credential.issuer in self.may_end else ()
            wrong = [entry for entry in self.observed.entries[credential.name]
                     if entry["state"] in NEEDS_A_PERSON and entry["state"] not in allowed]
            self.assertEqual(wrong, [], self.observed.daemon.stderr()[-4000:])

    def test_no_token_or_secret_reaches_the_log(self) -> None:
        log = self.observed.daemon.stderr()
        secrets = {c.client[1] for c in self.observed.credentials}
        for exchange in [e for proxy in self.observed.proxies for e in proxy.exchanges]:
            secrets |= {exchange.refresh_token, exchange.new_refresh_token, exchange.access_token}
        for secret in filter(None, secrets):
            self.assertNotIn(secret, log, "a secret is in the daemon's log")
