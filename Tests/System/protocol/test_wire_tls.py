"""The daemon trusts the system's authorities, or those of a file named in the configuration, and no
others. An untrusted server receives nothing, and the failure does not count against the credential:
its cause is the connection, not the refresh token.

Needs openssl and ca-certificates.
"""

import os
import shutil
import socket
import ssl
import time
import unittest
import unittest.mock

import evertest.daemon
from evertest.basics import BIN, temporary_directory
from evertest.servers.certificates import Authority, context, outdated, self_signed
from evertest.servers.raw_server import hanging_up, replying
from evertest.suite import Suite
from evertest.wire import QUICK, WireCase, form, granting

SUITE = Suite(timed=True, minutes=0.4)

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
# Its own mount namespace shows one program another file; it ends with that program.
IN_NAMESPACE = """#!/bin/sh
exec unshare --mount sh -c 'mount --bind "$0" {bundle} && exec "$@"' {file} {program} "$@"
"""


def speaking_plain_http(connection):
    """What a plain HTTP server does to a ClientHello."""
    connection.receive()
    connection.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


class TLSTest(WireCase):
    def setUp(self):
        self.directory = temporary_directory(self)
        self.authority = Authority(self.directory)
        self.good = context(self.authority.server())

    def trusting(self, server, authority=None):
        """A provider over https, with a ca_file."""
        file = str((authority or self.authority).certificate)
        return self.provider(server, scheme="https", tls={"ca_file": file})

    def untrusted(self):
        """Servers that must not be told anything: the TLS side, and what the problem must name."""
        stranger = Authority(self.directory, "Another CA")
        old = outdated(context(self.authority.server("old")))
        return {
            "expired": (context(self.authority.server("expired", days=-1)), "expired"),
            "wrong-name": (context(self.authority.server(
                "wrong-name", names="DNS:elsewhere.example,IP:127.0.0.2")), "another host"),
            "unknown-ca": (context(stranger.server()), "issuer is unknown"),
            "self-signed": (context(self_signed(self.directory)), "self-signed"),
            "tls-1-1": (old, "TLS"),
        }

    def assert_told_nothing(self, server):
        """Not a byte of a request: neither inside TLS nor on the bare connection."""
        self.assertTrue(server.connections)
        for connection in server.connections:
            self.assertEqual(bytes(connection.plain), b"")
            self.assertEqual(connection.wire[:1], b"\x16")  # a TLS handshake record
            for secret in (b"POST", b"HTTP/1", b"grant_type", b"seed-", b"Basic"):
                self.assertNotIn(secret, connection.wire)

    def test_a_certificate_of_the_private_authority_is_trusted(self):
        server = self.serve(replying(200, granting(1)), context=self.good)
        self.start({"good": self.trusting(server)})
        self.wait_state("good", "fresh")
        self.assertEqual(self.output("good"), "at-1")
        self.assertEqual(len(server.connections), 1)
        self.assertEqual(form(server.requests[0])["refresh_token"], "seed-good")
        self.assertNotIn(b"seed-good", server.connections[0].wire)

    def test_a_server_that_is_not_trusted_is_told_nothing_and_served_once_repaired(self):
        cases = self.untrusted()
        servers = {name: self.serve(replying(200, granting(1)), context=side)
                   for name, (side, _) in cases.items()}
        refresh = QUICK | {"retry": {"initial": "0.5s", "max": "1s"}}
        self.start({name: self.trusting(server) for name, server in servers.items()},
                   {name: self.credential(name, refresh=refresh) for name in servers})
        for name, server in servers.items():
            with self.subTest(name):
                status = self.wait_error(name, "transient")
                self.assertEqual(status["state"], "pending")
                # More than once: never does it become a matter of the token or the settings.
                self.wait_for(name, lambda s: s["consecutive_failures"] >= 4, "four failures")
                self.assertEqual(self.status(name)["last_error"]["class"], "transient")
                self.assert_told_nothing(server)
                server.context = self.good
                self.wait_state(name, "fresh")
                self.assertEqual(len(server.requests), 1)
                self.assertEqual(form(server.requests[0])["refresh_token"], f"seed-{name}")
                self.assertRegex(status["last_error"]["problem"], cases[name][1])

    def test_a_token_stays_published_while_its_server_is_not_trusted(self):
        server = self.serve(replying(200, granting(1)), context=self.good)
        self.start({"turned": self.trusting(server)})
        self.wait_state("turned", "fresh")
        server.context = self.untrusted()["expired"][0]
        self.refresh("turned")
        self.wait_error("turned", "transient")
        self.wait_state("turned", "retrying")
        self.assertEqual(self.output("turned"), "at-1")
        self.assertEqual(len(server.requests), 1)
        server.context = self.good
        self.wait_state("turned", "fresh")
        self.assertEqual(form(server.requests[1])["refresh_token"], "rt-1")

    def test_a_request_inside_tls_without_an_answer_is_tried_once_more_only(self):
        server = self.serve(replying(200, granting(1)), hanging_up, context=self.good)
        self.start({"cut": self.trusting(server)})
        self.wait_state("cut", "fresh")
        self.refresh("cut")
        self.wait_error("cut", "ambiguous")
        self.assertEqual(len(server.connections), 2)
        self.wait_connections(server, 3)
        self.assert_stays(lambda: len(server.connections) == 3, 3, "a third request")
        self.assert_one_request_each(server)

    def test_the_old_server_does_speak_with_those_who_allow_it(self):
        """Otherwise the refusal above would say nothing about the version."""
        side, _ = self.untrusted()["tls-1-1"]
        server = self.serve(replying(200, granting(1)), context=side)
        lax = outdated(ssl.create_default_context(cafile=self.authority.certificate))
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            with lax.wrap_socket(raw, server_hostname="127.0.0.1") as speaking:
                self.assertEqual(speaking.version(), "TLSv1.1")

    def test_an_openssl_that_allows_old_versions_changes_nothing(self):
        """Debian's own openssl.cnf refuses them too; that is not to be relied on."""
        lax = self.directory / "openssl.cnf"
        lax.write_text("openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = old\n"
                       "[old]\nMinProtocol = TLSv1\nCipherString = DEFAULT:@SECLEVEL=0\n")
        server = self.serve(replying(200, granting(1)), context=self.untrusted()["tls-1-1"][0])
        with unittest.mock.patch.dict(os.environ, {"OPENSSL_CONF": str(lax)}):
            self.start({"old": self.trusting(server)})
        self.wait_error("old", "transient")
        self.assert_told_nothing(server)

    def test_a_server_of_plain_http_is_not_spoken_to_in_plain_http(self):
        server = self.serve(speaking_plain_http)
        self.start({"bare": self.trusting(server)})
        status = self.wait_error("bare", "transient")
        self.assertIn("TLS", status["last_error"]["problem"])
        for connection in server.connections:
            self.assertEqual(connection.wire[:1], b"\x16")
            self.assertNotIn(b"POST", connection.wire)

    def test_a_missing_ca_file_is_named_and_nothing_is_sent(self):
        server = self.serve(replying(200, granting(1)), context=self.good)
        provider = self.trusting(server)
        missing = self.directory / "missing.pem"
        provider["request"]["tls"]["ca_file"] = str(missing)
        self.start({"lost": provider})
        status = self.wait_error("lost", "transient")
        self.assertIn("CA file", status["last_error"]["problem"])
        self.assertEqual(server.requests, [])
        shutil.copy(self.authority.certificate, missing)
        self.wait_state("lost", "fresh")

    def test_a_ca_file_that_is_exchanged_counts_from_the_next_request_without_a_reload(self):
        server = self.serve(replying(200, granting(1)), context=self.good)
        bundle = self.directory / "bundle.pem"
        shutil.copy(self.authority.certificate, bundle)
        provider = self.trusting(server)
        provider["request"]["tls"]["ca_file"] = str(bundle)
        self.start({"exchanged": provider})
        self.wait_state("exchanged", "fresh")
        time.sleep(3)  # long enough for libcurl to keep what it read
        for number in (1, 2):
            self.refresh("exchanged")
        self.assertEqual(len(server.requests), 3)
        other = Authority(self.directory, "Another CA")
        new = self.directory / "new.pem"
        shutil.copy(other.certificate, new)
        new.rename(bundle)
        self.refresh("exchanged")
        problem = self.status("exchanged")["last_error"]["problem"]
        self.assertRegex(problem, "issuer is unknown|not trusted")
        self.assertEqual(len(server.requests), 3, "it trusted what is in the file no longer")
        with bundle.open("a") as file:  # in place, the old one beside the new
            file.write(self.authority.certificate.read_text())
        self.refresh("exchanged")
        self.wait_state("exchanged", "fresh")
        # It may have tried again by itself just before.
        self.assertGreaterEqual(len(server.requests), 4)

    def test_a_client_certificate_that_is_exchanged_is_shown_at_the_next_request(self):
        shown = []

        def answering(connection):
            shown.append(connection.certificate()["serialNumber"])
            replying(200, granting(len(shown)))(connection)

        self.good.verify_mode = ssl.CERT_REQUIRED
        self.good.load_verify_locations(self.authority.certificate)
        server = self.serve(answering, context=self.good)
        folder = self.authority.directory
        for name in ("one", "two"):
            self.authority.server(name)
        paths = {"certificate": self.directory / "client.crt",
                 "private_key": self.directory / "client.key"}

        def use(name):
            for suffix, path in (("crt", paths["certificate"]), ("key", paths["private_key"])):
                shutil.copy(folder / f"{name}.{suffix}", path)

        use("one")
        provider = self.trusting(server)
        provider["request"]["tls"] |= {key: str(path) for key, path in paths.items()}
        self.start({"mtls": provider})
        self.wait_state("mtls", "fresh")
        use("two")
        self.refresh("mtls")
        self.wait_state("mtls", "fresh")
        self.assertEqual(len(shown), 2)
        self.assertNotEqual(*shown)

    def refresh(self, name):
        """Orders one and waits for its end, however it ends."""
        time.sleep(0.6)  # the floor between two
        self.daemon.request("POST", "/v1/credentials/%s/refresh?wait=10" % name)

    def test_without_a_ca_file_the_system_store_decides(self):
        server = self.serve(replying(200, granting(1)), context=self.good)
        provider = self.provider(server, scheme="https")
        self.start({"system": provider})
        status = self.wait_error("system", "transient")
        self.assertIn("issuer is unknown", status["last_error"]["problem"])
        self.assert_told_nothing(server)
        self.daemon.terminate()
        # The same with a system store that has the private authority.
        wrapped = self.directory / "bin"
        wrapped.mkdir()
        script = wrapped / "evertokend"
        script.write_text(IN_NAMESPACE.format(
            bundle=BUNDLE, file=self.authority.certificate, program=BIN / "evertokend"))
        script.chmod(0o755)
        with unittest.mock.patch.object(evertest.daemon, "BIN", wrapped):
            self.daemon.start()
        self.wait_state("system", "fresh")
        self.assertEqual(len(server.requests), 1)

    def test_a_ca_file_replaces_the_system_store_for_its_provider_only(self):
        server = self.serve(replying(200, granting(1)), context=self.good)
        other = Authority(self.directory, "Another CA")
        self.start({"named": self.trusting(server), "other": self.trusting(server, other),
                    "system": self.provider(server, scheme="https")})
        self.wait_state("named", "fresh")
        for name in ("other", "system"):
            status = self.wait_error(name, "transient")
            self.assertRegex(status["last_error"]["problem"], "issuer is unknown|not trusted")
        self.assertEqual(len(server.requests), 1)

    def test_proxy_variables_are_ignored_for_https_too(self):
        proxy = self.serve(replying(200))
        server = self.serve(replying(200, granting(1)), context=self.good)
        settings = {key: f"http://127.0.0.1:{proxy.port}" for key in (
            "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
        with unittest.mock.patch.dict(os.environ, settings | {"no_proxy": ""}):
            self.start({"direct": self.trusting(server)})
        self.wait_state("direct", "fresh")
        self.assertEqual(proxy.connections, [])
        self.assertEqual(len(server.requests), 1)
