"""Secrecy: no eight consecutive bytes of a secret appear where they are not allowed.

Secrets of every kind (client secrets from all five places, refresh and access tokens, keys,
assertions, codes, verifiers, a proxy's password, imported tokens, variables) are canaries. The
daemon, the command line, hooks and `command` programs run under a tap that records every byte they
write or send and every argument, environment and path; then all of it is searched, and so are
/proc, the journal of a real systemd, and every file that is left. A refresh token may be in a slot
and in a request to the token endpoint, an access token besides in outputs and in the answer to
whom may ask for it, a client secret in requests only.

Needs root and, from Debian: strace, openssl, systemd."""

import base64
import json
import os
import unittest

from evertest.basics import wait_until
from evertest.secrecy.canaries import FORMS, Vault
from evertest.secrecy.places import Judge, Verdict
from evertest.secrecy.provider import ECHOES
from evertest.secrecy.world import World, private_keys
from evertest.state_layout import SLOT_A
from evertest.suite import Suite
from evertest.tracing.tap import Recording

SUITE = Suite(minutes=0.2)

SOURCES = ("inline", "file", "env", "systemd", "command")


def fill(world):
    """A credential for every kind and place of a secret, and one for everything a server says."""
    world.profile("basic", "client_secret_basic")
    world.profile("post", "client_secret_post")
    world.profile("machine", "client_secret_basic", base="client_credentials")
    world.profile("keyed", "private_key_jwt", base="client_credentials")
    world.profile("hashed", "client_secret_jwt", base="client_credentials")
    world.profile("api", "none", headers={"X-Api-Key": "${api_key}"})
    for source in SOURCES:
        world.add("basic-" + source, secret=world.secret(source))
        world.add("post-" + source, "post", secret=world.secret(source))
    world.add("machine", "machine", secret=world.secret("command"), seed=False)
    pem, jwk = private_keys(world.vault, world.directory)
    files = {name: world.private(name, text) for name, text in (("pem", pem), ("jwk", jwk))}
    for name, variables in (
            ("pem-text", {"private_key": pem, "key_id": "k1"}), ("jwk-text", {"private_key": jwk}),
            ("pem-file", {"private_key": {"file": files["pem"]}, "key_id": "k1"}),
            ("jwk-file", {"private_key": {"file": files["jwk"]}})):
        world.add(name, "keyed", seed=False, variables=variables)
    world.add("hashed", "hashed", secret=world.secret("inline"), seed=False)
    key = world.vault.new("variable", "KEY")
    world.add("api", "api", variables={"api_key": {"file": world.private("api", key + "\n")}})
    world.add("login", "post", secret=world.secret("inline"), seed=False)
    seed = {"file": world.private("seed", world.vault.new("seed", "RT-seed") + "\n")}
    world.add("seeded", secret=world.secret("inline"), seed=False, refresh_token=seed)
    fill_with_failures(world)
    world.names = [name for name in world.credentials if not name.startswith(("bad", "login"))]
    for name, script in ECHOES.items():
        world.add("echo-" + name, "post" if len(name) % 2 else "basic",
                  secret=world.secret("inline"))
        world.provider.hostile["echo-" + name] = [script]
        world.provider.delays["echo-" + name] = 0.5  # time to look before it is well again


def fill_with_failures(world):
    """Hooks, every format of an output, and secrets that cannot be had."""
    hooks = [world.program("hook", 'test -s "${EVERTOKEN_FILES%%:*}"'),
             world.program("hook-fails", "exit 3"), ["/nonexistent/hook"]]
    world.credentials["basic-file"] |= {
        "on_change": [{"exec": hook} for hook in hooks],
        "outputs": [{"path": "basic-file/" + f, "format": f} for f in (
            "raw", "json", "header", "env", "curl")] + [
            {"path": "basic-file/t", "format": "template", "template": "t ${access_token}\n"}]}
    text = world.vault.new("client_secret", "CS")
    file = world.private("bad", text)
    loud = world.program("loud", 'cat "%s" >&2' % file, "exit 3")
    both = world.program("both", 'cat "%s"' % file, 'cat "%s" >&2' % file, "exit 4")
    binary = world.program("binary", 'cat "%s"' % file, "printf '\\377'")
    os.chmod(file, 0o600)
    hidden = world.private("hidden", text)
    os.chown(hidden, 0, 0)
    for name, source in (("loud", {"command": loud}), ("both", {"command": both}),
                         ("binary", {"command": binary}), ("hidden", {"file": hidden}),
                         ("unset", {"env": "NOT_SET"}), ("gone", {"credential": "gone"})):
        world.add("bad-" + name, secret=(text, source))


class SearchTest(unittest.TestCase):
    """The search itself: it finds what it is for."""

    def test_eight_bytes_of_a_secret_are_found_wherever_and_however_they_are_spelled(self):
        vault = Vault()
        part = vault.new("client_secret")[-28:].encode()
        ways = {"plain": bytes, "base64": base64.b64encode, "base64url": base64.urlsafe_b64encode,
                "hex": lambda data: data.hex().encode(),
                "HEX": lambda data: data.hex().upper().encode(),
                "percent": lambda data: b"".join(b"%%%02x" % byte for byte in data),
                "PERCENT": lambda data: b"".join(b"%%%02X" % byte for byte in data)}
        self.assertEqual(set(ways), set(FORMS))
        for form, spell in ways.items():
            for start in range(len(part) - 7):
                for before in (b"", b"~", b"<>", b"{:}"):
                    text = spell(before + part[start:start + 8] + b"??>")
                    found = {hit.form for hit in vault.scan(b"(" + text + b")")}
                    self.assertIn(form, found, text)

    def test_other_texts_are_not_found(self):
        vault = Vault()
        text = vault.new("client_secret").encode()
        other = Vault().new("client_secret").encode()
        self.assertEqual(vault.scan(b"client_secret, CLIENT_SECRET-canary-000001-" + other), [])
        self.assertEqual(vault.scan(text[-7:] + b" " + text[:-28] + text[-28:-21]), [])


class TapTest(unittest.TestCase):
    """The life of a daemon under the tap."""

    @classmethod
    def setUpClass(cls):
        cls.vault = Vault()
        cls.world = World(cls, cls.vault)
        cls.verdict, cls.judge = Verdict(), Judge(cls.world)
        fill(cls.world)
        cls.world.write_config()
        cls.live()
        cls.recordings = [Recording(path) for path in cls.world.records]
        for recording in cls.recordings:
            cls.judge.judge(recording, cls.verdict)

    @classmethod
    def live(cls):
        """First start, refreshes, sign-in, imports, reload, a second start, the end."""
        world = cls.world
        world.start()
        world.wait_for(world.names, lambda c: c["state"] == "fresh", "all tokens")
        world.wait_for([n for n in world.credentials if n.startswith("bad")],
                       lambda c: c["state"] == "misconfigured", "what is told of bad secrets")
        echoed = [n for n in world.credentials if n.startswith("echo")]
        cls.told = {}
        wait_until(lambda: cls.look(echoed), 30, "an error of each that echoes", world)
        for path in ("/v1/status", "/metrics", "/healthz", "/v1/credentials/bad-loud"):
            world.request("GET", path)
        cls.use_command_line()
        cls.sign_in()
        world.process.send_signal(1)
        cls.second = world.evertoken("status", "--json")
        cls.status = world.stop()
        world.start()
        world.wait_for(world.names, lambda c: c["state"] == "fresh", "all tokens again")
        world.stop()

    @classmethod
    def look(cls, names):
        """Notes what the status says of these; true once it has said something of each."""
        states = cls.world.states()
        cls.told |= {n: states[n]["last_error"] for n in names if states[n]["last_error"]}
        return len(cls.told) == len(names)

    @classmethod
    def use_command_line(cls):
        world = cls.world
        cls.printed = world.evertoken("token", "basic-file")
        for words in (["status"], ["status", "--json"], ["token", "bad-loud"],
                      ["refresh", "basic-env", "--wait"], ["refresh", "bad-both", "--wait"],
                      ["reload"], ["check", "--config", world.config_file], ["wait", "machine"],
                      ["check", "pem-text", "--show-request", "--config", world.config_file],
                      ["check", "hashed", "--show-request", "--config", world.config_file],
                      ["check", "basic-inline", "--show-request", "--config", world.config_file],
                      ["providers"], ["status", "--check"]):
            world.evertoken(*words)

    @classmethod
    def sign_in(cls):
        """A login and imports, good and bad ones."""
        world, new = cls.world, cls.vault.new
        cls.login = world.evertoken("login", "login", "--code", new("code", "CODE"),
                                    "--redirect-uri", "https://app.example/")
        code, verifier = new("code", "CODE"), new("verifier", "PKCE")
        world.request("POST", "/v1/credentials/login/login", {
            "code": code, "code_verifier": verifier, "redirect_uri": "https://app.example/"})
        world.provider.hostile["login"] = [ECHOES["description-grant"], ECHOES["html-403"]]
        for _ in range(2):
            world.evertoken("login", "login", "--code", new("code", "CODE"))
        tokens = {"refresh_token": new("imported", "IMP-RT"), "expires_in": 3600,
                  "access_token": new("imported_access", "IMP-AT")}
        cls.imported = world.evertoken("import", "login", text=json.dumps(tokens))
        token = new("imported", "IMP-RT")
        for bad in ('{"refresh_token": "%s" x' % token, '{"refresh_token": ["%s"]}' % token,
                    '{"%s": 1}' % token, token, '{"refresh_token": "%s", "expires_in": "%s"}' % (
                        token, token), '{"access_token": "a b\\n%s"}' % token,
                    '{"refresh_token": "%s\\ud800"}' % token):
            world.evertoken("import", "login", text=bad)
            world.request("POST", "/v1/credentials/login/import", bad)

    def test_every_secret_stays_where_it_belongs(self):
        verdict = self.verdict
        print("\nsecrecy under the tap: %d secrets, %d forms, %d places, %d MB searched, %d hits "
              "where they belong, %d leaks" % (
                  len(self.vault.canaries), len(FORMS), len(verdict.places),
                  verdict.bytes >> 20, sum(verdict.allowed.values()), len(verdict.leaks)))
        self.assertEqual(verdict.leaks, [])

    def test_the_tap_saw_every_kind_of_secret_where_it_belongs(self):
        self.assertEqual(self.world.provider.wrong, [])
        kinds = self.verdict.kinds
        self.assertLessEqual({"client_secret", "refresh", "seed", "assertion", "code", "verifier",
                              "variable"}, kinds("endpoint"))
        self.assertLessEqual({"refresh", "access", "imported", "seed"}, kinds("slot"))
        self.assertEqual(kinds("output"), {"access", "imported_access"})
        self.assertEqual(kinds("stdout of token"), {"access"})
        self.assertEqual(kinds("answer to GET token"), {"access"})
        self.assertEqual(kinds("pipe from command"), {"client_secret"})
        self.assertEqual(kinds("nowhere, by command"), {"client_secret"})
        self.assertLessEqual({"imported", "imported_access"}, kinds("request of import"))
        self.assertEqual(kinds("environ of daemon"), {"client_secret"})

    def test_everything_happened_that_was_to_be_watched(self):
        for done in (self.printed, self.login, self.imported, self.second):
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(self.printed.stdout.strip(), self.vault.canaries)
        self.assertEqual(self.status, 0)
        roles = {event.role for recording in self.recordings for event in recording.events}
        self.assertLessEqual({"daemon", "cli", "hook", "command"}, roles)

    def test_everything_a_server_says_is_told_in_words_of_our_own(self):
        self.assertEqual(len(self.told), len(ECHOES))
        log = self.world.log.read_text()
        self.assertNotIn("forged line", log + json.dumps(self.told))
        self.assertNotIn("\x1b", log)

    def test_nothing_is_written_elsewhere_not_even_for_a_while(self):
        found = [line for r in self.recordings for line in self.judge.strange_files(r)]
        self.assertEqual(found, [])
        opened = {event.opened for r in self.recordings for event in r.events}
        self.assertIn(str(self.world.state / "basic-file" / SLOT_A), opened)
