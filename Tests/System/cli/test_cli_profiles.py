"""What the command line tells about the shipped profiles: `evertoken providers`, and the requests
that `evertoken check NAME --show-request` prints without reading or telling a secret. (That it says
the same in every locale and time zone is in test_cli_places.py.)

Every profile is tried. Secrets are looked for in the forms a leak would take; what no search can
find, such as a signature made with one, is found by showing the same credential with other secrets
and with secrets that cannot be read: the output must not change by a byte."""

import base64
import ctypes
import hashlib
import json
import os
import urllib.parse

from evertest.profiles.shown_cases import ShownCase, of_each
from evertest.profiles.shown_requests import (NAMES, Comparison, fixture, parts_of, profile, still,
                                              variables_of)
from evertest.programs import ProgramCase, evertoken, write_private, write_program
from evertest.suite import Suite

SUITE = Suite(minutes=0.3)

PASTE = '\n\na credential to paste into "credentials"\n\n'
ALGORITHMS = ("md5", "sha1", "sha256", "sha384", "sha512")


def traces(secret):
    """The forms in which a secret may show, in lower case."""
    raw = secret.encode()
    found = {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote(secret),
             urllib.parse.quote_plus(secret), json.dumps(secret)[1:-1], raw.hex()}
    digests = [hashlib.new(name, raw).digest() for name in ALGORITHMS]
    found |= {one.hex() for one in digests} | {base64.b64encode(one).decode() for one in digests}
    for before in range(3):  # wherever it stands in a longer text
        text = base64.b64encode(b"\0" * before + raw).decode()[4 * bool(before):-4]
        found |= {text, text.replace("+", "-").replace("/", "_")}
    return {one.lower() for one in found}


class Watch:
    """What of a directory's files is opened or read, by inotify(7)."""

    OPENED_OR_READ = 0x20 | 0x01

    def __init__(self, case, directory):
        libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = libc.inotify_init1(os.O_NONBLOCK)
        case.addCleanup(os.close, self.descriptor)
        where = os.fsencode(directory)
        if libc.inotify_add_watch(self.descriptor, where, self.OPENED_OR_READ) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def events(self):
        """What happened since the last look, as the kernel writes it; empty if nothing did."""
        try:
            return os.read(self.descriptor, 65536)
        except BlockingIOError:
            return b""


class ProvidersTest(ProgramCase):
    def test_the_list_names_every_profile_with_its_page(self):
        wanted = [(name, profile(name)["docs"]) for name in NAMES]
        plain, parsed, wide = (evertoken("providers", *more) for more in (
            [], ["--json"], ["-o", "wide"]))
        for done in (plain, parsed, wide):
            self.assert_exit(done, 0)
            self.assertEqual(done.stderr, "")
        entries = json.loads(parsed.stdout)
        self.assertEqual([(entry["name"], entry["docs"]) for entry in entries], wanted)
        self.assertEqual({tuple(entry) for entry in entries}, {("name", "docs", "summary")})
        told = [(entry["name"], entry["summary"]) for entry in entries]
        self.assertEqual([tuple(line.split(maxsplit=1)) for line in plain.stdout.splitlines()],
                         told)
        lines = [line.split() for line in wide.stdout.splitlines()]
        self.assertEqual([(line[0], line[-1]) for line in lines], wanted)

    def test_the_list_fits_a_terminal_and_says_what_each_takes(self):
        lines = evertoken("providers").stdout.splitlines()
        self.assertEqual([line for line in lines if len(line) > 80], [])
        told = dict(line.split(maxsplit=1) for line in lines)
        self.assertEqual(told["google"],
                         "sign in by browser or code, at accounts.google.com")
        self.assertEqual(told["xee"], "sign in by browser, at cloud.xee.com")
        self.assertEqual(told["adobe-ims"], "client id and secret, at ims-na1.adobelogin.com")
        self.assertEqual(told["febbox"], "a long-lived token of yours, at api.febbox.com")

    def test_a_page_tells_every_variable_and_its_credential_passes_the_check(self):
        for name, (page, parsed) in of_each(NAMES, lambda name: (
                evertoken("providers", name), evertoken("providers", name, "--json"))):
            with self.subTest(name):
                self.assert_exit(page, 0)
                self.assert_exit(parsed, 0)
                self.assertEqual(page.stderr + parsed.stderr, "")
                told, paste, block = page.stdout.partition(PASTE)
                self.assertTrue(paste, page.stdout)
                about = json.loads(parsed.stdout)
                self.assert_told(name, told, about)
                credentials = json.loads("{%s}" % block)
                self.assertEqual(credentials, {f"my-{name}": about["credential"]})
                file = write_private(self.directory / f"{name}.json",
                                     '{"credentials": {%s}}' % block)
                for arguments in ([], [f"my-{name}", "--show-request"]):
                    done = evertoken("check", *arguments, "--config", str(file))
                    self.assert_exit(done, 0)
                    # Its secrets are not on this machine, and nothing else is wrong.
                    self.assertEqual([line for line in done.stderr.splitlines()
                                      if "does not exist" not in line], [])
                    self.assertNotIn("cannot be made", done.stdout)

    def assert_told(self, name, told, about):
        """Name, page, keys and variables stand in the page and in the JSON alike."""
        docs = profile(name)["docs"]
        self.assertEqual((about["name"], about["docs"]), (name, docs))
        self.assertEqual(told.splitlines()[0].split(), [name, docs])
        self.assertIn("\n\nset\n  %s\n" % ", ".join(
            about["keys"] + [key + " (optional)" for key in about["optional_keys"]]), told)
        variables = {entry["name"]: entry for entry in about["variables"]}
        for key, rule in variables_of(name).items():
            is_needed = bool(rule.get("required")) and "default" not in rule
            if key in ("scope", "client_id"):
                self.assertIn(f"\n  {key}: {rule['description']}\n", told)
                if key == "scope":
                    self.assertEqual("scope" in about["keys"], is_needed)
                continue
            self.assertEqual(variables[key]["required"], is_needed)
            line = "; ".join(["required"] * is_needed + variables[key]["notes"])
            self.assertIn(f"\n  {key}: {line}\n", told + "\n")
            for part in ("default", "pattern", "description"):
                self.assertIn(str(rule.get(part, "")), line)

    def test_an_unknown_name_is_refused_with_the_one_that_was_meant(self):
        for name, meant in (("zohoo", "zoho"), ("salesforc", "salesforce"), ("paypa", "paypal")):
            for more in ([], ["--json"]):
                with self.subTest(name, more=more):
                    done = evertoken("providers", name, *more)
                    self.assert_exit(done, os.EX_DATAERR, f"'{name}'", f"did you mean {meant}?")
                    self.assertEqual(done.stdout, "")
        self.assert_exit(evertoken("providers", "q" * 20), os.EX_DATAERR, "see evertoken providers")


class ShownRequestTest(ShownCase):
    def test_each_is_the_request_of_the_provider_s_page_without_its_secrets(self):
        for name, output in self.show_each(lambda key: f'cAnArY of {key}/+é&="').items():
            with self.subTest(name):
                self.assertEqual(Comparison(name).run(output), [], output)
                headings = [part.heading for part in parts_of(output)]
                start = ("with the refresh token"
                         if "refresh_token" in fixture(name)["credential"] else "at every refresh")
                self.assertTrue(headings[0].startswith(start), headings)
                for key in (*variables_of(name), "client_secret", "refresh_token"):
                    for trace in traces(f'cAnArY of {key}/+é&="'):
                        self.assertNotIn(trace, output.lower())

    def test_no_secret_is_read_and_none_makes_a_difference(self):
        """Neither its place nor its value: what was computed from one would tell them apart."""
        folder = self.directory / "secrets"
        folder.mkdir()
        file = write_private(folder / "secret", "a canary in a file")
        pipe = folder / "pipe"
        os.mkfifo(pipe, 0o600)  # opening it blocks for ever
        program = write_program(self.directory / "secret.sh", "#!/bin/sh",
                                f"touch '{self.directory}/was-run'", "exit 1")
        watch = Watch(self, folder)
        file.read_text()
        self.assertTrue(watch.events(), "the watch sees nothing")
        first = self.show_each(lambda key: "one canary for " + key, file)
        for secret in (lambda key: "another canary: " + key * 3, {"file": "/nonexistent"},
                       {"file": str(file)}, {"file": str(pipe)}, {"command": [str(program)]},
                       {"command": ["/bin/false"]}, {"env": "NO_SUCH_VARIABLE"}):
            source = secret if callable(secret) else lambda key: secret
            for name, output in self.show_each(source, file).items():
                with self.subTest(name, secret=secret):
                    self.assertEqual(still(output), still(first[name]))
                    self.assertNotIn("canary", output)
        self.assertEqual(watch.events(), b"")
        self.assertFalse((self.directory / "was-run").exists())

    def test_a_client_id_from_a_file_is_named_and_not_read(self):
        place = {"file": "/nonexistent"}
        for name in ("google", "atlassian", "kuaishou", "douyin"):
            with self.subTest(name):
                entry = self.entry(name, lambda key: place)
                inline = entry["client_id"]
                usual = self.show({"credentials": {"c": entry}}).stdout
                done = self.show({"credentials": {"c": entry | {"client_id": place}}})
                self.assert_exit(done, 0)
                self.assertEqual(done.stdout, usual.replace(inline, "«client_id»"))

    def test_nothing_is_sent_and_nothing_is_left_behind(self):
        done = self.show(self.config({"c": self.credential("c"), "m": self.machine("m")}))
        self.assert_exit(done, 0)
        self.assertIn(f"POST {self.server.url}\n", done.stdout)
        self.assertEqual(self.server.exchanges(), [])
        self.assertEqual(os.listdir(self.directory), ["evertoken.json"])


class UsageTest(ShownCase):
    def test_without_the_flag_a_credential_is_only_found_right(self):
        self.show(self.config({"c": self.credential("c"), "d": self.credential("d")}))
        done = evertoken("check", "c", "--config", str(self.directory / "evertoken.json"))
        self.assert_exit(done, 0)
        self.assertEqual((done.stdout, done.stderr), ("c: ok, provider as\n", ""))

    def test_a_credential_that_is_not_there(self):
        done = self.show(self.config({"c": self.credential("c")}), name="d")
        self.assert_exit(done, os.EX_DATAERR, "'d'", str(self.directory))
        self.assertEqual(done.stdout, "")

    def test_the_flag_without_a_name(self):
        self.show(self.config({"c": self.credential("c")}))
        done = evertoken("check", "--show-request", "--config",
                         str(self.directory / "evertoken.json"))
        self.assert_exit(done, os.EX_USAGE, "NAME")
        self.assertEqual(done.stdout, "")

    def test_a_mistake_anywhere_is_told_before_any_request_is_shown(self):
        config = self.config({"c": self.credential("c"), "d": self.credential("d", provider="a")})
        done = self.show(config)
        self.assert_exit(done, os.EX_CONFIG, "evertoken.json:1:", 'd')
        self.assertEqual(done.stdout, "")
