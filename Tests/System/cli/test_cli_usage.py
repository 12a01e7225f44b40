"""What holds for all commands: help, versions, usage errors, finding the daemon; and the demo."""

import os
import pathlib
import re
import shutil
import subprocess

from evertest.basics import BIN, wait_until
from evertest.programs import PLAIN_ENVIRONMENT, PlainDaemon, ProgramCase, evertoken, timed
from evertest.suite import Suite

SUITE = Suite(timed=True, alone=True, minutes=0.4)

COMMANDS = {"check", "status", "token", "refresh", "reload", "login", "import", "wait",
            "providers", "demo", "logs", "explain"}
DEFAULT_SOCKET = "/run/evertoken/control.sock"
DEFAULT_CONFIG = "/etc/evertoken/evertoken.json"


def evertokend(*arguments):
    return subprocess.run([BIN / "evertokend", *arguments], capture_output=True, text=True,
                          env=PLAIN_ENVIRONMENT, stdin=subprocess.DEVNULL, timeout=20)


class HelpTest(ProgramCase):
    def test_every_command_has_help_with_an_example(self):
        done = evertoken("--help")
        self.assert_exit(done, 0)
        listed = done.stdout.partition("SUBCOMMANDS:")[2]
        commands = set(re.findall(r"(?m)^  ([a-z]+)  ", listed))
        self.assertLessEqual(COMMANDS, commands)
        for command in sorted(commands - {"help"}):
            with self.subTest(command):
                done = evertoken(command, "--help")
                self.assert_exit(done, 0)
                before_usage = done.stdout.partition("USAGE:")[0]
                self.assertRegex(before_usage, r"(?m)^ *evertoken %s\b" % command)
                self.assertEqual(done.stderr, "")

    def test_the_help_tells_the_exit_statuses(self):
        text = evertoken("--help").stdout
        for status in ("64", "65", "69", "75", "77", "78"):
            self.assertIn(status, text)

    def test_the_daemon_has_help_with_an_example(self):
        done = evertokend("--help")
        self.assert_exit(done, 0)
        self.assertRegex(done.stdout.partition("USAGE:")[0], r"(?m)^ *evertokend --config ")

    def test_both_programs_have_the_same_version(self):
        ours, theirs = evertoken("--version"), evertokend("--version")
        self.assert_exit(ours, 0)
        self.assert_exit(theirs, 0)
        self.assertRegex(ours.stdout, r"[0-9]+\.[0-9]+\.[0-9]+")
        self.assertEqual(ours.stdout, theirs.stdout)

    def test_the_shipped_providers_are_listed(self):
        done = evertoken("providers")
        self.assert_exit(done, 0)
        for name in ("febbox", "fxiaoke", "xee"):
            self.assertRegex(done.stdout, "(?m)^%s" % name)


class UsageTest(ProgramCase):
    def test_a_wrong_command_line_is_a_usage_error(self):
        for words in (["--colour"], ["colour"], ["status", "--colour"], ["token"], ["login"],
                      ["token", "crm", "--min-ttl", "5"], ["wait"],
                      ["wait", "crm", "--timeout"], ["demo", "--seconds", "0"],
                      ["status", "-q", "--json"], ["status", "--json", "-o", "wide"],
                      ["status", "-o", "tall"], ["explain", "one", "two"],
                      ["logs", "--unit", "-x"]):
            with self.subTest(words):
                done = evertoken(*words)
                self.assert_exit(done, os.EX_USAGE)
                self.assertEqual(done.stdout, "")
                self.assertTrue(done.stderr)

    def test_a_command_that_is_none_is_named_with_the_one_that_was_meant(self):
        for words, meant in ((["stauts"], "did you mean status?"),
                             (["help", "exlpain"], "did you mean explain?"),
                             (["frobnicate", "crm"], "evertoken --help lists them")):
            with self.subTest(words):
                done = evertoken(*words)
                unknown = words[-1] if words[0] == "help" else words[0]
                self.assert_exit(done, os.EX_USAGE)
                self.assertEqual(done.stdout, "")
                self.assertEqual(done.stderr,
                                 'evertoken: unknown command "%s"; %s\n' % (unknown, meant))

    def test_a_wrong_command_line_of_the_daemon_is_a_usage_error(self):
        for words in (["--colour"], ["now"], ["--config"], ["--log-level", "loud"]):
            with self.subTest(words):
                self.assert_exit(evertokend(*words), os.EX_USAGE)


class FindingTheDaemonTest(ProgramCase):
    """Three daemons, each known by its only credential."""

    def setUp(self):
        super().setUp()
        self.option, self.variable, self.file = (
            self.daemon({name: self.credential(name)}, place=name)
            for name in ("option", "variable", "file"))

    def found(self, *arguments, **options):
        """The name of the daemon that the command line talks to."""
        done = evertoken("status", *arguments, **options)
        self.assert_exit(done, 0)
        return done.stdout.splitlines()[2].split()[0]

    def test_the_option_wins_then_the_variable_then_the_config(self):
        option = ["--socket", str(self.option.socket)]
        config = ["--config", str(self.file.config_file)]
        variable = self.variable.socket
        self.assertEqual(self.found(*option, *config, socket=variable), "option")
        self.assertEqual(self.found(*option, socket=variable), "option")
        self.assertEqual(self.found(*config, socket=variable), "variable")
        self.assertEqual(self.found(socket=variable), "variable")
        self.assertEqual(self.found(*config), "file")

    def test_an_empty_variable_is_none(self):
        self.assertEqual(self.found("--config", str(self.file.config_file),
                                    environment={"EVERTOKEN_SOCKET": ""}), "file")

    def test_a_config_with_mistakes_says_so_and_not_that_no_daemon_is_there(self):
        self.file.configure({"control_sockett": "/run/x"})
        done = evertoken("status", "--config", str(self.file.config_file))
        self.assert_exit(done, os.EX_CONFIG, "control_sockett")

    def test_without_any_of_them_it_is_the_default_path(self):
        if os.path.exists(DEFAULT_SOCKET):
            self.skipTest("a daemon runs at " + DEFAULT_SOCKET)
        self.assert_exit(evertoken("refresh", "crm"), os.EX_UNAVAILABLE, DEFAULT_SOCKET)

    def test_where_nothing_is_set_up_it_says_where_to_begin(self):
        if os.path.exists(DEFAULT_SOCKET) or os.path.exists(DEFAULT_CONFIG):
            self.skipTest("evertoken is set up on this machine")
        done = evertoken("status")
        self.assert_exit(done, os.EX_UNAVAILABLE)
        self.assertEqual(
            done.stderr, 'evertoken: there is no %s yet; see "First token" in man evertoken, or '
            "run: evertoken providers\n" % DEFAULT_CONFIG)
        # One that names a daemon has set something up, elsewhere.
        self.assert_exit(evertoken("status", "--socket", "/nonexistent/socket"),
                         os.EX_UNAVAILABLE, "/nonexistent/socket")


class TwoDaemonsTest(ProgramCase):
    def test_the_second_on_one_state_directory_stops_with_a_clear_message(self):
        daemon = self.fresh_daemon("crm")
        other = self.directory / "other"
        other.mkdir()
        same = ["--config", str(daemon.config_file)]
        elsewhere = ["--config", str(other / "evertoken.json"), "--state-dir", str(daemon.state)]
        (other / "evertoken.json").touch(mode=0o600)
        (other / "evertoken.json").write_text('{"control_socket": "other.sock"}')
        for arguments in (same, elsewhere):
            with self.subTest(arguments):
                done = evertokend(*arguments)
                self.assertNotIn(done.returncode, (0, os.EX_CONFIG))
                self.assertIn("another evertokend uses %s" % daemon.state, done.stderr)
                self.assertIn("state_dir", done.stderr)
        self.assertFalse((other / "other.sock").exists())
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        self.assertEqual(len(self.server.exchanges()), 2)

    def test_a_second_with_a_state_of_its_own_does_not_take_the_first_one_s_socket(self):
        first = self.fresh_daemon("first")
        folder = self.directory / "second"
        folder.mkdir()
        second = PlainDaemon(self, folder, self.config(
            {"second": self.credential("second")}, control_socket=str(first.socket)), {})
        second.start(wait=False)
        wait_until(lambda: second.died() or second.file("second/token"), 10,
                   "the second daemon to stop or to work")
        self.assertEqual(list(first.credentials()), ["first"])
        self.assertIn(str(first.socket), second.stderr())


class DemoTest(ProgramCase):
    def setUp(self):
        super().setUp()
        self.before = self.folders()
        self.addCleanup(self.remove_leftovers)

    def folders(self):
        return set(pathlib.Path("/tmp").glob("evertoken-demo*"))

    def remove_leftovers(self):
        for folder in self.folders() - self.before:
            shutil.rmtree(folder)

    def demo(self, seconds):
        done, took = timed(evertoken, "demo", "--seconds", str(seconds))
        self.assertLess(took, seconds + 14)
        self.assertEqual(self.folders(), self.before)
        return done

    def test_the_demo_ends_with_a_verdict_and_leaves_nothing(self):
        done = self.demo(16)
        self.assert_exit(done, 0)
        self.assertEqual(done.stderr, "")
        verdict = done.stdout.splitlines()[-1]
        self.assertRegex(verdict, "^ok: .*stale or missing in 0 of [0-9]+ looks")
        for name in ("febbox", "fxiaoke", "xee"):
            self.assertRegex(verdict, name + r" [2-9]\b")
            self.assertRegex(done.stdout, r"(?m)^%s +(fresh|refreshing) " % name)

    def test_a_demo_that_is_too_short_to_judge_says_so_and_leaves_nothing(self):
        done = self.demo(3)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("too short", done.stdout)
