"""`evertoken add`: a credential from a few answers, by options, standard input or a terminal, with
the real daemon. What is refused changes nothing on the disk."""

import grp
import json
import os
import pty
import re
import select
import stat
import subprocess
import termios
import time

from evertest.basics import BIN, wait_until
from evertest.programs import PLAIN_ENVIRONMENT, ProgramCase, evertoken, write_private
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.1)

SECRET = "s3cret=of the,client"
PEOPLE = {"request": {"client_auth": "client_secret_basic"},
          "variables": {"tenant": {"required": True, "description": "your company's short name",
                                   "pattern": "[a-z]+"}}}


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, case, *arguments):
        self.pid, self.leader = pty.fork()
        if self.pid == 0:
            os.execve(arguments[0], arguments, PLAIN_ENVIRONMENT | {"TERM": "xterm"})
        case.addCleanup(self.close)
        self.shown = ""
        self.status = None

    def wait_for(self, text):
        """Waits until it shows this, after what was waited for before; what came meanwhile."""
        end = time.monotonic() + 30
        while text not in self.shown:
            if not select.select([self.leader], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError("no %r in %r" % (text, self.shown))
            try:
                data = os.read(self.leader, 4096)
            except OSError:
                data = b""
            if not data:
                raise AssertionError("it ended without %r: %r" % (text, self.shown))
            self.shown += data.decode()
        before, _, self.shown = self.shown.partition(text)
        return before

    def type(self, text):
        os.write(self.leader, text.encode())

    def end(self):
        """Its exit status, and what it showed last."""
        while True:
            try:
                data = os.read(self.leader, 4096)
            except OSError:
                data = b""
            if not data:
                break
            self.shown += data.decode()
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.leader)


class AddCase(ProgramCase):
    def setUp(self):
        super().setUp()
        self.running = self.daemon({})
        self.config = self.running.config_file
        document = json.loads(self.config.read_text())
        document["providers"]["people"] = {"extends": "as"} | PEOPLE
        document["providers"]["people"]["authorization"] = {"url": self.server.url}
        self.config.write_text(json.dumps(document))
        self.folder = self.config.parent
        self.dropin = self.folder / "conf.d" / "crm.json"

    def add(self, *arguments, text="", name="crm"):
        return evertoken("add", name, *arguments, "--config", str(self.config), text=text)

    def files(self):
        """Every file of the configuration, hidden ones too, with its content."""
        found = [self.config, *self.folder.glob("crm.*"), *self.folder.glob(".crm*"),
                 *(self.folder / "conf.d").glob("*"), *(self.folder / "conf.d").glob(".*")]
        return {path: path.read_bytes() for path in found if path.is_file()}


class Adding(AddCase):
    def test_a_machine_s_credential_has_a_token_at_once(self):
        self.server.grant("robot", SECRET)
        done = self.add("--provider", "machine", "--client-id", "robot",
                        text="client_secret=%s\n" % SECRET)
        self.assert_exit(done, 0)
        self.assertIn("reloaded: crm is configured", done.stdout)
        self.assertNotIn("login", done.stdout)
        self.running.wait_for("crm", "fresh")
        self.assertEqual(json.loads(self.dropin.read_text()), {"credentials": {"crm": {
            "provider": "machine", "client_id": "robot",
            "client_secret": {"file": str(self.folder / "crm.client_secret")}}}})
        self.assertEqual((self.folder / "crm.client_secret").read_text(), SECRET)
        self.assertNotIn(SECRET, done.stdout + done.stderr + self.dropin.read_text())

    def test_files_are_root_s_and_the_daemon_s_group_may_read_them(self):
        self.add("--provider", "machine", "--client-id", "i", text='{"client_secret": "s"}')
        try:
            group = grp.getgrnam("evertoken").gr_gid
        except KeyError:
            group = os.getegid()
        for path in (self.dropin, self.folder / "crm.client_secret"):
            about = path.stat()
            self.assertEqual((stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid),
                             (0o640, 0, group), path)
        self.assertEqual([path for path in self.files() if path.name.startswith(".")], [])

    def test_with_a_refresh_token_it_is_used_and_without_one_a_sign_in_is_next(self):
        seed = self.server.grant("i", "s")
        given = json.dumps({"client_id": "i", "client_secret": "s", "refresh_token": seed})
        done = self.add("--provider", "people", "--set", "tenant=acme", text=given)
        self.assert_exit(done, 0)
        self.running.wait_for("crm", "fresh")
        other = self.add("--provider", "people", "--set", "tenant=acme", "--client-id", "i",
                         text="client_secret=s", name="mail")
        self.assert_exit(other, 0)
        self.assertIn("next: sudo evertoken login mail", other.stdout)

    def test_without_a_daemon_and_without_a_main_file_the_start_is_next(self):
        folder = self.directory / "new"
        folder.mkdir(mode=0o755)
        main = folder / "evertoken.json"
        done = evertoken("add", "files", "--provider", "febbox", "--client-id", "i", "--config",
                         str(main), text="client_secret=s\n")
        self.assert_exit(done, 0)
        self.assertIn("start it: sudo systemctl start evertoken", done.stdout)
        self.assertEqual(list(json.loads(main.read_text())), ["$schema"])
        self.assert_exit(evertoken("check", "--config", str(main)), 0)

    def test_a_dry_run_prints_the_file_and_writes_none(self):
        before = self.files()
        done = self.add("--provider", "machine", "--client-id", "i", "--dry-run",
                        text="client_secret=%s" % SECRET)
        self.assert_exit(done, 0)
        self.assertEqual(list(json.loads(done.stdout)["credentials"]), ["crm"])
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        self.assertEqual(self.files(), before)

    def test_then_the_sign_in(self):
        document = json.loads(self.config.read_text())
        document["providers"]["people"]["authorization"] = {
            "url": self.server.url, "params": {"prompt": "login"}}
        self.config.write_text(json.dumps(document))
        waiting = subprocess.Popen(
            [str(BIN / "evertoken"), "add", "crm", "--provider", "people", "--set", "tenant=acme",
             "--client-id", "i", "--login", "--no-browser", "--config", str(self.config)],
            env=PLAIN_ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(waiting.wait)
        self.addCleanup(waiting.kill)
        waiting.stdin.write("client_secret=s\n")
        waiting.stdin.close()
        self.addCleanup(waiting.stdout.close)
        shown = ""
        while "Sign in on this page:" not in shown:
            line = waiting.stdout.readline()
            self.assertTrue(line, shown)
            shown += line
        self.assertIn("reloaded: crm is configured", shown)
        self.assertTrue(self.dropin.exists())


class Refused(AddCase):
    """Each with the files before and after it."""

    def assert_refused(self, status, *words, arguments, text="", name="crm"):
        before, reloads = self.files(), self.running.stderr().count("reload")
        done = self.add(*arguments, text=text, name=name)
        self.assert_exit(done, status, *words)
        self.assertEqual(done.stdout, "")
        self.assertEqual(self.files(), before)
        self.assertEqual(self.running.stderr().count("reload"), reloads)
        self.assertFalse(any(SECRET in text for text in (done.stdout, done.stderr)))

    def test_names_that_lead_elsewhere_or_cannot_be_names(self):
        for name in ("../crm", "crm/../../x", ".crm", "Crm", "", "a" * 65, "crm\n", "c\u00e9", "*",
                     "-crm", "crm.json/", "\x1b[2J"):
            with self.subTest(name):
                done = evertoken("add", "--provider", "machine", "--client-id", "i", "--config",
                                 str(self.config), "--", name, text="client_secret=s")
                self.assert_exit(done, os.EX_DATAERR)
                self.assertEqual(set(self.files()), {self.config})
                self.assertNotIn("\x1b", done.stderr)

    def test_a_secret_in_an_argument(self):
        self.assert_refused(os.EX_USAGE, "other users", "standard input", arguments=[
            "--provider", "machine", "--client-id", "i", "--set", "client_secret=" + SECRET])

    def test_missing_values_are_all_named_with_the_way_to_give_them(self):
        self.assert_refused(
            os.EX_USAGE, "client_id: --client-id", "client_secret: standard input",
            "tenant: --set tenant=", arguments=["--provider", "people"])

    def test_an_unknown_provider_and_values_that_it_does_not_know(self):
        self.assert_refused(os.EX_CONFIG, 'write "machine"', arguments=["--provider", "machin"])
        self.assert_refused(os.EX_DATAERR, "no value of this name: domain", arguments=[
            "--provider", "people", "--set", "domain=x"])
        self.assert_refused(os.EX_DATAERR, "does not match [a-z]+", arguments=[
            "--provider", "people", "--set", "tenant=" + SECRET])
        self.assert_refused(os.EX_DATAERR, "standard input: ", text=SECRET.replace("=", ""),
                            arguments=["--provider", "machine", "--client-id", "i"])

    def test_a_configuration_with_a_mistake_elsewhere(self):
        (self.folder / "conf.d").mkdir(exist_ok=True)
        write_private(self.folder / "conf.d" / "bad.json", '{"credentialz": {}}')
        self.assert_refused(os.EX_CONFIG, "credentialz", "nothing was changed", arguments=[
            "--provider", "machine", "--client-id", "i"], text="client_secret=s")

    def test_a_name_that_is_taken_wherever_it_stands(self):
        arguments = ["--provider", "machine", "--client-id", "i"]
        self.assert_exit(self.add(*arguments, text="client_secret=s"), 0)
        self.assert_refused(os.EX_DATAERR, "--replace", arguments=arguments,
                            text="client_secret=other")
        document = json.loads(self.config.read_text())
        document["credentials"] = {"main": {"provider": "machine", "client_id": "i",
                                            "client_secret": "s"}}
        self.config.write_text(json.dumps(document))
        self.assert_refused(os.EX_DATAERR, 'there is a credential "main" already', name="main",
                            arguments=arguments, text="client_secret=s")

    def test_a_secret_s_file_that_is_there_is_not_written_over(self):
        write_private(self.folder / "crm.client_secret", "older")
        self.assert_refused(os.EX_TEMPFAIL, "crm.client_secret, which is there already",
                            arguments=["--provider", "machine", "--client-id", "i"],
                            text="client_secret=s")

    def test_a_link_in_the_place_of_the_drop_ins(self):
        elsewhere = self.directory / "elsewhere"
        elsewhere.mkdir()
        (self.folder / "conf.d").symlink_to(elsewhere)
        self.assert_refused(os.EX_TEMPFAIL, "conf.d", text="client_secret=s", arguments=[
            "--provider", "machine", "--client-id", "i"])
        self.assertEqual(list(elsewhere.iterdir()), [])

    def test_where_the_user_may_not_write(self):
        self.folder.chmod(0o755)
        self.directory.chmod(0o755)
        self.config.chmod(0o644)
        before = self.files()
        done = evertoken("add", "crm", "--provider", "machine", "--client-id", "i", "--config",
                         str(self.config), text="client_secret=s",
                         prefix=("setpriv", "--reuid", "nobody", "--regid", "nogroup",
                                 "--clear-groups"))
        self.assert_exit(done, os.EX_NOPERM, "sudo")
        self.assertEqual(self.files(), before)


class Replacing(AddCase):
    def test_it_writes_over_its_own_and_over_nothing_else(self):
        arguments = ["--provider", "machine", "--client-id"]
        self.assert_exit(self.add(*arguments, "one", text="client_secret=1"), 0)
        self.assert_exit(self.add(*arguments, "two", "--replace", text="client_secret=2"), 0)
        entry = json.loads(self.dropin.read_text())["credentials"]["crm"]
        self.assertEqual(entry["client_id"], "two")
        self.assertEqual((self.folder / "crm.client_secret").read_text(), "2")
        more = json.loads(self.dropin.read_text())
        more["credentials"]["other"] = more["credentials"]["crm"]
        self.dropin.write_text(json.dumps(more))
        done = self.add(*arguments, "three", "--replace", text="client_secret=3")
        self.assert_exit(done, os.EX_DATAERR, "holds more than crm")
        self.assertEqual(json.loads(self.dropin.read_text()), more)


class OnATerminal(AddCase):
    def start(self, *arguments):
        return Terminal(self, str(BIN / "evertoken"), "add", "crm", *arguments, "--config",
                        str(self.config))

    def test_it_asks_for_each_value_and_shows_no_secret(self):
        self.server.grant("robot", SECRET)
        terminal = self.start("--provider", "people")
        terminal.wait_for("client_id: ")
        terminal.type("robot\n")
        terminal.wait_for("client_secret: ")
        # A slip, taken back by a key.
        terminal.type("x\x7f" + SECRET + "\n")
        shown = terminal.wait_for("refresh_token (Enter: sign in later): ")
        terminal.type("\n")
        question = terminal.wait_for(": ")
        self.assertRegex(question, r"tenant \(your company's short name; matches \[a-z\]\+\)")
        terminal.type("UPPER\n")
        terminal.wait_for("does not match")
        terminal.wait_for(": ")
        terminal.type("acme\n")
        shown += terminal.wait_for("next: sudo evertoken login crm")
        self.assertEqual(terminal.end(), 0)
        self.assertNotIn(SECRET[:4], shown + terminal.shown)
        self.assertEqual((self.folder / "crm.client_secret").read_text(), SECRET)
        entry = json.loads(self.dropin.read_text())["credentials"]["crm"]
        self.assertEqual(entry["variables"], {"tenant": "acme"})
        self.assertNotIn("refresh_token", entry)
        wait_until(lambda: "crm" in self.running.credentials(), 10, "the credential")

    def test_a_long_token_is_taken_whole(self):
        token = "t" * 9000
        terminal = self.start("--provider", "people", "--client-id", "i", "--set", "tenant=acme")
        terminal.wait_for("client_secret: ")
        terminal.type("s\n")
        terminal.wait_for("refresh_token (Enter: sign in later): ")
        for start in range(0, len(token), 1000):
            terminal.type(token[start:start + 1000])
        terminal.type("\n")
        terminal.wait_for("reloaded")
        self.assertEqual(terminal.end(), 0)
        self.assertEqual((self.folder / "crm.refresh_token").read_text(), token)

    def test_control_c_at_a_secret_changes_nothing_and_gives_the_terminal_back(self):
        before = self.files()
        terminal = self.start("--provider", "machine", "--client-id", "i")
        terminal.wait_for("client_secret: ")
        terminal.type("half a secr\x03")
        terminal.wait_for("nothing was changed")
        self.assertTrue(termios.tcgetattr(terminal.leader)[3] & termios.ECHO)
        self.assertEqual(terminal.end(), os.EX_USAGE)
        self.assertEqual(self.files(), before)
        self.assertIsNone(re.search("half", terminal.shown))
