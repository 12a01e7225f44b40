"""What other local users can do to the daemon under its real unit: each test boots a systemd of its
own (see sandbox.in_systemd). The attacking programs are in evertest/isolation/strangers.py.

Needs root and, from Debian: systemd, util-linux."""

import json
import pathlib
import secrets
import time

from evertest.basics import wait_until
from evertest.isolation.strangers import HOLD_LOCK, STATUS, Stranger, paths_that_make_a_status_large
from evertest.sandbox import InSystemdCase, in_systemd, read
from evertest.suite import Suite

SUITE = Suite(minutes=0.3)


class UnderTheRealUnit(InSystemdCase):
    @in_systemd()
    def test_a_lock_on_the_token_directory_does_not_keep_it_from_restarting(self):
        token = self.start()
        before = self.show("MainPID")
        Stranger(self, HOLD_LOCK, self.TOKENS)
        self.systemctl("restart", "evertoken")
        self.assertEqual((self.show("ActiveState"), self.show("NRestarts")), ("active", "0"))
        self.assertNotEqual(self.show("MainPID"), before)
        self.assertEqual(read(self.TOKENS / "crm/token"), token)

    @in_systemd()
    def test_300_answers_that_are_not_read_cost_few_tasks_and_no_restart(self):
        secret = secrets.token_urlsafe(18)
        self.server.grant("many", secret)
        request = {"url": self.server.url, "client_auth": "client_secret_basic"}
        provider = {"extends": "client_credentials", "request": request}
        entry = {"provider": "machine", "client_id": "many", "client_secret": {
            "file": self.write("many.client_secret", secret)}}
        paths = paths_that_make_a_status_large(300)
        self.configure({"many-%d" % number: entry | {"outputs": [{"path": path}]}
                        for number, path in enumerate(paths)},
                       providers={"machine": provider}, control={"mode": "0666"})
        self.systemctl("start", "evertoken")
        wait_until(lambda: all(c["state"] == "fresh" for c in self.control.status()["credentials"]),
                   60, "all tokens", pause=0.5)
        self.assertGreater(len(json.dumps(self.control.status())), 250_000, "it fits in buffers")
        wait_until(lambda: self.tasks() < 60, 60, "the threads of the start to end", pause=0.5)
        pid = self.show("MainPID")
        Stranger.crowd(self, str(self.control.path), 300, STATUS)
        most, end = 0, time.monotonic() + 10
        while time.monotonic() < end:
            most = max(most, self.tasks())
            time.sleep(0.1)
        self.assertLess(most, 64)
        self.assertTrue(self.control.status())
        self.assertEqual((self.show("MainPID"), self.show("NRestarts")), (pid, "0"))

    @in_systemd(programs=())
    def test_its_filter_leaves_out_what_breaks_out_of_a_process(self):
        allowed = self.show("SystemCallFilter").split()
        self.assertIn("epoll_wait", allowed, "this is no list of what is allowed")
        # The limit of what programs may start is set by this one.
        self.assertIn("prlimit64", allowed)
        for name in ("io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd",
                     "add_key", "keyctl", "request_key"):
            self.assertNotIn(name, allowed)

    def tasks(self):
        """How many the unit has; where systemd cannot count them, the threads of the daemon."""
        counted = self.show("TasksCurrent")
        if counted.isdigit():
            return int(counted)
        return len(list(pathlib.Path("/proc", self.show("MainPID"), "task").iterdir()))
