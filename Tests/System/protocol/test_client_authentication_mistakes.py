"""Client authentication that cannot be made, or is refused: the status says what is wrong and what
to do, and quotes nothing of the key. An incomplete request is never sent.
"""

from __future__ import annotations

import json
import pathlib
import unittest
from typing import Any, Optional

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.oracle.oracle_proxy import OracleProxy
from evertest.servers.authorization import Glewlwyd
from evertest.servers.certificates import Authority, context
from evertest.servers.client_assertions import encrypted_key, openssl, private_jwk
from evertest.servers.raw_server import RawServer, replying
from evertest.servers.registered import FAILED, Registered, key_secrets
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.3)

PASSPHRASE = "passphrase-of-the-key"
GRANTING = replying(200, b'{"access_token": "granted", "expires_in": 3600}')


class StoppedCase(unittest.TestCase):
    """Credentials that get no token, and why they say so."""

    daemon: Daemon

    def setUp(self) -> None:
        self.directory = temporary_directory(self)

    def start(self, providers: dict[str, Any], credentials: dict[str, Any]) -> None:
        self.config = {"providers": providers, "credentials": credentials}
        self.daemon = Daemon(self, self.directory, self.config).start()

    def serve(self, **options: Any) -> RawServer:
        server = RawServer(GRANTING, **options).start()
        at_end(self, server.stop)
        return server

    def wait_error(self, name: str, failure_class: str) -> dict[str, Any]:
        """Waits until the credential says what is wrong; its entry of the status."""
        def look() -> Optional[dict[str, Any]]:
            entry = self.daemon.credentials()[name]
            return entry if entry["last_error"] else None

        entry = wait_until(look, 10, "%s to say what is wrong" % name, self.daemon)
        self.assertEqual(entry["last_error"]["class"], failure_class, entry)
        self.assertTrue(entry["last_error"]["remedy"], entry)
        self.assertIn("%s: %s" % (name, FAILED), self.daemon.stderr())
        return entry

    def wait_fresh(self, name: str) -> str:
        """Waits until the credential is fresh; the published token."""
        wait_until(lambda: self.daemon.credentials()[name]["state"] == "fresh", 10,
                   "%s to be fresh" % name, self.daemon)
        return (self.daemon.tokens / name / "token").read_text()

    def order(self, path: str) -> None:
        code, answer = self.daemon.request("POST", path)
        self.assertLess(code, 300, answer)

    def assert_silent(self, *secrets: str) -> None:
        """Neither the status nor the log holds any of these."""
        said = self.daemon.stderr() + json.dumps(self.daemon.status())
        for secret in secrets:
            self.assertNotIn(secret, said)


class RefusedTest(StoppedCase):
    """At a real server, whose refusals are empty (403 to a grant without a person)."""

    def setUp(self) -> None:
        super().setUp()
        self.registered = Registered(Glewlwyd(self, access_ttl=60))
        self.proxy = OracleProxy(
            self.registered.server.base, str(self.directory / "exchanges.jsonl")).start()
        at_end(self, self.proxy.stop)

    def provider(self, client_id: str, audience: Optional[str] = None) -> dict[str, Any]:
        """Through the proxy, whose URL is not the server's: without an audience of its own the
        assertion would name the wrong one."""
        profile = self.registered.provider(client_id, url=self.proxy.base + "/api/rotate/token")
        aud = audience or self.registered.token_url
        return profile | {"assertions": {"client": {"claims": {"aud": aud}}}}

    def credential(self, key: pathlib.Path) -> dict[str, Any]:
        return self.registered.credential(
            "as", "cc-pkjwt", key_id="k1", private_key={"file": str(key)})

    def assert_active(self, name: str, client_id: str) -> None:
        self.assertTrue(self.registered.introspect(client_id, self.wait_fresh(name)))

    def test_a_refused_audience_is_a_mistake_of_the_configuration_and_mended_by_a_reload(self):
        issuer = self.registered.server.facts["ISSUER_ROTATE"]
        secret = self.registered.credential("shared", "cc-sjwt")
        self.start({"as": self.provider("cc-pkjwt", issuer),
                    "shared": self.provider("cc-sjwt", issuer)},
                   {"key": self.credential(self.registered.key), "secret": secret})
        for name in ("key", "secret"):
            entry = self.wait_error(name, "config")
            self.assertEqual(entry["state"], "misconfigured")
            self.assertEqual(entry["last_error"]["http_status"], 403)
            self.assertFalse((self.daemon.tokens / name / "token").exists())
        self.assertEqual([e.status for e in self.proxy.exchanges], [403, 403])
        self.assert_silent(*key_secrets(self.registered.key), secret["client_secret"])
        self.config["providers"] = {"as": self.provider("cc-pkjwt"),
                                    "shared": self.provider("cc-sjwt")}
        self.daemon.configure(self.config)
        self.order("/v1/reload")
        self.assert_active("key", "cc-pkjwt")
        self.assert_active("secret", "cc-sjwt")
        self.assertEqual([e.status for e in self.proxy.exchanges], [403, 403, 200, 200])

    def test_without_an_audience_of_its_own_the_assertion_names_the_url_it_is_sent_to(self):
        profile = self.provider("cc-pkjwt")
        del profile["assertions"]
        self.start({"as": profile}, {"proxied": self.credential(self.registered.key)})
        self.wait_error("proxied", "config")
        self.assertEqual([e.status for e in self.proxy.exchanges], [403])
        profile["request"]["url"] = self.registered.token_url
        self.daemon.configure(self.config)
        self.order("/v1/reload")
        self.assert_active("proxied", "cc-pkjwt")

    def test_a_key_put_in_place_is_found_by_a_manual_refresh(self):
        key = self.directory / "put-later.key"
        self.start({"as": self.provider("cc-pkjwt")}, {"late": self.credential(key)})
        entry = self.wait_error("late", "config")
        self.assertEqual(entry["state"], "misconfigured")
        self.assertIn(str(key), entry["last_error"]["problem"])
        self.assertEqual(self.proxy.exchanges, [])
        key.touch(mode=0o600)
        key.write_text(self.registered.key.read_text())
        self.order("/v1/credentials/late/refresh")
        self.assert_active("late", "cc-pkjwt")
        self.assertEqual([e.status for e in self.proxy.exchanges], [200])

    def test_a_stranger_s_key_is_refused_and_replaced_by_a_reload(self):
        key = self.directory / "client.key"
        key.touch(mode=0o600)
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        stranger = key_secrets(key)
        self.start({"as": self.provider("cc-pkjwt")}, {"stranger": self.credential(key)})
        entry = self.wait_error("stranger", "config")
        self.assertEqual(entry["last_error"]["http_status"], 403)
        self.assert_silent(*stranger)
        key.write_text(self.registered.key.read_text())
        self.order("/v1/reload")
        self.assert_active("stranger", "cc-pkjwt")


class UnusableKeyTest(StoppedCase):
    """Keys that no assertion can be signed with; what the problem and the remedy must speak of."""

    def setUp(self) -> None:
        super().setUp()
        self.key = self.make("good", "EC", "ec_paramgen_curve:P-256")

    def make(self, name: str, algorithm: str, option: str) -> pathlib.Path:
        path = self.directory / (name + ".key")
        openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", path)
        return path

    def written(self, name: str, text: str) -> pathlib.Path:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def cases(self) -> dict[str, tuple[Any, Optional[str], tuple[str, ...]]]:
        """By name: the key, an algorithm, and the words that the error must have."""
        def file(path: pathlib.Path) -> dict[str, str]:
            return {"file": str(path)}

        pkcs8, sec1 = (encrypted_key(self.key, self.directory / (form + ".key"), form=form,
                                     passphrase=PASSPHRASE) for form in ("pkcs8", "sec1"))
        missing = self.directory / "missing.key"
        public = self.directory / "public.pem"
        openssl("pkey", "-in", self.key, "-pubout", "-out", public)
        public_jwk = json.loads(private_jwk(self.key))
        del public_jwk["d"]
        small = self.make("small", "RSA", "rsa_keygen_bits:1024")
        return {
            "ec-for-rs256": (file(self.key), "RS256", ("cannot sign RS256", "ES256")),
            "ec-for-es384": (file(self.key), "ES384", ("cannot sign ES384", "ES256")),
            "jwk-for-ps256": (private_jwk(self.key), "PS256", ("cannot sign PS256", "ES256")),
            "rsa-for-es256": (file(self.make("rsa", "RSA", "rsa_keygen_bits:2048")), "ES256",
                              ("cannot sign ES256", "RS256")),
            "text-for-es256": ("a-secret-that-is-no-key-at-all", "ES256",
                               ("is not a private key", "openssl")),
            "encrypted": (file(pkcs8), None, ("is encrypted", "openssl pkey")),
            "encrypted-sec1": (file(sec1), None, ("is encrypted", "openssl pkey")),
            "missing": (file(missing), None, (str(missing), "No such file")),
            "empty": (file(self.written("empty.key", "\n")), None, ("empty.key is empty",)),
            "public": (file(public), None, ("no PEM private key",)),
            "public-jwk": (json.dumps(public_jwk), None, ("JWK",)),
            "too-small": (file(small), None, ("2048 bits",)),
        }

    def test_a_key_that_cannot_sign_is_explained_and_nothing_is_sent(self) -> None:
        server, cases = self.serve(), self.cases()
        request = {"url": "http://127.0.0.1:%d/token" % server.port,
                   "client_auth": "private_key_jwt"}
        providers, credentials = {}, {}
        for name, (key, algorithm, _) in cases.items():
            patch = {"alg": algorithm} if algorithm else {}
            providers[name] = {"extends": "client_credentials", "request": request,
                               "assertions": {"client": patch}}
            credentials[name] = {"provider": name, "client_id": name, "scope": "svc",
                                 "variables": {"private_key": key}}
        self.start(providers, credentials)
        for name, (_, _, words) in cases.items():
            with self.subTest(name):
                entry = self.wait_error(name, "config")
                self.assertEqual(entry["state"], "misconfigured", entry)
                said = "%(problem)s %(remedy)s" % entry["last_error"]
                for word in words:
                    self.assertIn(word, said)
        self.assertEqual(server.connections, [])
        keys = [path for path in self.directory.glob("*.key")
                if path.exists() and "PRIVATE" in path.read_text()]
        self.assertGreaterEqual(len(keys), 4)
        lines = {line for path in keys for line in path.read_text().splitlines()
                 if len(line) > 16 and "-----" not in line and ":" not in line}
        self.assert_silent(*lines, *key_secrets(self.key), PASSPHRASE, "that-is-no-key-at-all")


class UnusableCertificateTest(StoppedCase):
    """Certificates and keys that no TLS connection can be made with."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority(self.directory)
        folder = self.authority.directory
        pem = self.authority.server("client")
        self.certificate, self.key = folder / "client.crt", folder / "client.key"
        self.authority.server("other")
        self.other = folder / "other.key"
        self.encrypted = encrypted_key(self.key, folder / "encrypted.key", passphrase=PASSPHRASE)
        self.server = self.serve(context=context(pem))

    def refuse(self, key: pathlib.Path) -> dict[str, Any]:
        """Runs with this key beside a credential that has nothing to do with it; the status."""
        neighbour = self.serve()
        tls = {"ca_file": str(self.authority.certificate), "certificate": str(self.certificate),
               "private_key": str(key)}
        machine = {"extends": "client_credentials"}
        request = {"url": "https://127.0.0.1:%d/token" % self.server.port,
                   "client_auth": "tls_client_auth", "tls": tls}
        beside = {"url": "http://127.0.0.1:%d/token" % neighbour.port, "client_auth": "none"}
        self.start({"mtls": machine | {"request": request}, "plain": machine | {"request": beside}},
                   {"mtls": {"provider": "mtls", "client_id": "mtls"},
                    "plain": {"provider": "plain", "client_id": "plain"}})
        entry = wait_until(
            lambda: (found := self.daemon.credentials()["mtls"])["last_error"] and found, 10,
            "the client certificate to be refused", self.daemon)
        self.wait_fresh("plain")
        self.assertIn("client certificate", entry["last_error"]["problem"])
        for connection in self.server.connections:
            self.assertEqual(bytes(connection.plain), b"")
        self.assert_silent(*key_secrets(self.key), *key_secrets(self.other), PASSPHRASE)
        return entry

    def test_a_key_file_that_is_missing_is_explained_and_nothing_is_sent(self) -> None:
        self.refuse(self.directory / "missing.key")

    def test_a_key_of_another_certificate_is_explained_and_nothing_is_sent(self) -> None:
        self.refuse(self.other)

    def test_an_encrypted_key_is_explained_and_nobody_is_asked_for_its_passphrase(self) -> None:
        self.refuse(self.encrypted)
        self.assertNotIn("pass phrase", self.daemon.stderr())
