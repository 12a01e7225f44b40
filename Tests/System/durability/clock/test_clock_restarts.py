"""The real daemon across starts, restarts, reboots, suspends and stops of its process.

As in `test_clocks`, whose other half this is, the clocks are those of Tests/Support/clock_shim.c; a
reboot is another boot_id and clocks that begin anew. Once, a time namespace of the kernel takes
the place of the shim. Needs root and, from Debian: gcc, libc6-dev, procps, util-linux."""

import itertools
import json
import os
import pathlib
import signal
import subprocess
import time

from evertest.basics import wait_until
from evertest.clocks import A_WHILE, YEAR, ClockCase, tell
from evertest.servers.token_server import Answer
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.4)


class StartsAndRestarts(ClockCase):
    def tearDown(self):
        self.assert_no_problem()

    def restart_with_step(self, daemon, step):
        daemon.terminate()
        self.clocks.step(step)
        daemon.start()
        self.await_fresh("long-1")
        self.watch(A_WHILE)

    def test_a_restart_across_a_step_of_the_same_boot_asks_nothing(self):
        daemon = self.daemon("long-1")
        for step in (10 * YEAR, -20 * YEAR, 10 * YEAR, -60):
            self.restart_with_step(daemon, step)
            self.assertEqual(self.count("long-1"), 1, "after a step of %g s" % step)

    def test_a_restart_after_the_boot_clock_went_on_for_hours_asks_once(self):
        daemon = self.daemon("long-1")
        daemon.terminate()
        self.clocks.suspend(7200)
        daemon.start()
        self.await_fresh("long-1")
        self.watch(A_WHILE)
        self.assertEqual(self.count("long-1"), 2)

    def test_after_a_reboot_with_the_right_time_nothing_is_asked(self):
        daemon = self.daemon("long-1")
        daemon.reboot(time.time() + 60)
        self.await_fresh("long-1")
        self.watch(A_WHILE)
        self.assertEqual(self.count("long-1"), 1)
        end = json.loads(self.published("long-1", "token.json"))["expires_at"]
        self.assertAlmostEqual(end, self.clocks.wall() + self.LONG - 60, delta=5)

    def test_after_a_reboot_with_a_wrong_time_it_asks_once_and_the_right_time_costs_nothing(self):
        for wall in (30, time.time() - 3 * YEAR, time.time() + 10 * YEAR):
            with self.subTest(wall=wall):
                self.setUp()
                daemon = self.daemon("long-1")
                daemon.reboot(wall)
                wait_until(lambda: self.count("long-1") == 2, 5, "a refresh", daemon)
                self.await_fresh("long-1")
                self.clocks.step_to(time.time())
                self.watch(A_WHILE)
                self.assertEqual(self.count("long-1"), 2)
                daemon.terminate()

    def test_two_boots_without_a_hardware_clock_are_not_taken_for_one_minute(self):
        daemon = self.daemon("long-1", wall=time.monotonic() + 20)
        daemon.reboot(wall=self.clocks.wall() + 60)  # in truth three days may have passed
        wait_until(lambda: self.count("long-1") == 2, 3,
                   "a refresh: in 1970 the age of a token is unknown", daemon)
        self.await_fresh("long-1")

    def test_crashes_across_steps_send_no_more_than_the_schedule_alone(self):
        daemon = self.daemon("short-1")
        steps = itertools.cycle((10 * YEAR, -20 * YEAR, 10 * YEAR))
        deadline = time.monotonic() + 4 * self.SHORT
        while self.count("short-1") < 3 and time.monotonic() < deadline:
            daemon.kill()
            self.clocks.step(next(steps))
            daemon.start()
            self.await_fresh("short-1")  # killed in mid-request it would rightly ask again
        self.assertEqual(self.assert_pace("short-1"), 3)


class Suspended(ClockCase):
    NAMES = tuple("long-%d" % number for number in range(1, 21))

    def tearDown(self):
        self.assert_no_problem()

    def assert_refreshed(self, names, counts, within=10):
        """Each once, all soon, and no more of them in the time after."""
        start = time.monotonic()
        wait_until(lambda: all(self.count(n) >= counts[n] for n in names), within,
                   "all that is due", self.observed)
        took = time.monotonic() - start
        self.await_fresh(*names)
        self.watch(A_WHILE)
        self.assertEqual({n: self.count(n) for n in names}, counts)
        return took

    def test_after_a_suspend_what_is_due_is_refreshed_within_seconds_and_once(self):
        self.daemon(*self.NAMES)
        for hours, count in ((0.1, 1), (0.75, 2), (8, 3), (10_000, 4)):
            self.clocks.suspend(3600 * hours)
            took = self.assert_refreshed(self.NAMES, dict.fromkeys(self.NAMES, count))
            tell("suspend", hours=hours, credentials=len(self.NAMES), requests_each=count - 1,
                 seconds=round(took, 2))

    def test_a_suspend_in_mid_request_ends_with_a_token_that_is_alive(self):
        daemon = self.daemon("long-1")
        self.servers["long"].plan("long-1", Answer(delay=1))
        self.order_refresh("long-1")
        self.clocks.suspend(8 * 3600)
        wait_until(lambda: self.count("long-1") >= 3 or self.is_last_published("long-1"), 10,
                   "the answer, or another", daemon)
        self.await_fresh("long-1")
        self.watch(A_WHILE)
        self.assertLessEqual(self.count("long-1"), 3)
        left = daemon.credentials()["long-1"]["expires_at"] - self.clocks.wall()
        self.assertGreater(left, self.LONG - 30)

    def test_a_stopped_process_refreshes_at_once_when_it_goes_on(self):
        names = ("short-1", "short-2")
        daemon = self.daemon(*names)
        before = {name: self.count(name) + 1 for name in names}
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(0.7 * self.SHORT)
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        self.assert_refreshed(names, before, within=2)

    def test_steps_and_suspends_taken_together(self):
        self.daemon("long-1", "short-1")
        for number in (2, 3):
            self.clocks.step(-10 * YEAR)
            self.clocks.suspend(600)  # the hour's token has most of its life left
            self.servers["short"].wait_for(lambda seen: len(seen) == number)
            self.await_fresh("short-1")
            self.watch(A_WHILE)
            self.clocks.step(10 * YEAR)
        self.assertEqual(self.count("long-1"), 1)


class TimeNamespaces(ClockCase):
    """The kernel's own way to set CLOCK_BOOTTIME and CLOCK_MONOTONIC, for a program's start."""

    def run_in(self, daemon, offset):
        """A restart with the boot clock so many seconds ahead of the machine's."""
        daemon.terminate()
        daemon.is_shimmed = False
        daemon.prefix = ()
        if offset:
            daemon.prefix = ("unshare", "--time", "--fork", "--kill-child=TERM", "--boottime",
                             str(offset), "--monotonic", str(offset))
        daemon.start()

    def end_inside(self, daemon):
        """Stops the daemon below `unshare`, which passes no signal on."""
        child = subprocess.run(["pgrep", "-P", str(daemon.process.pid)], text=True, check=True,
                               capture_output=True).stdout.split()
        self.assertEqual(len(child), 1)
        inside = pathlib.Path("/proc", child[0], "ns/time").readlink()
        self.assertNotEqual(inside, pathlib.Path("/proc/self/ns/time").readlink())
        os.kill(int(child[0]), signal.SIGTERM)
        self.assertEqual(daemon.process.wait(20), 0)

    def test_hours_ahead_it_refreshes_once_and_back_again_it_trusts_no_negative_age(self):
        daemon = self.daemon("long-1")
        self.run_in(daemon, 8 * 3600)
        wait_until(lambda: self.count("long-1") == 2, 5, "a refresh of what is hours old", daemon)
        self.await_fresh("long-1")
        self.watch(A_WHILE)
        self.assertEqual(self.count("long-1"), 2)
        self.end_inside(daemon)
        daemon.prefix = ()
        daemon.start()
        wait_until(lambda: self.count("long-1") == 3, 3,
                   "a refresh: a token from the future of this clock is of unknown age", daemon)
        self.await_fresh("long-1")
        self.assert_no_problem()
