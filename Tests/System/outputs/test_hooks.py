"""`on_change` programs: run without a shell after a new token is published, told which credential
changed and nothing secret, killed at their timeout, and never in the way of a refresh."""

import json
import pathlib

from evertest.basics import wait_until
from evertest.programs import ProgramCase, end_noted_groups, noted_pids, token_json, write_program
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.7)

#: Writes down what it was started with, and what it finds in the token file named by its first
#: argument. /proc tells the environment as it was handed over, before Python adds to it.
RECORDER = """#!/usr/bin/python3
import json, os, resource, sys
def words(name):
    return open("/proc/self/" + name, "rb").read().decode().split("\\0")[:-1]
record = {
    "arguments": sys.argv[2:], "environment": words("environ"),
    "descriptors": {n: os.readlink("/proc/self/fd/" + n) for n in os.listdir("/proc/self/fd")
                    if os.path.exists("/proc/self/fd/" + n)},
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "group": [os.getpid() == os.getpgid(0), os.getpgid(os.getppid()) == os.getpgid(0)],
    "token": open(sys.argv[2]).read(), "ignored_signals": [
        line.split()[1] for line in open("/proc/self/status") if line.startswith("SigIgn")][0],
}
record["files"] = {}
for path in os.environ["EVERTOKEN_FILES"].split(":"):
    record["files"][path] = os.path.exists(path)
with open(sys.argv[1], "a") as file:
    file.write(json.dumps(record) + "\\n")
"""

#: Words that a shell would not leave as they are.
ODD_WORDS = ["a b", "$HOME", "*", "; touch /tmp/x", "", "$(id)", "ü"]


def process_is_there(pid):
    """Whether a process exists that is not only waiting to be reaped."""
    try:
        text = pathlib.Path("/proc/%d/stat" % pid).read_text()
    except FileNotFoundError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


class RecordTest(ProgramCase):
    """What a hook is given."""

    def setUp(self):
        super().setUp()
        program = write_program(self.directory / "recorder", RECORDER)
        self.notes = self.directory / "notes"
        token = self.directory / "daemon" / "run" / "crm" / "token"
        self.entry = self.credential("crm", on_change=[
            {"exec": [str(program), str(self.notes), str(token), *ODD_WORDS]}])

    def records(self, count):
        """The first `count` records."""
        def look():
            text = self.notes.read_text() if self.notes.exists() else ""
            return text.splitlines() if text.count("\n") >= count else None

        return [json.loads(line) for line in wait_until(look, 10, "%d records" % count)]

    def started_daemon(self):
        return self.daemon({"crm": self.entry}, environment={
            "CRM_SECRET": "not for hooks", "NOTIFY_SOCKET": "/run/none", "HOME": "/root"})

    def test_its_arguments_reach_it_as_they_are(self):
        self.started_daemon()
        self.assertEqual(self.records(1)[0]["arguments"][1:], ODD_WORDS)

    def test_its_environment_is_path_and_what_changed_and_no_secret(self):
        daemon = self.started_daemon()
        words = self.records(1)[0]["environment"]
        variables = dict(word.partition("=")[::2] for word in words)
        self.assertEqual(len(words), len(variables))
        fields = token_json(daemon, "crm")
        self.assertEqual(variables.pop("PATH").split(":")[-2:], ["/usr/bin", "/bin"])
        self.assertTrue(variables.pop("EVERTOKEN_FILES"))
        self.assertRegex(variables.pop("EVERTOKEN_RUN"), "^[0-9a-f]{16}$")
        self.assertEqual(variables, {
            "EVERTOKEN_CREDENTIAL": "crm", "EVERTOKEN_PROVIDER": "as",
            "EVERTOKEN_EXPIRES_AT": str(fields["expires_at"])})
        for secret in self.server.secret_texts():
            self.assertNotIn(secret, "\n".join(words))

    def test_it_can_open_the_files_it_is_told_of(self):
        self.started_daemon()
        files = self.records(1)[0]["files"]
        self.assertEqual(len(files), 2)
        self.assertEqual(set(files.values()), {True}, files)

    def test_it_inherits_no_descriptor_of_the_daemon_and_no_ignored_signal(self):
        self.started_daemon()
        record = self.records(1)[0]
        opened = {number: target for number, target in record["descriptors"].items()
                  if int(number) > 2}
        self.assertEqual(opened, {})
        self.assertEqual(record["descriptors"]["0"], "/dev/null")
        # Python itself ignores SIGPIPE (13) and SIGXFSZ (25); 32 and 33 belong to the C library,
        # cannot be reset, and may be inherited ignored from the shell that runs the tests.
        known = 1 << 12 | 1 << 24 | 1 << 31 | 1 << 32
        self.assertEqual(int(record["ignored_signals"], 16) & ~known, 0)

    def test_it_leads_a_process_group_of_its_own_and_leaves_no_core(self):
        self.started_daemon()
        record = self.records(1)[0]
        self.assertEqual((record["core"], record["group"]), ([0, 0], [True, False]))

    def test_it_runs_once_per_new_token_when_that_is_in_its_file(self):
        daemon = self.started_daemon()
        self.records(1)
        for _ in range(3):
            self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        tokens = [exchange.access_token for exchange in self.server.exchanges()]
        self.assertEqual([record["token"] for record in self.records(4)], tokens)
        daemon.terminate()
        self.assertEqual(len(self.records(4)), 4)


class HangTest(ProgramCase):
    """Hooks that do not end; tokens live 4 s and are renewed after 2."""

    lifetime = 4

    def setUp(self):
        super().setUp()
        self.pids = self.directory / "pids"
        self.addCleanup(end_noted_groups, self.pids)

    def start_with(self, *lines, timeout="1s"):
        """A daemon whose hook is a shell script; its first line notes the process."""
        script = write_program(self.directory / "hook", "#!/bin/sh", 'echo $$ >> "$1"', *lines)
        hook = {"exec": [str(script), str(self.pids)], "timeout": timeout}
        daemon = self.daemon({"crm": self.credential("crm", on_change=[hook]),
                              "other": self.credential("other")})
        wait_until(self.noted, 10, "the hook to start", daemon)
        return daemon

    def noted(self):
        return noted_pids(self.pids)

    def assert_killed_and_out_of_the_way(self, daemon):
        first = self.noted()[0]
        wait_until(lambda: not process_is_there(first), 4, "the hanging hook to be killed", daemon)
        self.server.wait_for(lambda seen: sum(e.client_id == "crm" for e in seen) >= 4, timeout=15)
        for name in ("crm", "other"):
            sent = [exchange.asked_at for exchange in self.server.exchanges(name)]
            gaps = [after - before for before, after in zip(sent, sent[1:])]
            self.assertLess(max(gaps), 3, "a refresh was late: %s" % gaps)
        wait_until(lambda: len(self.noted()) >= 3, 10, "the hook to run for later tokens", daemon)

    def test_a_hook_that_hangs_is_killed_at_its_timeout_and_delays_nothing(self):
        daemon = self.start_with("sleep 600")
        self.assertTrue(process_is_there(self.noted()[0]))
        self.assert_killed_and_out_of_the_way(daemon)
        self.assertIn("killed at its timeout", daemon.stderr())

    def test_what_it_started_is_killed_too(self):
        daemon = self.start_with('sleep 600 & echo $! > "$1.child"', "wait")
        notes = self.directory / "pids.child"
        child = wait_until(lambda: noted_pids(notes), 5, "the child to start", daemon)[0]
        wait_until(lambda: not process_is_there(child), 4, "the child to be killed", daemon)

    def test_a_hook_that_closes_its_output_and_hangs_is_killed_as_well(self):
        self.assert_killed_and_out_of_the_way(self.start_with("exec >&- 2>&-", "sleep 600"))

    def test_a_hook_that_ignores_signals_and_writes_without_end_is_killed_as_well(self):
        self.assert_killed_and_out_of_the_way(
            self.start_with("trap '' TERM INT HUP", "while :; do echo filling the pipe; done"))

    def test_a_daemon_that_it_leaves_behind_is_killed_too(self):
        notes = self.directory / "pids.child"
        self.addCleanup(end_noted_groups, notes)
        daemon = self.start_with(
            "setsid sh -c 'echo $$ >> \"$0.child\"; exec sleep 600' \"$1\" "
            "</dev/null >/dev/null 2>&1 &", 'while ! [ -s "$1.child" ]; do sleep 0.02; done')
        child = wait_until(lambda: noted_pids(notes), 5, "the child to start", daemon)[0]
        wait_until(lambda: not process_is_there(child), 4, "the child to be killed", daemon)
        self.assertNotIn("on_change program failed", daemon.stderr())

    def test_one_that_ends_while_its_child_writes_without_end_has_succeeded(self):
        daemon = self.start_with("while :; do echo flood; done &", "exit 0", timeout="30s")
        wait_until(lambda: len(self.noted()) >= 3, 10, "it to run for later tokens", daemon)
        self.assertNotIn("on_change program failed", daemon.stderr())

    def test_a_hook_that_deletes_the_token_file_keeps_nobody_from_the_next(self):
        daemon = self.start_with(
            '[ -e "$1.once" ] && exit; : > "$1.once"',
            'rm -f "%s"' % (self.directory / "daemon/run/crm/token"))
        self.server.wait_for(lambda seen: sum(e.client_id == "crm" for e in seen) >= 3, timeout=15)
        wait_until(lambda: daemon.file("crm/token") in {
            e.access_token for e in self.server.exchanges("crm")[1:]}, 10, "a newer token", daemon)

    def test_a_hook_that_is_slower_than_its_tokens_is_skipped_and_that_is_told(self):
        script = write_program(self.directory / "hook", "#!/bin/sh", 'echo $$ >> "$1"', "sleep 60")
        daemon = self.daemon({"crm": self.credential("crm", on_change=[
            {"exec": [str(script), str(self.pids)], "timeout": "60s"}])})
        wait_until(self.noted, 10, "the hook to start", daemon)
        for _ in range(10):
            wait_until(lambda: daemon.evertoken("refresh", "crm", "--wait").returncode == 0, 10,
                       "a refresh", daemon)
        wait_until(lambda: "was skipped" in daemon.stderr(), 5, "the complaint", daemon)
        self.assertEqual(len(self.noted()), 1)

    def test_no_more_than_four_of_one_program_run_at_once_and_all_run(self):
        log = self.directory / "log"
        script = write_program(
            self.directory / "hook", "#!/bin/sh", 'echo + >> "$1"', "sleep 1", 'echo - >> "$1"')
        hook = [{"exec": [str(script), str(log)]}]
        names = ["c%d" % n for n in range(20)]
        self.server.lifetime = 3600
        daemon = self.daemon({name: self.credential(name, on_change=hook) for name in names})

        def marks():
            return log.read_text().split() if log.exists() else []

        wait_until(lambda: marks().count("-") == len(names), 20, "all to have run", daemon)
        running, most = 0, 0
        for mark in marks():
            running += 1 if mark == "+" else -1
            most = max(most, running)
        self.assertEqual(most, 4)

    def test_a_hook_that_is_killed_or_no_program_is_told_of(self):
        hooks = [{"exec": ["/bin/sh", "-c", "kill -9 $$"]}, {"exec": [str(self.directory)]}]
        daemon = self.daemon({"crm": self.credential("crm", on_change=hooks)})
        wait_until(lambda: "died of signal 9" in daemon.stderr()
                   and str(self.directory) in daemon.stderr(), 5, "both complaints", daemon)
        self.assertIn("crm: An on_change program failed (program=/bin/sh; problem=",
                      daemon.stderr())

    def test_a_hook_that_fails_or_is_missing_is_reported_and_changes_nothing(self):
        hooks = [{"exec": ["/bin/false"]}, {"exec": ["/nonexistent/hook"]}]
        daemon = self.daemon({"crm": self.credential("crm", on_change=hooks)})
        daemon.wait_for("crm", "fresh")
        wait_until(lambda: "ended with status 1" in daemon.stderr()
                   and "/nonexistent/hook" in daemon.stderr(), 5, "both complaints", daemon)
        self.assertIsNone(daemon.credentials()["crm"]["last_error"])

    def test_a_hanging_hook_does_not_hold_up_a_stop(self):
        daemon = self.start_with("sleep 600", timeout="60s")
        self.assertEqual(daemon.terminate(10), 0)
