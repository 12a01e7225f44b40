"""The Debian package on a machine with a real systemd (one of its own for each test): a newcomer's
installation, upgrades with a request in flight, removal, purging, and an installation where no
systemd runs.

Needs root and, from Debian: systemd, dpkg-dev, binutils, chrpath, man-db, bash-completion, zsh,
fish."""

import os
import pathlib
import pwd
import subprocess
import threading

from evertest.basics import wait_until
from evertest.debian_package import FIRST, NEXT, NEXT_VERSION, InstalledCase, both
from evertest.sandbox import in_systemd, read
from evertest.state_layout import SLOT_A
from evertest.suite import Suite

SUITE = Suite(minutes=0.6)


class ANewcomer(InstalledCase):
    @in_systemd(instead=both)
    def test_installs_configures_and_has_a_token(self):
        said = self.apt("install", FIRST)
        self.assertIn("write /etc/evertoken/evertoken.json", said)
        self.assertEqual(self.systemctl("is-enabled", "evertoken").strip(), "enabled")
        self.assertEqual(self.show("ActiveState"), "inactive")
        refused = self.command("systemctl", "start", "evertoken", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("Assertion failed", refused.stdout)
        self.assert_nothing_failed()

        token = self.start()
        self.assertEqual(token, self.server.exchanges()[0].access_token)
        user = pwd.getpwnam("evertoken")
        self.assertEqual(os.stat(self.STATE).st_uid, user.pw_uid)
        self.assertEqual(self.command("evertoken", "token", "crm").stdout.strip(), token)
        self.assertIn("fresh", self.command("evertoken", "status").stdout)
        self.assertIn("ok, 1 credential", self.command("evertoken", "check").stdout)
        self.assertIn("a person must sign in again",
                      self.command("journalctl", "--list-catalog").stdout)

    @in_systemd(instead=both)
    def test_finds_manual_pages_and_completions_of_three_shells(self):
        self.install()
        for page, words in {"evertoken": "login_required", "evertokend": "SIGTERM",
                            "evertoken.json": "client_secret"}.items():
            self.assertIn(words, self.command("man", "--pager=cat", page).stdout)
        bash = """
            source /usr/share/bash-completion/bash_completion
            _completion_loader evertoken
            COMP_WORDS=(evertoken sta) COMP_CWORD=1 COMP_LINE='evertoken sta' COMP_POINT=13
            $(complete -p evertoken | sed -E 's/.*-F (\\S+).*/\\1/') evertoken sta evertoken
            echo "${COMPREPLY[@]}" """
        self.assertIn("status", self.command("bash", "--norc", "-c", bash).stdout.split())
        fish = self.command("fish", "-c", "complete -C 'evertoken sta'").stdout
        self.assertTrue(fish.startswith("status"), fish)
        zsh = "autoload -Uz compinit && compinit -u -d /tmp/dump && echo $_comps[evertoken] &&" \
              " autoload +X _evertoken && whence -w _evertoken"
        self.assertEqual(self.command("zsh", "-f", "-c", zsh).stdout.split(),
                         ["_evertoken", "_evertoken:", "function"])


class Upgrades(InstalledCase):
    def hold_answers(self):
        """From now on the server answers when the returned event is set, and not before."""
        may_answer, begin = threading.Event(), self.server.begin

        def held(*arguments):
            begun = begin(*arguments)
            may_answer.wait(25)
            return begun

        self.server.begin = held
        return may_answer

    @in_systemd(instead=both)
    def test_an_upgrade_finishes_the_request_in_flight_and_no_reader_sees_a_gap(self):
        self.set_up()
        old = int(self.show("MainPID"))
        files = [self.TOKENS / "crm" / name for name in ("token", "token.json")]
        seen, done = {path: set() for path in files}, threading.Event()

        def look():
            while not done.is_set():
                for path in files:
                    seen[path].add(read(path))

        reader = threading.Thread(target=look)
        reader.start()
        try:
            may_answer = self.hold_answers()
            self.control.refresh("crm")
            self.server.wait_for(lambda exchanges: len(exchanges) == 2)
            dpkg = subprocess.Popen(["dpkg", "--install", NEXT], stdin=subprocess.DEVNULL)
            wait_until(lambda: self.show("ActiveState") == "deactivating", 60, "the restart")
            self.assertIsNone(self.server.exchanges()[1].answered_at)
            may_answer.set()
            self.assertEqual(dpkg.wait(60), 0)
        finally:
            done.set()
            reader.join()
        second = self.server.exchanges()[1]
        self.assertIsNotNone(second.answered_at, "the upgrade did not wait for the answer")
        for path in files:
            self.assertNotIn(None, seen[path], f"{path} was away")
            self.assertIn(len(seen[path]), (1, 2))
        self.assertEqual(self.token(), second.access_token)
        self.assertEqual(self.installed_version(), f"installed {NEXT_VERSION}")
        new = int(self.show("MainPID"))
        self.assertNotEqual(new, old)
        self.assertEqual(os.readlink(f"/proc/{new}/exe"), "/usr/bin/evertokend")
        self.assert_next_refresh_uses_the_newest_refresh_token()
        self.assert_nothing_failed()

    @in_systemd(instead=both)
    def test_reinstalling_and_downgrading_go_on_with_the_tokens(self):
        token = self.set_up()
        pids = {self.show("MainPID")}
        for path in (FIRST, NEXT, FIRST):
            self.install(path)
            pids.add(self.show("MainPID"))
        self.assertEqual(len(pids), 4, "not restarted each time")
        self.assertEqual(self.token(), token)
        self.assertEqual(len(self.server.exchanges()), 1, "it asked for a token that it had")
        self.assert_next_refresh_uses_the_newest_refresh_token()

    @in_systemd(instead=both)
    def test_an_upgrade_keeps_what_the_administrator_decided(self):
        token = self.set_up()
        good, pid = read(self.CONFIG / "evertoken.json"), self.show("MainPID")
        self.write("evertoken.json", good.replace('"client_id"', '"clientt_id"'))
        said = self.install(NEXT)
        self.assertIn("refuses the configuration", said)
        self.assertIn("clientt_id", said)
        self.assertEqual((self.show("MainPID"), self.token()), (pid, token))
        self.assertEqual(self.installed_version(), f"installed {NEXT_VERSION}")

        self.write("evertoken.json", good)
        self.systemctl("stop", "evertoken")
        self.systemctl("disable", "evertoken")
        self.install(FIRST)
        self.assertEqual(self.show("ActiveState"), "inactive", "it was stopped")
        enabled = self.command("systemctl", "is-enabled", "evertoken", check=False)
        self.assertEqual(enabled.stdout.strip(), "disabled")
        self.systemctl("start", "evertoken")
        self.assertEqual(self.token(), token)
        self.assert_nothing_failed()


class Leaving(InstalledCase):
    @in_systemd(instead=both)
    def test_removing_keeps_the_tokens_and_purging_erases_them(self):
        token = self.set_up()
        pid = self.show("MainPID")
        self.command("dpkg", "--remove", "evertoken")
        self.assertFalse(pathlib.Path(f"/proc/{pid}").exists(), "the daemon still runs")
        self.assertFalse(self.TOKENS.exists())
        self.assertTrue((self.STATE / "crm" / SLOT_A).exists())
        self.assertTrue((self.CONFIG / "evertoken.json").exists())
        self.assertEqual(self.show("LoadState"), "not-found")
        self.assert_nothing_failed()

        self.install(NEXT)
        self.assertEqual(self.show("ActiveState"), "active", "there is a configuration")
        self.assertEqual((self.token(), len(self.server.exchanges())), (token, 1))
        self.assert_next_refresh_uses_the_newest_refresh_token()

        self.command("dpkg", "--purge", "evertoken")
        for erased in (self.STATE, self.CONFIG, self.TOKENS):
            self.assertFalse(erased.exists(), erased)
        left = self.command(
            "find", "/usr", "/etc", "/var", "/run", "-xdev", "-name", "*evertoken*").stdout.split()
        self.assertEqual([path for path in left if "/var/cache/" not in path], [])
        self.assertTrue(pwd.getpwnam("evertoken"), "another account could get its number")
        self.assert_nothing_failed()

    @in_systemd(instead=both)
    def test_it_installs_and_purges_where_no_systemd_runs(self):
        image = pathlib.Path("/image")
        image.mkdir()
        self.command("mount", "--bind", "/", str(image))
        self.command("mount", "-t", "tmpfs", "tmpfs", str(image / "run"))
        self.command("mount", "-t", "proc", "proc", str(image / "proc"))
        self.command("dpkg", f"--root={image}", "--install", FIRST)
        self.assertFalse((image / "run/systemd").exists())
        wanted = image / "etc/systemd/system/multi-user.target.wants/evertoken.service"
        self.assertTrue(wanted.is_symlink(), "it would not start at boot")
        user = pwd.getpwnam("evertoken")
        about = (self.CONFIG / "conf.d").stat()
        self.assertEqual((about.st_mode & 0o777, about.st_uid, about.st_gid),
                         (0o750, 0, user.pw_gid))
        self.assertEqual(self.STATE.stat().st_uid, user.pw_uid)
        self.assertIn("evertoken", self.command("journalctl", "--list-catalog").stdout)

        # The machine's first boot.
        self.systemctl("daemon-reload")
        self.assertEqual(self.start(), self.server.exchanges()[0].access_token)
        self.systemctl("stop", "evertoken")
        self.command("dpkg", f"--root={image}", "--purge", "evertoken")
        self.assertFalse(self.STATE.exists() or self.CONFIG.exists() or wanted.is_symlink())
