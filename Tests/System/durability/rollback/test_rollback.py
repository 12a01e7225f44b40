"""A state directory that is a copy, or went back in time: nothing is sent with it until an operator
has decided (I10). The server detects a violation: it revokes everything when a spent token is used.
"""

import json
import os
import shutil
import subprocess
import time

from evertest.basics import wait_until
from evertest.programs import PlainDaemon, ProgramCase, token_json
from evertest.state_layout import DAMAGED, MARK, slot_files
from evertest.suite import Suite

SUITE = Suite(minutes=0.4)

#: Before the sequence, in the name of the attribute by which a slot's file remembers it.


def marks(path):
    return [name for name in os.listxattr(path) if name.startswith(MARK)]


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

    def test_a_backup_that_is_written_over_the_same_files_is_not_used_either(self):
        """As with `cp backup/* state/` after a stop: no inode tells."""
        slots = {path: path.read_bytes() for path in slot_files(self.main.state / "crm")}
        new = self.rotate()
        asked = len(self.server.exchanges("crm"))
        self.assertEqual(self.main.terminate(), 0)
        for path, content in slots.items():
            with open(path, "r+b") as file:
                file.write(content)
        self.main.start()
        self.assert_quarantined(self.main, "went back", "copied or restored from a backup")
        self.assert_nothing_was_sent_since(asked, self.main)
        # Token files that are newer than the state stay as they are.
        self.assertEqual(self.main.file("crm/token"), new)
        # What told is gone, and the files too, as after a reboot: it is remembered.
        self.assertEqual(self.main.terminate(), 0)
        for path in slots:
            for name in marks(path):
                os.removexattr(path, name)
        shutil.rmtree(self.main.tokens)
        self.main.start()
        self.assert_quarantined(self.main, "went back")
        self.assert_nothing_was_sent_since(asked, self.main)

    def test_however_a_backup_is_copied_back_it_is_noticed(self):
        state = str(self.main.state)
        ways = {
            "cp": "cp $BACKUP/cp/slot* $STATE/cp/",
            "recursive": "cp -r $BACKUP/recursive $STATE/",
            # It brings the attributes of the backup too.
            "archive": "cp -a $BACKUP/archive/. $STATE/archive/",
            "shell": "for s in slotA slotB; do cat $BACKUP/shell/$s >$STATE/shell/$s; done",
            "dd": "for s in slotA slotB; do dd if=$BACKUP/dd/$s of=$STATE/dd/$s 2>/dev/null; done",
            "tar": "tar -C $BACKUP -c tar | tar -C $STATE -x",
            "overwriting": "tar -C $BACKUP --xattrs -c overwriting | "
                           "tar -C $STATE --xattrs --overwrite -x",
            "moved": "mv $BACKUP/moved/slot* $STATE/moved/",
            "one": "cp $BACKUP/one/slotA $BACKUP/one/slotB $STATE/one/",
        }
        entries = {name: self.credential(name) for name in ways}
        self.main.reconfigure(self.config(entries))
        for name in ways:
            self.main.wait_for(name, "fresh")
        backup = self.backup()
        for name in ways:
            for _ in range(2):
                done = self.main.evertoken("refresh", name, "--wait")
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.main.terminate(), 0)
        for name, way in ways.items():
            subprocess.run(["sh", "-ec", way], check=True, timeout=60,
                           env=os.environ | {"STATE": state, "BACKUP": str(backup)})
        asked = len(self.server.exchanges())
        self.main.start()
        for name in ways:
            with self.subTest(name):
                entry = self.main.wait_for(name, "quarantined")
                self.assertIn("copied or restored", entry["last_error"]["problem"])
                self.assertIn("evertoken accept " + name, entry["last_error"]["remedy"])
        time.sleep(1)
        self.assertEqual(len(self.server.exchanges()), asked)

    def test_an_accepted_state_that_went_back_is_used_and_watched_as_ever(self):
        """The server takes the older token: nothing was spent since the backup."""
        self.assertEqual(self.main.terminate(), 0)
        slots = {path: path.read_bytes() for path in slot_files(self.main.state / "crm")}
        for path in slots:
            os.setxattr(path, MARK + "99", b"")
        self.main.start()
        self.assert_quarantined(self.main, "went back from record 99")
        self.assertEqual(self.main.evertoken("accept", "crm", "--yes").returncode, 0)
        self.main.wait_for("crm", "fresh")
        self.rotate()
        self.main.restart()
        self.main.wait_for("crm", "fresh")
        for path in slots:
            self.assertEqual(len(marks(path)), 1, path)
        # The next one that goes back is noticed too.
        self.assertEqual(self.main.terminate(), 0)
        for path, content in slots.items():
            path.write_bytes(content)
        self.main.start()
        self.assert_quarantined(self.main, "went back")

    def test_marks_that_lag_as_after_a_power_cut_say_nothing(self):
        for name in (MARK + "1", None):
            self.assertEqual(self.main.terminate(), 0)
            for path in slot_files(self.main.state / "crm"):
                for mark in marks(path):
                    os.removexattr(path, mark)
                if name:
                    os.setxattr(path, name, b"")
            self.main.start()
            self.main.wait_for("crm", "fresh")
            self.rotate()

    def test_a_file_system_without_attributes_is_said_once_and_all_else_works(self):
        place = self.directory / "ramfs"
        place.mkdir()
        self.assertEqual(self.main.terminate(), 0)
        self.main.prefix = ["unshare", "--mount", "sh", "-c",
                            'mount -t ramfs none "$0" && exec "$@"', str(place)]
        config = json.loads(self.main.config_file.read_text())
        config["credentials"] = {"crm": self.credential("crm")}
        self.main.configure(config | {"state_dir": str(place / "state")})
        self.main.start()
        self.main.wait_for("crm", "fresh")
        self.rotate()
        said = [line for line in self.main.stderr().splitlines() if "extended attributes" in line]
        self.assertEqual(len(said), 1, said)
        self.assertIn(str(place / "state"), said[0])

    def test_no_token_file_can_quarantine_a_credential(self):
        """Its owner may write what it likes there, also a time to come."""
        path = self.main.tokens / "crm" / "token.json"
        for issued in (4102444800, 0, 2**62):
            self.assertEqual(self.main.terminate(), 0)
            forged = json.loads(path.read_text()) | {"access_token": "forged", "issued_at": issued}
            path.write_text(json.dumps(forged))
            self.main.start()
            self.main.wait_for("crm", "fresh")
            wait_until(lambda: token_json(self.main, "crm")["access_token"] != "forged", 10,
                       "the daemon's own token", self.main)
            self.rotate()

    def test_slots_that_go_back_under_a_running_daemon_are_noticed(self):
        slots = {path: path.read_bytes() for path in slot_files(self.main.state / "crm")}
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
        self.assertEqual(self.main.evertoken("accept", "crm", "--yes").returncode, 0)
        self.main.wait_for("crm", "fresh")
        self.rotate()

    def test_what_is_forgotten_is_gone_from_the_disk(self):
        token = self.server.live_refresh_token("crm")
        grep = ["grep", "-rqa", token, str(self.main.state)]
        self.assertEqual(subprocess.run(grep).returncode, 0)
        # Removed from the configuration it keeps its state.
        self.main.reconfigure(self.config({}))
        self.assertEqual(subprocess.run(grep).returncode, 0)
        done = self.main.evertoken("forget", "crm", "--yes")
        self.assertEqual((done.returncode, done.stdout), (0, "crm: forgotten\n"), done.stderr)
        self.assertEqual(subprocess.run(grep).returncode, 1)
        self.assertFalse((self.main.state / "crm").exists())
        self.assertEqual(self.main.evertoken("forget", "no such").returncode, 65)

    def test_slots_that_nobody_can_read_are_set_aside_by_accept(self):
        self.assertEqual(self.main.terminate(), 0)
        for path in slot_files(self.main.state / "crm"):
            with open(path, "r+b") as file:
                file.seek(70)
                file.write(b"\xff" * 64)
        self.main.start()
        self.assert_quarantined(self.main, "neither slot")
        done = self.main.evertoken("accept", "crm", "--yes")
        self.assertIn("refused the configured refresh token", done.stderr)
        # It begins anew, with a seed that is spent: the provider says so, and it is said.
        wait_until(lambda: len(self.server.exchanges("crm")) == 2, 20, "the seed to be tried")
        self.assertEqual(len(list((self.main.state / "crm").glob("*" + DAMAGED))), 2)
