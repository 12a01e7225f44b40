"""The units beside the daemon's own: evertoken-wait@.service, which lets a unit order itself behind
one token; the example of a path unit that acts on a new one; and `on_change` in the daemon's own.

Needs root and, from Debian: systemd."""

import os
import pathlib
import pwd
import re
import shutil
import time

from evertest.basics import ROOT, wait_until
from evertest.sandbox import in_systemd, read
from evertest.servers.token_server import Answer
from evertest.suite import Suite
from evertest.units import UNITS, UnitCase

SUITE = Suite(timed=True, minutes=0.3)

SHIPPED = ("evertoken-wait@.service", "examples/token-changed@.path",
           "examples/token-changed@.service")


class ShippedUnitsCase(UnitCase):
    def arrange(self):
        super().arrange()
        for name in SHIPPED:
            shutil.copy(ROOT / "systemd" / name, UNITS)
        self.systemctl("daemon-reload")


class TheUnitFiles(ShippedUnitsCase):
    @in_systemd(programs=())
    def test_they_verify_and_the_waiting_one_is_hardly_exposed(self):
        names = [str(UNITS / pathlib.Path(name).name.replace("@", "@crm")) for name in SHIPPED]
        done = self.command("systemd-analyze", "verify", "--man=no", *names)
        self.assertEqual(done.stdout, "", "systemd-analyze verify has something to say")
        done = self.command("systemd-analyze", "security", "--offline=true", "--threshold=13",
                            "--no-pager", names[0])
        self.assertTrue(re.search(r"exposure level for evertoken-wait", done.stdout), done.stdout)


class WaitUnit(ShippedUnitsCase):
    """report.service requires the token of crm, and copies it."""

    def arrange(self):
        super().arrange()
        self.unit(
            "report.service", "[Unit]", "Requires=evertoken-wait@crm.service",
            "After=evertoken-wait@crm.service", "[Service]", "RemainAfterExit=yes",
            f"ExecStart=/bin/cp {self.TOKENS}/crm/token {self.GOT}/report")

    def patience(self, text):
        folder = UNITS / "evertoken-wait@.service.d"
        folder.mkdir()
        (folder / "test.conf").write_text(
            f"[Service]\nExecStart=\nExecStart=/usr/bin/evertoken wait %i --timeout {text}\n")
        self.systemctl("daemon-reload")

    def attempt(self, unit):
        """Whether a start succeeded, and after how many seconds."""
        began = time.monotonic()
        done = self.command("systemctl", "start", unit, check=False)
        return done.returncode == 0, time.monotonic() - began

    @in_systemd()
    def test_a_unit_starts_after_the_token_and_the_daemon_is_started_for_it(self):
        self.configure({"crm": self.grant("crm")}, ready_timeout="0.1s")
        self.server.plan("crm-client", Answer(delay=1.5))
        started, seconds = self.attempt("report.service")
        self.assertTrue(started)
        self.assertGreaterEqual(seconds, 1.5, "it did not wait for the token")
        token = self.server.exchanges()[0].access_token
        wait_until(lambda: read(self.GOT / "report") == token, 5, "the token in its hands")
        self.assertEqual(self.result("evertoken-wait@crm.service", "ActiveState"), "inactive")
        self.assertEqual(self.result("report.service", "ActiveState"), "active",
                         "it stopped when the one it waited for had ended")
        # A restart of the daemon must not affect it.
        self.systemctl("restart", "evertoken")
        self.assertEqual(self.result("report.service", "ActiveState"), "active")

    @in_systemd()
    def test_it_fails_in_time_and_asks_anew_each_time(self):
        self.patience("1s")
        self.server.lifetime = 2
        refresh = {"retry": {"initial": "0.2s", "max": "0.4s"}, "min_interval": "0.5s"}
        self.configure({"crm": self.grant("crm", refresh=refresh)}, ready_timeout="0.5s")
        self.assertTrue(self.attempt("report.service")[0])
        self.systemctl("stop", "report")
        self.server.stop()
        self.control.wait_for("crm", lambda c: c["state"] == "expired", "its end")
        started, seconds = self.attempt("report.service")
        self.assertFalse(started, "a token that was valid once was enough")
        self.assertLess(seconds, 5)
        self.assertEqual(self.result("evertoken-wait@crm.service"), "exit-code")
        self.assertEqual(self.result("evertoken-wait@crm.service", "ExecMainStatus"), "75")
        told = [e for e in self.journal("-u", "evertoken-wait@crm")
                if "valid token" in e["MESSAGE"]]
        self.assertTrue(told, "it does not say what it waited for")
        self.assertNotEqual({e["_UID"] for e in told}, {"0"}, "it runs as root")
        self.server.start()
        self.control.wait_for("crm", lambda c: c["state"] == "fresh", "a new token")
        self.assertTrue(self.attempt("report.service")[0])

    @in_systemd()
    def test_it_does_not_wait_for_the_tokens_of_others(self):
        self.configure({"crm": self.grant("crm"), "slow": self.grant("slow")})
        self.server.plan("slow-client", Answer(delay=8))
        started, seconds = self.attempt("report.service")
        self.assertTrue(started)
        self.assertLess(seconds, 4)
        self.assertEqual(self.show("ActiveState"), "activating")

    @in_systemd()
    def test_one_that_nobody_configured_fails_at_once(self):
        self.configure({"crm": self.grant("crm")})
        started, seconds = self.attempt("evertoken-wait@cmr.service")
        self.assertFalse(started)
        self.assertLess(seconds, 5)
        self.assertEqual(self.result("evertoken-wait@cmr.service", "ExecMainStatus"), "65")
        self.assertTrue([e for e in self.journal("-u", "evertoken-wait@cmr")
                         if "crm" in e["MESSAGE"]], "it does not say what there is")


class PathUnit(ShippedUnitsCase):
    @in_systemd()
    def test_every_new_token_reloads_the_service_that_uses_it(self):
        notes = self.GOT / "reloads"
        self.unit(
            "crm.service", "[Service]", "Type=exec", "ExecStart=/bin/sleep infinity",
            f"ExecReload=/bin/sh -c 'cat {self.TOKENS}/crm/token >> {notes}; echo >> {notes}'")
        self.systemctl("start", "crm", "token-changed@crm.path")
        self.configure({"crm": self.grant("crm", refresh={"min_interval": "0.5s"})})
        self.systemctl("start", "evertoken")
        for count in (1, 2, 3):
            if count > 1:
                self.control.refresh("crm")
            exchange = self.server.wait_for(lambda seen: len(seen) == count)[-1]
            wait_until(lambda: (read(notes) or "").splitlines()[-1:] == [exchange.access_token], 10,
                       f"reload number {count}")
            wait_until(
                lambda: self.result("token-changed@crm.service", "ActiveState") == "inactive",
                5, "the end of it")
        self.systemctl("stop", "evertoken")
        lines = read(notes).splitlines()
        self.assertLessEqual(len(lines), 4)
        self.assertNotEqual(self.result("token-changed@crm.service", "ActiveState"), "failed")
        self.assertEqual(self.result("token-changed@crm.path", "ActiveState"), "active")


class HooksUnderTheDaemonsUnit(UnitCase):
    @in_systemd()
    def test_one_gains_no_privilege_and_leaves_nothing_in_the_daemon_s_group(self):
        shutil.copy("/usr/bin/id", "/usr/local/bin/become-root")
        os.chmod("/usr/local/bin/become-root", 0o4755)
        note = self.TOKENS / "note"
        script = ("setsid sleep 600 </dev/null >/dev/null 2>&1 & "
                  f"become-root -u > {note}; ulimit -c >> {note}")
        hook = {"exec": ["/bin/sh", "-c", script]}
        self.configure({"crm": self.grant("crm", on_change=[hook])})
        self.systemctl("start", "evertoken")
        uid = str(pwd.getpwnam("evertoken").pw_uid)
        wait_until(lambda: read(note) == f"{uid}\n0\n", 10, "the hook's note")
        group = pathlib.Path(f"/sys/fs/cgroup{self.show('ControlGroup')}/cgroup.procs")
        wait_until(lambda: read(group).split() == [self.show("MainPID")], 5,
                   "the daemon to be alone again")
