"""A state directory that is a copy, or went back in time: nothing is sent with it until a person has
looked (I10). The server is the judge: it revokes everything when a spent refresh token comes back.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import wait_until  # noqa: E402
from programs import PlainDaemon, ProgramCase, token_json  # noqa: E402


class RollbackTest(ProgramCase):
    def setUp(self):
        super().setUp()
        self.main = self.fresh_daemon("crm")

    def rotate(self, daemon=None):
        """One more rotation; the token that is published then."""
        daemon = daemon or self.main
        done = daemon.evertoken("refresh", "crm", "--wait")
        self.assertEqual(done.returncode, 0, done.stderr)
        return daemon.file("crm/token")

    def backup(self, options="-a"):
        """A copy of the state directory as it is now."""
        copy = self.directory / "backup"
        subprocess.run(["cp", options, self.main.state, copy], check=True)
        return copy

    def restart_with(self, state, *, keeps_tokens):
        """Stops, puts the copy in the place of the state, and starts again."""
        self.assertEqual(self.main.terminate(), 0)
        shutil.rmtree(self.main.state)
        shutil.copytree(state, self.main.state, copy_function=shutil.copy2)
        if not keeps_tokens:
            shutil.rmtree(self.main.tokens)
        self.main.start()

    def assert_quarantined(self, daemon, *words):
        entry = daemon.wait_for("crm", "quarantined")
        for word in words:
            self.assertIn(word, entry["last_error"]["problem"])
        self.assertIn("evertoken accept crm", entry["last_error"]["remedy"])
        self.assertIsNone(entry["next_refresh_at"])

    def assert_nothing_was_sent_since(self, count, daemon):
        """Not even when a person asks for it, nor after a reload or a restart."""
        self.assertNotEqual(daemon.evertoken("refresh", "crm", "--wait").returncode, 0)
        self.assertEqual(daemon.evertoken("reload").returncode, 0)
        daemon.restart()
        daemon.wait_for("crm", "quarantined")
        self.assertEqual(len(self.server.exchanges("crm")), count)
        self.assertEqual([e for e in self.server.exchanges() if e.problem], [])

    def test_a_restored_backup_is_not_used_until_it_is_accepted(self):
        copy, old = self.backup(), self.main.file("crm/token")
        for _ in range(2):
            new = self.rotate()
        asked = len(self.server.exchanges("crm"))
        self.restart_with(copy, keeps_tokens=False)
        self.assert_quarantined(self.main, "copied or restored")
        self.assert_nothing_was_sent_since(asked, self.main)
        # What it holds is still an access token, so it is there for those who read files.
        self.assertEqual(self.main.file("crm/token"), old)
        self.assertNotEqual(old, new)
        # A person signs in again; the old copy does no harm.
        seed = self.server.grant("crm", "secret-of-crm")
        done = self.main.evertoken("import", "crm", text=json.dumps({"refresh_token": seed}))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.main.wait_for("crm", "fresh")
        self.rotate()
        self.main.restart()
        self.main.wait_for("crm", "fresh")

    def test_token_files_that_are_newer_than_a_restored_state_stay_as_they_are(self):
        # The same files, written back in place: no inode tells.
        slots = {path: path.read_bytes() for path in self.main.state.glob("crm/slot*")}
        issued = token_json(self.main, "crm")["issued_at"]
        wait_until(lambda: int(time.time()) > issued, 5, "another second")
        new = self.rotate()
        asked = len(self.server.exchanges("crm"))
        self.assertEqual(self.main.terminate(), 0)
        for path, content in slots.items():
            with open(path, "r+b") as file:
                file.write(content)
        self.main.start()
        self.assert_quarantined(self.main, "older than the token in its output files")
        self.assert_nothing_was_sent_since(asked, self.main)
        self.assertEqual(self.main.file("crm/token"), new)
        # What told is gone, as after a reboot: it is remembered.
        self.assertEqual(self.main.terminate(), 0)
        shutil.rmtree(self.main.tokens)
        self.main.start()
        self.assert_quarantined(self.main, "older than the token in its output files")
        self.assert_nothing_was_sent_since(asked, self.main)

    def test_slots_that_go_back_under_a_running_daemon_are_noticed(self):
        slots = {path: path.read_bytes() for path in self.main.state.glob("crm/slot*")}
        self.rotate()
        asked = len(self.server.exchanges("crm"))
        for path, content in slots.items():
            with open(path, "r+b") as file:
                file.write(content)
        self.assertNotEqual(self.main.evertoken("refresh", "crm", "--wait").returncode, 0)
        self.assert_quarantined(self.main, "went back")
        self.assertEqual(len(self.server.exchanges("crm")), asked)

    def test_a_second_daemon_on_a_copy_sends_nothing(self):
        copy = self.backup()
        folder = self.directory / "second"
        folder.mkdir(mode=0o700)
        config = json.loads(self.main.config_file.read_text())
        config |= {"state_dir": str(copy), "token_dir": str(folder / "run"),
                   "control_socket": str(folder / "control.sock")}
        second = PlainDaemon(self, folder, config, {}).start()
        self.assert_quarantined(second, "copied or restored")
        self.assert_nothing_was_sent_since(1, second)
        self.rotate()

    def test_a_state_of_another_machine_is_noticed_although_its_files_are_the_same(self):
        """A cloned disk with a machine-id of its own, as clones should have."""
        self.assertEqual(self.main.terminate(), 0)
        other = self.directory / "machine-id"
        other.write_text(os.urandom(16).hex() + "\n")
        here = pathlib.Path("/etc/machine-id")
        made = not here.exists()
        if made:
            here.write_text(os.urandom(16).hex() + "\n")
            self.addCleanup(here.unlink)
            # The first daemon could not note a machine then.
            self.main.start()
            self.rotate()
            self.assertEqual(self.main.terminate(), 0)
        start = ["unshare", "--mount", "sh", "-c",
                 'mount --bind "$0" /etc/machine-id && exec "$@"', str(other)]
        asked = len(self.server.exchanges("crm"))
        self.main.prefix = start
        self.main.start()
        self.assert_quarantined(self.main, "another machine")
        self.assertEqual(self.main.evertoken("accept", "crm").returncode, 0)
        self.main.wait_for("crm", "fresh")
        self.rotate()
        self.assertEqual(len(self.server.exchanges("crm")), asked + 1)
        self.assertEqual([e for e in self.server.exchanges() if e.problem], [])

    def test_a_moved_state_directory_and_one_without_rotation_are_used_as_ever(self):
        entries = {"crm": json.loads(self.main.config_file.read_text())["credentials"]["crm"],
                   "machine": self.machine("machine")}
        self.main.reconfigure(self.config(entries))
        self.main.wait_for("machine", "fresh")
        self.assertEqual(self.main.terminate(), 0)
        moved = self.directory / "moved"
        self.main.state.rename(moved)
        self.main.state = moved
        self.main.configure(self.config(entries))
        self.main.start()
        self.main.wait_for("crm", "fresh")
        self.rotate()
        # Copied: nothing of a machine's own grant can be spent.
        self.restart_with(self.backup(), keeps_tokens=False)
        self.main.wait_for("machine", "fresh")
        self.assert_quarantined(self.main, "copied or restored")
        self.assertEqual(self.main.evertoken("accept", "crm").returncode, 0)
        self.main.wait_for("crm", "fresh")
        self.rotate()

    def test_what_is_forgotten_is_gone_from_the_disk(self):
        token = self.server.live_refresh_token("crm")
        grep = ["grep", "-rqa", token, str(self.main.state)]
        self.assertEqual(subprocess.run(grep).returncode, 0)
        # Removed from the configuration it keeps its state.
        self.main.reconfigure(self.config({}))
        self.assertEqual(subprocess.run(grep).returncode, 0)
        done = self.main.evertoken("forget", "crm")
        self.assertEqual((done.returncode, done.stdout), (0, "crm: forgotten\n"), done.stderr)
        self.assertEqual(subprocess.run(grep).returncode, 1)
        self.assertFalse((self.main.state / "crm").exists())
        self.assertEqual(self.main.evertoken("forget", "no such").returncode, 65)

    def test_slots_that_nobody_can_read_are_set_aside_by_accept(self):
        self.assertEqual(self.main.terminate(), 0)
        for path in self.main.state.glob("crm/slot*"):
            with open(path, "r+b") as file:
                file.seek(70)
                file.write(b"\xff" * 64)
        self.main.start()
        self.assert_quarantined(self.main, "neither slot")
        self.assertEqual(self.main.evertoken("accept", "crm").returncode, 0)
        # It begins anew, with a seed that is spent: the provider says so, and it is said.
        wait_until(lambda: len(self.server.exchanges("crm")) == 2, 20, "the seed to be tried")
        self.assertEqual(len(list(self.main.state.glob("crm/slot*.damaged"))), 2)


if __name__ == "__main__":
    unittest.main()
