"""kill -9 at random moments loses no refresh token that was on disk.

Ten credentials rotate against Glewlwyd, whose refresh tokens are good for one use and whose answer
to a second use is to end the grant. The daemon is killed and restarted over and over. A sign-in is
allowed for one reason only: the server had rotated and the new token was in no slot when the
daemon died. The proxy's record and a copy of the slots, taken between death and restart, decide.

Environment: EVERTOKEN_SEED repeats the choice of moments; EVERTOKEN_ROTATIONS (200) and
EVERTOKEN_KILLS (30) are how many to reach at least.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import sys
import time
import unittest
from typing import Any, Optional

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.oracle.oracle_proxy import Exchange, OracleProxy
from evertest.oracle.rotation import NEEDS_A_PERSON, Credential, sign_in
from evertest.servers.authorization import Glewlwyd

ACCESS_TTL = 2
CREDENTIALS = 10
ROTATIONS = int(os.environ.get("EVERTOKEN_ROTATIONS", "200"))
KILLS = int(os.environ.get("EVERTOKEN_KILLS", "30"))
LIMIT = 60 + ROTATIONS * 1.5  # seconds
STORED_WITHIN = 5.0  # seconds in which an answer must be on disk, on the slowest of machines


@dataclasses.dataclass
class Chain:
    """What one credential must do, by the server's answers and the disk."""

    name: str
    head: str  # the only refresh token that the server will take
    source: Optional[Exchange] = None  # the answer that brought `head`; None for a sign-in
    acknowledged: bool = False  # a sign-in that the daemon said it has adopted
    uses: int = 0  # requests the server granted since the last kill
    cut_off_at: Optional[int] = None  # the kill at which `head` was nowhere on disk


class Ledger:
    """Follows every chain through the record and fails at the first broken promise."""

    def __init__(self, credentials: list[Credential], daemon: Daemon) -> None:
        self.chains = {c.name: Chain(c.name, c.seed or "") for c in credentials}
        self.owner = {c.seed: c.name for c in credentials}
        self.daemon, self.copy = daemon, daemon.directory / "slots-at-last-kill"
        self.read: set[int] = set()
        self.kills = self.interrupted = self.lost = 0

    def catch_up(self, exchanges: list[Exchange]) -> None:
        """Reads what is finished. Within one chain the order is that of the wire."""
        for exchange in exchanges:
            if exchange.finished is None or exchange.number in self.read:
                continue
            self.read.add(exchange.number)
            name = self.owner.get(exchange.refresh_token)
            if name is None:
                raise AssertionError("a refresh token that no answer brought: %s" % exchange)
            self._check(self.chains[name], exchange)

    def _check(self, chain: Chain, exchange: Exchange) -> None:
        if exchange.rotated:
            self.owner[exchange.new_refresh_token] = chain.name
        if chain.cut_off_at is not None:
            return  # it can only try with what it has, and be refused
        if exchange.refresh_token != chain.head:
            self._fail(chain, "asked with an older refresh token, though the newest was on disk "
                       "at every kill: request %d" % exchange.number, exchange)
        if not exchange.rotated:
            self._fail(chain, "the server did not rotate a refresh token never used before: "
                       "request %d" % exchange.number, exchange)
        chain.head, chain.source = exchange.new_refresh_token or "", exchange
        chain.uses += 1

    def examine_kill(self) -> None:
        """Copies and reads the slots of every credential while no daemon runs."""
        self.kills += 1
        shutil.rmtree(self.copy, ignore_errors=True)
        if self.daemon.state.exists():
            shutil.copytree(self.daemon.state, self.copy)
        for chain in self.chains.values():
            chain.uses = 0
            if chain.cut_off_at is not None or self._is_on_disk(chain):
                continue
            if chain.source is not None:
                self._check_interruption(chain, chain.source)
                chain.cut_off_at = self.kills
                self.interrupted += 1
            elif chain.acknowledged:
                self._fail(chain, "an imported refresh token is in no slot after kill %d"
                           % self.kills, None)
            # Else it is the seed, not adopted yet, and still in its file.

    def _is_on_disk(self, chain: Chain) -> bool:
        slots = [self.copy / chain.name / slot for slot in ("slotA", "slotB")]
        return any(chain.head.encode() in slot.read_bytes() for slot in slots if slot.exists())

    def _check_interruption(self, chain: Chain, source: Exchange) -> None:
        """A token may be missing on disk only if its answer had just come, or never came."""
        waited = time.time() - (source.finished or 0.0)
        if waited > STORED_WITHIN:
            self._fail(chain, "not in any slot %.1f s after it was answered" % waited, source)
        file = self.daemon.tokens / chain.name / "token"
        if file.exists() and file.read_text() == source.access_token:
            self._fail(chain, "the access token was published before the refresh token that came "
                       "with it was in a slot", source)

    def needs_a_person(self, entry: dict[str, Any]) -> bool:
        """Whether to sign in again; fails if there is no good reason, or the status gives none."""
        chain = self.chains[entry["name"]]
        if entry["state"] not in NEEDS_A_PERSON:
            return False
        if chain.cut_off_at is None:
            self._fail(chain, "state %s, though its newest refresh token was on disk at every kill"
                       % entry["state"], chain.source, entry)
        error = entry.get("last_error") or {}
        problem = str(error.get("problem")).lower()
        if (entry["state"] != "login_required" or error.get("class") not in ("reauth", "ambiguous")
                or not ("answer" in problem or "interrupted" in problem)):
            self._fail(chain, "the status does not say that kill %d cut off a request: expected "
                       "login_required, class reauth or ambiguous, and a problem that speaks of "
                       "an answer or of being interrupted" % chain.cut_off_at, chain.source, entry)
        return True

    def signed_in(self, name: str, refresh_token: str) -> None:
        self.owner[refresh_token] = name
        self.chains[name] = Chain(name, refresh_token, acknowledged=True)

    def _fail(self, chain: Chain, what: str, exchange: Optional[Exchange],
              entry: Optional[dict[str, Any]] = None) -> None:
        self.lost += 1
        raise AssertionError("%s: %s\n  refresh token %s...\n  exchange %s\n  status %s" % (
            chain.name, what, chain.head[:12], exchange, json.dumps(entry)))


class KillTest(unittest.TestCase):
    def setUp(self) -> None:
        self.seed = int(os.environ.get("EVERTOKEN_SEED") or random.SystemRandom().randrange(10**6))
        self.random, hold = random.Random(self.seed), random.Random(self.seed + 1)
        directory = temporary_directory(self)
        self.server = Glewlwyd(self, ACCESS_TTL)
        # Answers take a moment, as they do on a real network: there is a time to be killed in.
        self.proxy = OracleProxy(self.server.base, str(directory / "exchanges.jsonl"),
                                 hold=lambda exchange: hold.uniform(0, 0.03)).start()
        at_end(self, self.proxy.stop)
        credentials = sign_in(self.server, ("rotate",), CREDENTIALS)
        self.daemon = Daemon(self, directory, {
            "providers": {"rotate": {"request": {
                "url": self.proxy.base + "/api/rotate/token",
                "client_auth": "client_secret_basic"}}},
            "credentials": {c.name: c.config(directory) for c in credentials}})
        self.ledger = Ledger(credentials, self.daemon)

    def test_a_kill_loses_no_refresh_token_that_was_on_disk(self) -> None:
        print("\nEVERTOKEN_SEED=%d" % self.seed)
        end = time.monotonic() + LIMIT
        try:
            self.daemon.start()
            while self.proxy.rotations() < ROTATIONS or self.ledger.kills < KILLS:
                if time.monotonic() > end:
                    self.fail("not enough within %g s\n%s" % (LIMIT, self.daemon.report()))
                self.run_for_a_while()
                self.kill_and_restart()
            wait_until(self.all_have_rotated_since_the_last_kill, 60,
                       "every credential to rotate after the last kill", self.daemon)
            self.assertEqual(self.daemon.terminate(), 0, self.daemon.report())
            self.proxy.wait_settled()
            self.ledger.catch_up(self.proxy.exchanges)
            self.assertEqual(self.proxy.max_in_flight(), 1)
        except BaseException:
            print(self.daemon.report(), file=sys.stderr)
            raise
        finally:
            print("kills %d, rotations %d, interrupted %d, lost %d" % (
                self.ledger.kills, self.proxy.rotations(), self.ledger.interrupted,
                self.ledger.lost))

    def run_for_a_while(self) -> None:
        """Ends at a random moment: any, just after a request was sent, or while starting."""
        choice = self.random.random()
        pause, near, early = (self.random.uniform(*limits) for limits in (
            (0.1, 1.2), (0.0, 0.06), (0.0, 0.15)))
        if choice < 0.2:
            time.sleep(early)
            return
        wait_until(lambda: self.daemon.try_status() is not None, 20,
                   "an answer on the control socket", self.daemon, pause=0.01)
        if choice < 0.6:
            self.sign_in_where_needed()
            self.proxy.wait_for_arrival(ACCESS_TTL)
            time.sleep(near)
            return
        end = time.monotonic() + pause
        while time.monotonic() < end:
            self.sign_in_where_needed()
            time.sleep(max(0.0, min(0.1, end - time.monotonic())))

    def kill_and_restart(self) -> None:
        self.assertFalse(self.daemon.died(), "it ended by itself\n" + self.daemon.report())
        self.daemon.kill()
        # What the dead daemon had sent is still on its way: the server's word on it counts.
        self.proxy.wait_settled()
        self.ledger.catch_up(self.proxy.exchanges)
        self.ledger.examine_kill()
        self.daemon.start(wait=False)

    def sign_in_where_needed(self) -> None:
        for entry in self.daemon.status()["credentials"]:
            if self.ledger.needs_a_person(entry):
                tokens = self.server.login("rotate")
                self.ledger.catch_up(self.proxy.exchanges)  # the refusal belongs to the old chain
                self.ledger.signed_in(entry["name"], tokens["refresh_token"])
                self.daemon.sign_in(entry["name"], tokens)

    def all_have_rotated_since_the_last_kill(self) -> bool:
        self.sign_in_where_needed()
        self.ledger.catch_up(self.proxy.exchanges)
        return all(chain.uses > 0 and chain.cut_off_at is None
                   for chain in self.ledger.chains.values())


if __name__ == "__main__":
    unittest.main()
