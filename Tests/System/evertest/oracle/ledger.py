"""The record of a daemon that is killed: no refresh token that was on disk may be lost."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from typing import Any, Optional

from evertest.daemon import Daemon
from evertest.oracle.oracle_proxy import Exchange
from evertest.oracle.rotation import NEEDS_A_PERSON, Credential
from evertest.state_layout import slots_hold

STORED_WITHIN = 5.0  # seconds in which an answer must be on disk, on the slowest of machines


@dataclasses.dataclass
class Chain:
    """What one credential must do, given what the server gave it and what was on disk."""

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
        return slots_hold(self.copy / chain.name, chain.head)

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
