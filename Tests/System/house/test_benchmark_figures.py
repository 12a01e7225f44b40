"""The figures of the README are those of the committed measurement, and a lost ratio is noticed."""

import copy
import json
import sys
import unittest
import xml.etree.ElementTree

from evertest.basics import ROOT
from evertest.suite import Suite

BENCHMARKS = ROOT / "Tests" / "Benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import contenders  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402
import scale  # noqa: E402
import targets  # noqa: E402

SUITE = Suite(minutes=0.1)


class FigureCase(unittest.TestCase):
    def setUp(self):
        self.result = json.loads(report.RESULTS.read_text(encoding="utf-8"))

    def rows(self, program, **wanted):
        return [row for row in self.result["rows"] if row["program"] == program
                and all(row[key] == value for key, value in wanted.items())]

    def lost(self):
        return [one["promise"] for one in targets.judged(self.result) if one["verdict"] == "LOST"]


class CommittedTest(FigureCase):
    def test_the_table_of_the_readme_is_made_of_the_committed_numbers(self):
        text = report.README.read_text(encoding="utf-8")
        self.assertEqual(text, report.with_section(text, report.readme_section(self.result)),
                         "Tests/Benchmarks/scale.py --from Tests/Benchmarks/results.json --readme")

    def test_a_number_that_is_changed_in_either_is_noticed(self):
        text = report.README.read_text(encoding="utf-8")
        section = report.readme_section(self.result)
        for row in self.result["rows"]:
            row["cpu_ms_per_refresh"] *= 2
        self.assertNotEqual(section, report.readme_section(self.result))
        self.assertNotEqual(text, report.with_section(text, report.readme_section(self.result)))

    def test_the_plot_is_made_of_them_too_and_has_a_point_for_each(self):
        drawn = report.PLOT.read_text(encoding="utf-8")
        self.assertEqual(drawn, plot.svg(self.result["rows"]))
        points = xml.etree.ElementTree.fromstring(drawn).findall(
            "{http://www.w3.org/2000/svg}circle")
        shown = [row for row in self.result["rows"] if row["scheme"] == "http"
                 and row["rotates"] and not row["is_overload"]]
        self.assertEqual(len(points), len(plot.PANELS) * len(shown))

    def test_they_name_the_machine_and_what_was_compared(self):
        for key in ("processor", "processors", "kernel", "state_file_system"):
            self.assertTrue(self.result["machine"][key], key)
        for key in ("commit", "evertokend", "go", "python", "requests-oauthlib", "curl", "jq"):
            self.assertNotIn(self.result["versions"][key], ("", "unknown"), key)

    def test_no_promise_was_lost_in_them(self):
        self.assertEqual(self.lost(), [])


class JudgementTest(FigureCase):
    def test_each_promise_can_be_lost(self):
        """Every number of evertokend is made a hundred times worse, those of the others stay."""
        fast = ("rate_per_s", "first_start_per_s")
        kept = {"program", "credentials", "scheme", "rotates", "is_overload"}
        for row in self.rows(targets.OURS):
            row["twice"] = row["expired"] = 1
            for key in set(row) - kept:
                # Worse with many credentials than with few, too.
                worse = 100 * row["credentials"]
                row[key] = row[key] / worse if key in fast else (row[key] + 1) * worse
            row["start_peak_kB"] = row["start_private_kB"] = row.get("start_private_kB", 1)
            row["start_peak_kB"] *= 2
        judged = targets.judged(self.result)
        self.assertEqual({one["promise"] for one in judged if one["verdict"] != "LOST"}, set())
        self.assertGreaterEqual(len(judged), 15)

    def test_what_is_better_than_its_target_is_met(self):
        for row in self.rows(targets.OURS):
            row["threads"] = 12
        [threads] = [one for one in targets.judged(self.result) if "threads" in one["promise"]]
        self.assertEqual((threads["value"], threads["verdict"]), (12, "met"))

    def test_only_a_check_fails_for_a_ratio_but_any_run_for_a_token_sent_twice(self):
        row = self.rows(targets.OURS, scheme="http")[-1]
        plain, check = scale.parsed_options([]), scale.parsed_options(["--check"])
        before = copy.deepcopy(self.result)
        row["threads"] = 5000
        self.assertEqual(len(scale.failures(self.result, check)), 1)
        self.assertEqual(scale.failures(self.result, plain), [])
        self.result = before
        self.rows(targets.OURS)[0]["twice"] = 1
        self.assertEqual(len(scale.failures(self.result, plain)), 1)


class PlanTest(unittest.TestCase):
    def test_cron_and_python_stop_at_a_thousand_and_no_more_than_is_allowed_is_due(self):
        cases = scale.plan(scale.parsed_options([]))
        most = {}
        for case in cases:
            most[case.program] = max(most.get(case.program, 0), case.credentials)
        self.assertEqual(most, {"evertokend": 100_000, "go": 100_000, "python": 1000,
                                "cron": 1000})
        self.assertEqual(len(cases), len(set(cases)))
        with self.assertRaises(SystemExit), open("/dev/null", "w", encoding="utf-8") as sink:
            sys.stderr, kept = sink, sys.stderr
            try:
                scale.parsed_options(["--rate", "501"])
            finally:
                sys.stderr = kept

    def test_what_is_missing_is_named_with_its_package(self):
        contenders.need({"sh": "dash", "json": "python3"})
        for tool in ("no_such_module", "mkfs.no-such"):
            with self.assertRaisesRegex(contenders.CannotMeasure, "apt-get install its-package"):
                contenders.need({tool: "its-package"})

    def test_the_short_form_has_http_beside_go_and_one_overload_the_whole_one_everything(self):
        cases = [str(case) for case in scale.plan(scale.parsed_options(["--short"]))]
        for wanted in ("evertokend 3 http", "evertokend 1000 http", "go 1000 http",
                       "evertokend 2000 http overload", "go 2000 http overload"):
            self.assertIn(wanted, cases)
        self.assertNotIn("evertokend 1000 https", cases)
        cases = [str(case) for case in scale.plan(scale.parsed_options([]))]
        for wanted in ("evertokend 100000 http", "go 100000 http", "evertokend 1000 https",
                       "python 1000 http", "cron 1000 http"):
            self.assertIn(wanted, cases)
        self.assertNotIn("cron 10000 http", cases)


class SizesTest(unittest.TestCase):
    def test_files_and_lines_of_the_benchmarks_are_as_short_as_all_others(self):
        files = [path for path in BENCHMARKS.rglob("*")
                 if path.is_file() and path.suffix in (".py", ".go", ".c", "")
                 and "__pycache__" not in path.parts]
        self.assertGreater(len(files), 10)
        for path in files:
            lines = path.read_text(encoding="utf-8").splitlines()
            self.assertLessEqual(len(lines), 500, path)
            self.assertEqual([line for line in lines if len(line) > 100], [], path)
