"""Names that are released stay: keys of the configuration, routes, metrics and exit statuses, as in
Fixtures/released-names.json. Tests/released-names reads them in the sources; here the real programs
are asked for the same."""

import json
import os
import pathlib
import re
import signal
import subprocess
import unittest

from evertest.basics import BIN, ROOT, temporary_directory
from evertest.programs import PLAIN_ENVIRONMENT, ProgramCase, evertoken
from evertest.suite import Suite

SUITE = Suite(minutes=0.5)
PROGRAM = ROOT / "Tests" / "released-names"
RELEASED = json.loads((ROOT / "Tests/Fixtures/released-names.json").read_text(encoding="utf-8"))


def compared(*arguments):
    return subprocess.run([PROGRAM, *arguments], text=True, capture_output=True, timeout=60,
                          check=False)


class TheSources(unittest.TestCase):
    def test_no_released_name_is_gone_and_every_new_one_is_in_the_file(self):
        done = compared()
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def altered(self, kind, *, without=None, beside=None):
        """The file, without one name or with another one beside."""
        names = [name for name in RELEASED[kind] if name != without]
        file = temporary_directory(self) / "released-names.json"
        file.write_text(json.dumps(RELEASED | {kind: names + ([beside] if beside else [])}))
        return file

    def test_a_name_of_each_kind_that_is_gone_is_told(self):
        for kind in RELEASED:
            done = compared("--file", self.altered(kind, beside="once released"))
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr, f"{kind}: once released was released and is gone\n")

    def test_a_name_of_each_kind_that_is_new_is_told(self):
        for kind, names in RELEASED.items():
            done = compared("--file", self.altered(kind, without=names[-1]))
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{kind}: {names[-1]} is new", done.stderr)

    def test_writing_adds_the_new_ones_and_keeps_those_that_are_gone(self):
        file = self.altered("routes", without="GET /v1/status", beside="GET /v1/former")
        self.assertEqual(compared("--write", "--file", file).returncode, 1)
        written = json.loads(file.read_text())
        self.assertEqual(set(written["routes"]), {*RELEASED["routes"], "GET /v1/former"})
        self.assertEqual({kind: len(names) for kind, names in written.items()},
                         {kind: len(names) + (kind == "routes")
                          for kind, names in RELEASED.items()})


class ThePrograms(ProgramCase):
    UNKNOWN = "there is no such resource"

    def test_every_released_route_is_answered_and_an_invented_one_is_not(self):
        daemon = self.fresh_daemon("crm")
        routes = [route.split() for route in RELEASED["routes"] if not route.startswith("?")]
        self.assertGreater(len(routes), 10)
        # Last: it erases what the others ask for.
        for method, path in sorted(routes, key=lambda route: route[1].endswith("/forget")):
            _, said = daemon.request(method, path.replace("NAME", "crm"))
            title = said.get("title") if isinstance(said, dict) else None
            self.assertNotEqual(title, self.UNKNOWN, f"{method} {path}")
        for method, path in (("GET", "/v1/invented"), ("POST", "/v1/credentials/crm/invented")):
            status, said = daemon.request(method, path)
            self.assertEqual((status, said["title"]), (404, self.UNKNOWN))

    def test_a_scrape_has_every_released_metric_and_label_and_no_other(self):
        daemon = self.fresh_daemon("crm")
        _, text = daemon.request("GET", "/metrics")
        families = {" ".join(family) for family in re.findall(r"(?m)^# TYPE (\w+) (\w+)$", text)}
        labels = {f"{{{label}}}" for label in re.findall(r'[{,](\w+)="', text)}
        self.assertEqual(families | labels, set(RELEASED["metrics"]))

    def test_the_command_line_ends_with_every_released_exit_status(self):
        daemon = self.daemon({"crm": self.credential("crm"), "mail": self.signed_out("mail")})
        daemon.wait_for("crm", "fresh")
        daemon.wait_for("mail", "login_required")
        broken = self.directory / "broken.json"
        broken.touch(mode=0o600)
        broken.write_text('{"credentials": 1}')
        runs = {0: ["token", "crm"], 64: ["token", "--colour"], 65: ["token", "unknown"],
                75: ["status", "--check"], 77: ["wait", "mail", "--fail-fast"],
                78: ["check", "--config", str(broken)]}
        for status, words in runs.items():
            done = daemon.evertoken(*words)
            self.assertEqual(done.returncode, status, (words, done.stdout, done.stderr))
        away = evertoken("token", "crm", socket=self.directory / "nothing.sock")
        self.assertEqual(away.returncode, os.EX_UNAVAILABLE, away.stderr)
        shown = {f"evertoken {status}" for status in {*runs, away.returncode}}
        self.assertEqual(shown, self.of_program("evertoken"))

    def of_program(self, name):
        return {each for each in RELEASED["exit_statuses"] if each.split()[0] == name}

    def test_the_daemon_ends_with_the_released_exit_statuses(self):
        daemon = self.fresh_daemon("crm")
        daemon.process.send_signal(signal.SIGTERM)
        ended = {daemon.process.wait(45)}
        file = self.directory / "file"
        file.touch()
        good = self.directory / "good.json"
        good.touch(mode=0o600)
        good.write_text(json.dumps(self.config({"crm": self.credential("crm")})))
        broken = self.directory / "broken.json"
        broken.touch(mode=0o600)
        broken.write_text('{"credentials": 1}')
        for words in (["--colour"], ["--config", broken],
                      ["--config", good, "--state-dir", file, "--token-dir", self.directory]):
            done = subprocess.run(
                [BIN / "evertokend", *words], env=PLAIN_ENVIRONMENT, cwd=self.directory,
                stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
            ended.add(done.returncode)
        # 71 is for a system that lacks what the daemon needs; this one does not.
        self.assertEqual({f"evertokend {status}" for status in {*ended, os.EX_OSERR}},
                         self.of_program("evertokend"))


if __name__ == "__main__":
    unittest.main()
