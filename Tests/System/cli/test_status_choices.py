"""Which credentials `evertoken status` shows and how: names and patterns, states, forms for people
and for scripts, equal problems said once, and a refused reload."""

import json
import os

from evertest.programs import ProgramCase
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.4)


class ChoiceCase(ProgramCase):
    def setUp(self):
        super().setUp()
        self.names = ("google-mail", "google-drive", "crm")
        self.running = self.daemon({
            "google-mail": self.signed_out("google-mail"),
            "google-drive": self.credential("google-drive"),
            "crm": self.signed_out("crm")})
        self.running.wait_for("google-drive", "fresh")
        for name in ("google-mail", "crm"):
            self.running.wait_for(name, "login_required")

    def status(self, *words, code=0):
        done = self.running.evertoken("status", *words)
        self.assert_exit(done, code)
        return done

    def listed(self, *words):
        return self.status(*words, "-o", "name").stdout.split()


class Choices(ChoiceCase):
    def test_names_patterns_and_states_choose_the_worst_first(self):
        for words, names in (
                ([], ["crm", "google-mail", "google-drive"]),
                (["goog*"], ["google-mail", "google-drive"]),
                (["google-drive", "c?m"], ["crm", "google-drive"]),
                (["--state", "login_required"], ["crm", "google-mail"]),
                (["--state", "login-required", "--state", "fresh", "goog*"],
                 ["google-mail", "google-drive"]),
                (["google-drive"], ["google-drive"]),
                (["--state", "expired"], [])):
            with self.subTest(words):
                self.assertEqual(self.listed(*words), names)

    def test_what_is_chosen_is_what_is_counted_and_checked(self):
        said = self.status("goog*").stdout.splitlines()
        self.assertEqual(said[0], "1 of 2 fresh, 1 needs a person")
        self.assertNotIn("crm", "".join(said))
        self.status("--check", code=os.EX_TEMPFAIL)
        self.status("--check", "*-drive")
        self.status("--check", "google-drive", "crm", code=os.EX_TEMPFAIL)

    def test_quiet_tells_by_its_exit_status_alone(self):
        for words, code in (([], os.EX_TEMPFAIL), (["google-drive"], 0), (["*-drive"], 0),
                            (["crm"], os.EX_TEMPFAIL), (["--state", "fresh"], 0)):
            with self.subTest(words):
                done = self.status("-q", *words, code=code)
                self.assertEqual((done.stdout, done.stderr), ("", ""))

    def test_json_of_some_is_the_daemons_without_the_others(self):
        whole = json.loads(self.status("--json").stdout)
        for words in (["-o", "json"], ["--json", "goog*", "crm"]):
            self.assertEqual(json.loads(self.status(*words).stdout), whole)
        some = json.loads(self.status("--json", "goog*", "--state", "fresh").stdout)
        self.assertEqual([entry["name"] for entry in some["credentials"]], ["google-drive"])
        self.assertEqual({key: some[key] for key in some if key != "credentials"},
                         {key: whole[key] for key in whole if key != "credentials"})
        self.assertEqual(json.loads(self.status("crm", "--json").stdout)["name"], "crm")

    def test_only_rows_are_rows_for_other_programs(self):
        rows = [line.split() for line in self.status("--no-headers").stdout.splitlines()]
        self.assertEqual([row[:2] for row in rows], [
            ["crm", "login_required"], ["google-mail", "login_required"],
            ["google-drive", "fresh"]])
        wide = self.status("--no-headers", "-o", "wide", "crm").stdout.split()
        self.assertEqual(wide[:3], ["crm", "as", "login_required"])

    def test_wide_has_the_provider(self):
        lines = self.status("-o", "wide").stdout.splitlines()
        self.assertEqual(lines[1].split()[:3], ["CREDENTIAL", "PROVIDER", "STATE"])
        self.assertRegex(lines[4], r"^google-drive +as +fresh .* (ago|now)")

    def test_what_is_not_there_is_named_with_what_was_meant(self):
        for words, said in ((["x*"], 'no credential matches "x*"; configured: crm, google-drive'),
                            (["crm", "cmr"], 'no credential "cmr"; did you mean crm?')):
            self.assert_exit(self.status(*words, code=os.EX_DATAERR), os.EX_DATAERR, said)
        self.assert_exit(self.status("--state", "frehs", code=os.EX_USAGE), os.EX_USAGE,
                         '"frehs" is not a state; did you mean fresh?')

    def test_the_same_problem_of_several_is_said_once(self):
        lines = self.status().stdout.splitlines()
        heads = [line for line in lines if line.endswith(": crm, google-mail.")]
        self.assertEqual(len(heads), 1, lines)
        self.assertTrue(heads[0].startswith("2 credentials: "), heads)
        self.assertIn("400 invalid_grant", heads[0])
        self.assertEqual(sum("evertoken import NAME" in line for line in lines), 1, lines)


class ARefusedReload(ChoiceCase):
    def test_its_mistakes_stand_in_the_order_of_the_file_below_one_head(self):
        good = self.running.config_file.read_text()
        text = json.dumps(json.loads(good), indent=2)
        bad = text.replace('"provider": "as"', '"providor": "as"').replace(
            '"client_id"', '"klient_id"')
        self.running.config_file.write_text(bad)
        self.assert_exit(self.running.evertoken("reload"), os.EX_CONFIG)
        lines = self.status().stdout.splitlines()
        self.assertTrue(lines[0].endswith("; reload refused"), lines[0])
        [head] = [n for n, line in enumerate(lines) if line.startswith("the last reload was")]
        count = int(lines[head].split(": ")[1].split()[0])
        self.assertGreaterEqual(count, 6)
        self.assertEqual("".join(lines).count(str(self.running.config_file)), 1)
        told = lines[head + 1:-1]
        places = [tuple(map(int, line.split()[0].split(":"))) for line in told]
        self.assertEqual((len(places), places), (count, sorted(places)))
        self.assertEqual(lines[-1], "  Run: evertoken check; then evertoken reload")
        self.running.config_file.write_text(good)
        self.assert_exit(self.running.evertoken("reload"), 0)
        self.assertNotIn("refused:", self.status().stdout.replace("refused the", ""))
        self.assertNotIn("last reload", self.status().stdout)
