"""The README's commands, run as they stand there: the set-up in a real systemd of its own, with one
change: the hosts that nobody has, id.acme.example and api.acme.example, become servers on
loopback."""

import http.server
import json
import pathlib
import re
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from debian_package import InstalledCase, package  # noqa: E402
from harness import BIN, ROOT, temporary_directory  # noqa: E402
from login_world import come_back, query  # noqa: E402
from sandbox import ROOT_INSIDE, in_systemd  # noqa: E402

README = ROOT / "README.md"


def block(name):
    """The shell block that follows `<!-- run: NAME -->`, without its indentation."""
    text = README.read_text(encoding="utf-8")
    found = re.search(rf"( *)<!-- run: {name} -->\n *```sh\n(.*?)\n *```", text, re.DOTALL)
    assert found, f"the README has no block {name}"
    return "\n".join(line.removeprefix(found[1]) for line in found[2].split("\n"))


def programs_and_package():
    """What the reader has built: the package in .build, the programs in .build/release."""
    built = f"{ROOT_INSIDE}/.build"
    return {package(): f"{built}/{package().name}",
            **{BIN / name: f"{built}/release/{name}" for name in ("evertoken", "evertokend")}}


class ReadmeTest(InstalledCase):
    def shell(self, text, **environment):
        """Runs a block; sudo is not needed here, and building has been done."""
        preamble = 'set -eu\nsudo() { "$@"; }\nswift() { :; }\n'
        for command in ("Tests/packages build", "systemd/debian/build"):
            text = re.sub(rf"(?m)^{command}$", ":", text)
        done = subprocess.run(
            ["/bin/bash", "-c", preamble + text], cwd=ROOT_INSIDE, timeout=90, text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def set_up_by(self, name):
        """The whole set-up, beginning with that block."""
        self.shell(block(name))
        seed = self.server.grant("my-client", "a-client-secret")
        configure = block("configure").replace(
            "https://id.acme.example/oauth2/token", self.server.url)
        checked = self.shell(configure, CLIENT_SECRET="a-client-secret", REFRESH_TOKEN=seed)
        self.assertIn("ok, 1 credential", checked)
        api, asked = self.api()
        said = self.shell(block("start").replace("https://api.acme.example", api))
        token = self.server.exchanges()[-1].access_token
        self.assertIn("fresh", said)
        self.assertIn(token, said)
        self.assertEqual(asked, [("/me", f"Bearer {token}")])
        self.assertIn("you are welcome", said)
        self.shell(block("script").replace("https://api.acme.example", api))
        self.assertEqual(asked, [("/me", f"Bearer {token}")] * 3)

    def api(self):
        """An API that answers every request; its address, and what it was asked with."""
        return self.serving(b"you are welcome\n")

    def serving(self, body):
        """A server on loopback that always gives this; its address, and what it was asked with."""
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.path, self.headers["Authorization"]))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        return "http://127.0.0.1:%d" % server.server_port, asked

    @in_systemd(instead=programs_and_package)
    def test_the_set_up_by_hand_ends_with_a_token(self):
        self.set_up_by("install")

    @in_systemd(instead=programs_and_package)
    def test_the_first_token_takes_the_six_commands_that_it_says(self):
        lines = [line.partition("#")[0].strip() for line in block("first-token").splitlines()]
        self.assertEqual(len(lines), 6)
        self.assertIn("## First token: six commands\n", README.read_text(encoding="utf-8"))
        install, shown, add, start, login, token = lines
        self.shell(install)
        self.assertIn("accounts.google.com", self.shell(shown))
        # The one change: the provider is on loopback.
        base, _ = self.serving(b'{"access_token": "first", "refresh_token": "r"}')
        self.write("evertoken.json", json.dumps({"providers": {"google": {
            "request": {"url": base + "/token"}, "authorization": {"url": base + "/auth"}}}}))
        answers = "client_id=my-client\\nclient_secret=a-client-secret\\n"
        self.assertIn("next: sudo evertoken login my-google",
                      self.shell(f"printf '{answers}' | {add.removeprefix('sudo ')}"))
        self.shell(start)
        self.sign_in(login.removeprefix("sudo ").split())
        self.assertEqual(self.shell(token), "first")

    def sign_in(self, command):
        """Runs the command, and is the person and the browser."""
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True) as login:
            asked = ""
            while "redirect_uri=" not in asked:
                asked = login.stdout.readline()
                self.assertTrue(asked, "no address was printed")
            fields = query(asked.strip())
            status, _, page = come_back(
                f"{fields['redirect_uri']}?code=agreed&state={fields['state']}")
            said = login.stdout.read()
        self.assertEqual((status, login.returncode), (200, 0), said)
        self.assertIn("Check: evertoken status my-google", re.sub("<[^>]*>", "", page.decode()))

    def test_what_it_has_run_first_builds_and_shows_and_then_tests(self):
        blocks = re.findall(r"```sh\n(.*?)\n```", README.read_text(encoding="utf-8"), re.DOTALL)
        self.assertEqual(blocks[:2], ["Tests/demo", "Tests/run"])

    @in_systemd(instead=programs_and_package)
    def test_so_does_an_installation_by_hand(self):
        self.set_up_by("install-by-hand")


class TextTest(unittest.TestCase):
    def test_every_path_it_names_is_there(self):
        text = README.read_text(encoding="utf-8")
        names = re.findall(r"(?<![/\w])((?:Tests|Sources|config|systemd)/[\w./+@-]*\w)`?", text)
        self.assertGreater(len(names), 10)
        for name in names:
            self.assertTrue((ROOT / name).exists(), f"the README names {name}")

    def test_xee_is_printed_as_it_is_built_in(self):
        shipped = json.loads((ROOT / "Sources/TokenCore/Profiles/xee.json").read_text())
        printed = re.search(r"Xee, whole:\n\n```json\n(.*?)\n```", README.read_text(), re.DOTALL)
        expected = {key: shipped[key] for key in shipped if key not in ("name", "docs")}
        for rule in expected["errors"]:
            rule.pop("note", None)
        self.assertEqual(json.loads(printed[1]), expected)

    def test_it_counts_the_built_in_profiles_right(self):
        count = len(list((ROOT / "Sources/TokenCore/Profiles").glob("*.json")))
        text = README.read_text(encoding="utf-8")
        self.assertEqual(set(re.findall(r"([0-9]+) (?:built-in )?providers", text)), {str(count)})

    def test_the_profile_of_the_walk_through_passes_and_sends_what_is_printed(self):
        text = README.read_text(encoding="utf-8")
        found = re.search(r"<!-- run: profile -->\n```json\n(.*?)\n```\n\n```sh\n(.*?)\n```\n\n"
                          r"```text\n(.*?)\n```", text, re.DOTALL)
        self.assertIsNotNone(found)
        folder = temporary_directory(self)
        (folder / "evertoken.json").write_text(found[1], encoding="utf-8")
        commands = found[2].split("\n")
        self.assertEqual(len(commands), 2)
        for command, expected in zip(commands, ["evertoken.json: ok, 1 credential", found[3]]):
            words = command.split()
            done = subprocess.run([BIN / words[0], *words[1:]], cwd=folder, text=True,
                                  capture_output=True, timeout=30, check=False)
            # Its secrets are not on this machine, and nothing else is wrong.
            said = [line for line in done.stderr.splitlines() if "does not exist" not in line]
            self.assertEqual((done.returncode, said), (0, []))
            self.assertEqual(done.stdout.strip(), expected)


if __name__ == "__main__":
    unittest.main()
