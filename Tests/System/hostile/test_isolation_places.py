"""What other users of the host, and a provider through a token file, cannot do: places that others
can write to, secrets that others can read, texts that a shell would run.

Needs root."""

import json
import netrc
import os
import select
import socket
import subprocess

from evertest.basics import at_end, wait_until
from evertest.programs import PlainDaemon, ProgramCase, evertoken
from evertest.servers.raw_server import RawServer, replying
from evertest.state_layout import SLOTS
from evertest.suite import Suite

SUITE = Suite(minutes=0.1)

OTHER = 65_534
PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"
#: What a shell, curl or a parser would do something with.
HOSTILE = "$(touch {mark}) `touch {mark}`; touch {mark}; \"x\" 'y' \\ # é %d ${{HOME}} end"


class PlacesOfOthers(ProgramCase):
    def check(self, daemon):
        return evertoken("check", "--config", str(daemon.config_file))

    def test_a_slot_that_another_user_made_gets_no_token(self):
        folder = self.directory / "daemon/state/crm"
        folder.mkdir(parents=True)
        for name in SLOTS:
            (folder / name).touch(mode=0o666)
            os.chown(folder / name, OTHER, OTHER)
        (self.directory / "daemon").chmod(0o700)
        entry = self.credential("crm")
        config = self.config({"crm": entry})
        daemon = self.daemon_in("daemon", config)

        def look():
            return (daemon.credentials()["crm"]["last_error"] or {}).get("problem")

        problem = wait_until(look, 20, "a problem of the slots", daemon)
        self.assertIn("belongs to user %d" % OTHER, problem)
        self.assertEqual(self.server.exchanges("crm"), [])
        for name in SLOTS:
            self.assertEqual((folder / name).read_bytes(), b"")
        done = self.check(daemon)
        self.assert_exit(done, 78, *SLOTS)

    def daemon_in(self, place, config):
        folder = self.directory / place
        folder.mkdir(mode=0o700, exist_ok=True)
        return PlainDaemon(self, folder, config, {}).start()

    def test_directories_that_others_may_write_to_are_refused_but_for_a_start(self):
        daemon = self.fresh_daemon("crm")
        daemon.tokens.chmod(0o775)
        self.assert_exit(self.check(daemon), 78, "token_dir", "chmod go-w %s" % daemon.tokens)
        done = daemon.evertoken("reload")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("chmod go-w %s" % daemon.tokens, done.stderr)
        daemon.restart()
        daemon.wait_for("crm", "fresh")
        self.assertIn("The next version refuses to start with this", daemon.stderr())
        daemon.tokens.chmod(0o755)
        self.assertEqual(daemon.evertoken("reload").returncode, 0)
        self.assert_exit(self.check(daemon), 0)

    def test_a_private_key_that_others_can_read_is_refused_but_for_a_start(self):
        entry = self.credential("crm", client_secret={"file": "secret"}, refresh_token={
            "file": "seed"}, variables={"private_key": PEM})
        plain = self.credential("crm")
        config = self.config({"crm": entry})
        folder = self.directory / "daemon"
        folder.mkdir(mode=0o700)
        for name, key in (("secret", "client_secret"), ("seed", "refresh_token")):
            (folder / name).write_text(plain[key])
        daemon = self.daemon_in("daemon", config)
        daemon.config_file.chmod(0o644)
        self.assert_exit(self.check(daemon), 78, "credentials.crm.variables.private_key",
                         "chmod 0640")
        self.assertNotEqual(daemon.evertoken("reload").returncode, 0)
        daemon.restart()
        daemon.wait_for("crm", "fresh")
        self.assertIn("credentials.crm.variables.private_key", daemon.stderr())
        daemon.config_file.chmod(0o640)
        self.assert_exit(self.check(daemon), 0)


class WaitsOfRoot(ProgramCase):
    def test_waits_of_root_are_not_counted_among_those_of_others(self):
        self.server.delay = 30
        daemon = self.daemon({"crm": self.credential("crm")})
        question = b"GET /v1/credentials/crm/token HTTP/1.1\r\nHost: localhost\r\n\r\n"
        waiting = []
        for _ in range(200):  # more than any other user may have
            one = socket.socket(socket.AF_UNIX)
            self.addCleanup(one.close)
            one.connect(str(daemon.socket))
            one.sendall(question)
            waiting.append(one)
        self.assertEqual(daemon.status()["credentials"][0]["state"], "pending")
        readable, _, _ = select.select(waiting, [], [], 1)
        self.assertEqual(len(readable), 0, "some were sent away")


class TextsOfAProvider(ProgramCase):
    """Each function's word, read back by what reads such a file."""

    def setUp(self):
        super().setUp()
        self.mark = self.directory / "ran"
        self.text = HOSTILE.format(mark=self.mark)
        body = json.dumps({"access_token": "at", "expires_in": 3600, "note": self.text}).encode()
        self.provider = RawServer(replying(200, body)).start()
        at_end(self, self.provider.stop)

    def files(self, **templates):
        """A running daemon and what it wrote by each template."""
        url = "http://127.0.0.1:%d/token" % self.provider.port
        profile = {"extends": "client_credentials", "request": {"url": url},
                   "response": {"keep": {"note": "/note"}}}
        entry = {"provider": "hostile", "client_id": "c", "client_secret": "s", "outputs": [
            {"path": "crm/" + name, "format": "template", "template": text}
            for name, text in templates.items()]}
        daemon = self.daemon({"crm": entry}, providers={"hostile": profile})
        daemon.wait_for("crm", "fresh")
        return daemon, {name: daemon.tokens / "crm" / name for name in templates}

    def test_each_reader_finds_the_text_and_runs_nothing(self):
        _, files = self.files(
            env="NOTE=${shell(keep.note)}\n", json='{"note": ${json(keep.note)}}\n',
            git="[evertoken]\n\tnote = ${ini(keep.note)}\n",
            netrc="machine a.example login l password ${netrc(keep.note)}\n",
            curl="user-agent = ${curl(keep.note)}\nurl = file:///dev/null\n")
        read = subprocess.run(["sh", "-c", '. "$0"; printf %s "$NOTE"', files["env"]], check=True,
                              capture_output=True, text=True)
        self.assertEqual(read.stdout, self.text)
        self.assertEqual(json.loads(files["json"].read_text())["note"], self.text)
        read = subprocess.run(["git", "config", "-f", files["git"], "evertoken.note"], check=True,
                              capture_output=True, text=True)
        self.assertEqual(read.stdout, self.text + "\n")
        self.assertEqual(netrc.netrc(str(files["netrc"])).authenticators("a.example")[2], self.text)
        server = RawServer(replying(200, b"{}")).start()
        at_end(self, server.stop)
        config = files["curl"].read_text().replace("file:///dev/null",
                                                   "http://127.0.0.1:%d/" % server.port)
        subprocess.run(["curl", "-q", "-s", "--config", "-"], input=config, text=True, check=True,
                       timeout=20, stdout=subprocess.DEVNULL)
        self.assertIn(b"User-Agent: " + self.text.encode() + b"\r\n", server.connections[0].wire)
        self.assertFalse(self.mark.exists(), "a reader ran what the provider wrote")

    def test_check_names_a_text_of_the_provider_that_stands_unquoted(self):
        daemon, files = self.files(env="NOTE=${keep.note}\n", fine="NOTE=${shell(keep.note)}\n")
        done = evertoken("check", "--config", str(daemon.config_file))
        self.assert_exit(done, 0, "crm/env", "${shell(keep.note)}")
        self.assertNotIn("crm/fine", done.stderr)
        # It is worth a warning: this is what a shell does with such a file.
        subprocess.run(["sh", "-c", '. "$0"', files["env"]], check=False, capture_output=True)
        self.assertTrue(self.mark.exists(), "the text is not hostile enough to prove anything")
