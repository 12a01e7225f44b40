"""kill -9 between two steps loses no refresh token, and none that was on disk at any other moment.

The first step spends a refresh token that is good for one use; the second one is held by the server
while the daemon is killed. By then the new refresh token is on disk, or the promise is broken: the
second step must not be asked for before. A kill while the first step is asked for may cut off an
answer that never reached the disk: the server had rotated, the copy of the slots taken between
death and restart does not have the new token, and a sign-in is then allowed. Those are counted
apart.

Environment: EVERTOKEN_SEED repeats the choice of moments; EVERTOKEN_STEP_KILLS (80) is how many
kills to reach at least, a quarter of them with a second step held.
"""

from __future__ import annotations

import os
import random
import sys
import time
import unittest

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.oracle.ledger import Chain, Ledger
from evertest.oracle.oracle_proxy import Exchange
from evertest.oracle.rotation import Credential
from evertest.servers.two_step_server import CLIENT, Call, TwoStepServer
from evertest.steps import StepsCase, rotating
from evertest.suite import Suite

SUITE = Suite(minutes=0.4)

CREDENTIALS = 6
KILLS = int(os.environ.get("EVERTOKEN_STEP_KILLS", "80"))
LIMIT = 60 + KILLS * 2.0  # seconds
TOKEN_LIFE = "2s"  # renewed after about one
# Each kill that cut off a second step counts as a failure; the wait after many is not the matter.
PROMPT = {"retry": {"initial": "0.5s", "max": "2s"}}


class StepLedger(Ledger):
    """Also follows the outcome of second steps."""

    def __init__(self, credentials: list[Credential], daemon: Daemon,
                 server: TwoStepServer) -> None:
        super().__init__(credentials, daemon)
        self.server = server
        self.between = self.held = 0  # kills after a first step's answer and before a second's
        self.examined_at = 0.0

    def examine_kill(self) -> None:
        self.between += any(self._is_between(chain) for chain in self.chains.values())
        super().examine_kill()
        self.examined_at = time.time()

    def _is_between(self, chain: Chain) -> bool:
        """Whether this kill came between the steps of this chain; not an earlier one."""
        source = chain.source
        return (source is not None and source.delivered and source.received > self.examined_at
                and not any(call.delivered for call in self._second_steps(source)))

    def _second_steps(self, source: Exchange) -> list[Call]:
        return [call for call in self.server.calls("login")
                if call.presented == source.access_token]

    def _check_interruption(self, chain: Chain, source: Exchange) -> None:
        """Asking for the second step says that the first one's answer is safe."""
        second = self._second_steps(source)
        if second:
            self._fail(chain, "the second step was asked for before the first one's refresh token "
                       "was in a slot: request %d" % second[0].number, source)
        super()._check_interruption(chain, source)


class StepKillTest(unittest.TestCase):
    def setUp(self) -> None:
        self.seed = int(os.environ.get("EVERTOKEN_SEED") or random.SystemRandom().randrange(10**6))
        self.random, delay = random.Random(self.seed), random.Random(self.seed + 1)
        # Answers take a moment, as they do on a real network: there is a time to be killed in.
        self.server = TwoStepServer(delay=lambda call: delay.uniform(0, 0.02))
        at_end(self, self.server.stop)
        names = ["crm-%d" % number for number in range(1, CREDENTIALS + 1)]
        credentials = [Credential(name, "two", self.server.grant(name),
                                  (CLIENT["client_id"], CLIENT["client_secret"])) for name in names]
        directory = temporary_directory(self)
        self.daemon = Daemon(self, directory, {
            "providers": {"two": rotating(self.server.base, lifetime=TOKEN_LIFE)},
            "credentials": {c.name: c.config(directory, refresh=PROMPT) for c in credentials}})
        self.ledger = StepLedger(credentials, self.daemon, self.server)

    def test_a_kill_loses_no_refresh_token_that_was_on_disk(self) -> None:
        print("\nEVERTOKEN_SEED=%d" % self.seed)
        end = time.monotonic() + LIMIT
        try:
            self.daemon.start()
            while self.ledger.kills < KILLS or self.ledger.held < KILLS // 4:
                if time.monotonic() > end:
                    self.fail("not enough within %g s\n%s" % (LIMIT, self.daemon.report()))
                self.run_for_a_while()
                self.kill_and_restart()
            wait_until(self.all_have_rotated_since_the_last_kill, 60,
                       "every credential to rotate after the last kill", self.daemon)
            self.assertEqual(self.daemon.terminate(), 0, self.daemon.report())
            self.catch_up()
            self.assert_every_chain_is_alive()
            self.assertGreaterEqual(self.ledger.between, self.ledger.held)
        except BaseException:
            print(self.daemon.report(), file=sys.stderr)
            raise
        finally:
            print("kills %d, between the steps %d (%d of them held there), rotations %d, "
                  "interrupted %d, lost %d" % (
                      self.ledger.kills, self.ledger.between, self.ledger.held,
                      self.server.rotations(), self.ledger.interrupted, self.ledger.lost))

    def run_for_a_while(self) -> None:
        """Ends at a random moment: while starting, with a second step held, around a first step's
        request or answer, or any."""
        choice = self.random.random()
        start, moment, near = (self.random.uniform(0, limit) for limit in (0.15, 0.8, 0.04))
        if choice < 0.15:
            time.sleep(start)
            return
        wait_until(lambda: self.daemon.try_status() is not None, 20,
                   "an answer on the control socket", self.daemon, pause=0.01)
        self.sign_in_where_needed()
        if choice < 0.5:
            self.wait_between_the_steps()
            time.sleep(self.random.choice((0, near)))
        elif choice < 0.7:
            self.wait_for_first_step(lambda call: True)
            time.sleep(near)
        elif choice < 0.85:
            # The answer has just left: the daemon is about to write it down.
            self.wait_for_first_step(lambda call: call.finished is not None)
            time.sleep(near / 10)
        else:
            time.sleep(moment)

    def wait_between_the_steps(self) -> None:
        """Waits for a second step's request, which gets no answer."""
        self.server.trap("login")
        end = time.monotonic() + 10
        while (call := self.server.wait_trapped(0.2)) is None:
            # What makes the others wait may be that a person is needed.
            self.sign_in_where_needed()
            if time.monotonic() > end:
                self.fail("no second step within 10 s\n" + self.daemon.report())
        self.assertEqual(call.step, "login")
        self.ledger.held += 1

    def wait_for_first_step(self, condition) -> None:
        """Waits until one more first step meets the condition; not for long, if none does."""
        def count(calls: list[Call]) -> int:
            return sum(call.step == "oauth" and condition(call) for call in calls)

        before = count(self.server.calls())
        self.server.wait_for(lambda calls: count(calls) > before, 1.5)

    def kill_and_restart(self) -> None:
        self.assertFalse(self.daemon.died(), "it ended by itself\n" + self.daemon.report())
        self.daemon.kill()
        self.server.spring()
        self.catch_up()
        self.ledger.examine_kill()
        self.daemon.start(wait=False)

    def catch_up(self) -> None:
        # What a dead daemon had sent is still on its way: the server's word on it counts.
        self.server.wait_settled()
        self.ledger.catch_up(self.server.calls("oauth"))

    def sign_in_where_needed(self) -> None:
        for entry in self.daemon.status()["credentials"]:
            if self.ledger.needs_a_person(entry):
                self.ledger.catch_up(self.server.calls("oauth"))  # the refusal is the old chain's
                token = self.server.grant(entry["name"])
                self.ledger.signed_in(entry["name"], token)
                self.daemon.sign_in(entry["name"], {"refresh_token": token})

    def all_have_rotated_since_the_last_kill(self) -> bool:
        self.sign_in_where_needed()
        self.ledger.catch_up(self.server.calls("oauth"))
        return all(chain.uses > 0 and chain.cut_off_at is None
                   for chain in self.ledger.chains.values())

    def assert_every_chain_is_alive(self) -> None:
        """No old refresh token was ever shown, and what is published is a second step's; the very
        last may have come as the daemon was stopping."""
        for name, chain in self.ledger.chains.items():
            self.assertEqual(self.server.live(name), chain.head, self.daemon.report())
            sessions = [call.given for call in self.server.calls("login", name) if call.delivered]
            published = (self.daemon.tokens / name / "token").read_text()
            self.assertIn(published, sessions[-2:], "%s: not the newest session" % name)


class StepStopTest(StepsCase):
    """SIGTERM is no kill: what is under way is finished."""

    left: str  # what is published after the stop
    found: str  # and after the start

    def stop_while_held(self, step: str) -> None:
        """Stops the daemon while the server holds a request of this step, and starts it again."""
        self.start(rotating(self.serve().base, lifetime="1h"), "crm")
        self.wait_state("crm", "fresh")
        self.server.trap(step)
        self.refresh("crm")
        self.assertIsNotNone(self.server.wait_trapped(10), self.daemon.report())
        self.daemon.process.terminate()
        wait_until(lambda: "Stopping" in self.daemon.stderr(), 10, "the daemon to be stopping")
        self.assertIsNone(self.daemon.process.poll(), "it did not wait for the answer")
        self.server.spring()
        self.assertEqual(self.daemon.terminate(), 0, self.daemon.report())
        self.left = self.published("crm")["access_token"]
        self.daemon.start()
        self.wait_state("crm", "fresh")
        self.found = self.published("crm")["access_token"]
        asked = len(self.server.calls("oauth"))
        self.refresh("crm")
        self.wait_calls("oauth", asked + 1)
        self.wait_state("crm", "fresh")
        self.assert_chain_whole("crm")

    def test_a_stop_during_the_first_step_keeps_its_refresh_token(self) -> None:
        self.stop_while_held("oauth")

    def test_a_stop_during_the_second_step_keeps_its_token(self) -> None:
        self.stop_while_held("login")
        held = self.server.calls("login")[1]
        self.assertTrue(held.delivered)
        self.assertEqual(self.found, held.given)
        self.assertEqual(self.left, held.given, "kept from its readers until the next start")
