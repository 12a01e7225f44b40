"""A daemon that is short of descriptors, memory, threads or file size, whose log and notify socket
have no reader, that gets many signals, or is stopped for ten seconds: it loses no refresh token,
sends none twice, and lives, or ends with a clear message and continues after a restart.

Most tests only wait, so they run side by side. Needs root. EVERTOKEN_FAULT_TRIALS=all tries every
small number of descriptors and more sizes of memory."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time

from durability.disk import fault_streams
from evertest.basics import wait_until
from evertest.faults.pressure import address_space, limit, memory_group, processor_seconds, unlimit
from evertest.faults.runs import FaultCase, side_by_side
from evertest.servers.token_server import Answer
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.6)

ALL = os.environ.get("EVERTOKEN_FAULT_TRIALS") == "all"
#: A user number that no account has, because the processes of a user are counted together.
LONELY = 61236


class Limited(FaultCase):
    lifetime = 3

    def begin(self, *names):
        self.add(*(names or ("crm",)))
        self.daemon.start()
        for name in self.credentials:
            self.await_rotations(0, name)

    @property
    def pid(self):
        """Of the daemon itself: what comes before it execs it."""
        return self.daemon.process.pid

    def in_flight(self, name="crm", delay=1.0):
        """A refresh whose request has arrived and whose answer takes a while."""
        count = len(self.rotations(name))
        self.server.plan(name, Answer(delay=delay))
        self.server.wait_for(lambda seen: sum(e.client_id == name for e in seen) > count)
        return self.rotations(name)[count]

    def tried(self, *prefix):
        """Starts it under a limit: "refreshes", or how it ended and whether it said why."""
        own, self.daemon.prefix = self.daemon.prefix, (*self.daemon.prefix, *prefix)
        before, count = len(self.daemon.stderr()), len(self.rotations())

        def has_come_to_something():
            return (self.daemon.process.poll() is not None or len(self.rotations()) > count
                    or "error: " in self.daemon.stderr()[before:])

        self.daemon.start(wait=False)
        try:
            wait_until(has_come_to_something, 5, "anything")
            if len(self.rotations()) > count:
                wait_until(lambda: self.token() == self.rotations()[-1].access_token, 6, "a token")
                end = "refreshes"
            else:
                end = "status %s" % self.daemon.process.poll()
                is_said = "error" in self.daemon.stderr()[before:]
                end += ", said why" if is_said else ", said nothing"
        except AssertionError:
            end = "lives, said nothing"
        self.daemon.process.terminate()
        try:
            self.daemon.process.wait(15 if len(self.rotations()) > count else 1)
        except subprocess.TimeoutExpired:
            self.end()  # it does nothing at all: there is nothing to lose
        self.daemon.prefix = own
        return end

    def assert_never_speechless(self, ends):
        """It failed at first, always with a reason, then refreshed; and nothing is lost."""
        self.assertEqual([e for e in self.rotations() if e.problem], [])
        self.daemon.start()
        self.goes_on()
        self.assertIn("refreshes", ends.values())
        self.assertNotEqual(set(ends.values()), {"refreshes"}, "the limits were no limits")
        self.assertEqual({k: v for k, v in ends.items() if "said nothing" in v}, {})

    def goes_on(self):
        """Nothing lost; it refreshes, and after a restart as well."""
        for name in self.credentials:
            self.await_rotations(1, name)
        self.assert_lives_after_restart()


class Descriptors(Limited):
    def test_a_small_number_from_the_start_works_or_is_named(self):
        self.begin()
        self.stop()
        numbers = range(4, 80) if ALL else (4, 9, 16, 32, 63, 64, 80)
        ends = {n: self.tried("prlimit", "--nofile=%d" % n) for n in numbers}
        print("descriptors at the start: %s" % ends)
        self.assertIn("files may be open; allow 64", self.daemon.stderr())
        self.assert_never_speechless(ends)

    def test_none_left_in_mid_refresh_keeps_nothing_from_being_saved(self):
        self.begin()
        sent = self.in_flight()
        limit(self.pid, "nofile", "3")
        self.server.wait_for(lambda seen: seen[sent.number - 1].answered_at)
        wait_until(lambda: self.state_holds(sent.next_refresh_token), 5,
                   "the answer in a slot without a descriptor to spare", self.daemon)
        used = processor_seconds(self.pid)
        time.sleep(3)
        self.assertLess(processor_seconds(self.pid) - used, 1.0, "it spins")
        self.assertFalse(self.daemon.died())
        self.assert_nothing_lost()
        unlimit(self.pid, "nofile")
        self.await_no_error()
        self.goes_on()

    def test_a_caller_who_waits_without_descriptors_is_not_spun_for(self):
        self.begin()
        limit(self.pid, "nofile", "3")
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(self.daemon.socket))
            used = processor_seconds(self.pid)
            time.sleep(3)
            self.assertLess(processor_seconds(self.pid) - used, 1.0, "it spins over accept")
        unlimit(self.pid, "nofile")
        self.goes_on()


class Memory(Limited):
    def test_a_group_too_small_for_it_is_a_kill_that_loses_nothing(self):
        group = memory_group(self)
        if group is None:
            print("no memory cgroup can be made here: RLIMIT_AS alone is tested")
            return
        self.begin()
        self.stop()
        kills = survived = 0
        self.daemon.prefix = group.shell()
        for size in range(2048, 40_000, 256 if ALL else 1024):
            group.set(size << 10)
            self.daemon.start(wait=False)
            count = len(self.rotations())
            wait_until(lambda: self.daemon.process.poll() is not None
                       or len(self.rotations()) > count, 15, "a kill or a refresh")
            time.sleep(0.1)
            kills += self.daemon.process.poll() == -signal.SIGKILL
            survived += self.daemon.process.poll() is None
            self.end()
            if survived > 2:
                break
        print("memory groups: %d kills, %d sizes survived" % (kills, survived))
        self.assertGreater(kills, 0)
        self.assertGreater(survived, 0)
        self.assert_recovers_from_kills()

    def test_an_address_space_that_may_not_grow_loses_nothing(self):
        """Dying of it with an answer under way is a kill -9; living, it must have saved it."""
        ends = []
        for spare in range(0, 4 << 20, (256 if ALL else 1024) << 10):
            self.credentials = {}
            self.begin("crm-%d" % spare)
            sent = self.in_flight("crm-%d" % spare, delay=0.3)
            limit(self.pid, "as", str(address_space(self.pid) + spare))
            self.server.wait_for(lambda seen: seen[sent.number - 1].answered_at)
            with contextlib.suppress(TimeoutError):
                self.server.wait_for(
                    lambda _: self.daemon.process.poll() is not None
                    or self.state_holds(sent.next_refresh_token, sent.client_id), 5)
            if not self.state_holds(sent.next_refresh_token, sent.client_id):
                # It waits for a thread that cannot be made: the watchdog's case.
                self.daemon.kill()
            ends.append(self.daemon.process.poll())
            self.end()
        print("address space that may not grow: ends %s" % ends)
        self.assertIn(None, ends)

    def test_too_small_an_address_space_at_the_start_loses_nothing(self):
        self.begin()
        self.stop()
        ends = {n: self.tried("prlimit", "--as=%d" % (n << 20)) for n in (32, 64, 96, 128, 384)}
        print("address space at the start, MiB: %s" % ends)
        self.assert_never_speechless(ends)

    def assert_recovers_from_kills(self):
        """A kill may take an answer from the memory, as no client can help; then the same token
        is sent once more, and here that ends the grant. None may be lost otherwise."""
        self.daemon.prefix = ()
        if self.daemon.process.poll() is not None:
            self.daemon.start()
        live = self.server.live_refresh_token("crm")
        held = live is not None and self.state_holds(live)
        unsaved = {e.refresh_token for e in self.rotations() if e.problem}
        if not held and unsaved:
            print("an answer was in the memory of a killed process: %d" % len(unsaved))
            return
        self.goes_on()


class Threads(Limited):
    def test_no_more_threads_for_a_while_lose_nothing_and_it_goes_on_afterwards(self):
        self.as_user(LONELY)
        self.begin()
        limit(self.pid, "nproc", "1", LONELY)
        time.sleep(8)
        self.assertFalse(self.daemon.died())
        unlimit(self.pid, "nproc", LONELY)
        self.goes_on()

    def test_no_more_threads_after_a_rest_make_it_wait_until_there_are_some_and_no_longer(self):
        """Dispatch ends idle threads after five seconds and waits for new ones as long as it
        takes; under systemd the watchdog ends that. TasksMax= of the unit leaves room."""
        self.server.lifetime = 3600
        self.as_user(LONELY + 2)
        self.begin()
        time.sleep(7)  # idle threads end after five seconds
        limit(self.pid, "nproc", "1", LONELY + 2)
        with contextlib.suppress(TimeoutError):
            self.order()
        unlimit(self.pid, "nproc", LONELY + 2)
        self.refreshed()
        self.assert_lives_after_restart()

    def test_too_few_from_the_start_work_or_end_it_and_lose_nothing(self):
        self.as_user(LONELY + 1)
        self.begin()
        self.stop()
        ends = {n: self.tried("prlimit", "--nproc=%d" % n) for n in (1, 3, 6, 12)}
        print("threads at the start: %s" % ends)
        self.assert_never_speechless(ends)


class FileSize(Limited):
    def test_too_small_for_a_slot_at_the_start_sends_nothing_and_says_so(self):
        self.add("crm")
        self.daemon.prefix = ("prlimit", "--fsize=32768")
        self.daemon.start()
        error = self.await_error("crm", "storage")
        self.assertIn("File too large", error["problem"])
        self.assertEqual(self.rotations(), [])
        self.stop()
        self.daemon.prefix = ()
        self.daemon.start()
        self.goes_on()

    def test_lowered_in_mid_refresh_neither_kills_it_nor_loses_the_answer(self):
        self.begin()
        sent = self.in_flight()
        limit(self.pid, "fsize", "1")
        self.server.wait_for(lambda seen: seen[sent.number - 1].answered_at)
        time.sleep(1)
        self.assertFalse(self.daemon.died(), "SIGXFSZ took an unsaved answer with it")
        self.await_error("crm", "storage")
        unlimit(self.pid, "fsize")
        self.await_no_error()
        self.assert_nothing_lost()
        self.goes_on()


def load_tests(loader, tests, _pattern):
    return side_by_side([loader.loadTestsFromModule(fault_streams), tests], workers=12)
