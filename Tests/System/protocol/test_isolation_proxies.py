"""Which requests go through a proxy: of the whole, of a provider, of a credential, and the hosts
that none is for. Real CONNECT proxies and real TLS; the names are the test's own.

Needs root, util-linux and openssl.
"""

from evertest.basics import at_end, temporary_directory
from evertest.isolation.names import NamesCase
from evertest.servers.certificates import Authority, context
from evertest.servers.raw_server import RawServer, replying
from evertest.servers.recording_proxy import RecordingProxy, http_answer
from evertest.suite import Suite
from evertest.wire import granting

SUITE = Suite(timed=True, minutes=0.1)

HOST = "known-1.example.test"


class ProxiesTest(NamesCase):
    is_mute = False

    def setUp(self):
        super().setUp()
        self.authority = Authority(temporary_directory(self))
        self.side = context(self.authority.server(names="DNS:*.example.test"))
        self.straight = self.serve(RawServer(replying(200, granting("straight")),
                                             context=self.side))
        self.whole, self.provided, self.own = (self.proxy(name)
                                               for name in ("whole", "provider", "own"))

    def proxy(self, name):
        proxy = RecordingProxy(self.side, lambda seen: http_answer(200, {}, granting(name))).start()
        at_end(self, proxy.stop)
        return proxy

    def at(self, host, **request):
        """A provider over https; to where the proxies let through, port 443."""
        return {"request": {"url": f"https://{host}/token", "client_auth": "client_secret_basic",
                            "tls": {"ca_file": str(self.authority.certificate)}} | request}

    def test_the_nearest_proxy_is_used(self):
        daemon = self.isolated(
            {"plain": self.at("plain.example.test"),
             "provided": self.at("provided.example.test", proxy=self.provided.url)},
            {"plain": {"provider": "plain"}, "provided": {"provider": "provided"},
             "own": {"provider": "provided", "proxy": self.own.url}},
            proxy=self.whole.url).start()
        for name, token in (("plain", "whole"), ("provided", "provider"), ("own", "own")):
            with self.subTest(name):
                daemon.wait_for(name, "fresh")
                self.assertEqual(daemon.file(f"{name}/token"), f"at-{token}")
        seen = {proxy: {one.host for one in proxy.seen}
                for proxy in (self.whole, self.provided, self.own)}
        self.assertEqual(seen, {self.whole: {"plain.example.test"},
                                self.provided: {"provided.example.test"},
                                self.own: {"provided.example.test"}})

    def test_no_proxy_and_none_lead_straight_to_the_host(self):
        place = f"{HOST}:{self.straight.port}"
        daemon = self.isolated(
            {"listed": self.at(place), "refusing": self.at(place, proxy="none"),
             "provided": self.at(place, proxy=self.provided.url)},
            {"listed": {"provider": "listed"},
             "provided": {"provider": "provided"},
             "refusing": {"provider": "refusing", "no_proxy": []},
             "own": {"provider": "provided", "proxy": "none", "no_proxy": []}},
            proxy=self.whole.url, no_proxy=[f".example.test:{self.straight.port}"]).start()
        for name in ("listed", "provided", "refusing", "own"):
            with self.subTest(name):
                daemon.wait_for(name, "fresh")
                self.assertEqual(daemon.file(f"{name}/token"), "at-straight")
        for proxy in (self.whole, self.provided):
            self.assertEqual((proxy.seen, proxy.troubles), ([], []))

    def test_a_reload_puts_another_list_in_force(self):
        providers = {"plain": self.at(f"{HOST}:{self.straight.port}")}
        entry = {"provider": "plain", "refresh": {"min_interval": "0.5s"}}
        settings = {"proxy": self.whole.url, "no_proxy": [HOST]}
        daemon = self.isolated(providers, {"plain": dict(entry)}, **settings).start()
        daemon.wait_for("plain", "fresh")
        self.assertEqual(self.whole.troubles, [])
        config = self.config({"healthy": self.credential("healthy"), "plain": entry | {
            "client_id": "plain", "client_secret": "secret", "refresh_token": "seed-plain"}},
            proxy=self.whole.url)
        config["providers"] |= providers
        daemon.configure(config)
        done = daemon.evertoken("reload")
        self.assert_exit(done, 0)
        self.assertIn("plain (no_proxy)", done.stdout)
        daemon.evertoken("refresh", "plain", "--wait")
        # This proxy lets nothing through to such a port.
        self.assertTrue([one for one in self.whole.troubles if HOST in one], self.whole.troubles)
