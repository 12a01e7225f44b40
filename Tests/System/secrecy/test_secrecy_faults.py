"""Secrecy when something is wrong: mistakes in the configuration, a full disk, a proxy that is
gone, a second daemon, a crash; and the proof that the search finds what hooks give away.

Needs root and, from Debian: strace, mount."""

import json
import os
import subprocess
import unittest

from evertest.basics import at_end, wait_until
from evertest.programs import PLAIN_ENVIRONMENT
from evertest.secrecy.canaries import Vault
from evertest.secrecy.mistakes import texts
from evertest.secrecy.places import Judge, Verdict
from evertest.secrecy.world import USER, World
from evertest.suite import Suite
from evertest.tracing.tap import Recording, tapped

SUITE = Suite(minutes=0.2)


class FaultCase(unittest.TestCase):
    def setUp(self):
        self.vault, self.verdict = Vault(), Verdict()
        self.world = World(self, self.vault)
        self.world.profile("basic", "client_secret_basic")

    def run_tapped(self):
        """Starts the daemon under the tap and waits until every credential has a token."""
        self.world.write_config()
        self.world.start()
        self.world.wait_for(self.world.credentials, lambda c: c["state"] == "fresh", "all tokens")

    def judge(self):
        """Stops the daemon and searches all that was recorded."""
        self.world.stop()
        judge = Judge(self.world)
        for path in self.world.records:
            judge.judge(Recording(path), self.verdict)
        self.verdict.add(self.vault, "standard error", self.world.log.read_bytes())

    def show(self, what):
        print("\nsecrecy, %s: %d secrets, %d places, %d bytes searched, %d leaks" % (
            what, len(self.vault.canaries), len(self.verdict.places), self.verdict.bytes,
            len(self.verdict.leaks)))


class SabotageTest(FaultCase):
    """Hooks that give their token away are found out, each by the place where it did so."""

    def test_a_token_that_a_hook_gives_away_is_found(self):
        token = '"$(cat "${EVERTOKEN_FILES%%:*}")"'
        away = self.world.directory / "away"
        away.mkdir(mode=0o777)
        away.chmod(0o777)
        ways = {"stderr": "echo %s >&2" % token, "stdout": "echo %s" % token,
                "argv": "/bin/sleep 0 %s 2>/dev/null" % token,
                "environ": "T=%s /bin/true" % token,
                "file": "read t < ${EVERTOKEN_FILES%%%%:*}; echo $t > %s/copy" % away,
                "name": "touch %s/%s" % (away, token),
                "base64": "base64 ${EVERTOKEN_FILES%%%%:*} > %s/base64" % away,
                "piece": "cut -c20-29 ${EVERTOKEN_FILES%%%%:*} > %s/piece" % away}
        for way, line in ways.items():
            self.world.add(way, secret=self.world.secret("inline"))
            self.world.credentials[way]["on_change"] = [
                {"exec": self.world.program("hook-" + way, line.replace("%%%%", "%%"), "true")}]
        self.run_tapped()
        wait_until(lambda: {"copy", "base64", "piece"} <= set(os.listdir(away)), 20, "the hooks")
        self.judge()
        given = {way: next(c.text for c in self.vault.of_kind("access")
                           if c.text == self.world.output(way)) for way in ways}
        for way, token in given.items():
            with self.subTest(way):
                self.assertTrue([leak for leak in self.verdict.leaks if token[:24] in leak
                                 and "of hook" in leak], self.verdict.leaks)
        self.assertTrue([leak for leak in self.verdict.leaks if ": base64 of" in leak])

    def test_what_is_split_among_writes_is_found(self):
        piece = self.vault.new("access", "AT")[-10:]
        script = 'printf %s "$A" >&2; printf %s "$B" >&2'
        out = self.world.directory / "tap-split"
        process = tapped(["sh", "-c", script], out, stderr=subprocess.DEVNULL,
                         env=PLAIN_ENVIRONMENT | {"A": piece[:5], "B": piece[5:]})
        self.world.records.append(out)
        process.wait(30)
        self.world.wait_for_records()
        Judge(self.world).judge(Recording(out), self.verdict)
        self.assertEqual([leak.split()[0] for leak in self.verdict.leaks], ["/dev/null<char"])


class MistakesTest(FaultCase):
    def test_no_mistake_in_a_configuration_makes_it_quote_a_secret(self):
        self.world.add("crm", secret=self.world.secret("inline"))
        self.world.write_config()
        self.world.start(tap=False)
        self.world.wait_for(["crm"], lambda c: c["state"] == "fresh", "a token")
        secret, refused, leaks = self.vault.new("client_secret", "CS"), 0, set()
        cases = list(texts(secret))
        for number, (what, text) in enumerate(cases):
            self.world.config_file.write_bytes(text)
            code, answer = self.world.request("POST", "/v1/reload")
            refused += code == 422
            told = [answer]
            if number % 10 == 0:
                done = self.world.evertoken("check", "--config", self.world.config_file, tap=False)
                # The name of a secret's file is told, where there is no such file.
                warned = [line for line in done.stderr.splitlines() if "does not exist" not in line]
                told += [done.stdout, "\n".join(warned), self.world.request("GET", "/v1/status")[1]]
            for said in told:
                self.verdict.add(self.vault, what, said.encode())
        self.world.stop()
        self.verdict.add(self.vault, "standard error", self.world.log.read_bytes())
        leaks = sorted({leak.partition(":")[0] for leak in self.verdict.leaks})
        self.show("%d configurations, %d refused" % (len(cases), refused))
        self.assertGreater(refused, len(cases) // 2)
        self.assertEqual(leaks, [])

    def test_a_daemon_that_does_not_start_says_no_secret(self):
        secret = self.vault.new("client_secret", "CS")
        for text in (dict(texts(secret))[what] for what in (
                "behind the end", "nothing else", "credentials.crm.client_secret: list",
                "log_level: text", "proxy: text")):
            self.world.write_config()
            self.world.config_file.write_bytes(text)
            self.assertEqual(self.world.start(tap=False, wait=False).wait(30), os.EX_CONFIG)
        self.assertGreater(self.world.log.stat().st_size, 100)
        self.verdict.add(self.vault, "standard error", self.world.log.read_bytes())
        self.assertEqual(self.verdict.leaks, [])


class TroubleTest(FaultCase):
    def test_a_full_disk(self):
        disk = self.world.home / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700,uid=%d,gid=%d" % (
            USER, USER), "evertoken-test", disk], check=True)
        at_end(self, subprocess.run, ["umount", "--lazy", str(disk)], stderr=subprocess.DEVNULL)
        self.world.state, self.world.tokens = disk / "state", disk / "run"
        self.world.add("crm", secret=self.world.secret("inline"))
        self.run_tapped()
        with self.assertRaises(OSError), open(disk / "filler", "wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        self.world.request("POST", "/v1/credentials/crm/refresh?wait=20")
        self.world.add("late", secret=self.world.secret("inline"))
        self.world.write_config()
        self.world.request("POST", "/v1/reload")
        wait_until(lambda: self.world.states()["late"]["last_error"], 20, "what is wrong",
                   self.world)
        classes = {c["last_error"]["class"] for c in self.world.states().values()
                   if c["last_error"]}
        self.judge()
        self.show("full disk")
        self.assertIn("storage", classes)
        self.assertEqual(self.verdict.leaks, [])
        self.assertIn("refresh", self.verdict.kinds("slot"))

    def test_a_proxy_with_a_password_there_and_away(self):
        password = self.vault.new("proxy_password", "PROXY")
        port = self.world.provider.port
        # For the proxy to look up: what leads to this machine is never sent to one. It refuses.
        self.world.providers["basic"]["request"]["url"] = "https://id.example.test/token"
        self.world.more["proxy"] = "http://user:%s@127.0.0.1:%d" % (password, port)
        self.world.add("crm", secret=self.world.secret("inline"))
        self.world.write_config()
        self.world.start()
        wait_until(lambda: self.world.states()["crm"]["last_error"], 20, "the proxy's refusal")
        self.world.provider.stop()
        self.world.request("POST", "/v1/credentials/crm/refresh?wait=20")
        wait_until(lambda: self.world.states()["crm"]["last_error"], 20, "what is wrong")
        for arguments in (["status", "--json"], ["check", "crm", "--show-request", "--config",
                                                 self.world.config_file]):
            self.world.evertoken(*arguments)
        self.judge()
        self.show("proxy")
        self.assertIn("proxy_password", self.verdict.kinds("endpoint"))
        self.assertEqual(self.verdict.leaks, [])

    def test_a_second_daemon_on_the_same_state_is_refused_without_a_word_of_secrets(self):
        self.world.add("crm", secret=self.world.secret("inline"))
        self.run_tapped()
        first = self.world.process
        second = self.world.start(wait=False)
        self.assertNotEqual(second.wait(30), 0)
        self.world.process = first
        self.judge()
        self.assertEqual(self.verdict.leaks, [])

    def test_a_crash_under_the_tap(self):
        self.world.add("crm", secret=self.world.secret("inline"))
        self.run_tapped()
        self.world.process.send_signal(11)
        self.assertEqual(self.world.ended(), -11)
        self.world.start()
        self.judge()
        self.assertEqual(self.verdict.leaks, [])

    def test_a_refresh_token_that_comes_back_as_something_else_is_in_no_output(self):
        """A refresh token is never in an output, whatever a server calls it (Contract 2.7)."""
        fields = ("scope", "token_type", "note")
        self.world.providers["basic"]["response"] = {"keep": {"note": "/note"}}
        for field in fields:
            self.world.add(field, secret=self.world.secret("inline"))
            self.world.provider.hostile[field] = [self.echoing(field)]
        self.world.write_config()
        self.world.start()
        self.world.wait_for(fields, lambda c: c["state"] == "fresh" or c["last_error"], "an end")
        self.judge()
        self.show("a refresh token in other fields")
        self.assertEqual(self.verdict.leaks, [])

    def echoing(self, field):
        def answer(sent):
            tokens = self.world.provider.grant()
            return "200 OK", {}, json.dumps(tokens | {field: sent.refresh_token}).encode()

        return answer
