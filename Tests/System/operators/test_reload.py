"""What a reload applies and reports: everything except the directories."""

import grp
import json
import os
import socket
import urllib.request

from evertest.basics import wait_until
from evertest.programs import ProgramCase, evertoken, write_private
from evertest.servers.token_server import Answer
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ReloadTest(ProgramCase):
    def setUp(self):
        super().setUp()
        self.entries = {"one": self.credential("one"), "two": self.credential("two")}
        self.running = self.daemon(self.entries)
        for name in self.entries:
            self.running.wait_for(name, "fresh")

    def reload(self, entries=None, problem="", **settings):
        """What `evertoken reload` prints, a set of lines; with a problem it ends with 75."""
        self.running.configure(self.config(entries or self.entries, **settings))
        done = self.running.evertoken("reload")
        self.assert_exit(done, os.EX_TEMPFAIL if problem else 0, problem)
        return set(done.stdout.splitlines())

    def test_it_says_which_keys_of_which_credential_changed(self):
        sent = len(self.server.exchanges())
        changed = self.entries | {
            "one": self.entries["one"] | {"outputs": [{"path": "one/token"}],
                                          "refresh": {"min_interval": "0.5s", "at": "50%"}},
            "three": self.credential("three")}
        self.assertEqual(self.reload(changed), {"added: three", "changed: one (refresh, outputs)"})
        self.assertEqual(self.reload(changed),
                         {"reloaded; nothing changed (secrets are read at every use)"})
        self.running.wait_for("three", "fresh")
        self.assertEqual({e.client_id for e in self.server.exchanges()[sent:]}, {"three"})
        del changed["one"]
        self.assertEqual(self.reload(changed), {"removed: one"})

    def test_a_changed_provider_changes_its_credentials(self):
        self.running.configure(self.config(self.entries) | {"providers": {
            "as": {"request": {"url": self.server.url + "?v=2",
                               "client_auth": "client_secret_basic"}}}})
        done = self.running.evertoken("reload")
        self.assertEqual(set(done.stdout.splitlines()),
                         {"changed: one (provider)", "changed: two (provider)"})

    def test_the_log_level_follows(self):
        self.assertNotIn("debug", self.running.stderr())
        self.assertEqual(self.reload(log_level="error"), {"changed: log_level"})
        self.assert_exit(self.running.evertoken("refresh", "one", "--wait"), 0)
        quiet = self.running.stderr()
        self.assertEqual(self.reload(log_level="info"), {"changed: log_level"})
        self.assert_exit(self.running.evertoken("refresh", "two", "--wait"), 0)
        wait_until(lambda: "two: Token refreshed" in self.running.stderr()[len(quiet):], 5,
                   "its line", self.running)
        self.assertNotIn("one: Token refreshed (generation=2", self.running.stderr())

    def test_mode_and_group_of_the_control_socket_follow_both_ways(self):
        def access():
            about = os.stat(self.running.socket)
            return oct(about.st_mode & 0o777), grp.getgrgid(about.st_gid).gr_name

        before = access()
        self.assertEqual(self.reload(control={"mode": "0600", "group": "daemon"}),
                         {"changed: control"})
        self.assertEqual(access(), ("0o600", "daemon"))
        self.assertEqual(self.reload(), {"changed: control"})
        self.assertEqual(access(), before)
        # A group that is not there leaves the socket as it is, and says so, again and again.
        for _ in range(2):
            self.reload(control={"group": "no-such-group"}, problem="control.group")
            self.assertEqual(access(), before)
        self.assertIn("control.group", self.running.stderr())
        self.assertIn("not in force", self.running.evertoken("status").stdout)
        self.reload()
        self.assertNotIn("not in force", self.running.evertoken("status").stdout)

    def test_the_control_socket_moves(self):
        place = self.running.directory / "elsewhere.sock"
        self.assertEqual(self.reload(control_socket=str(place)), {"changed: control_socket"})
        self.assert_exit(evertoken("status", socket=place), 0)
        self.assertFalse(self.running.socket.exists())
        # One that cannot be made leaves the old one there.
        self.running.socket = place
        self.reload(control_socket="/nonexistent/control.sock", problem="/nonexistent")
        self.assertIn("/nonexistent", self.running.stderr())
        self.assert_exit(evertoken("status", socket=place), 0)

    def test_what_is_taken_from_somebody_is_taken_though_the_socket_cannot_move(self):
        self.directory.chmod(0o711)
        self.running.directory.chmod(0o711)
        nobody = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups")
        allowed = {"mode": "0666", "allow": [{"user": "nobody"}]}
        self.reload(control=allowed)
        self.assert_exit(self.running.evertoken("token", "one", prefix=nobody), 0)
        self.reload(control={"mode": "0666"}, control_socket="/nonexistent/control.sock",
                    problem="/nonexistent")
        self.assert_exit(self.running.evertoken("token", "one", prefix=nobody), os.EX_NOPERM)

    def test_the_metrics_listener_comes_moves_and_goes(self):
        def health(port):
            with urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=5) as answer:
                return answer.status

        ports = [free_port(), free_port()]
        for port in ports:
            self.assertEqual(self.reload(metrics={"listen": "127.0.0.1:%d" % port}),
                             {"changed: metrics"})
            self.assertEqual(health(port), 200)
        # The same place in other words is no change of it.
        self.reload(metrics={"listen": "localhost:%d" % ports[1]})
        self.assertEqual(health(ports[1]), 200)
        for port, settings in ((ports[0], None), (ports[1], {})):
            if settings is not None:
                self.assertEqual(self.reload(), {"changed: metrics"})
            wait_until(lambda: refuses(port), 5, "port %d to be closed" % port, self.running)

    def test_where_things_lie_waits_for_a_restart_and_status_says_so(self):
        place = self.running.directory / "other-run"
        lines = self.reload(token_dir=str(place))
        self.assertEqual(lines, {"waits for a restart: token_dir; systemctl restart evertoken"})
        said = self.running.evertoken("status").stdout
        self.assertIn("token_dir: the new value waits for a restart", said)
        self.assertEqual(self.running.status()["needs_restart"], ["token_dir"])
        self.assertIsNotNone(self.running.file("one/token"))
        # Another reload does not make it true, taking it back does.
        self.reload(token_dir=str(place), log_level="info")
        self.assertEqual(self.running.status()["needs_restart"], ["token_dir"])
        self.reload()
        self.assertNotIn("needs_restart", self.running.status())
        self.reload(token_dir=str(place))
        self.running.restart()
        wait_until(lambda: (place / "one" / "token").exists(), 5, "the new place", self.running)
        self.assertNotIn("needs_restart", self.running.status())

    def test_an_attempt_in_flight_is_not_disturbed(self):
        self.server.plan("one", Answer(delay=1.5))
        self.assert_exit(self.running.evertoken("refresh", "one"), 0)
        wait_until(lambda: self.server.exchanges()[-1].answered_at is None, 5, "it to be sent")
        sent = len(self.server.exchanges())
        self.reload(log_level="error")
        wait_until(lambda: self.running.credentials()["one"]["refreshes"] == 2, 5, "its end",
                   self.running)
        self.assertEqual(len(self.server.exchanges()), sent)


class SourcesTest(ProgramCase):
    """Secrets are read at every use: what a person corrects in a file needs no restart."""

    def test_a_corrected_secret_counts_at_the_next_reload_at_the_latest(self):
        secret = write_private(self.directory / "secret", "wrong\n")
        daemon = self.daemon({"crm": self.credential("crm", client_secret={"file": str(secret)})})
        daemon.wait_for("crm", "misconfigured")
        secret.write_text("secret-of-crm\n")
        self.assert_exit(daemon.evertoken("reload"), 0)
        daemon.wait_for("crm", "fresh", timeout=5)

    def test_what_systemd_fixed_at_the_start_is_said(self):
        folder = self.directory / "credentials"
        folder.mkdir()
        write_private(folder / "crm-secret", "wrong")
        entry = self.credential("crm", client_secret={"credential": "crm-secret"})
        daemon = self.daemon({"crm": entry, "plain": self.credential("plain")},
                             environment={"CREDENTIALS_DIRECTORY": str(folder)})
        daemon.wait_for("crm", "misconfigured")
        daemon.wait_for("plain", "fresh")
        fixed = {e["name"]: e["sources_fixed_at_start"] for e in daemon.status()["credentials"]}
        self.assertEqual(fixed, {"crm": ["client_secret"], "plain": []})
        words = " ".join(daemon.evertoken("status").stdout.split())
        self.assertIn("systemd read client_secret (LoadCredential=) when the service started: "
                      "after a change, systemctl restart evertoken", words)
        self.assertIn("a change takes a restart", daemon.evertoken("status", "crm").stdout)
        self.assertNotIn("LoadCredential", daemon.evertoken("status", "plain").stdout)
        self.assertEqual(json.loads(daemon.evertoken("status", "crm", "--json").stdout)
                         ["sources_fixed_at_start"], ["client_secret"])


def refuses(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
