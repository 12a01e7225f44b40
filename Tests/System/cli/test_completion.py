"""What bash, zsh and fish complete: names that the daemon tells, profiles, commands and files.

Needs, from Debian: bash-completion, zsh, fish."""

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import termios
import time

from evertest.basics import BIN
from evertest.programs import PLAIN_ENVIRONMENT, ProgramCase
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.9)

BASH = """
source /usr/share/bash-completion/bash_completion
source %s
COMP_LINE=%s COMP_POINT=${#COMP_LINE} COMP_WORDS=(%s) COMP_CWORD=%d
_evertoken evertoken %s %s
printf '%%s\\n' "${COMPREPLY[@]}"
"""


class CompletionCase(ProgramCase):
    def setUp(self):
        super().setUp()
        names = ("google-mail", "google-drive", "crm")
        self.running = self.daemon({name: self.credential(name) for name in names})
        self.environment = PLAIN_ENVIRONMENT | {
            "PATH": "%s:%s" % (BIN, os.environ["PATH"]), "HOME": str(self.directory),
            "EVERTOKEN_SOCKET": str(self.running.socket), "TERM": "dumb"}
        self.scripts = {}
        for shell in ("bash", "zsh", "fish"):
            self.scripts[shell] = self.directory / ("completion." + shell)
            self.scripts[shell].write_text(self.run_shell(
                [str(BIN / "evertoken"), "--generate-completion-script", shell]))

    def run_shell(self, words, **environment):
        done = subprocess.run(words, env=self.environment | environment, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              cwd=self.directory)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def bash(self, *words, **environment):
        """What bash offers for the last word of a line."""
        line = ["evertoken", *words]
        text = BASH % (self.scripts["bash"], shlex.quote(" ".join(line)), shlex.join(line),
                       len(line) - 1, shlex.quote(line[-1]), shlex.quote(line[-2]))
        told = self.run_shell(["bash", "--norc", "--noprofile", "-c", text], **environment)
        return set(told.split())

    def fish(self, *words, **environment):
        """What fish writes when Tab is pressed twice at the end of a line of its own."""
        start = "source %s; function fish_prompt; echo -n 'ready> '; end" % self.scripts["fish"]
        return self.typed(["fish", "--no-config", "-C", start], words, environment)

    def zsh(self, *words, **environment):
        """The same of zsh."""
        folder = self.directory / "functions"
        folder.mkdir(exist_ok=True)
        (folder / "_evertoken").write_text(self.scripts["zsh"].read_text())
        (self.directory / ".zshrc").write_text(
            "PS1='ready> '; fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D\n"
            "setopt autolist nolistbeep; LISTMAX=1000\n" % folder)
        return self.typed(["zsh", "-i"], words, environment | {"ZDOTDIR": str(self.directory)})

    def typed(self, shell, words, environment):
        """What such a shell writes behind the line, without its control sequences."""
        pid, master = pty.fork()
        if pid == 0:
            os.chdir(self.directory)
            os.execvpe(shell[0], shell, self.environment | environment)
        try:
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
            self.read_until(master, "ready> ")
            os.write(master, (" ".join(["evertoken", *words]) + "\t\t").encode())
            told = self.read_until(master, None)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(master)
        return re.sub(r"\x1b(\[[0-9;?]*[a-zA-Z]|[=>(].?|\][^\x07]*\x07)", "", told)

    def read_until(self, master, mark):
        """What is written until that, or until nothing has come for a while."""
        told, end = "", time.monotonic() + 30
        while time.monotonic() < end and (mark is None or mark not in told):
            if not select.select([master], [], [], 3 if mark is None else 30)[0]:
                break
            told += os.read(master, 65_536).decode(errors="replace")
        return told


class Completed(CompletionCase):
    ALL = {"google-mail", "google-drive", "crm"}
    LINES = (
        (("status", ""), ALL), (("login", "goog"), {"google-mail", "google-drive"}),
        (("token", "c"), {"crm"}), (("forget", ""), ALL), (("status", "crm", "google-m"),
                                                           {"google-mail"}),
        (("refresh", "x"), set()), (("help", "expl"), {"explain"}),
        (("help", "w"), {"wait"}), (("explain", "login_"), {"login_required"}))

    def test_bash_offers_names_commands_profiles_and_files(self):
        for words, offered in self.LINES:
            with self.subTest(words):
                self.assertEqual(self.bash(*words), offered)
        self.assertIn("google", self.bash("providers", "goo"))
        self.assertEqual(self.bash("status", "--state", "login"), {"login_required"})
        (self.directory / "some-file.json").touch()
        self.assertEqual(self.bash("status", "--config", "some-f"), {"some-file.json"})

    def test_fish_and_zsh_offer_the_same(self):
        for shell in (self.fish, self.zsh):
            for words, offered in (
                    (("status", "goog"), "google-"), (("status", "google-m"), "google-mail"),
                    (("login", "c"), "crm"), (("help", "expl"), "explain"),
                    (("providers", "fxi"), "fxiaoke"), (("status", "--config", "some-f"),
                                                         "some-file.json")):
                with self.subTest(shell=shell.__name__, words=words):
                    (self.directory / "some-file.json").touch()
                    told = shell(*words)
                    self.assertIn(offered, told)
                    self.assertNotIn("rror", told)

    def test_without_an_answer_nothing_is_offered_and_nothing_said(self):
        self.running.terminate()
        for words in (("status", ""), ("login", "goog")):
            self.assertEqual(self.bash(*words), set())
        for shell in (self.fish, self.zsh):
            told = shell("login", "goog")
            for word in ("google-", "rror", "reached"):
                self.assertNotIn(word, told)

    def test_the_socket_of_the_line_is_asked(self):
        other = {"EVERTOKEN_SOCKET": "/nonexistent/socket"}
        self.assertEqual(self.bash("status", "c", **other), set())
        self.assertEqual(
            self.bash("status", "--socket", str(self.running.socket), "c", **other), {"crm"})
        # The variable wins over a configuration, as it does for every command.
        self.assertEqual(self.bash("status", "--config", str(self.running.config_file), "c",
                                   EVERTOKEN_SOCKET=""), {"crm"})
