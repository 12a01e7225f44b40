"""Each flush in its order, by the daemon's own calls: data becomes durable before the next step
depends on it. The campaign of `test_power_cuts` shows the effect; this suite needs no disk and no
random cuts, and names a missing flush."""

from __future__ import annotations

import errno
import pathlib
import subprocess

from evertest import state_layout
from evertest.basics import wait_until
from evertest.faults.runs import FaultCase
from evertest.shims.fault_shim import NOTE, NOTED, Line
from evertest.state_layout import DAMAGED, ORIGIN, SLOT_A, SLOT_SIZE

SLOTS = tuple("state/crm/" + name for name in state_layout.SLOTS)
PROBE = "state/" + state_layout.PROBE
NEW_NOTE = "state/crm/.evertoken-%s.new" % ORIGIN


class FlushCase(FaultCase):
    def watch(self):
        """From the next start on."""
        self.faults = self.shim()
        self.noted()

    def noted(self):
        self.faults.arm([f for f in NOTED if f != "open"], self.folder, action=NOTE)

    def begin(self):
        self.watch()
        self.add("crm")
        self.daemon.start()
        self.await_rotations(0)
        self.await_quiet()

    def restarted(self):
        """Stops it and starts it under a new watch; what it did until its token was out again."""
        self.stop()
        (self.faults.directory / "log").write_text("")
        self.daemon.start()
        wait_until(lambda: self.token(), 10, "the token", self.daemon)
        self.await_quiet()
        return self.calls()

    def await_quiet(self):
        """Until the last thing that belongs to a publication is done: the flush of the folder
        after its last file. After `token` there is one too, and it is not the end."""
        wait_until(self.is_quiet, 10, "the last flush", self)

    def is_quiet(self):
        last = self.calls()[-2:]
        return last[1:] == [("fsync", "run/crm")] and last[0][1] == "run/crm/token.json"

    def died(self):
        return self.daemon.died()

    def report(self):
        return "%s\n%s" % (self.calls()[-20:], self.daemon.report())

    def calls(self, since=0.0):
        """Function and path below the test's folder ("." for itself), in their order."""
        return [(line.function, self.place(line)) for line in self.faults.lines()
                if line.at > since and self.is_ours(line)]

    def is_ours(self, line: Line):
        """Not the log, the configuration, secrets."""
        return line.path == str(self.folder) or line.path.startswith(
            (str(self.daemon.state), str(self.daemon.tokens)))

    def place(self, line: Line):
        return str(pathlib.Path(line.path).relative_to(self.folder))

    def records(self, since=0.0):
        """The calls, with `record` for a write to a slot that is not its zeros."""
        found = []
        for line in self.faults.lines():
            if line.at > since and self.is_ours(line):
                path = self.place(line)
                is_record = line.function == "pwrite" and path in SLOTS and line.size < SLOT_SIZE
                found.append(("record" if is_record else line.function, path))
        return found

    def assert_in_order(self, calls, *wanted):
        """They are all there, one after the other; the rest does not matter."""
        rest = iter(calls)
        for call in wanted:
            self.assertTrue(any(found == call for found in rest),
                            "%s is not where it belongs among %s" % (call, calls))


class EachFlushAtItsPlace(FlushCase):
    def test_at_the_first_start_nothing_is_built_on_what_is_not_durable(self):
        self.begin()
        self.assert_in_order(self.records(), ("mkdir", "state"), ("fsync", "."))
        # The slots are there before a note says which ones they are.
        self.assert_in_order(
            self.records(), ("fsync", SLOTS[0]), ("fsync", SLOTS[1]), ("fsync", "state/crm"),
            ("create", NEW_NOTE))
        self.assert_nothing_dirty(self.records())

    def test_at_a_refresh_as_well(self):
        self.begin()
        since = self.faults.lines()[-1].at
        self.refreshed()
        self.await_quiet()
        calls = self.records(since)
        self.assertEqual([function for function, _ in calls].count("record"), 3, calls)
        self.assert_nothing_dirty(calls, {path for _, path in self.calls()})

    def test_what_a_former_process_left_in_memory_is_flushed_before_it_is_published(self):
        self.begin()
        (self.daemon.tokens / "crm" / "token").unlink()
        calls = self.restarted()
        for slot in SLOTS:
            self.assert_in_order(calls, ("fdatasync", slot), ("rename", "run/crm/token"))

    def test_a_token_file_that_is_right_already_is_flushed_all_the_same(self):
        self.begin()
        calls = self.restarted()
        self.assertNotIn(("rename", "run/crm/token"), calls)
        self.assert_in_order(calls, ("fsync", "run/crm/token"), ("fsync", "run/crm"))

    def test_slots_of_a_former_process_are_flushed_with_their_names_before_the_first_record(self):
        self.begin()
        self.restarted()
        self.refreshed()
        calls = self.records()
        before = calls[:[call for call, _ in calls].index("record")]
        for place in ("state", "state/crm", *SLOTS):
            self.assertIn(("fsync", place), before)

    def test_what_is_removed_stays_removed(self):
        self.begin()
        del self.credentials["crm"]
        self.configure()
        since = self.faults.lines()[-1].at
        self.control.request("POST", "/v1/reload")
        wait_until(lambda: ("fsync", "run/crm") in self.calls(since), 5, "the flush", self)
        since = self.faults.lines()[-1].at
        self.assertEqual(self.control.request("POST", "/v1/credentials/crm/forget")[0], 200)
        for slot in SLOTS:
            self.assert_in_order(
                self.calls(since), ("pwrite", slot), ("fsync", slot), ("fsync", "state"))

    def test_slots_set_aside_are_so_before_others_are_noted_in_their_place(self):
        self.begin()
        self.stop()
        for slot in SLOTS:
            subprocess.run(["dd", "if=/dev/urandom", "of=%s" % (self.folder / slot), "bs=64",
                            "seek=1", "count=4", "conv=notrunc", "status=none"], check=True)
        self.daemon.start()
        self.control.wait_for("crm", lambda c: c["state"] == "quarantined", "quarantine")
        since = self.faults.lines()[-1].at
        self.assertEqual(self.control.request("POST", "/v1/credentials/crm/accept")[0], 200)
        self.assert_in_order(self.calls(since), ("rename", SLOTS[1] + DAMAGED),
                             ("fsync", "state/crm"), ("create", NEW_NOTE))

    def assert_nothing_dirty(self, calls, there=()):
        """Data before its name, names before a record, a record before anything else; and at last
        all of it. What is `there` already cannot be made, though it is tried."""
        dirty: dict[str, str] = {}
        there = set(there)

        def check(call, places):
            left = {place: dirty[place] for place in places if place in dirty}
            self.assertEqual(left, {}, "not flushed before %s: %s" % (call, calls))

        for call in calls:
            function, path = call
            folder = str(pathlib.Path(path).parent)
            if function == "record":
                check(call, [p for p in dirty if p.startswith("state")])
            if path.startswith("run"):
                check(call, SLOTS)
            if function == "rename":
                check(call, ["%s/.evertoken-%s.new" % (folder, path[len(folder) + 1:])])
            if function in ("read", "forget"):
                continue
            if function in ("fsync", "fdatasync"):
                dirty.pop(path, None)
            elif function in ("record", "pwrite", "write"):
                dirty[path] = function
            elif function == "rename" or path not in there:
                dirty[folder] = function
            there.add(path)
        dirty.pop(PROBE, None)
        check(("the end", ""), list(dirty))


class AfterAFailure(FlushCase):
    """Pages that are called clean may not be on the disk (I5)."""

    def test_zeros_whose_flush_failed_are_written_again_after_a_probe(self):
        self.faults = self.shim()
        self.add("crm")
        fault = self.faults.arm(["fsync"], self.daemon.state / "crm" / SLOT_A, error=errno.EIO,
                                count=1)
        self.noted()
        self.daemon.start()
        self.await_rotations(0)
        self.assertEqual(fault.injected, 1)
        calls = self.records(fault.first_at)
        self.assert_in_order(calls, ("pwrite", PROBE), ("fdatasync", PROBE),
                             ("read", PROBE), ("pwrite", SLOTS[0]), ("fsync", SLOTS[0]),
                             ("record", SLOTS[0]))
        self.assert_lives_after_restart()

    def test_a_directory_whose_flush_failed_is_followed_by_a_probe(self):
        self.faults = self.shim()
        self.add("crm")
        fault = self.faults.arm(["fsync"], self.daemon.state, error=errno.EIO, count=1)
        self.noted()
        self.daemon.start()
        self.await_rotations(0)
        [struck] = [line for line in self.faults.lines() if line.what == "error"]
        self.assertEqual(self.place(struck), "state")
        self.assert_in_order(
            self.records(fault.first_at), ("pwrite", PROBE), ("fsync", "state"),
            ("record", SLOTS[0]))
        self.assert_lives_after_restart()

    def test_a_record_whose_flush_failed_counts_as_damaged_and_is_read_back_next_time(self):
        self.begin()
        self.faults.reuse()
        fault = self.faults.arm(["fdatasync"], self.daemon.state / "crm", error=errno.EIO, count=1)
        self.noted()
        since = self.faults.lines()[-1].at
        self.order()
        self.faults.wait_injected(fault)
        self.await_rotations(0)
        wait_until(lambda: len(self.rotations()) == 2, 10, "the refresh", self.daemon)
        calls = self.records(since)
        failed, again = [path for function, path in calls if function == "record"][:2]
        self.assertEqual(failed, again, "it overwrote the only record that is durable")
        second = [i for i, call in enumerate(calls) if call == ("record", again)][1]
        self.assertEqual(
            [function for function, path in calls[second:] if path == again][:4],
            ["record", "fdatasync", "forget", "read"])
        self.assert_lives_after_restart()
