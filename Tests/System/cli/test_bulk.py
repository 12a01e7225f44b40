"""Many credentials at once: `import --dir`, and `login --all-required`."""

from __future__ import annotations

import json
import os
import re
import unittest

from evertest.basics import temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.login_world import SmallServer, Waiting, come_back, query
from evertest.programs import ProgramCase, evertoken
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.1)

GRANTED = {"access_token": "a", "refresh_token": "r", "expires_in": 600}


class ImportingAFolder(ProgramCase):
    def setUp(self) -> None:
        super().setUp()
        entries = {name: self.credential(name) for name in ("crm", "mail", "shop")}
        self.seeds = {name: entry.pop("refresh_token") for name, entry in entries.items()}
        self.running = self.daemon(entries)
        self.folder = self.directory / "tokens"
        self.folder.mkdir()

    def put(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def put_all(self) -> None:
        for name, seed in self.seeds.items():
            self.put(name + ".json", json.dumps({"refresh_token": seed}))

    def run_import(self, *more: str):
        return self.running.evertoken("import", "--dir", str(self.folder), *more)

    def test_every_file_is_imported_and_told_by_name(self) -> None:
        self.put_all()
        self.put("README", "not a token")
        done = self.run_import()
        self.assert_exit(done, 0, "README is passed over")
        self.assertEqual(done.stdout, "crm: imported\nmail: imported\nshop: imported\n")
        for name in self.seeds:
            self.running.wait_for(name, "fresh")

    def test_a_mistake_in_one_keeps_all_from_being_imported(self) -> None:
        for name, text, words in (
                ("mail.json", "{", "mail.json is not JSON"),
                ("mail.json", "", "mail.json is empty"),
                ("mail.json", "{}", "neither refresh_token nor"),
                ("nosuch.json", '{"refresh_token": "x"}', 'no credential "nosuch"'),
                ("mail.json", json.dumps({"refresh_token": self.seeds["crm"]}),
                 "mail.json holds the same refresh token as crm.json")):
            with self.subTest(words):
                for file in self.folder.iterdir():
                    file.unlink()
                self.put_all()
                self.put(name, text)
                done = self.run_import()
                self.assert_exit(done, os.EX_DATAERR, words, "nothing was imported")
                self.assertEqual(done.stdout, "")
                self.assertFalse(any(seed in done.stderr for seed in self.seeds.values()))
        self.assertEqual({entry["state"] for entry in self.running.credentials().values()},
                         {"login_required"})
        self.assertEqual(self.server.exchanges(), [])

    def test_an_empty_folder_one_that_is_not_there_and_both_forms_at_once(self) -> None:
        self.assert_exit(self.run_import(), os.EX_DATAERR, "holds no file NAME.json")
        self.folder.rmdir()
        self.assert_exit(self.run_import(), os.EX_DATAERR, "cannot open")
        self.assert_exit(self.run_import("crm"), os.EX_USAGE)
        self.assert_exit(self.running.evertoken("import"), os.EX_USAGE)

    def test_standard_input_that_is_empty_or_not_json_says_so(self) -> None:
        for text, words in (("", "standard input is empty; expected"), (" \n", "is empty"),
                            ("r3fresh", 'is not JSON; expected {"refresh_token": "…"}'),
                            ("[1]", "standard input is an array")):
            done = self.running.evertoken("import", "crm", text=text)
            self.assert_exit(done, os.EX_DATAERR, words)
            self.assertNotIn("r3fresh", done.stderr)

    def test_without_a_daemon_names_are_checked_by_the_configuration(self) -> None:
        self.running.terminate()
        self.put_all()
        arguments = ("import", "--dir", str(self.folder), "--config",
                     str(self.running.config_file))
        self.put("nosuch.json", '{"refresh_token": "x"}')
        self.assert_exit(evertoken(*arguments), os.EX_DATAERR, 'no credential "nosuch"')
        (self.folder / "nosuch.json").unlink()
        done = evertoken(*arguments)
        self.assert_exit(done, 0)
        self.assertEqual(done.stdout.count("imported"), 3)


class SigningInOneAfterTheOther(unittest.TestCase):
    def setUp(self) -> None:
        server = SmallServer(self, lambda *_: (
            200, {"Content-Type": "application/json"}, json.dumps(self.granted()).encode()))
        self.tokens = 0
        entry = {"provider": "acme", "client_id": "i", "client_secret": "s"}
        config = {
            "providers": {"acme": {"request": {"url": server.base + "/token"},
                                   "authorization": {"url": server.base + "/authorize"}}},
            "credentials": {name: entry for name in ("crm", "mail", "shop")}}
        self.daemon = Daemon(self, temporary_directory(self), config).start()

    def granted(self) -> dict[str, object]:
        self.tokens += 1
        return GRANTED | {"refresh_token": "r%d" % self.tokens}

    def states(self) -> dict[str, str]:
        return {name: entry["state"] for name, entry in self.daemon.credentials().items()}

    def login(self) -> Waiting:
        return Waiting(self, ["login", "--all-required", "--no-browser"],
                       {"EVERTOKEN_SOCKET": str(self.daemon.socket)}, None)

    def answer(self, waiting: Waiting, index: int, given: str) -> None:
        found = wait_until(lambda: re.findall(r"(?m)^  (https?://\S+)$", waiting.stdout)[index:],
                           20, "address %d" % index)
        asked = query(found[0])
        come_back("%s?%s&state=%s" % (asked["redirect_uri"], given, asked["state"]))

    def test_one_that_is_denied_keeps_no_other_from_it(self) -> None:
        wait_until(lambda: set(self.states().values()) == {"login_required"}, 20, "the states")
        waiting = self.login()
        for index, given in enumerate(("code=1", "error=access_denied", "code=3")):
            self.answer(waiting, index, given)
        self.assertEqual(waiting.end(), 77, waiting.stderr)
        self.assertIn("[2 of 3] mail", waiting.stdout)
        self.assertIn("crm: signed in\n", waiting.stdout)
        self.assertIn("shop: signed in\n", waiting.stdout)
        self.assertIn("not signed in: mail\n", waiting.stderr)
        wait_until(lambda: self.states() == {"crm": "fresh", "mail": "login_required",
                                             "shop": "fresh"}, 20, "the end", self.daemon)
        again = self.login()
        self.answer(again, 0, "code=2")
        self.assertEqual(again.end(), 0, again.stderr)
        none = self.login()
        self.assertEqual(none.end(), 0, none.stderr)
        self.assertEqual(none.stdout, "no credential needs a sign-in\n")

    def test_it_takes_no_name_and_no_code(self) -> None:
        for words in (["crm", "--all-required"], ["--all-required", "--code", "c"], [],
                      ["--all-required", "--offline"]):
            done = evertoken("login", *words, socket=self.daemon.socket)
            self.assertEqual(done.returncode, os.EX_USAGE, done.stderr)
