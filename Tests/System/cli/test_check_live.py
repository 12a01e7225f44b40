"""`evertoken check --live`: the daemon looks at the provider from its own host and spends nothing.

Providers are real ones over TLS and over loopback; what they were sent is in their records."""

import json
import os
import socket
import time

from evertest.basics import at_end
from evertest.programs import ProgramCase, write_private
from evertest.servers.certificates import Authority, context, self_signed
from evertest.servers.raw_server import RawServer, replying
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.1)

PROBE = {"probe": "made_up_refresh_token"}


class LiveCase(ProgramCase):
    def live(self, daemon, *names):
        """The exit status, and by credential the (outcome, text) of each step."""
        done = daemon.evertoken("check", "--live", *names)
        found, name = {}, None
        for line in done.stdout.splitlines()[1:]:
            start, step, rest = line[:20].split(), line.split(), line
            if not line.startswith(" "):
                name = start[0]
                step = step[1:]
            known = ("settings", "name", "connection", "tls", "clock", "client")
            if step and step[0] in known:
                text = rest[rest.index(step[0]) + len(step[0]):].strip()
                found.setdefault(name, {})[step[0]] = tuple(text.split(": ", 1))
        return done.returncode, found, done

    def probed(self, lifecycle=None, **more):
        """A daemon with a fresh credential `crm` of a provider with this lifecycle."""
        config = self.config({"crm": self.credential("crm", **more)})
        config["providers"]["as"]["lifecycle"] = PROBE if lifecycle is None else lifecycle
        daemon = self.daemon(config["credentials"], providers=config["providers"])
        return daemon


class ClientTest(LiveCase):
    def test_a_client_that_is_accepted_is_told_and_the_real_token_stays_unspent(self):
        daemon = self.probed()
        daemon.wait_for("crm", "fresh")
        live = self.server.live_refresh_token("crm")
        before = len(self.server.exchanges("crm"))
        status, found, done = self.live(daemon)
        self.assertEqual(status, 0, done.stdout + done.stderr)
        self.assertEqual([step[0] for step in found["crm"].values()], ["ok"] * 6, done.stdout)
        asked, = self.server.exchanges("crm")[before:]
        self.assertTrue(asked.refresh_token.startswith("evertoken-check-"))
        self.assertEqual(asked.problem, "invalid_grant")
        self.assertEqual(self.server.live_refresh_token("crm"), live)
        entry = daemon.credentials()["crm"]
        self.assertEqual((entry["state"], entry["last_error"]), ("fresh", None))
        self.assertEqual(entry["refreshes"], 1)
        self.assertNotIn("secret-of-crm", done.stdout + daemon.stderr())

    def test_a_wrong_secret_is_named_before_a_refresh_meets_it(self):
        daemon = self.probed()
        daemon.wait_for("crm", "fresh")
        self.server.grant("crm", "another secret")
        status, found, done = self.live(daemon, "crm")
        self.assertEqual(status, os.EX_CONFIG, done.stdout)
        self.assertEqual(found["crm"]["client"][0], "WRONG")
        self.assertIn("invalid_client", found["crm"]["client"][1])
        self.assertIn("Check client_id, client_secret", done.stdout)
        self.assertEqual(daemon.credentials()["crm"]["state"], "fresh")

    def test_nothing_is_sent_where_the_profile_does_not_allow_it(self):
        for lifecycle, told in (({}, "lifecycle.probe"),
                                (PROBE | {"burned_on_failure": True}, "ends the real")):
            with self.subTest(told):
                self.directory = self.directory / "x"
                self.directory.mkdir()
                daemon = self.probed(lifecycle)
                daemon.wait_for("crm", "fresh")
                before = len(self.server.exchanges())
                status, found, done = self.live(daemon)
                self.assertEqual(status, 0, done.stdout)
                self.assertEqual(found["crm"]["client"][0], "not tried")
                self.assertIn(told, found["crm"]["client"][1])
                self.assertEqual(len(self.server.exchanges()), before)
                self.assertEqual(daemon.terminate(), 0)

    def test_client_credentials_are_never_tried(self):
        config = self.config({"job": self.machine("job")})
        config["providers"]["machine"]["lifecycle"] = PROBE
        daemon = self.daemon(config["credentials"], providers=config["providers"])
        daemon.wait_for("job", "fresh")
        before = len(self.server.exchanges())
        status, found, done = self.live(daemon)
        self.assertEqual(status, 0, done.stdout)
        self.assertIn("would be a real one", found["job"]["client"][1])
        self.assertEqual(len(self.server.exchanges()), before)

    def test_the_rate_limit_holds_and_what_is_asked_counts(self):
        daemon = self.probed(PROBE | {"rate_limit": "2/1h"})
        daemon.wait_for("crm", "fresh")
        self.assertEqual(self.live(daemon)[1]["crm"]["client"][0], "ok")
        status, found, done = self.live(daemon)
        self.assertEqual((status, found["crm"]["client"]),
                         (0, ("not tried", "the rate limit has no room for it now")), done.stdout)
        self.assertEqual(len(self.server.exchanges("crm")), 2)

    def test_a_secret_that_cannot_be_read_is_named_and_the_way_is_looked_at_all_the_same(self):
        secret = write_private(self.directory / "secret", "secret-of-crm")
        daemon = self.probed(client_secret={"file": str(secret)})
        daemon.wait_for("crm", "fresh")
        secret.unlink()
        status, found, done = self.live(daemon)
        self.assertEqual(status, os.EX_CONFIG, done.stdout)
        self.assertIn(str(secret), found["crm"]["settings"][1])
        self.assertEqual(found["crm"]["connection"][0], "ok")
        self.assertEqual(found["crm"]["client"][0], "not tried")

    def test_only_those_in_control_allow_may_ask(self):
        daemon = self.probed()
        daemon.wait_for("crm", "fresh")
        for folder in (self.directory, daemon.directory):
            folder.chmod(0o755)
        daemon.socket.chmod(0o666)
        done = daemon.evertoken("check", "--live", "crm", prefix=[
            "setpriv", "--reuid=nobody", "--clear-groups"])
        self.assert_exit(done, os.EX_NOPERM)
        self.assertEqual(len(self.server.exchanges("crm")), 1)

    def test_a_name_that_is_not_configured_is_told(self):
        daemon = self.probed()
        done = daemon.evertoken("check", "--live", "nosuch")
        self.assert_exit(done, os.EX_DATAERR, "nosuch")

    def test_many_are_looked_at_a_few_at_a_time_and_none_for_long(self):
        silent = socket.create_server(("127.0.0.1", 0), backlog=64)
        at_end(self, silent.close)
        url = "https://127.0.0.1:%d/token" % silent.getsockname()[1]
        names = ["c%d" % number for number in range(8)]
        config = self.config({name: self.credential(
            name, provider="mute", refresh={"connect_timeout": "1s"}) for name in names})
        config["providers"]["mute"] = {"request": {"url": url}}
        daemon = self.daemon(config["credentials"], providers=config["providers"])
        start = time.monotonic()
        status, found, done = self.live(daemon)
        self.assertEqual(status, os.EX_TEMPFAIL, done.stdout)
        self.assertEqual(sorted(found), names)
        for steps in found.values():
            self.assertEqual(steps["connection"][0], "WRONG", done.stdout)
        self.assertLess(time.monotonic() - start, 60)


class WayTest(LiveCase):
    """Over TLS: what the wire itself would refuse is named, and nothing is sent."""

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.directory)

    def look(self, provider, **more):
        config = self.config({"crm": self.credential("crm", provider="other")})
        config["providers"]["other"] = provider
        folder = "daemon%d" % len(list(self.directory.iterdir()))
        daemon = self.daemon(config["credentials"], providers=config["providers"], place=folder,
                             **more)
        found = self.live(daemon)
        daemon.terminate()
        return found

    def served(self, pem, script=None):
        server = RawServer(script or replying(400, b'{"error": "invalid_grant"}'),
                           context=context(pem)).start()
        at_end(self, server.stop)
        return server

    def provider(self, server, **tls):
        return {"request": {"url": "https://127.0.0.1:%d/token" % server.port,
                            "tls": {"ca_file": str(self.authority.certificate)} | tls}}

    def requests(self, server):
        return [request for connection in server.connections for request in connection.requests]

    def test_certificates_that_are_not_trusted_are_named_with_the_step(self):
        stranger = Authority(self.directory, "Another CA")
        for pem, told in ((self.authority.server("expired", days=-1), "expired"),
                          (stranger.server(), "issuer is unknown"),
                          (self_signed(self.directory), "self-signed"),
                          (self.authority.server("w", names="DNS:else.example"), "another host")):
            with self.subTest(told):
                server = self.served(pem)
                status, found, done = self.look(self.provider(server))
                self.assertEqual(status, os.EX_TEMPFAIL, done.stdout)
                steps = found["crm"]
                self.assertEqual(steps["connection"][0], "ok")
                self.assertEqual(steps["tls"][0], "WRONG")
                self.assertIn(told, steps["tls"][1])
                self.assertNotIn("client", steps)
                self.assertEqual(self.requests(server), [])

    def test_a_missing_file_of_authorities_is_a_setting_of_this_host(self):
        server = self.served(self.authority.server())
        status, found, done = self.look(self.provider(server, ca_file=str(self.directory / "no")))
        self.assertEqual(status, os.EX_CONFIG, done.stdout)
        self.assertEqual(found["crm"]["tls"][0], "WRONG")

    def test_a_good_way_is_told_and_not_a_byte_of_a_request_is_sent_for_it(self):
        server = self.served(self.authority.server())
        config = self.provider(server)
        status, found, done = self.look(config)
        self.assertEqual(status, 0, done.stdout)
        self.assertEqual(found["crm"]["tls"], ("ok", "127.0.0.1"))
        self.assertEqual(found["crm"]["clock"][0], "not tried")
        bare = [c for c in server.connections if not c.plain]
        self.assertEqual(len(bare), 1, "the connection of the check")

    def test_a_port_that_nothing_listens_on_and_a_name_that_nothing_knows(self):
        free = socket.create_server(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        for url, step in (("https://127.0.0.1:%d/t" % port, "connection"),
                          ("https://no-such-host.invalid/t", "name")):
            with self.subTest(step):
                status, found, done = self.look({"request": {"url": url}})
                self.assertEqual(status, os.EX_TEMPFAIL, done.stdout)
                self.assertEqual(list(found["crm"])[-1], step, done.stdout)
                self.assertEqual(found["crm"][step][0], "WRONG")

    def test_the_clock_is_compared_without_any_credentials_where_the_profile_allows_it(self):
        for seconds, outcome in ((0, "ok"), (-7200, "WRONG")):
            with self.subTest(outcome):
                server = self.served(self.authority.server("s%d" % seconds), dated(seconds))
                status, found, done = self.look(
                    self.provider(server) | {"lifecycle": {"probe": "origin"}})
                self.assertEqual(found["crm"]["clock"][0], outcome, done.stdout)
                self.assertEqual(status, os.EX_CONFIG if seconds else 0)
                if seconds:
                    self.assertIn("2h ahead of the provider's", found["crm"]["clock"][1])
                    self.assertIn("timedatectl", done.stdout)
                asked, = [r for r in self.requests(server) if r.method == "GET"]
                self.assertEqual((asked.target, asked.body), ("/", b""))
                self.assertIsNone(asked.header("Authorization"))


def dated(seconds):
    """A server whose clock is that much wrong."""
    def script(connection):
        connection.receive()
        then = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))
        body = json.dumps({"error": "invalid_grant"})
        connection.send(("HTTP/1.1 400 No\r\nDate: %s\r\nContent-Type: application/json\r\n"
                         "Content-Length: %d\r\n\r\n%s" % (then, len(body), body)).encode())
    return script
