"""The unit under a real systemd: each test boots one of its own (see sandbox.in_systemd), installs
the daemon there as a package would, and looks at it with systemctl and journalctl.

Needs root and, from Debian: systemd. Nothing outside the booted systemd is touched."""

import json
import os
import pathlib
import pwd
import re
import signal
import stat
import threading
import time

from evertest.basics import wait_until
from evertest.sandbox import InSystemdCase, in_systemd, read
from evertest.servers.token_server import Answer
from evertest.state_layout import LOCK, SLOT_A, SLOT_B
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=1.2)

UNIT = pathlib.Path("/etc/systemd/system/evertoken.service")


def documented_drop_in(*names):
    """The lines that the unit's comments offer for `systemctl edit`, those of the given names."""
    offered = re.findall(r"^#   (\w+)=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    return "".join(f"{name}={value}\n" for name, value in offered if name in names)


class TheUnitFile(InSystemdCase):
    """What can be said of the files without starting the daemon."""

    def assert_verified(self):
        done = self.command("systemd-analyze", "verify", "--man=no", str(UNIT))
        self.assertEqual(done.stdout, "", "systemd-analyze verify has something to say")

    @in_systemd(programs=())
    def test_the_unit_verifies_and_its_exposure_is_at_most_1_3(self):
        self.assert_verified()
        done = self.command(
            "systemd-analyze", "security", "--offline=true", "--threshold=13", "--no-pager",
            str(UNIT))
        score = re.search(r"exposure level for evertoken.service: ([0-9.]+)", done.stdout)
        self.assertLessEqual(float(score[1]), 1.3, done.stdout)

    @in_systemd(programs=())
    def test_every_drop_in_line_the_unit_offers_is_understood(self):
        names = ("SupplementaryGroups", "SystemCallFilter", "ReadWritePaths", "AmbientCapabilities",
                 "CapabilityBoundingSet", "IPAddressDeny", "IPAddressAllow")
        lines = documented_drop_in(*names)
        for name in names:
            self.assertIn(f"{name}=", lines, "the unit's comments no longer offer it")
        self.drop_in(f"[Service]\n{lines}")
        self.assert_verified()

    @in_systemd(programs=())
    def test_user_and_directories_are_made_once_and_a_second_time_changes_nothing(self):
        def seen():
            folders = (self.CONFIG, self.CONFIG / "conf.d", self.CONFIG / "secrets", self.STATE)
            abouts = [(f, f.stat()) for f in folders]
            return pwd.getpwnam("evertoken"), [
                (str(f), stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid) for f, s in abouts]

        before = seen()
        self.write("evertoken.json", "{}", mode=0o644)
        self.command("systemd-sysusers", "/usr/lib/sysusers.d/evertoken.conf")
        self.command("systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/evertoken.conf")
        self.assertEqual(seen(), before)
        user, folders = before
        self.assertEqual(folders[0], (str(self.CONFIG), 0o750, 0, user.pw_gid))
        self.assertEqual(folders[2][1:], (0o700, 0, 0))
        self.assertEqual(folders[3], (str(self.STATE), 0o700, user.pw_uid, user.pw_gid))
        config = (self.CONFIG / "evertoken.json").stat()
        self.assertEqual((stat.S_IMODE(config.st_mode), config.st_gid), (0o640, user.pw_gid))


class StartAndStop(InSystemdCase):
    """Type=notify, the state and the tokens over starts, stops, restarts and kills."""

    @in_systemd()
    def test_start_returns_when_the_token_files_are_there_and_not_before(self):
        self.server.delay = 1.0
        began = time.monotonic()
        token = self.start()
        self.assertGreaterEqual(time.monotonic() - began, 1.0, "the server had not yet answered")
        [exchange] = self.server.exchanges()
        self.assertEqual(token, exchange.access_token)
        whole = json.loads(read(self.TOKENS / "crm" / "token.json"))
        self.assertEqual((whole["access_token"], whole["credential"]), (token, "crm"))
        self.assertEqual(self.show("ActiveState"), "active")

    @in_systemd()
    def test_it_runs_as_a_user_without_privileges_and_every_file_has_its_mode(self):
        self.start()
        status = read(f"/proc/{self.show('MainPID')}/status")
        user = pwd.getpwnam("evertoken")
        self.assertEqual(set(re.search(r"Uid:(.*)", status)[1].split()), {str(user.pw_uid)})
        self.assertEqual(int(re.search(r"CapEff:\s*(\w+)", status)[1], 16), 0)
        self.assertEqual(re.search(r"NoNewPrivs:\s*(\d)", status)[1], "1")
        self.assertEqual(re.search(r"Seccomp:\s*(\d)", status)[1], "2")
        modes = {
            self.STATE: 0o40700, self.STATE / LOCK: 0o100600,
            self.STATE / "crm" / SLOT_A: 0o100600, self.STATE / "crm" / SLOT_B: 0o100600,
            self.TOKENS: 0o40755, self.TOKENS / "crm": 0o40750,
            self.TOKENS / "crm" / "token": 0o100640,
            self.TOKENS / "crm" / "token.json": 0o100640,
            self.TOKENS / "control.sock": 0o140660,
        }
        found = {path: path.stat() for path in modes}
        self.assertEqual({p: oct(s.st_mode) for p, s in found.items()},
                         {p: oct(m) for p, m in modes.items()})
        self.assertEqual({s.st_uid for s in found.values()}, {user.pw_uid})

    @in_systemd()
    def test_stop_waits_for_a_request_in_flight_and_the_next_start_uses_what_it_brought(self):
        self.start()
        self.server.plan("crm-client", Answer(delay=2))
        self.control.refresh("crm")
        asked = self.server.wait_for(lambda seen: len(seen) == 2)[1].asked_at
        self.systemctl("stop", "evertoken")
        second = self.server.exchanges()[1]
        self.assertIsNotNone(second.answered_at, "stopped without waiting for the answer")
        self.assertGreaterEqual(second.answered_at - asked, 2)
        self.assertEqual(self.show("Result"), "success")
        self.assertFalse(self.TOKENS.exists(), "tokens stay published after a stop")

        self.systemctl("start", "evertoken")
        self.assertEqual(read(self.TOKENS / "crm" / "token"), second.access_token)
        self.assertEqual(len(self.server.exchanges()), 2, "the start asked for a token it had")
        self.control.refresh("crm")
        third = self.server.wait_for(lambda seen: len(seen) == 3)[2]
        self.assertEqual(third.refresh_token, second.next_refresh_token)

    @in_systemd()
    def test_tokens_survive_a_restart_without_a_network_and_readers_see_no_gap(self):
        token = self.start()
        self.server.stop()
        seen, done = set(), threading.Event()

        def look():
            while not done.is_set():
                seen.add(read(self.TOKENS / "crm" / "token"))

        reader = threading.Thread(target=look)
        reader.start()
        self.systemctl("restart", "evertoken")
        done.set()
        reader.join()
        self.assertEqual(seen, {token})
        began = int(self.show("ExecMainStartTimestampMonotonic"))
        ready = int(self.show("ActiveEnterTimestampMonotonic"))
        self.assertLess((ready - began) / 1e6, 0.8, "seconds from exec to READY=1")
        self.assertEqual(self.control.credential("crm")["state"], "fresh")
        self.assertEqual(len(self.server.exchanges()), 1)

    @in_systemd()
    def test_a_daemon_that_hangs_is_killed_by_the_watchdog_and_comes_back_with_its_token(self):
        self.drop_in("[Service]\nWatchdogSec=3s\n")
        token = self.start()
        first = int(self.show("MainPID"))
        self.assertGreater(first, 1)
        ready = int(self.show("ActiveEnterTimestampMonotonic"))
        wait_until(lambda: int(self.show("WatchdogTimestampMonotonic")) > ready + 4_000_000, 10,
                   "a daemon that lives longer than the watchdog's patience by feeding it")
        self.assertEqual(int(self.show("MainPID")), first, "killed although it was alive")
        os.kill(first, signal.SIGSTOP)
        wait_until(lambda: self.show("NRestarts") == "1" and self.show("ActiveState") == "active",
                   20, "a restart by the watchdog")
        self.assertNotEqual(int(self.show("MainPID")), first)
        told = " ".join(str(entry.get("MESSAGE")) for entry in self.journal("-u", "evertoken"))
        self.assertIn("Watchdog timeout", told)
        self.assertEqual(read(self.TOKENS / "crm" / "token"), token)
        self.assertEqual(len(self.server.exchanges()), 1, "it forgot the token it had")

    @in_systemd()
    def test_a_killed_daemon_is_started_again_and_goes_on_where_it_was(self):
        token = self.start()
        first = int(self.show("MainPID"))
        self.assertGreater(first, 1)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: self.show("NRestarts") == "1" and self.show("ActiveState") == "active",
                   20, "a restart")
        self.assertEqual(read(self.TOKENS / "crm" / "token"), token)
        self.control.refresh("crm")
        second = self.server.wait_for(lambda seen: len(seen) == 2)[1]
        self.assertEqual(second.refresh_token, self.server.exchanges()[0].next_refresh_token)


class ConfigurationAndReports(InSystemdCase):
    """Secrets from systemd, reload, what systemctl and journalctl show."""

    @in_systemd()
    def test_a_client_secret_comes_from_LoadCredential(self):
        crm = self.grant("crm")
        source = pathlib.Path(crm["client_secret"]["file"])
        source.chmod(0o600)
        os.chown(source, 0, 0)
        self.drop_in(f"[Service]\nLoadCredential=crm-secret:{source}\n")
        self.configure({"crm": crm | {"client_secret": {"credential": "crm-secret"}}})
        self.systemctl("start", "evertoken")
        [exchange] = self.server.exchanges()
        self.assertEqual((exchange.status, exchange.problem), (200, None))
        self.assertEqual(read(self.TOKENS / "crm" / "token"), exchange.access_token)

    @in_systemd()
    def test_an_output_for_a_group_works_with_the_lines_the_unit_offers(self):
        self.command("groupadd", "--system", "crm")
        lines = documented_drop_in("SupplementaryGroups", "SystemCallFilter")
        self.drop_in(f"[Service]\n{lines}")
        output = {"path": "crm/token", "group": "crm", "mode": "0640"}
        self.configure({"crm": self.grant("crm", outputs=[output])})
        self.systemctl("start", "evertoken")
        token = self.server.exchanges()[0].access_token
        as_reader = ("setpriv", "--reuid=nobody", "--regid=crm", "--clear-groups")
        path = str(self.TOKENS / "crm" / "token")
        self.assertEqual(self.command(*as_reader, "cat", path).stdout, token)
        stranger = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
        self.assertNotEqual(self.command(*stranger, "cat", path, check=False).returncode, 0)

    @in_systemd()
    def test_reload_adds_a_credential_and_leaves_the_other_alone(self):
        token = self.start()
        before = (self.TOKENS / "crm" / "token").stat()
        pid = self.show("MainPID")
        self.write("conf.d/drive.json", json.dumps({"credentials": {"drive": self.grant("drive")}}))
        self.systemctl("reload", "evertoken")
        drive = wait_until(lambda: read(self.TOKENS / "drive" / "token"), 20, "a token for drive")
        self.assertEqual(drive, self.server.exchanges("drive-client")[0].access_token)
        self.assertEqual(len(self.server.exchanges("crm-client")), 1)
        after = (self.TOKENS / "crm" / "token").stat()
        self.assertEqual((after.st_ino, after.st_mtime_ns), (before.st_ino, before.st_mtime_ns))
        self.assertEqual(read(self.TOKENS / "crm" / "token"), token)
        self.assertEqual((self.show("MainPID"), self.show("NRestarts")), (pid, "0"))

    @in_systemd()
    def test_reload_of_a_config_with_a_mistake_keeps_the_running_one_and_says_so(self):
        token = self.start()
        good = read(self.CONFIG / "evertoken.json")
        self.write("evertoken.json", good.replace('"client_id"', '"clientt_id"'))
        began = time.monotonic()
        done = self.command("systemctl", "reload", "evertoken", check=False)
        self.assertNotEqual(done.returncode, 0, "a refused file is told as a reload")
        self.assertLess(time.monotonic() - began, 60, "it waited for an end of the reload")
        self.assertEqual((self.show("ActiveState"), self.show("SubState")), ("active", "running"))
        wait_until(lambda: "clientt_id" in json.dumps(self.control.status()), 20,
                   "the mistake in the status")
        said = [e for e in self.journal("-u", "evertoken") if "clientt_id" in str(e["MESSAGE"])]
        told = [e for e in said if e["SYSLOG_IDENTIFIER"] == "evertokend"]
        self.assertTrue(told, "the journal does not say which key is wrong")
        self.assertGreater(len(said), len(told), "what systemctl reload ran said nothing")
        self.assertLessEqual(int(told[0]["PRIORITY"]), 4)
        self.assertEqual(read(self.TOKENS / "crm" / "token"), token)
        self.control.refresh("crm")
        self.server.wait_for(lambda seen: len(seen) == 2 and seen[1].status == 200)

        self.write("evertoken.json", good)
        self.systemctl("reload", "evertoken")
        self.assertNotIn("clientt_id", json.dumps(self.control.status()))
        self.assertEqual((self.show("ActiveState"), self.show("NRestarts")), ("active", "0"))

    @in_systemd()
    def test_a_reload_by_a_signal_works_as_ever(self):
        self.start()
        pid = self.show("MainPID")
        self.write("conf.d/drive.json", json.dumps({"credentials": {"drive": self.grant("drive")}}))
        self.systemctl("kill", "--kill-whom=main", "--signal=HUP", "evertoken")
        wait_until(lambda: read(self.TOKENS / "drive" / "token"), 20, "a token for drive")
        wait_until(lambda: self.show("ActiveState") == "active", 20, "the end of the reload")
        self.assertEqual((self.show("SubState"), self.show("MainPID")), ("running", pid))

    @in_systemd()
    def test_systemctl_status_says_how_the_credentials_are(self):
        self.start()
        wait_until(lambda: "1 of 1 fresh" in self.show("StatusText"), 5, "a true STATUS= text")
        self.assertIn("crm", self.show("StatusText"), "it does not say which credential is next")

    @in_systemd()
    def test_journal_entries_name_their_credential_and_failures_can_be_alerted_on(self):
        refused = Answer(status=401, body=json.dumps({"error": "invalid_client"}))
        self.server.plan("drive-client", *[refused] * 20)
        self.configure({"crm": self.grant("crm"), "drive": self.grant("drive")})
        self.systemctl("start", "evertoken")
        self.control.wait_for("drive", lambda c: c["last_error"], "an error in the status")
        entries = self.journal("-u", "evertoken", "EVERTOKEN_CREDENTIAL=crm")
        self.assertTrue(entries, "no entry about crm")
        self.assertEqual({e["EVERTOKEN_PROVIDER"] for e in entries}, {"as"})
        failures = [e for e in self.journal("-u", "evertoken", "EVERTOKEN_CREDENTIAL=drive")
                    if int(e["PRIORITY"]) <= 4]
        self.assertTrue(failures, "a refused client is no warning")
        self.assertTrue([e for e in failures if re.fullmatch("[0-9a-f]{32}",
                                                             e.get("MESSAGE_ID", ""))])

    @in_systemd()
    def test_nothing_a_hostile_server_echoes_reaches_the_journal(self):
        crm = self.grant("crm", refresh={"retry": {"initial": "0.1s", "max": "0.2s"}})
        echo = " ".join(sorted(self.server.secret_texts()))
        bodies = [json.dumps({"error": "invalid_request", "error_description": echo}),
                  json.dumps({"error": echo}), echo, f'{{"refresh_token": "{echo}'.upper()]
        self.server.plan("crm-client", *[
            Answer(status=503, body=body, headers={"Retry-After": "0", "X-Echo": echo})
            for body in bodies])
        self.configure({"crm": crm}, log_level="debug")
        self.systemctl("start", "evertoken")
        self.server.wait_for(lambda seen: len(seen) == 5 and seen[4].status == 200)
        self.assertTrue(self.journal("-u", "evertoken", "EVERTOKEN_CREDENTIAL=crm"))
        # Every test looks through the whole journal when it is over; this one gave it a reason.
