"""What `evertoken status` shows people: the table on a terminal, one credential's recent history,
the watch that is redrawn in place, and warnings before a refresh token ends."""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from evertest.basics import BIN, wait_until
from evertest.programs import PLAIN_ENVIRONMENT, ProgramCase
from evertest.servers.raw_server import RawServer, replying
from evertest.servers.token_server import Answer
from evertest.suite import Suite
from evertest.wire import granting

SUITE = Suite(timed=True, minutes=0.6)

DAY = 86_400


class Terminal:
    """A program on a terminal of its own; what it wrote, and keys to press."""

    def __init__(self, case, daemon, *arguments, rows=30, columns=80, environment=None):
        self.master, self.slave = pty.openpty()
        self.columns = columns
        self.resize(rows)
        self.before = termios.tcgetattr(self.slave)
        variables = PLAIN_ENVIRONMENT | {
            "EVERTOKEN_SOCKET": str(daemon.socket), "TERM": "xterm"} | (environment or {})
        self.process = subprocess.Popen(
            [BIN / "evertoken", *arguments], stdin=self.slave, stdout=self.slave,
            stderr=self.slave, env=variables, start_new_session=True)
        self.written = ""
        case.addCleanup(self.close)

    def resize(self, rows):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, self.columns, 0, 0))

    def read(self):
        """All that has been written so far."""
        while select.select([self.master], [], [], 0.02)[0]:
            self.written += os.read(self.master, 65_536).decode()
        return self.written

    def press(self, keys):
        os.write(self.master, keys.encode())

    def screen(self):
        """The lines of the last complete drawing, without their colours."""
        drawings = self.read().split("\x1b[H")
        last = next((d for d in reversed(drawings) if "\x1b[J" in d), "")
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", last).replace("\r", "").splitlines()

    def end(self, timeout=5):
        status = self.process.wait(timeout)
        self.read()
        return status

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class TableTest(ProgramCase):
    def setUp(self):
        super().setUp()
        self.running = self.daemon({"crm": self.credential("crm"), "car": self.signed_out("car")})
        self.running.wait_for("crm", "fresh")
        self.running.wait_for("car", "login_required")

    def shown(self, **environment):
        terminal = Terminal(self, self.running, "status", environment=environment)
        self.assertEqual(terminal.end(), 0)
        return terminal.written

    def test_colours_are_for_terminals_that_want_them(self):
        text = self.shown()
        self.assertRegex(text, "\x1b\\[32mfresh +\x1b\\[0m")
        self.assertRegex(text, "\x1b\\[31mlogin_required")
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\x1b", self.shown(**environment))
        piped = self.running.evertoken("status", environment={"TERM": "xterm"}).stdout
        self.assertNotIn("\x1b", piped)
        self.assertIn("fresh", piped)

    def test_colour_does_not_shift_a_column(self):
        plain = self.running.evertoken("status").stdout.splitlines()[:4]
        coloured = re.sub(r"\x1b\[[0-9;]*m", "", self.shown()).replace("\r", "").splitlines()[:4]
        self.assertEqual(coloured, plain)
        self.assertEqual(plain[0], "1 of 2 fresh, 1 needs a person")
        self.assertEqual([line.split()[0] for line in plain[1:]], ["CREDENTIAL", "car", "crm"])

    def test_names_as_long_as_they_may_be_are_cut_on_a_terminal_and_nowhere_else(self):
        long = "n" * 61 + "-1"
        daemon = self.daemon({long: self.signed_out(long)}, place="long")
        daemon.wait_for(long, "login_required")
        for words, columns in ((["status"], 80), (["status", long], 80), (["status"], 132)):
            terminal = Terminal(self, daemon, *words, columns=columns)
            self.assertEqual(terminal.end(), 0)
            text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.written).replace("\r", "")
            # The name itself, in sentences, is never cut.
            self.assertTrue(all(len(line) <= columns or long in line
                                for line in text.splitlines()), text)
            self.assertIn("evertoken import " + long, " ".join(text.split()))
            row = next(line for line in text.splitlines() if re.search("login_req", line))
            self.assertEqual(row.startswith(long), columns == 132 or len(words) == 2, row)
            self.assertRegex(row, r"^n+[^ ]*-1 ", "its tail tells it apart")
        piped = daemon.evertoken("status").stdout.splitlines()
        self.assertTrue(piped[2].startswith(long + "  login_required"), piped)
        # A problem and its remedy are a line each, for grep.
        self.assertTrue(piped[3].startswith(long + ": ") and piped[3].endswith("."), piped)
        self.assertRegex(piped[-1], "evertoken import " + long)


class HistoryTest(ProgramCase):
    def history(self, daemon, name="crm"):
        return json.loads(daemon.evertoken("status", name, "--json").stdout)["recent"]

    def refresh(self, daemon, result):
        before = len(self.server.exchanges())
        done = daemon.evertoken("refresh", "crm", "--wait")
        self.assertEqual(done.returncode == 0, result == "success", done.stderr)
        self.assertGreater(len(self.server.exchanges()), before)

    def test_the_last_attempts_are_told_newest_first_and_outlive_a_restart(self):
        daemon = self.fresh_daemon("crm")
        self.server.plan("crm", Answer(status=503), Answer(
            status=400, body='{"error": "invalid_grant"}', rotate=False))
        self.refresh(daemon, "failure")
        self.refresh(daemon, "failure")
        # Three refusals count; the next one would come in a minute.
        self.refresh(daemon, "success")
        daemon.wait_for("crm", "fresh")
        told = self.history(daemon)
        self.assertEqual([(a["result"], a.get("class"), a.get("http_status")) for a in told], [
            ("success", None, None), ("failure", "reauth", 400), ("failure", "transient", 503),
            ("success", None, None)])
        self.assertEqual({a["kind"] for a in told}, {"refresh"})
        for attempt in told:
            self.assertAlmostEqual(attempt["at"], time.time(), delta=60)
            self.assertLess(attempt["milliseconds"], 5000)
        daemon.restart()
        daemon.wait_for("crm", "fresh")
        self.assertEqual(self.history(daemon), told)
        page = daemon.evertoken("status", "crm").stdout
        self.assertEqual(page.splitlines()[0].split(), ["crm", "fresh"])
        date = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
        self.assertRegex(
            page, r"(?m)^  access token +ends in (1 h|59 min) \(%s [+-]\d{4}\)$" % date)
        for result in (r"failed \(503 temporarily_unavailable\)",
                       r"refused \(400 invalid_grant\)", "ok"):
            self.assertRegex(page, r"(?m)(ago|now) +refresh +%s +[\d.]+ m?s$" % result)
        self.assertRegex(daemon.evertoken("status", "crm", "--utc").stdout, date + r" UTC\)")
        here = {"TZ": "Asia/Kolkata"}
        there = daemon.evertoken("status", "crm", environment=here).stdout
        self.assertRegex(there, date + r" \+0530\)")
        instant = subprocess.run(
            ["date", "-d", re.search(r"ends in [^(]*\((.*)\)", there)[1], "+%s"],
            stdout=subprocess.PIPE, check=True, text=True).stdout
        self.assertEqual(int(instant), daemon.credentials()["crm"]["expires_at"])

    def test_no_more_than_twenty_are_kept(self):
        daemon = self.daemon({"crm": self.credential("crm", refresh={
            "min_interval": "0.5s", "retry": {"initial": "0.05s", "max": "0.1s"}})})
        daemon.wait_for("crm", "fresh")
        self.server.plan("crm", *[Answer(status=503)] * 24)
        self.refresh(daemon, "failure")
        wait_until(lambda: daemon.credentials()["crm"]["refreshes"] == 2, 20, "the end", daemon)
        told = self.history(daemon)
        self.assertEqual([a.get("http_status") for a in told], [None] + [503] * 19)

    def test_an_import_and_a_sign_in_that_failed_are_told_as_what_they_are(self):
        daemon = self.fresh_daemon("crm")
        self.server.plan("crm", Answer(status=400, body='{"error": "invalid_grant"}', rotate=False))
        self.assertNotEqual(daemon.evertoken("login", "crm", "--code", "wrong").returncode, 0)
        token = {"refresh_token": self.server.grant("crm", "secret-of-crm"),
                 "access_token": "brought", "expires_in": 3600}
        self.assertEqual(daemon.evertoken("import", "crm", text=json.dumps(token)).returncode, 0)
        self.assertEqual([(a["kind"], a["result"]) for a in self.history(daemon)], [
            ("import", "success"), ("sign_in", "failure"), ("refresh", "success")])

    def test_what_never_reached_a_slot_is_told_too(self):
        daemon = self.daemon({"crm": self.credential(
            "crm", client_secret={"file": str(self.directory / "absent")})})
        daemon.wait_for("crm", "misconfigured")
        wait_until(lambda: self.history(daemon), 5, "an attempt", daemon)
        [attempt] = self.history(daemon)
        self.assertEqual((attempt["result"], attempt["class"]), ("failure", "config"))
        self.assertIn("absent", attempt["problem"])


class WatchTest(ProgramCase):
    lifetime = 8

    def watch(self, daemon, *arguments, **options):
        terminal = Terminal(self, daemon, "status", "--watch", *arguments, **options)
        wait_until(lambda: "q quits" in " ".join(terminal.screen()), 10, "a drawing")
        return terminal

    def test_it_is_redrawn_in_place_until_q_is_pressed(self):
        daemon = self.fresh_daemon("crm")
        terminal = self.watch(daemon, environment={"LC_ALL": "C.UTF-8"})
        self.assertIn("\x1b[?1049h", terminal.written)
        first = terminal.screen()
        self.assertEqual(first[0], "1 of 1 fresh")
        self.assertRegex(first[2], r"^crm +(fresh|refreshing) .* [█░]{8}$")
        token = daemon.file("crm/token")
        wait_until(lambda: terminal.screen() != first, 5, "another drawing", daemon)
        wait_until(lambda: daemon.file("crm/token") != token, 12, "a refresh", daemon)
        wait_until(lambda: terminal.screen()[2].count("█") >= 7, 5, "a whole bar again", daemon)
        terminal.press("x")
        time.sleep(0.2)
        self.assertIsNone(terminal.process.poll())
        terminal.press("q")
        self.assertEqual(terminal.end(), 0)
        self.assertTrue(terminal.written.endswith("\x1b[?1049l"))
        self.assertTrue(terminal.is_as_before())

    def test_a_signal_leaves_the_terminal_as_it_was(self):
        daemon = self.fresh_daemon("crm")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            terminal = self.watch(daemon)
            terminal.process.send_signal(number)
            self.assertEqual(terminal.end(), 0)
            self.assertTrue(terminal.written.endswith("\x1b[?1049l"))
            self.assertTrue(terminal.is_as_before())

    def test_it_outlives_the_daemon_and_sees_it_again(self):
        daemon = self.fresh_daemon("crm")
        terminal = self.watch(daemon, "crm")
        self.assertEqual(terminal.screen()[0].split()[0], "crm")
        daemon.terminate()
        wait_until(lambda: "does not answer" in terminal.screen()[-1], 5, "a word of it")
        daemon.start()
        wait_until(lambda: terminal.screen()[-1] == "q quits", 5, "the daemon again", daemon)
        terminal.press("q")
        self.assertEqual(terminal.end(), 0)

    def test_what_does_not_fit_the_window_is_reached_by_keys(self):
        names = ["c%02d" % i for i in range(12)]
        daemon = self.daemon({**{name: self.credential(name) for name in names},
                              "out": self.signed_out("out")})
        daemon.wait_for("out", "login_required")
        terminal = self.watch(daemon, rows=9)

        def rows():
            return [line.split()[0] for line in terminal.screen()[2:-2]]

        def reaches(shown):
            wait_until(lambda: rows() == shown, 5, "%s; there is %s" % (shown, terminal.screen()))

        self.assertRegex(terminal.screen()[0], r"of 13 fresh, 1 needs a person$")
        reaches(["out", "c00", "c01", "c02", "c03"])
        self.assertIn("1-5 of ", terminal.screen()[-1])
        for keys, shown in (
                ("\x1b[B", ["c00", "c01", "c02", "c03", "c04"]),
                ("\x1b[B\x1b[B\x1b[A", ["c01", "c02", "c03", "c04", "c05"]),
                ("\x1b[6~", ["c05", "c06", "c07", "c08", "c09"]),
                ("\x1b[5~", ["c01", "c02", "c03", "c04", "c05"]),
                ("\x1b[H", ["out", "c00", "c01", "c02", "c03"])):
            terminal.press(keys)
            reaches(shown)
        terminal.press("/C09\r")
        wait_until(lambda: "c09" in rows(), 5, "what was searched for", daemon)
        self.assertRegex(terminal.written, "\x1b\\[7mc09 ")
        terminal.press("\x1b[F")
        wait_until(lambda: "evertoken import out" in " ".join(terminal.screen()), 5, "the end")
        terminal.press("/nowhere\r")
        wait_until(lambda: "is not there" in terminal.screen()[-1], 5, "a word of it")
        # Typed into a search it is a letter.
        terminal.press("/q\x1b")
        time.sleep(0.3)
        self.assertIsNone(terminal.process.poll())
        self.assertLessEqual(len(terminal.screen()), 9)
        terminal.resize(60)
        terminal.process.send_signal(signal.SIGWINCH)
        wait_until(lambda: terminal.screen()[-1].endswith("q quits")
                   and "of 1" not in terminal.screen()[-1], 5, "all of it", daemon)
        terminal.press("q")
        self.assertEqual(terminal.end(), 0)
        self.assertTrue(terminal.is_as_before())

    def test_stopped_by_ctrl_z_it_gives_the_terminal_back_and_goes_on_later(self):
        daemon = self.fresh_daemon("crm")
        terminal = self.watch(daemon)
        terminal.process.send_signal(signal.SIGTSTP)

        def is_stopped():
            text = pathlib.Path("/proc/%d/stat" % terminal.process.pid).read_text()
            return text.rpartition(")")[2].split()[0] == "T"

        wait_until(is_stopped, 5, "it to stop")
        self.assertTrue(terminal.read().endswith("\x1b[?1049l"))
        self.assertTrue(terminal.is_as_before())
        terminal.process.send_signal(signal.SIGCONT)
        wait_until(lambda: terminal.read().count("\x1b[?1049h") == 2, 5, "the screen again")
        terminal.press("q")
        self.assertEqual(terminal.end(), 0)
        self.assertTrue(terminal.is_as_before())

    def test_into_a_pipe_it_prints_again_and_again(self):
        daemon = self.fresh_daemon("crm")
        process = subprocess.Popen(
            [BIN / "evertoken", "status", "--watch"], stdout=subprocess.PIPE, text=True,
            env=PLAIN_ENVIRONMENT | {"EVERTOKEN_SOCKET": str(daemon.socket)})
        self.addCleanup(process.kill)
        lines = [process.stdout.readline() for _ in range(8)]
        self.assertEqual(sum(line.startswith("CREDENTIAL") for line in lines), 2, lines)
        self.assertNotIn("\x1b", "".join(lines))
        process.stdout.close()
        process.terminate()
        self.assertEqual(process.wait(5), 0)

    def test_it_goes_with_nothing_that_is_for_scripts(self):
        daemon = self.fresh_daemon("crm")
        for flag in ("--json", "--check", "-q", "-oname"):
            self.assert_exit(daemon.evertoken("status", "--watch", flag), os.EX_USAGE, "--watch")
        self.assert_exit(daemon.evertoken("status", "--watch", "crn"), os.EX_DATAERR, "crn")


class WarningTest(ProgramCase):
    """A refresh token's end is told days before, where it takes a person."""

    def profile(self, **lifecycle):
        return {"request": {"url": self.server.url, "client_auth": "client_secret_basic"},
                "lifecycle": {"refresh_token": "rotating"} | lifecycle}

    def start(self, **lifecycle):
        return self.daemon({"crm": self.credential("crm", provider="ending")},
                           providers={"ending": self.profile(**lifecycle)})

    def test_one_that_ends_for_good_is_told_in_status_and_journal(self):
        daemon = self.start(refresh_token_lifetime="60h", refresh_token_expiry="fixed")
        entry = daemon.wait_for("crm", "fresh")
        [warning] = entry["warnings"]
        self.assertEqual(
            warning, "the refresh token ends in 2 d 12 h; sign in before: evertoken login crm")
        self.assertIn(warning, " ".join(daemon.evertoken("status").stdout.split()))
        self.assertIn("refresh token ends soon", daemon.stderr())
        self.assertIn("days_left=3", daemon.stderr())
        self.assertEqual(daemon.stderr().count("refresh token ends soon"), 1)
        # The next refresh changes nothing about it: not a second time.
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        self.assertEqual(daemon.stderr().count("refresh token ends soon"), 1)

    def test_one_that_each_refresh_puts_off_is_no_news_until_refreshing_fails_for_long(self):
        daemon = self.start(refresh_token_lifetime="6s", refresh_token_expiry="sliding")
        self.assertEqual(daemon.wait_for("crm", "fresh")["warnings"], [])
        self.server.plan("crm", *[Answer(status=503, rotate=False)] * 30)
        self.assertNotEqual(daemon.evertoken("refresh", "crm", "--wait").returncode, 0)
        self.assertEqual(daemon.wait_for("crm", "retrying")["warnings"], [])
        wait_until(lambda: daemon.credentials()["crm"]["warnings"], 8, "a warning", daemon)

    def test_what_the_answers_show_decides_where_no_profile_says(self):
        for name, lefts, warnings in (("ends", (5 * DAY, 5 * DAY - 2), 1),
                                      ("put-off", (5 * DAY, 5 * DAY), 0)):
            with self.subTest(name):
                server = RawServer(*(
                    replying(200, granting(number, refresh_expires_in=left))
                    for number, left in enumerate(lefts))).start()
                self.addCleanup(server.stop)
                provider = self.profile() | {"response": {
                    "refresh_expires": {"from": "/refresh_expires_in", "as": "seconds"}}}
                provider["request"]["url"] = "http://127.0.0.1:%d/token" % server.port
                daemon = self.daemon({"crm": self.credential("crm", provider="ending")},
                                     place=name, providers={"ending": provider})
                self.assertEqual(daemon.wait_for("crm", "fresh")["warnings"], [])
                time.sleep(2.1)
                self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
                self.assertEqual(len(daemon.wait_for("crm", "fresh")["warnings"]), warnings)
