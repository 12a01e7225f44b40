"""`on_change` programs that fail are run again until they work, and status, metrics and health show
it."""

import os
import time

from evertest.basics import wait_until
from evertest.programs import ProgramCase, write_program
from evertest.scrapes import Scrape
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.6)


class AgainTest(ProgramCase):
    def setUp(self):
        super().setUp()
        self.log = self.directory / "log"
        self.works = self.directory / "works"
        self.program = write_program(
            self.directory / "hook", "#!/bin/sh", 'date +%%s.%%N >> "%s"' % self.log,
            '[ -e "%s" ]' % self.works)

    def start(self, *hooks):
        self.entry = self.credential("crm", on_change=[{"exec": list(h)} for h in hooks])
        daemon = self.daemon({"crm": self.entry})
        daemon.wait_for("crm", "fresh")
        return daemon

    def times(self):
        return [float(line) for line in self.log.read_text().split()] if self.log.exists() else []

    def wait_for_runs(self, count, daemon, timeout=20):
        wait_until(lambda: len(self.times()) >= count, timeout, "%d runs" % count, daemon)

    def failing(self, daemon):
        return daemon.credentials()["crm"]["failing_hooks"]

    def test_it_is_run_again_with_growing_pauses_until_it_works(self):
        daemon = self.start([str(self.program)])
        self.wait_for_runs(4, daemon)
        gaps = [b - a for a, b in zip(self.times(), self.times()[1:])]
        for gap, pause in zip(gaps, (1, 2, 4)):
            self.assertGreater(gap, pause * 0.7)
            self.assertLess(gap, pause + 1)
        self.works.touch()
        wait_until(lambda: not self.failing(daemon), 12, "it to work", daemon)
        runs = len(self.times())
        self.assertEqual(runs, 5)
        self.assertIn("An on_change program works again", daemon.stderr())
        self.assertEqual(len(self.server.exchanges()), 1, "no token is asked for")
        time.sleep(2)
        self.assertEqual(len(self.times()), runs, "it has worked")

    def test_status_health_and_metrics_show_it_and_the_token_stays_fresh(self):
        daemon = self.start([str(self.program)], ["/bin/true"], ["/nonexistent/hook"])
        self.wait_for_runs(2, daemon)
        hook, missing = wait_until(
            lambda: self.failing(daemon) if len(self.failing(daemon)) == 2
            and self.failing(daemon)[0]["failures"] >= 2 else None, 10, "both", daemon)
        self.assertEqual((hook["program"], hook["problem"]),
                         (str(self.program), "it ended with status 1"))
        self.assertEqual(missing["program"], "/nonexistent/hook")
        self.assertLess(hook["at"] - time.time(), 2)
        entry = daemon.credentials()["crm"]
        self.assertEqual((entry["state"], entry["last_error"]), ("fresh", None))
        status, health = daemon.request("GET", "/healthz")
        self.assertEqual((status, health["status"], health["attention"]), (200, "ok", ["crm"]))
        found = Scrape(daemon.request("GET", "/metrics")[1])
        self.assertGreaterEqual(found.value("evertoken_hook_failures", credential="crm"), 2)
        for done in (daemon.evertoken("status"), daemon.evertoken("status", "crm")):
            self.assert_exit(done, 0)
            text = " ".join(done.stdout.split())
            self.assertIn("of on_change failed: it ended with status 1, ", text)
            self.assertIn("It runs again by itself", text)

    def test_a_newer_token_runs_all_of_them_at_once(self):
        other = self.directory / "other"
        second = write_program(self.directory / "second", "#!/bin/sh", 'echo x >> "%s"' % other)
        daemon = self.start([str(self.program)], [str(second)])
        self.wait_for_runs(3, daemon)
        self.assertEqual(other.read_text(), "x\n", "what worked is not repeated")
        self.works.touch()
        runs = len(self.times())
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        wait_until(lambda: other.read_text() == "x\nx\n", 5, "the second", daemon)
        wait_until(lambda: len(self.times()) > runs and not self.failing(daemon), 5, "the first",
                   daemon)

    def test_one_that_hangs_is_run_again_too(self):
        hang = write_program(self.directory / "hang", "#!/bin/sh", 'date +%%s >> "%s"' % self.log,
                             '[ -e "%s" ] || sleep 60' % self.works)
        self.entry = self.credential("crm", on_change=[{"exec": [str(hang)], "timeout": "0.5s"}])
        daemon = self.daemon({"crm": self.entry})
        self.wait_for_runs(2, daemon)
        self.works.touch()
        wait_until(lambda: not self.failing(daemon), 12, "it to work", daemon)

    def test_a_reload_runs_it_at_once_mended_or_replaced(self):
        daemon = self.start([str(self.program)])
        self.wait_for_runs(4, daemon)  # the next would come in 8 s
        self.works.touch()
        self.assert_exit(daemon.evertoken("reload"), 0)
        wait_until(lambda: not self.failing(daemon), 3, "it to work", daemon)
        self.works.unlink()
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        wait_until(lambda: self.failing(daemon), 5, "it to fail", daemon)
        new = self.directory / "new"
        self.entry["on_change"] = [{"exec": ["/usr/bin/touch", str(new)]}]
        daemon.configure(self.config({"crm": self.entry}))
        self.assert_exit(daemon.evertoken("reload"), 0)
        wait_until(new.exists, 3, "the other program", daemon)
        self.assertEqual(self.failing(daemon), [])

    def test_failing_programs_of_many_hold_up_no_other_credential(self):
        bad = {"c%d" % n: self.credential("c%d" % n, on_change=[
            {"exec": ["/bin/sh", "-c", "sleep 0.2; exit 1"]}]) for n in range(12)}
        good = self.directory / "good"
        bad["good"] = self.credential("good", on_change=[
            {"exec": ["/usr/bin/touch", str(good)]}])
        daemon = self.daemon(bad)
        wait_until(good.exists, 5, "the other's program", daemon)
        for name in bad:
            daemon.wait_for(name, "fresh")
        self.assertEqual(daemon.terminate(10), os.EX_OK)
