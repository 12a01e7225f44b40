"""kill -9 at random moments loses no refresh token that was on disk.

Ten credentials rotate against Glewlwyd, whose refresh tokens are good for one use and whose answer
to a second use is to end the grant. The daemon is killed and restarted over and over. A sign-in is
allowed for one reason only: the server had rotated and the new token was in no slot when the
daemon died. The proxy's record and a copy of the slots, taken between death and restart, decide.

Environment: EVERTOKEN_SEED repeats the choice of moments; EVERTOKEN_ROTATIONS (200) and
EVERTOKEN_KILLS (30) are how many to reach at least.
"""

from __future__ import annotations

import os
import random
import sys
import time
import unittest

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.oracle.ledger import Ledger
from evertest.oracle.oracle_proxy import OracleProxy
from evertest.oracle.rotation import sign_in
from evertest.servers.authorization import Glewlwyd
from evertest.suite import Suite

SUITE = Suite(minutes=0.6)

ACCESS_TTL = 2
CREDENTIALS = 10
ROTATIONS = int(os.environ.get("EVERTOKEN_ROTATIONS", "200"))
KILLS = int(os.environ.get("EVERTOKEN_KILLS", "30"))
LIMIT = 60 + ROTATIONS * 1.5  # seconds


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
