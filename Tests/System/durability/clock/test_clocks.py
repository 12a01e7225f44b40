"""The real daemon while its wall clock is stepped, drifts and stands still.

Clocks are made up by `Tests/Support/clock_shim.c` below the unchanged binary; servers count what
they are asked, in true time. Tokens that live for six seconds show a missed refresh, tokens that
live for an hour an extra one. Starts, reboots and suspends are in `test_clock_restarts`.

EVERTOKEN_CLOCK_TRIALS=N makes N random steps instead of 60 (ten a second); EVERTOKEN_SEED=S
repeats them. Needs root and, from Debian: gcc, libc6-dev, util-linux."""

import json
import os
import random
import time

from evertest.basics import wait_until
from evertest.clocks import A_WHILE, YEAR, ClockCase, tell
from evertest.servers.token_server import Answer
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.6)

Y2038, Y2106 = 2 ** 31, 2 ** 32


class TheShim(ClockCase):
    """The precondition of all other tests here."""

    def test_every_clock_of_the_daemon_is_the_tests_own(self):
        daemon = self.daemon("long-1", wall=Y2106 + YEAR)
        for word in ("wall_reads", "boot_reads", "monotonic_reads", "timers", "syncs"):
            self.assertGreater(self.clocks[word], 0, word)
        issued = json.loads(self.published("long-1", "token.json"))["issued_at"]
        for epoch in (daemon.status()["started_at"], issued):
            self.assertAlmostEqual(epoch, self.clocks.wall(), delta=15)

    def test_a_step_wakes_the_daemon_at_once_and_a_drift_does_not(self):
        daemon = self.daemon("long-1")
        self.assertEqual(self.clocks["watches"], 1, "the daemon does not watch for steps")
        due = daemon.credentials()["long-1"]["next_refresh_at"]
        for number in range(1, 4):
            self.clocks.step(YEAR)
            wait_until(lambda: self.clocks["cancellations"] == number, 2, "a wake", daemon)
        shown = daemon.credentials()["long-1"]["next_refresh_at"]
        self.assertAlmostEqual(shown - due, 3 * YEAR, delta=2)
        self.clocks.drift(1000)
        time.sleep(0.1)
        self.clocks.drift(1)
        self.assertEqual(self.clocks["cancellations"], 3)


class WallClockSteps(ClockCase):
    def tearDown(self):
        self.assert_no_problem()

    def assert_truthful(self, name, end):
        """Waits until token.json and status name the end that the token really has, by the wall
        clock that their readers have. `end` is on the true boot clock."""
        def difference():
            left = end - time.clock_gettime(time.CLOCK_BOOTTIME)
            said = json.loads(self.published(name, "token.json"))["expires_at"]
            status = self.observed.credentials()[name]["expires_at"]
            return max(abs(e - self.clocks.wall() - left) for e in (said, status))

        deadline = time.monotonic() + 3
        while difference() > 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertLessEqual(difference(), 3, "expires_at of %s is wrong by so many seconds\n%s" % (
            name, self.observed.report()))

    def end_of(self, name):
        """When the token that was asked for last ends, on the true boot clock."""
        return self.exchanges(name)[-1].asked_at + self.servers[name.split("-")[0]].lifetime

    def test_steps_to_all_ends_of_time_cause_no_request_and_miss_none(self):
        self.daemon("short-1", "long-1")
        now, uptime = time.time(), time.monotonic()
        places = [now + 10 * YEAR, now - 10 * YEAR, uptime, Y2038 - 0.6, Y2106 - 0.6, 9e9, now]
        for place in places:
            self.clocks.step_to(place)
            self.watch(0.9)
        for leap in (-1, 1, -1, 1, 3600, -3600):
            self.clocks.step(leap)
            self.watch(0.2)
        wait_until(lambda: self.clocks["cancellations"] == len(places) + 6, 2, "a wake for each",
                   self.observed)
        refreshes = self.assert_pace("short-1")
        self.assertGreaterEqual(refreshes, 3)
        self.assertEqual(self.count("long-1"), 1)
        tell("clock steps", steps=len(places) + 6, refreshes=refreshes, extra=0, missed=0)

    def test_a_start_without_a_hardware_clock_the_true_time_and_then_random_steps(self):
        seed = int(os.environ.get("EVERTOKEN_SEED", time.time_ns() % 1_000_000))
        trials = int(os.environ.get("EVERTOKEN_CLOCK_TRIALS", 60))
        chance, now = random.Random(seed), time.time()
        daemon = self.daemon("short-1", "short-2", "long-1", wall=time.monotonic() + 20)
        self.assertLess(daemon.status()["started_at"], YEAR)
        self.clocks.step_to(now)
        for _ in range(trials - 1):
            place = now + chance.uniform(-10, 10) * YEAR
            self.clocks.step_to(max(place, time.monotonic()))
            self.watch(0.1)
        self.assertEqual(self.clocks["jumps"], 1 + trials)
        self.assertGreaterEqual(self.clocks["cancellations"], trials * 0.9)
        refreshes = self.assert_pace("short-1") + self.assert_pace("short-2")
        self.assertEqual(self.count("long-1"), 1)
        tell("random clock steps", steps=trials, refreshes=refreshes, extra=0, missed=0, seed=seed)

    def test_a_wall_clock_that_runs_fast_slow_or_not_at_all_does_not_change_the_pace(self):
        self.daemon("short-1", "long-1")
        for factor in (1000, 0.5, 0):
            self.clocks.drift(factor)
            self.watch(1.6)
        self.assert_pace("short-1")
        self.assertEqual(self.count("long-1"), 1)

    def test_after_a_step_the_published_end_is_told_by_the_new_clock(self):
        daemon = self.daemon("long-1")
        for step in (10 * YEAR, -20 * YEAR, 10 * YEAR):
            self.clocks.step(step)
            self.assert_truthful("long-1", self.end_of("long-1"))
        self.assertEqual(self.count("long-1"), 1)
        self.assertFalse(daemon.died())

    def test_a_step_in_mid_request_leaves_the_answer_whole_and_its_end_true(self):
        self.daemon("long-1", "long-2")
        for number, step in enumerate((10 * YEAR, -10 * YEAR)):
            for name in ("long-1", "long-2"):
                self.servers["long"].plan(name, Answer(delay=1))
                self.order_refresh(name)
            self.servers["long"].wait_for(lambda seen: len(seen) == 4 + 2 * number)
            self.clocks.step(step)
            self.await_fresh("long-1", "long-2")
            self.watch(A_WHILE)
            for name in ("long-1", "long-2"):
                self.assertEqual(self.count(name), 2 + number)
                self.assert_truthful(name, self.end_of(name))

    def test_a_step_between_the_answer_and_its_publication_is_survived(self):
        self.daemon("long-1")
        for number, step in enumerate((10 * YEAR, -10 * YEAR), start=2):
            self.clocks["sync_delay"] = 500_000_000
            self.order_refresh("long-1")
            answered = self.servers["long"].wait_for(
                lambda seen: len(seen) == number and seen[-1].answered_at is not None)[-1]
            self.assertNotEqual(self.published("long-1", "token"), answered.access_token)
            self.clocks.step(step)
            self.clocks["sync_delay"] = 0
            self.await_fresh("long-1")
            self.watch(A_WHILE)
            self.assertEqual(self.count("long-1"), number)
            self.assert_truthful("long-1", self.end_of("long-1"))

    def test_a_retry_after_of_three_seconds_is_three_seconds_through_a_step_either_way(self):
        self.daemon("long-1", "long-2")
        for step, name in ((10 * YEAR, "long-1"), (-10 * YEAR, "long-2")):
            self.servers["long"].plan(name, Answer(status=429, headers={"Retry-After": "3"}))
            self.order_refresh(name)
            self.clocks.step(step)
        for name in ("long-1", "long-2"):
            wait_until(lambda: self.count(name) == 3, 8, "the retry", self.observed)
            refused, again = self.exchanges(name)[1:]
            self.assertGreaterEqual(again.asked_at - refused.asked_at, 2.9)
            self.assertLess(again.asked_at - refused.asked_at, 5)

    def test_an_absolute_end_is_measured_by_the_servers_clock_not_by_a_wrong_one(self):
        for wall in (time.monotonic() + 20, time.time() + 10 * YEAR):
            with self.subTest(wall=wall):
                self.setUp()
                body = {"access_token": "of-a-known-end", "token_type": "Bearer",
                        "expires_at": int(time.time()) + self.LONG}
                self.servers["long"].plan("long-1", Answer(body=json.dumps(body), rotate=False))
                daemon = self.daemon("long-1", wall=wall, expires=[
                    {"from": "/expires_at", "as": "epoch_seconds"}])
                due = daemon.credentials()["long-1"]["next_refresh_at"]
                self.assertAlmostEqual(due - self.clocks.wall(), 0.645 * self.LONG,
                                       delta=0.05 * self.LONG)
                self.assertEqual(self.count("long-1"), 1)
                daemon.terminate()
