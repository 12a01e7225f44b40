"""Names of hosts: a name server that does not answer takes nothing from other credentials, names
in use are found, and what leads to loopback never goes through a proxy.

The daemon runs in a mount namespace with resolv.conf, hosts and nsswitch.conf of the test. Its name
server is a socket on port 53, on a loopback address of this process: it says nothing, or knows a
few names.

Needs root, util-linux and openssl.
"""

import pathlib
import re
import socket

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.isolation.names import NameServer, NamesCase
from evertest.isolation.providers import EAGER, IsolationCase
from evertest.programs import timed
from evertest.servers.certificates import Authority, context
from evertest.servers.raw_server import RawServer, replying, silent
from evertest.servers.recording_proxy import RecordingProxy, http_answer
from evertest.suite import Suite
from evertest.wire import granting

SUITE = Suite(timed=True, minutes=0.7)

UNRESOLVED = "cannot be resolved in time|is not looked up"
HASTY = EAGER | {"connect_timeout": "3s"}


class BoundServer(RawServer):
    """A server at another address than 127.0.0.1."""

    def __init__(self, address, *scripts):
        super().__init__(*scripts)
        self._listener.close()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family, backlog=64)
        self.port = self._listener.getsockname()[1]


class MuteNameServerTest(NamesCase):
    def mute(self, count):
        """A daemon with credentials at so many names that no server tells."""
        profile = {"request": {"url": "https://${host}/token", "client_auth": "client_secret_post"}}
        return self.isolated({"mute": profile}, {
            f"mute-{number}": {"provider": "mute", "refresh": HASTY, "variables": {
                "host": f"mute{number}.example.test"}} for number in range(count)})

    def assert_ends(self, daemon):
        """SIGTERM ends the daemon in order while look-ups are under way."""
        status, seconds = timed(daemon.terminate)
        self.assertEqual(status, 0)
        self.assertLess(seconds, 3)

    def test_name_servers_that_do_not_answer_keep_only_their_own_names_waiting(self):
        daemon = self.mute(12)
        watch = self.start_watched(daemon)
        self.assert_never_lapses(watch, daemon, 25)
        for number in range(12):
            self.problem(daemon, f"mute-{number}", UNRESOLVED)
        self.assertLessEqual({f"mute{number}.example.test" for number in range(12)},
                             self.names.asked)
        self.assertEqual(watch.stale, {})
        self.assert_ends(daemon)

    def test_a_hundred_names_do_not_take_a_thread_each(self):
        daemon = self.mute(100)
        watch = self.start_watched(daemon)
        threads = []

        def have_all_failed():
            status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
            threads.append(int(re.search(r"^Threads:\s+(\d+)", status, re.MULTILINE)[1]))
            errors = [entry["last_error"] for name, entry in daemon.credentials().items()
                      if name != "healthy"]
            return all(error and re.search(UNRESOLVED, error["problem"]) for error in errors)

        wait_until(have_all_failed, 60, "an error of each", daemon)
        self.assertLess(max(threads), 110)
        self.assertGreater(max(threads), 40, "the names were not looked up")
        self.assertEqual(watch.stale, {})
        self.assert_ends(daemon)


class NamesTest(NamesCase):
    is_mute = False

    def setUp(self):
        super().setUp()
        self.authority = Authority(temporary_directory(self))
        self.side = context(self.authority.server(names="DNS:*.example.test"))

    def trusting(self, host, port):
        """A provider over https at this host."""
        provider = self.provider(port, host, "https")
        provider["request"]["tls"] = {"ca_file": str(self.authority.certificate)}
        return provider

    def fresh_at(self, hosts):
        """A daemon with a provider at each of these hosts of one server, once all are fresh."""
        server = self.serve(RawServer(replying(200, granting(1)), context=self.side))
        daemon = self.isolated(
            {name: self.trusting(host, server.port) for name, host in hosts.items()},
            {name: {"provider": name} for name in hosts}).start()
        for name in hosts:
            with self.subTest(name):
                daemon.wait_for(name, "fresh")
        return daemon, server

    def test_a_name_is_found_however_it_is_written(self):
        hosts = {"plain": "token.example.test", "upper": "TOKEN.Example.TEST",
                 "dotted": "dotted.example.test.", "both": "both.example.test"}
        daemon, server = self.fresh_at(hosts)
        for name in hosts:
            with self.subTest(name):
                self.assertEqual(daemon.file(f"{name}/token"), "at-1")
        asked = {request.header("Host") for request in server.requests}
        self.assertEqual(len(asked), len(hosts), asked)

    def test_a_name_is_asked_for_once_for_each_request_however_it_is_written(self):
        hosts = {"plain": "known-1.example.test", "upper": "KNOWN-2.Example.TEST",
                 "dotted": "known-3.example.test."}
        self.fresh_at(hosts)
        addresses = sorted(name for name, kind in self.names.questions
                           if kind == NameServer.ADDRESS)
        self.assertEqual(addresses, [f"known-{number}.example.test" for number in (1, 2, 3)])

    def test_a_name_that_is_not_there_is_told_at_once(self):
        daemon = self.isolated({"gone": self.trusting("gone.example.test", 443)},
                               {"gone": {"provider": "gone"}}).start()
        problem = self.problem(daemon, "gone", "cannot be resolved", timeout=10)
        self.assertTrue(problem.startswith("the name gone.example.test"), problem)
        self.assertTrue(problem.endswith("cannot be resolved"), problem)

    def test_a_proxy_is_found_by_its_name_and_looks_up_the_others(self):
        proxy = RecordingProxy(self.side, lambda seen: http_answer(200, {}, granting(1))).start()
        at_end(self, proxy.stop)
        port = proxy.url.rpartition(":")[2]
        daemon = self.isolated({"behind": self.trusting("behind.example.test", 443)},
                               {"behind": {"provider": "behind"}},
                               proxy=f"http://proxy.example.test:{port}").start()
        daemon.wait_for("behind", "fresh")
        self.assertEqual(daemon.file("behind/token"), "at-1")
        self.assertEqual([seen.host for seen in proxy.seen], ["behind.example.test"])
        self.assertNotIn("behind.example.test", self.names.asked)


class LoopbackTest(IsolationCase):
    def test_what_leads_to_loopback_goes_through_no_proxy(self):
        proxy = self.serve(RawServer(silent))
        hosts = {"second": "127.0.0.2", "last": "127.255.255.254", "name": "localhost",
                 "six": "[::1]"}
        addresses = {"second": "127.0.0.2", "last": "127.255.255.254", "six": "::1"}
        servers = {name: self.serve(BoundServer(
            addresses.get(name, "127.0.0.1"), replying(200, granting(1)))) for name in hosts}
        providers = {name: self.provider(servers[name].port, host) for name, host in hosts.items()}
        daemon = self.isolated(providers, {name: {"provider": name} for name in hosts},
                               proxy=f"http://127.0.0.1:{proxy.port}").start()
        for name in hosts:
            with self.subTest(name):
                daemon.wait_for(name, "fresh")
                self.assertEqual(len(servers[name].requests), 1)
        self.assertEqual([bytes(one.wire) for one in proxy.connections], [])

    def test_what_does_not_goes_through_it(self):
        proxy = self.serve(RawServer(silent))
        self.isolated({"far": self.provider(443, "192.0.2.1", "https")},
                      {"far": {"provider": "far"}},
                      proxy=f"http://127.0.0.1:{proxy.port}").start()
        wait_until(lambda: proxy.connections and b"\r\n" in proxy.connections[0].wire, 20,
                   "a request at the proxy")
        self.assertEqual(bytes(proxy.connections[0].wire).split(b"\r\n")[0],
                         b"CONNECT 192.0.2.1:443 HTTP/1.1")
