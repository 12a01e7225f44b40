"""Secrets from every place the configuration can name, read again at every use, and what is said
when one cannot be read."""

import json
import os

from evertest.basics import wait_until
from evertest.programs import ProgramCase, end_noted_groups, write_private, write_program
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.4)

#: Secrets may hold what a shell, a form or HTTP Basic would change.
AWKWARD = "p%20 $HOME:ü+&=\"'\\"


class SourceTest(ProgramCase):
    def setUp(self):
        super().setUp()
        self.store = self.directory / "store"
        self.store.mkdir(mode=0o700)

    def entry(self, name, source, *, text=AWKWARD):
        """A machine credential whose secret, known to the server, is read from `source`."""
        entry = self.machine(name, client_secret=source)
        self.server.grant(name, text)
        return entry

    def test_a_secret_may_be_a_text_a_file_a_variable_a_command_or_a_systemd_credential(self):
        write_private(self.store / "file", AWKWARD + "\n")
        write_private(self.store / "crm-secret", AWKWARD)
        sources = {
            "text": AWKWARD,
            "file": {"file": str(self.store / "file")},
            "variable": {"env": "CRM_SECRET"},
            "command": {"command": ["/usr/bin/printf", "%s\n", AWKWARD]},
            "systemd": {"credential": "crm-secret"},
        }
        daemon = self.daemon(
            {name: self.entry(name, source) for name, source in sources.items()},
            environment={"CRM_SECRET": AWKWARD, "CREDENTIALS_DIRECTORY": str(self.store)})
        for name in sources:
            with self.subTest(name):
                daemon.wait_for(name, "fresh")
        self.assertNotIn(AWKWARD, daemon.stderr())

    def test_a_relative_file_lies_beside_the_config(self):
        daemon = self.daemon({})
        write_private(daemon.directory / "crm.secret", AWKWARD)
        daemon.reconfigure(self.config({"crm": self.entry("crm", {"file": "crm.secret"})}))
        daemon.wait_for("crm", "fresh")

    def test_a_secret_is_read_again_at_every_use(self):
        file = write_private(self.store / "file", "old secret\n")
        source = {"file": str(file)}
        daemon = self.daemon({"crm": self.entry("crm", source, text="old secret")})
        daemon.wait_for("crm", "fresh")
        self.server.grant("crm", "new secret")
        file.write_text("new secret\n")
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        self.assertEqual(daemon.file("crm/token"), self.server.exchanges()[-1].access_token)

    def test_all_of_a_credential_s_values_may_come_from_such_places(self):
        entry = self.credential("crm")
        for key in ("client_id", "client_secret", "refresh_token"):
            file = write_private(self.store / key, entry[key] + "\n")
            entry[key] = {"file": str(file)}
        daemon = self.daemon({"crm": entry})
        daemon.wait_for("crm", "fresh")


class FailureTest(ProgramCase):
    """A secret that cannot be read is a matter of configuration: it is told, and waits for a
    person."""

    def assert_misconfigured(self, daemon, *words, name="crm"):
        error = daemon.wait_for(name, "misconfigured")["last_error"]
        self.assertEqual(error["class"], "config")
        for word in words:
            self.assertIn(word, error["problem"] + "; " + error["remedy"])
        self.assertTrue(error["remedy"])
        self.assertEqual(self.server.exchanges(name), [], "it was sent without its secret")
        return error

    def test_a_command_that_fails_is_told_and_a_corrected_config_is_tried_at_once(self):
        program = write_program(self.directory / "give", "#!/bin/sh", "echo s3cret >&2", "exit 3")
        entry = self.machine("crm", client_secret={"command": [str(program)]})
        daemon = self.daemon({"crm": entry, "other": self.credential("other")})
        self.assert_misconfigured(daemon, str(program), "status 3")
        self.assertNotIn("s3cret", daemon.stderr() + json.dumps(daemon.status()))
        self.assertIn(str(program), daemon.evertoken("status").stdout)
        self.assertEqual(daemon.credentials()["other"]["state"], "fresh")
        entry["client_secret"] = {"command": ["/bin/echo", "secret-of-crm"]}
        daemon.reconfigure(self.config({"crm": entry}))
        daemon.wait_for("crm", "fresh", timeout=5)

    def test_a_command_that_is_mended_is_tried_again_after_a_reload(self):
        program = write_program(self.directory / "give", "#!/bin/sh", "exit 3")
        daemon = self.daemon({"crm": self.machine(
            "crm", client_secret={"command": [str(program)]})})
        self.assert_misconfigured(daemon, "status 3")
        write_program(program, "#!/bin/sh", "echo secret-of-crm")
        self.assert_exit(daemon.evertoken("reload"), 0)
        daemon.wait_for("crm", "fresh", timeout=5)

    def test_a_command_that_is_mended_is_tried_again_when_a_refresh_is_ordered(self):
        program = write_program(self.directory / "give", "#!/bin/sh", "exit 3")
        daemon = self.daemon({"crm": self.machine(
            "crm", client_secret={"command": [str(program)]})})
        self.assert_misconfigured(daemon, "status 3")
        write_program(program, "#!/bin/sh", "echo secret-of-crm")
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        daemon.wait_for("crm", "fresh", timeout=2)

    def test_every_other_source_that_is_missing_is_told_too(self):
        empty = write_private(self.directory / "empty", "\n")
        os.mkfifo(self.directory / "fifo")
        missing = str(self.directory / "missing")
        sources = {
            "file": ({"file": missing}, missing, "No such file"),
            "empty": ({"file": str(empty)}, str(empty), "empty"),
            "fifo": ({"file": str(self.directory / "fifo")}, "not a regular file"),
            "variable": ({"env": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE"),
            "systemd": ({"credential": "crm-secret"}, "LoadCredential=crm-secret"),
            "program": ({"command": [missing]}, missing),
            "killed": ({"command": ["/bin/sh", "-c", "kill -9 $$"]}, "signal 9"),
        }
        daemon = self.daemon({name: self.machine(name, client_secret=source)
                              for name, (source, *_) in sources.items()})
        for name, (_, *words) in sources.items():
            with self.subTest(name):
                self.assert_misconfigured(daemon, *words, name=name)

    def hanging_program(self, *lines):
        """The arguments of a shell script of these lines, which is gone after the test."""
        notes = self.directory / "pid"
        self.addCleanup(end_noted_groups, notes)
        script = write_program(self.directory / "hang", "#!/bin/sh", 'echo $$ > "$1"', *lines)
        return [str(script), str(notes)]

    def test_a_command_that_hangs_is_given_up_and_holds_up_no_other_credential(self):
        """Whatever the others, with a command of their own each, share with the one that hangs."""
        hanging = self.hanging_program("exec sleep 600")
        entries = {"crm": self.machine("crm", client_secret={"command": hanging})}
        for name in ("other-%d" % number for number in range(10)):
            program = write_program(self.directory / name, "#!/bin/sh", "echo secret-of-" + name)
            entries[name] = self.machine(name, client_secret={"command": [str(program)]})
        daemon = self.daemon(entries)
        for name in list(entries)[1:]:
            daemon.wait_for(name, "fresh", timeout=5)
        self.assert_misconfigured(daemon, hanging[0], "10 s")

    def test_a_command_that_closes_its_output_and_hangs_is_given_up_as_well(self):
        hanging = self.hanging_program("exec >&-", "exec sleep 600")
        daemon = self.daemon({"crm": self.machine("crm", client_secret={"command": hanging})})
        wait_until(lambda: daemon.credentials()["crm"]["last_error"], 15, "an account of it",
                   daemon)
