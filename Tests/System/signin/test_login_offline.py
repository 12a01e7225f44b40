"""`login` and `import` without a daemon: the tokens are there when it starts."""

from __future__ import annotations

import json
import os
import subprocess

from evertest.basics import BIN, wait_until
from evertest.daemon import Daemon
from evertest.login_world import LoginCase, Waiting, come_back
from evertest.programs import PLAIN_ENVIRONMENT, evertoken
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.2)

USER = 64_321  # of no account


class Offline(LoginCase):
    def alone(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return evertoken(*arguments, "--config", str(self.directory / "evertoken.json"), text=text)

    def waiting(self, *arguments: str) -> Waiting:
        return Waiting(self, ["login", "crm", *arguments, "--config",
                              str(self.directory / "evertoken.json")], {}, None)

    def ready(self, owner: int = 0) -> Daemon:
        """A daemon that does not run, and a state directory."""
        daemon = self.daemon(start=False)
        daemon.state.mkdir(mode=0o700)
        os.chown(daemon.state, owner, owner)
        self.directory.chmod(0o755)
        os.chown(daemon.config_file, 0, owner)
        daemon.config_file.chmod(0o640)
        return daemon

    def owners(self, daemon: Daemon) -> set[tuple[int, int]]:
        paths = [daemon.state, *daemon.state.rglob("*")]
        self.assertGreater(len(paths), 3)
        return {(path.stat().st_uid, path.stat().st_gid) for path in paths}

    def assert_usable(self, daemon: Daemon) -> None:
        daemon.start()
        wait_until((daemon.tokens / "crm" / "token").exists, 10, "the token file", daemon)
        status, answer = daemon.request("POST", "/v1/credentials/crm/refresh?wait=20")
        self.assertEqual(status, 200, "%s\n%s" % (answer, daemon.report()))

    def test_a_login_by_itself_where_no_daemon_runs(self) -> None:
        daemon = self.ready()
        waiting = self.waiting()
        back = self.approve(waiting.url())
        # It holds the state only while it asks: a daemon may start, and is used then.
        status, _, page = come_back(back)
        self.assertEqual(status, 200, page)
        self.assert_ended(waiting, 0, "without a daemon")
        self.assertIn("crm: signed in", waiting.stdout)
        self.assert_no_secret(None, waiting)
        self.assertFalse(daemon.tokens.exists())
        self.assert_usable(daemon)

    def test_a_daemon_that_starts_meanwhile_is_used(self) -> None:
        daemon = self.ready()
        waiting = self.waiting()
        url = waiting.url()
        daemon.start()
        come_back(self.approve(url))
        self.assert_signed_in(daemon, waiting)

    def test_the_device_flow_by_itself(self) -> None:
        daemon = self.ready()
        waiting = self.waiting("--device", "--offline")
        waiting.url()
        code = wait_until(lambda: waiting.stdout.split("with the code")[1].split()[:1]
                          if "with the code" in waiting.stdout else None, 10, "a code")[0]
        self.server.approve_device(code)
        self.assert_ended(waiting, 0)
        self.assert_usable(daemon)

    def test_an_import_as_root_leaves_all_to_the_daemon_s_user(self) -> None:
        daemon = self.ready(USER)
        done = self.alone("import", "crm", "--offline",
                          text=json.dumps(self.server.login("rotate")))
        self.assertEqual((done.returncode, done.stdout), (0, "crm: imported\n"), done.stderr)
        self.assertEqual(self.owners(daemon), {(USER, USER)})
        self.assertEqual({path.stat().st_mode & 0o77 for path in daemon.state.rglob("*")}, {0})
        refused = subprocess.run(
            ["setpriv", "--reuid", "64322", "--regid", str(USER), "--clear-groups",
             str(BIN / "evertoken"), "import", "crm", "--offline", "--config",
             str(daemon.config_file)], input='{"refresh_token": "r"}', capture_output=True,
            text=True, env=PLAIN_ENVIRONMENT, timeout=20)
        self.assertEqual(refused.returncode, 77, refused.stderr)
        self.assertIn("nothing was changed", refused.stderr)
        os.chown(daemon.state, 0, 0)
        for path in daemon.state.rglob("*"):
            os.chown(path, 0, 0)
        self.assert_usable(daemon)

    def test_a_lock_that_is_held_changes_nothing(self) -> None:
        daemon = self.ready()
        config = json.loads(daemon.config_file.read_text())
        daemon.start()
        wait_until(lambda: daemon.credentials()["crm"]["state"] == "login_required", 10,
                   "the daemon", daemon)
        # A configuration that names another socket: the daemon cannot be found by it.
        config["control_socket"] = str(self.directory / "other.sock")
        elsewhere = self.directory / "other.json"
        elsewhere.touch(mode=0o600)
        elsewhere.write_text(json.dumps(config))
        before = {path: path.read_bytes() for path in daemon.state.rglob("*") if path.is_file()}
        for words in (["import", "crm"], ["import", "crm", "--offline"], ["login", "crm"],
                      ["login", "crm", "--code", "c"]):
            done = evertoken(*words, "--config", str(elsewhere), text='{"refresh_token": "r"}')
            self.assertEqual(done.returncode, 75, done.stderr)
            self.assertIn("nothing was changed: a running evertokend holds", done.stderr)
            self.assertEqual(done.stdout, "")
        after = {path: path.read_bytes() for path in daemon.state.rglob("*") if path.is_file()}
        self.assertEqual(before, after)

    def test_where_there_is_no_state_the_daemon_is_missed(self) -> None:
        daemon = self.daemon(start=False)
        done = self.alone("import", "crm", text='{"refresh_token": "r"}')
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertFalse(daemon.state.exists())
        forced = self.alone("import", "crm", "--offline", text='{"refresh_token": "r"}')
        self.assertEqual(forced.returncode, 75, forced.stderr)
        self.assertIn("install -d", forced.stderr)
        self.assertFalse(daemon.state.exists())

    def test_a_secret_that_only_the_service_can_read(self) -> None:
        config = self.config(client_secret={"credential": "crm-secret"})
        daemon = self.daemon(config, start=False)
        daemon.state.mkdir(mode=0o700)
        waiting = self.waiting("--code", "c")
        self.assert_ended(waiting, 78, "crm-secret is a systemd credential", "systemctl start")

    def test_a_token_that_another_credential_holds_is_refused(self) -> None:
        daemon = self.daemon({"providers": {"as": self.provider()}, "credentials": {
            "crm": self.credential(), "twin": self.credential()}}, start=False)
        daemon.state.mkdir(mode=0o700)
        tokens = '{"refresh_token": "only-one"}'
        self.assertEqual(self.alone("import", "crm", text=tokens).returncode, 0)
        done = self.alone("import", "twin", text=tokens)
        self.assertEqual(done.returncode, 75, done.stderr)
        self.assertIn('"crm" holds the same refresh token', done.stderr)
        self.assertNotIn("only-one", done.stdout + done.stderr)
