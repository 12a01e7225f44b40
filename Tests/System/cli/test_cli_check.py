"""`evertoken check`: every mistake of a configuration in one run, each at its place.

The places are not counted by hand: a configuration is written with a mark before each value (or
key) that is wrong, and the marks are taken out again before the program sees it."""

import json
import os
import re
import subprocess

from evertest.basics import BIN
from evertest.checks import MARK, CheckCase, unmarked
from evertest.programs import PLAIN_ENVIRONMENT
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.1)

TEN_MISTAKES = """{
  ¶"token_dirs": "/run/evertoken",
  "ready_timeout": ¶60,
  "max_in_flight": ¶0,
  "control": { "mode": ¶640 },
  "providers": {
    "as": {
      "request": {
        "url": "https://id.example/token", "client_auth": ¶"basic"
      }
    }
  },
  "credentials": {
    "crm": {
      "provider": "xee", "client_id": "crm",
      "client_secret": {"file": "/etc/one"}, "outputs": [{"path": ¶"../token"}],
      "refresh": { "at": ¶0.67, "margin": "60s" }
    },
    "drive": { "provider": ¶"xe", "client_id": "drive" },
    "mail": ¶{ "client_id": "mail" },
    ¶"Not A Name": { "provider": "xee" }
  }
}
"""


class MistakesTest(CheckCase):
    def test_ten_mistakes_make_ten_messages_each_at_its_place(self):
        self.assertEqual(TEN_MISTAKES.count(MARK), 10)
        done = self.assert_refused_at(TEN_MISTAKES, '"token_dir"', '"xee"')
        self.assertEqual(done.stdout, "")
        for _, _, _, rest in self.messages(done):
            path, what, remedy = re.fullmatch(r"([^ ]+|credentials\.Not A Name): (.+?); (.+)",
                                              rest).groups()
            self.assertTrue(path and what and remedy)

    def test_the_daemon_refuses_the_same_configuration_with_the_same_messages(self):
        self.write(unmarked(TEN_MISTAKES)[0])
        done = subprocess.run([BIN / "evertokend", "--config", self.file], capture_output=True,
                              text=True, env=PLAIN_ENVIRONMENT, timeout=20)
        self.assert_exit(done, os.EX_CONFIG, *self.check().stderr.splitlines())
        self.assertFalse((self.directory / "state").exists(), "it made its state directory")

    def test_a_key_given_twice_is_a_syntax_error_at_the_second(self):
        self.assert_refused_at('{\n  "log_level": "info",\n  ¶"log_level": "debug"\n}\n', "twice")

    def test_a_comma_too_many_is_named_where_it_stands(self):
        self.assert_refused_at('{\n  "log_level": "info",\n¶}\n')

    def test_one_mistake_of_a_provider_is_one_message_whoever_uses_it(self):
        """Also where a credential chooses another grant, and where a provider extends it."""
        self.assert_refused_at("""{
          "providers": {
            "as": {"request": {"url": "https://id.example/token", "client_auth": ¶"basic"}},
            "more": {"extends": "as", "docs": "https://id.example"}
          },
          "credentials": {
            "one": {"provider": "as", "client_id": "1", "client_secret": {"env": "S"}},
            "two": {"provider": "as", "client_id": "2", "client_secret": {"env": "S"},
                    "grant_type": "client_credentials"}
          }
        }""")

    def test_a_secret_that_is_wrong_is_not_called_missing_as_well(self):
        self.assert_refused_at("""{"credentials": {"crm": {
          "provider": "xee", "client_id": "crm",
          "client_secret": ¶{"file": "/etc/one", "env": "TWO"}
        }}}""")

    def test_a_number_out_of_range_is_not_refused_for_being_a_number(self):
        done = self.assert_refused_at('{"max_in_flight": ¶0}', "from 1 to 1024")
        self.assertNotIn("is a number", done.stderr)

    def test_an_output_template_may_only_name_what_a_token_has(self):
        self.assert_refused_at("""{"credentials": {"crm": {
          "provider": "xee", "client_id": "crm", "client_secret": {"env": "S"},
          "outputs": [{"path": "crm/x", "format": "template", "template": ¶"${acces_token}"}]
        }}}""", "acces_token")

    def test_a_file_that_is_not_there_is_named(self):
        self.assert_exit(self.check(), os.EX_CONFIG, str(self.file) + ": does not exist; write it",
                         "man evertoken.json", "/usr/share/doc/evertoken/examples")

    def test_one_file_for_two_credentials_is_a_mistake_however_its_path_is_spelt(self):
        for first, second in (("x/token", "x/token"), ("x/token", "/run/t/x/token")):
            with self.subTest(second):
                one, two = self.credential("one"), self.credential("two")
                self.write(self.config(
                    {"one": one | {"outputs": [{"path": first}]},
                     "two": two | {"outputs": [{"path": second}]}}, token_dir="/run/t"))
                self.assert_exit(self.check(), os.EX_CONFIG, second, '"one"')


class DropInTest(CheckCase):
    def test_a_unit_that_two_credentials_answer_to_is_named_with_both(self):
        self.assert_refused_at("""{"credentials": {
          "car": {"provider": "xee", "client_id": "i", "client_secret": {"env": "S"},
                  "units": [{"unit": "a@b.service", "id": "token"}]},
          "crm": {"provider": "xee", "client_id": "i", "client_secret": {"env": "S"},
                  "units": ["c.service", ¶{"unit": "a@*.service", "id": "token"}]}
        }}""", '"crm"', '"car"', "credentials.crm.units[1]", "an \"id\" of its own")

    def test_a_mistake_in_a_drop_in_names_that_file(self):
        self.write(self.config({}))
        text, places = unmarked('{\n "credentials": {"crm": ¶{"client_id": "crm"}}\n}')
        file = self.drop_in("10-crm.json", text)
        done = self.check()
        self.assert_exit(done, os.EX_CONFIG, '"provider" is missing')
        self.assertEqual(self.places(done), [(str(file), *places[0])])

    def test_mistakes_of_all_files_are_reported_in_one_run(self):
        text, places = unmarked('{\n  ¶"tokendir": "/run/evertoken"\n}')
        self.write(text)
        first = self.drop_in("10-a.json", "{")
        second = self.drop_in("20-b.json", '{"log_level": "info"}')
        done = self.check()
        self.assert_exit(done, os.EX_CONFIG)
        self.assertEqual(self.places(done), [
            (str(first), 1, 2), (str(second), 1, 2), (str(self.file), *places[0])])

    def test_a_name_given_in_two_files_is_a_mistake_that_names_both(self):
        self.write(self.config({"crm": self.credential("crm")}))
        entry = json.dumps(self.credential("crm"))
        file = self.drop_in("10-crm.json", '{"credentials": {"crm": %s}}' % entry)
        done = self.check()
        self.assert_exit(done, os.EX_CONFIG, '"crm"', str(file), str(self.file) + " ")
        self.assertEqual(self.places(done), [(str(file), 1, 18)])

    def test_drop_ins_that_are_right_count(self):
        self.write(self.config({"one": self.credential("one")}))
        self.drop_in("10-two.json", json.dumps({"credentials": {"two": self.credential("two")}}))
        self.drop_in("30-three.json.disabled", "not read")
        self.assert_exit(self.check(), 0)
        self.assertIn("2 credentials", self.check().stdout)


class ReadableSecretTest(CheckCase):
    def test_an_inline_secret_that_others_can_read_is_refused_with_the_chmod_to_run(self):
        for mode in (0o644, 0o604, 0o602):
            with self.subTest(oct(mode)):
                self.write(self.config({"crm": self.credential("crm")}), mode)
                done = self.check()
                self.assert_exit(done, os.EX_CONFIG, "client_secret", "refresh_token")
                self.assertEqual(len(self.messages(done)), 2)
                self.assertNotIn("secret-of-crm", done.stderr)
                command = re.search(r"run: (chmod 0?[0-7]{3} /[^\s]+)", done.stderr)
                self.assertIsNotNone(command, done.stderr)
                subprocess.run(command[1].split(), check=True)
                self.assert_exit(self.check(), 0)

    def test_an_inline_secret_in_a_drop_in_is_held_to_the_same(self):
        self.write(self.config({}))
        entry = self.machine("crm")
        file = self.drop_in("crm.json", json.dumps({"credentials": {"crm": entry}}))
        file.chmod(0o644)
        self.assert_exit(self.check(), os.EX_CONFIG, str(file), "chmod 0640 " + str(file))

    def test_a_config_without_secrets_may_be_read_by_all(self):
        self.write(self.config({"crm": self.machine("crm", client_secret={"env": "S"})}), 0o644)
        self.assert_exit(self.check(), 0)


class GoodConfigTest(CheckCase):
    def lines_for(self, outputs, **more):
        entry = self.credential("crm", outputs=outputs)
        self.write(self.config({"crm": entry}, **more))
        done = self.check()
        self.assert_exit(done, 0)
        self.assertEqual(done.stderr, "")
        return [line.strip() for line in done.stdout.splitlines()]

    def test_a_good_config_is_ok_sends_nothing_and_changes_nothing(self):
        lines = self.lines_for([{"path": "crm/token"}])
        self.assertEqual(len(lines), 1)
        self.assertIn("ok", lines[0])
        self.assertEqual(list(self.directory.iterdir()), [self.file])
        self.assertEqual(self.server.exchanges(), [])

    def test_a_group_needs_the_group_and_chown(self):
        lines = self.lines_for([{"path": "crm/token", "group": "mail"}])
        self.assertIn("[Service]", lines)
        self.assertIn("SupplementaryGroups=mail", lines)
        self.assertIn("SystemCallFilter=@chown", lines)
        self.assertFalse([line for line in lines if "ReadWritePaths" in line or "CAP" in line])

    def test_an_absolute_path_needs_its_directory(self):
        lines = self.lines_for([{"path": "/run/crm/auth.env"}, {"path": "/run/evertoken/x/token"}])
        self.assertIn("ReadWritePaths=/run/crm", lines)
        self.assertFalse([line for line in lines if "Groups" in line or "@chown" in line])

    def test_an_owner_needs_the_capability(self):
        lines = self.lines_for([{"path": "crm/token", "owner": "games"}])
        for line in ("SystemCallFilter=@chown", "AmbientCapabilities=CAP_CHOWN",
                     "CapabilityBoundingSet=CAP_CHOWN"):
            self.assertIn(line, lines)

    def test_the_socket_s_group_needs_the_same_as_an_output_s(self):
        lines = self.lines_for([{"path": "crm/token"}], control={"group": "mail"})
        self.assertIn("SupplementaryGroups=mail", lines)
        self.assertIn("SystemCallFilter=@chown", lines)

    def test_a_unit_needs_the_token_and_the_socket(self):
        entry = self.credential("crm", units=[{"unit": "backup.service", "id": "token"}])
        for more, socket in (({}, "/run/evertoken/credentials.sock"),
                             ({"credential_socket": "/run/own.sock"}, "/run/own.sock")):
            self.write(self.config({"crm": entry}, **more))
            done = self.check()
            self.assert_exit(done, 0)
            self.assertIn("backup.service gets the token of crm", done.stdout)
            for line in ("Requires=evertoken-wait@crm.service", "LoadCredential=token:" + socket):
                self.assertIn("  %s\n" % line, done.stdout)
