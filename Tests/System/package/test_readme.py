"""The commands of the README and of the manual pages, run as they stand there: the set-up in a real
systemd of its own, with one change: the hosts that do not exist, id.acme.example and
api.acme.example, become servers on loopback. And what the documents say of this repository: paths,
counts, tests."""

import http.server
import json
import re
import subprocess
import threading
import unittest

from evertest.basics import BIN, ROOT, temporary_directory
from evertest.debian_package import InstalledCase, package
from evertest.login_world import come_back, query
from evertest.sandbox import ROOT_INSIDE, in_systemd
from evertest.suite import Suite

SUITE = Suite(minutes=0.3)

README = ROOT / "README.md"
MANUAL = ROOT / "systemd" / "man"
#: How a manual page writes characters that would mean something to its formatter.
ESCAPES = {r"\e": "\\", r"\(aq": "'", r"\(dq": '"', r"\(Fo": "«", r"\(Fc": "»", r"\&": ""}


def documents():
    """What is written in Markdown for readers of the repository."""
    return [README, *(ROOT / "Tests").rglob("README.md"), *(ROOT / ".github").glob("*.md")]


def block(name):
    """The block that is marked `run: NAME`, as a reader sees it: one in the README, or a literal
    display in a manual page."""
    found = re.findall(rf"<!-- run: {name} -->\n```sh\n(.*?)\n```",
                       README.read_text(encoding="utf-8"), re.DOTALL)
    for page in MANUAL.iterdir():
        found += [re.sub(r"\\(e|&|\(..)", lambda escape: ESCAPES[escape[0]], shown)
                  for shown in re.findall(
                      rf'\n\.\\" run: {name}\n\.Bd -literal[^\n]*\n(.*?)\n\.Ed\n',
                      page.read_text(encoding="utf-8"), re.DOTALL)]
    assert len(found) == 1, f"{len(found)} blocks are marked {name}"
    return found[0]


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
        """Runs the command, and signs in as a person with a browser would."""
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
    def test_the_readme_has_at_most_two_hundred_lines(self):
        self.assertLessEqual(len(README.read_text(encoding="utf-8").splitlines()), 200)

    def test_every_path_that_a_document_names_is_there(self):
        for document in documents():
            text = document.read_text(encoding="utf-8")
            names = re.findall(
                r"(?<![/\w])((?:Tests|Sources|config|systemd|\.github)/[\w./+@-]*\w)", text)
            self.assertTrue(names, document)
            for name in names:
                self.assertTrue((ROOT / name).exists(), f"{document} names {name}")

    def test_every_page_that_the_readme_sends_its_reader_to_is_there(self):
        pages = {page.stem for page in MANUAL.iterdir()}
        named = set(re.findall(r"`man ([\w.-]+)`", README.read_text(encoding="utf-8")))
        self.assertEqual(named, pages)

    def test_what_runs_on_every_change_is_the_test_command_of_the_readme(self):
        blocks = re.findall(r"```sh\n(.*?)\n```", README.read_text(encoding="utf-8"), re.DOTALL)
        said = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
        [command] = [line for line in said if line and not line.startswith("#")]
        beside = 'exec "$(dirname "$0")/../'
        self.assertTrue(command.startswith(beside), command)
        self.assertEqual(command.removeprefix(beside).replace('"', ""), blocks[1])
        workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
        self.assertIn("run: .ci/run\n", workflow)

    def test_every_promise_names_tests_that_are_there(self):
        text = (ROOT / "Tests" / "README.md").read_text(encoding="utf-8")
        table = text.partition("| promise | tests |\n")[2].partition("\n\n")[0].splitlines()[1:]
        self.assertGreater(len(table), 15)
        files = {path.name for path in (ROOT / "Tests").rglob("*")}
        for row in table:
            tests = re.findall(r"`([^`]+)`", row.split("|")[2])
            self.assertTrue(tests, row)
            for test in tests:
                self.assertTrue(
                    {f"test_{test}.py", f"{test}.swift", test.removeprefix("Tests/")} & files, test)

    def test_editors_are_told_what_the_formatter_enforces(self):
        style = json.loads((ROOT / ".swift-format").read_text())
        told = (ROOT / ".editorconfig").read_text().partition("[*]\n")[2].partition("\n\n")[0]
        self.assertIn("indent_size = %d\n" % style["indentation"]["spaces"], told + "\n")
        self.assertIn("max_line_length = %d\n" % style["lineLength"], told + "\n")

    def test_xee_is_printed_as_it_is_built_in(self):
        shipped = json.loads((ROOT / "Sources/TokenProviders/Profiles/xee.json").read_text())
        expected = {key: shipped[key] for key in shipped if key not in ("name", "docs")}
        for rule in expected["errors"]:
            rule.pop("note", None)
        self.assertEqual(json.loads(block("xee")), expected)

    def test_the_built_in_profiles_are_counted_right(self):
        count = len(list((ROOT / "Sources/TokenProviders/Profiles").glob("*.json")))
        for document in (README, ROOT / "Tests/README.md", MANUAL / "evertoken-profiles.7"):
            text = document.read_text(encoding="utf-8")
            self.assertEqual(
                set(re.findall(r"([0-9]+) (?:built-in )?providers", text)), {str(count)}, document)

    def test_the_mutants_are_counted_right(self):
        text = (ROOT / "Tests/README.md").read_text(encoding="utf-8")
        listed = subprocess.run([ROOT / "Tests/mutate", "--list"], text=True, timeout=60,
                                capture_output=True, check=True).stdout.splitlines()
        self.assertEqual(re.findall(r"\(([0-9]+) mutants\)", text), [str(len(listed))])

    def test_the_profile_of_the_walk_through_passes_and_sends_what_is_printed(self):
        folder = temporary_directory(self)
        (folder / "evertoken.json").write_text(block("profile"), encoding="utf-8")
        commands = block("profile-commands").split("\n")
        self.assertEqual(len(commands), 2)
        # A line that is broken in the page begins with blanks.
        shown = block("profile-output").replace("\n  ", "")
        for command, expected in zip(commands, ["evertoken.json: ok, 1 credential", shown]):
            words = command.split()
            done = subprocess.run([BIN / words[0], *words[1:]], cwd=folder, text=True,
                                  capture_output=True, timeout=30, check=False)
            # Its secrets are not on this machine, and nothing else is wrong.
            said = [line for line in done.stderr.splitlines() if "does not exist" not in line]
            self.assertEqual((done.returncode, said), (0, []))
            self.assertEqual(done.stdout.strip(), expected)
