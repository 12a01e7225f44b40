"""How Tests/run runs suites: by what each declares, and what it says of those that fail.

The suites here are made for the purpose, in a directory of their own; the last tests look at the
real ones.
"""

import contextlib
import io
import os
import unittest
import unittest.mock

from evertest import runner
from evertest.basics import temporary_directory
from evertest.suite import Suite, Undeclared, declared

SUITE = Suite(minutes=0.2)
#: A made-up suite: notes when it begins and ends, and does something between.
TEXT = """
import pathlib, time, unittest
from types import SimpleNamespace as Suite

SUITE = Suite({declaration})
NOTES = pathlib.Path({notes!r})

def note(word):
    with NOTES.open("a") as file:
        file.write(word + " {name}\\n")

class Case(unittest.TestCase):
    def test_it(self):
        note("begin")
        {body}
        note("end")
"""
FAILS_FIRST = """
        first = NOTES.with_name("tried")
        if not first.exists():
            first.touch()
            self.fail("a machine has stalled")
"""


class RunnerCase(unittest.TestCase):
    def setUp(self):
        self.system = temporary_directory(self)
        self.folder = self.system / "subject"
        self.folder.mkdir()
        (self.folder / "__init__.py").touch()
        self.notes = self.system / "notes"
        self.notes.touch()

    def write(self, name, declaration="", body="pass", text=TEXT):
        file = self.folder / f"test_{name}.py"
        file.write_text(text.format(name=name, declaration=declaration, body=body.strip(),
                                    notes=str(self.notes)))
        return file

    def run_suites(self, *names):
        """Exit status, lines of the report, and what was printed."""
        report = self.system / "report"
        with (contextlib.redirect_stdout(io.StringIO()) as said,
              contextlib.redirect_stderr(said), unittest.mock.patch("signal.signal")):
            status = runner.main([*names, "--report", str(report)], self.system)
        lines = report.read_text().splitlines() if report.exists() else []
        return status, lines, said.getvalue()

    def noted(self):
        return self.notes.read_text().splitlines()


class DeclarationTest(RunnerCase):
    def test_one_that_declares_nothing_is_an_error_and_none_is_run(self):
        self.write("good")
        self.write("bare", text=TEXT.replace("SUITE", "OTHER"))
        status, lines, said = self.run_suites("good")
        self.assertEqual((status, lines), (os.EX_USAGE, []))
        self.assertIn("test_bare.py: declares no SUITE", said)
        self.assertEqual(self.noted(), [])

    def test_so_is_a_declaration_that_cannot_be_read(self):
        for declaration in ("timd=True", "minutes=1 + len('x')", "True"):
            with self.subTest(declaration):
                self.write("odd", declaration)
                status, _, said = self.run_suites()
                self.assertEqual(status, os.EX_USAGE)
                self.assertIn("test_odd.py", said)

    def test_so_are_two_suites_of_one_name_and_a_folder_that_is_no_package(self):
        self.write("twin")
        other = self.system / "other"
        other.mkdir()
        (other / "test_twin.py").write_text("SUITE = Suite()")
        with self.assertRaisesRegex(Undeclared, "no __init__.py"):
            declared(self.system)
        (other / "__init__.py").touch()
        with self.assertRaisesRegex(Undeclared, "the same name"):
            declared(self.system)

    def test_so_is_a_name_that_no_suite_has(self):
        self.write("good")
        status, _, said = self.run_suites("good", "goud")
        self.assertEqual(status, os.EX_USAGE)
        self.assertIn("no suite is named goud", said)
        self.assertEqual(self.noted(), [])


class OrderTest(RunnerCase):
    def test_the_longest_begin_first(self):
        for name, minutes in (("a", 1), ("b", 3), ("c", 0.1), ("d", 2)):
            self.write(name, f"minutes={minutes}")
        with unittest.mock.patch.object(runner, "TOGETHER", 1):
            self.assertEqual(self.run_suites()[0], 0)
        self.assertEqual([line.split()[1] for line in self.noted()], list("bbddaacc"))

    def test_three_run_at_a_time_and_one_that_must_be_alone_does(self):
        for name in ("a", "b", "c"):
            self.write(name, "", 'time.sleep(1)')
        self.write("lonely", "alone=True, minutes=9")
        self.assertEqual(self.run_suites()[0], 0)
        self.assertEqual([line.split()[0] for line in self.noted()],
                         ["begin"] * 3 + ["end"] * 3 + ["begin", "end"])
        self.assertEqual(self.noted()[-1], "end lonely")

    def test_names_choose(self):
        for name in ("a", "b"):
            self.write(name)
        self.assertEqual(self.run_suites("b")[:2], (0, ["passed 1", "failed 0"]))
        self.assertEqual(self.noted(), ["begin b", "end b"])


class FailureTest(RunnerCase):
    def test_a_timed_suite_that_passes_alone_is_a_flake_and_its_tests_are_named(self):
        self.write("good")
        self.write("shaky", "timed=True", FAILS_FIRST)
        status, lines, said = self.run_suites()
        self.assertEqual(status, 0)
        self.assertEqual(lines, ["passed 2", "failed 0", "flake shaky: Case.test_it"])
        self.assertIn("=== shaky, once more", said)
        self.assertIn("a machine has stalled", said)

    def test_a_timed_suite_that_fails_twice_has_failed(self):
        self.write("broken", "timed=True", "self.fail()")
        self.assertEqual(self.run_suites()[:2], (1, ["passed 0", "failed 1", "broken broken"]))
        self.assertEqual(self.noted(), ["begin broken"] * 2)

    def test_one_that_is_not_timed_is_never_tried_again(self):
        self.write("shaky", "", FAILS_FIRST)
        self.assertEqual(self.run_suites()[:2], (1, ["passed 0", "failed 1", "broken shaky"]))
        self.assertEqual(self.noted(), ["begin shaky"])

    def test_one_that_runs_no_test_or_cannot_be_loaded_has_failed(self):
        imports = "from types import SimpleNamespace as Suite\n"
        self.write("empty", text=imports + "SUITE = Suite()")
        self.write("gone", text=imports + "import gone_for_good\nSUITE = Suite()")
        self.assertEqual(self.run_suites()[:2], (
            1, ["passed 0", "failed 2", "broken empty (ran no test)", "broken gone"]))

    def test_a_class_that_cannot_be_set_up_is_named_too(self):
        output = "\n".join((
            "ERROR: setUpClass (subject.test_x.Case)", "FAIL: test_b (subject.test_x.Case.test_b)",
            "FAIL: test_b (subject.test_x.Case.test_b) (name='again')", "Ran 3 tests in 1.0s", "",
            "FAILED (failures=2, errors=1)"))
        self.assertEqual(runner.read(1, output), runner.Outcome(
            1, 3, 3, ["Case.setUpClass", "Case.test_b"]))


class RealSuitesTest(unittest.TestCase):
    def test_all_declare_themselves(self):
        found = declared(runner.SYSTEM)
        self.assertGreater(len(found), 90)
        self.assertIn("runner", [one.name for one in found])
        self.assertTrue(all(isinstance(one.suite, Suite) for one in found))

    def test_what_proves_that_no_token_is_lost_is_never_tried_twice(self):
        folders = ["kill", "power", "exclusion", "rollback"]
        proofs = [one for one in declared(runner.SYSTEM) if one.path.parent.name in folders
                  or one.name in ("disks", "disk_faults") or one.path.parent.name == "secrecy"]
        self.assertGreater(len(proofs), 15)
        self.assertEqual([one.name for one in proofs if one.suite.timed], [])
