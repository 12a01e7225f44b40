"""Secrecy under a real systemd: not eight bytes of a secret in any field of the journal, in what
systemctl shows, in /proc, in a core, or in any file but the daemon's own.

Each test boots a systemd of its own (see sandbox.in_systemd). Needs root and, from Debian:
systemd."""

import json
import os
import pathlib
import re
import signal
import stat

from evertest.basics import wait_until
from evertest.sandbox import InSystemdCase, in_systemd
from evertest.secrecy.canaries import Vault
from evertest.secrecy.places import ACCESS, Verdict
from evertest.secrecy.processes import core_files, snapshot
from evertest.secrecy.provider import ECHOES, Provider
from evertest.state_layout import SLOTS
from evertest.suite import Suite

SUITE = Suite(minutes=0.2)

REFRESH = {"min_interval": "0.5s", "retry": {"initial": "0.3s", "max": "0.6s"}}


class JournalTest(InSystemdCase):
    def arrange(self):
        super().arrange()
        self.vault, self.verdict = Vault(), Verdict()
        self.provider = Provider(self.vault)
        self.addCleanup(self.provider.stop)
        self.credentials = {}

    def add(self, name, source=None, **more):
        """A credential whose secret and seed are canaries."""
        text = self.vault.new("client_secret", "CS")
        self.credentials[name] = {
            "provider": "as", "client_id": name, "client_secret": source or text,
            "refresh_token": self.vault.new("seed", "RT-seed"), "refresh": REFRESH} | more
        return text

    def write_config(self, **more):
        request = {"url": self.provider.url, "client_auth": "client_secret_basic"}
        whole = {"providers": {"as": {"request": request}}, "credentials": self.credentials,
                 "log_level": "debug", **more}
        text = json.dumps(whole, indent=1)
        self.write("evertoken.json", text)
        return text

    def program(self, name, *lines):
        path = pathlib.Path("/usr/local/bin") / name
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
        path.chmod(0o755)
        return [str(path)]

    def fill(self):
        self.add("inline", on_change=[{"exec": self.program(
            "hook", 'cat "${EVERTOKEN_FILES%%:*}" >&2', "exit 3")}])
        file = self.write("crm-secret", self.add("loaded", {"credential": "crm-secret"}))
        os.chown(file, 0, 0)
        self.drop_in("[Service]\nLoadCredential=crm-secret:%s\n" % file)
        source = self.program("loud", "cat %s/loud >&2" % self.CONFIG, "exit 3")
        self.write("loud", self.add("loud", {"command": source}))
        for name, script in ECHOES.items():
            if name == "retry-after":
                continue  # it would hold up READY=1
            self.add("echo-" + name)
            self.provider.hostile["echo-" + name] = [script]

    def is_settled(self):
        """Whether all have a token, or what is wrong has been told."""
        states = {c["name"]: c["state"] for c in self.control.status().get("credentials", [])}
        self.assertEqual({states[name] for name in ("inline", "loaded")}, {"fresh"})
        return set(states.values()) <= {"fresh", "misconfigured"}

    def crash(self):
        """SIGSEGV, and systemd starts it again: the first time since it was last started."""
        self.assertEqual(self.show("NRestarts"), "0")
        pid = int(self.show("MainPID"))
        self.assertGreater(pid, 1)
        os.kill(pid, signal.SIGSEGV)
        wait_until(lambda: self.show("NRestarts") == "1"
                   and self.show("ActiveState") == "active", 30, "a restart")

    def mistakes(self, good):
        """Reloads with mistakes beside secrets."""
        secret = self.vault.new("client_secret", "CS")
        for bad in (good + secret, good.replace('"client_id"', '"clientt_id"'),
                    good.replace('"as"', '["%s"]' % secret),
                    good.replace('"0.5s"', json.dumps(secret)),
                    good[:good.index("CS-canary") + 30]):
            self.write("evertoken.json", bad)
            self.command("systemctl", "reload", "evertoken", check=False)
        self.write("evertoken.json", good)
        self.systemctl("reload", "evertoken")

    @in_systemd()
    def test_no_secret_is_in_the_journal_or_in_anything_systemd_shows(self):
        self.fill()
        good = self.write_config()
        self.systemctl("start", "evertoken")
        wait_until(self.is_settled, 40, "tokens")
        for name in ("inline", "loaded"):
            self.control.refresh(name)
        self.control.request("POST", "/v1/credentials/inline/import", {
            "refresh_token": self.vault.new("imported", "IMP-RT"), "expires_in": "x"})
        self.mistakes(good)
        for page, data in snapshot(int(self.show("MainPID"))):
            self.verdict.add(self.vault, page, data)
        self.crash()
        self.command("/usr/bin/evertokend", "--config", f"{self.CONFIG}/evertoken.json",
                     "--state-dir", str(self.STATE), check=False)
        self.drop_in("[Service]\nLoadCredential=crm-secret:%s/crm-secret\nLimitCORE=infinity\n"
                     "UnsetEnvironment=SWIFT_BACKTRACE\n" % self.CONFIG)
        self.systemctl("restart", "evertoken")
        self.crash()
        self.search_what_systemd_knows()
        self.search_files()
        self.assertEqual(core_files("/var/lib", "/run", "/tmp", "/etc/evertoken"), [])
        self.assertFalse(pathlib.Path("/core").exists())
        print("\nsecrecy under systemd: %d secrets, %d places, %d bytes searched, %d leaks" % (
            len(self.vault.canaries), len(self.verdict.places), self.verdict.bytes,
            len(self.verdict.leaks)))
        self.assertEqual(self.verdict.leaks, [])
        self.assert_the_journal_is_searched()

    def search_what_systemd_knows(self):
        for arguments in (["systemctl", "status", "--no-pager", "-l", "-n", "500", "evertoken"],
                          ["systemctl", "show", "evertoken"],
                          ["systemctl", "cat", "evertoken"], ["ps", "axeww"]):
            done = self.command(*arguments, check=False)
            self.verdict.add(self.vault, arguments[1], done.stdout.encode())
        journal = self.export()
        self.assertGreater(len(re.findall(rb"^EVERTOKEN_CREDENTIAL=", journal, re.M)),
                           len(ECHOES), "the daemon said too little to be judged")
        self.assertIn(b"LoadCredential", (self.systemctl("cat", "evertoken")).encode())
        self.assertNotIn(b"forged line", journal)
        self.verdict.add(self.vault, "journal", journal)

    def export(self):
        """All of the journal, every field."""
        self.command("journalctl", "--sync")
        file = pathlib.Path("/run/journal-export")
        self.command("sh", "-c", f"journalctl --all --quiet -o export > {file}")
        data = file.read_bytes()
        file.unlink()
        return data

    def search_files(self):
        """Every file where there was none: slots may hold all, outputs access tokens."""
        for folder in ("/run", "/tmp", "/var/tmp", "/var/lib/evertoken", "/dev/shm"):
            for path in pathlib.Path(folder).rglob("*"):
                if path.is_symlink() or not stat.S_ISREG(path.lstat().st_mode):
                    continue
                kinds = None if path.name in SLOTS else frozenset()
                kinds = ACCESS if path.is_relative_to(self.TOKENS) else kinds
                if path.is_relative_to("/run/credentials") or "journal" in path.parts:
                    continue  # systemd's own copy; the journal was searched in its own words
                self.verdict.add(self.vault, "slot" if kinds is None else str(path),
                                 path.read_bytes(), kinds)
        self.assertLessEqual({"refresh", "access"}, self.verdict.kinds("slot"))

    def assert_the_journal_is_searched(self):
        """A secret that is in the journal is found there."""
        away = self.vault.new("access", "AT")
        self.command("systemd-cat", "--identifier=sabotage", "echo", away)
        wait_until(lambda: self.vault.scan(self.export()), 10, "the secret in the journal")
