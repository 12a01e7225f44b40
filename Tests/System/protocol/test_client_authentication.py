"""The methods of client authentication, against Glewlwyd: a password in a header or in the
body, an assertion signed with a shared secret or a private key, a certificate.

Every client of that server may use one method only, so a token says that this one was used, and
used rightly. Each published token is introspected by its own client, which proves itself there by
what these tests make with the openssl command.
"""

from __future__ import annotations

import json
import pathlib
import unittest
from typing import Any

from evertest.basics import temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.oracle.rotation import Credential, PublishedFiles
from evertest.servers.authorization import Glewlwyd
from evertest.servers.client_assertions import private_jwk
from evertest.servers.registered import FAILED, METHODS, Registered, key_secrets
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.2)

ACCESS_TTL = 6  # renewed after about 3 s
TOKENS = 3  # of each credential: the first and two renewals


class EveryMethodTest(unittest.TestCase):
    """All methods at once: nine credentials of one daemon, at a server over http and one over
    https."""

    @classmethod
    def setUpClass(cls) -> None:
        directory = temporary_directory(cls)
        cls.plain = Registered(Glewlwyd(cls, ACCESS_TTL))
        cls.secure = Registered(Glewlwyd(cls, ACCESS_TTL, tls=True))
        entries = cls.plain_credentials(directory) | cls.secure_credentials()
        cls.owners = {name: (cls.secure if name.startswith("mtls") else cls.plain,
                             entry["client_id"]) for name, entry in entries.items()}
        credentials = [Credential(name, "", None, (client_id, ""))
                       for name, (_, client_id) in cls.owners.items()]
        cls.daemon = Daemon(cls, directory, {"providers": cls.providers(), "credentials": entries})
        cls.files = PublishedFiles(cls.daemon.tokens, credentials, cls.introspect)
        cls.daemon.start()
        cls.files.start()
        try:
            wait_until(lambda: all(count >= TOKENS for count in cls.counts().values()),
                       ACCESS_TTL * TOKENS + 15, "%d tokens of each credential" % TOKENS,
                       cls.daemon)
        finally:
            cls.files.stop()
        cls.states = cls.daemon.credentials()

    @classmethod
    def plain_credentials(cls, directory: pathlib.Path) -> dict[str, dict[str, Any]]:
        of, key = cls.plain.credential, cls.plain.key
        jwk_file = directory / "client.jwk"
        jwk_file.touch(mode=0o600)
        jwk_file.write_text(private_jwk(key, kid="k1", alg="ES256") + "\n")
        return {
            "basic": of("cc-basic", "cc-basic"),
            "post": of("cc-post", "cc-post"),
            "secret-jwt": of("cc-sjwt", "cc-sjwt"),
            "key-pem": of("cc-pkjwt", "cc-pkjwt", key_id="k1", private_key=key.read_text()),
            "key-file": of("cc-pkjwt", "cc-pkjwt", key_id="k1", private_key={"file": str(key)}),
            "key-jwk": of("cc-pkjwt", "cc-pkjwt", key_id="k1", private_key=private_jwk(key)),
            "key-jwk-file": of("cc-pkjwt", "cc-pkjwt", key_id="k1",
                               private_key={"file": str(jwk_file)}),
        }

    @classmethod
    def secure_credentials(cls) -> dict[str, dict[str, Any]]:
        facts = cls.secure.server.facts
        return {
            "mtls-paths": cls.secure.credential("mtls-paths", "cc-mtls"),
            "mtls-texts": cls.secure.credential(
                "mtls-texts", "cc-mtls", certificate={"file": facts["MTLS_CERT"]},
                private_key={"file": facts["MTLS_KEY"]}),
        }

    @classmethod
    def providers(cls) -> dict[str, Any]:
        facts = cls.secure.server.facts
        paths = {"certificate": facts["MTLS_CERT"], "private_key": facts["MTLS_KEY"]}
        texts = {"certificate": "${certificate}", "private_key": "${private_key}"}
        ca = {"ca_file": facts["CA"]}
        return {client: cls.plain.provider(client) for client in METHODS if client != "cc-mtls"} | {
            "mtls-paths": cls.secure.provider("cc-mtls", tls=paths | ca),
            "mtls-texts": cls.secure.provider("cc-mtls", tls=texts | ca)}

    @classmethod
    def introspect(cls, credential: Credential, token: str) -> bool:
        registered, client_id = cls.owners[credential.name]
        return registered.introspect(client_id, token)

    @classmethod
    def counts(cls) -> dict[str, int]:
        return {name: len(cls.files.sequence[name, "token"]) for name in cls.owners}

    def test_each_method_brings_a_token_and_renews_it_twice(self) -> None:
        print("\ntokens published:", self.counts())
        self.assertEqual(set(self.counts()), set(self.states))
        for name, entry in self.states.items():
            self.assertGreaterEqual(self.counts()[name], TOKENS, entry)
            self.assertGreaterEqual(entry["refreshes"], TOKENS, entry)

    def test_no_request_is_refused(self) -> None:
        for name, entry in self.states.items():
            self.assertIn(entry["state"], ("fresh", "refreshing"), (name, entry))
            self.assertIsNone(entry["last_error"], name)
        self.assertNotIn(FAILED, self.daemon.stderr())

    def test_every_published_token_is_active(self) -> None:
        seen = self.files.sightings.values()
        self.assertGreaterEqual(len(seen), TOKENS * len(self.owners))
        refused = ["%s: judged %.3f s after it was seen" % (s.name, s.judged - s.seen)
                   for s in seen if not s.active]
        self.assertEqual(refused, [])

    def test_the_published_files_are_never_missing_empty_or_stale(self) -> None:
        self.assertEqual(self.files.lapses, {})

    def test_no_token_secret_or_key_reaches_the_log_or_the_status(self) -> None:
        secrets = {token for _, token in self.files.sightings}
        for registered in (self.plain, self.secure):
            secrets |= key_secrets(registered.key)
            secrets |= {s for s in map(registered.secret, METHODS) if s}
        said = self.daemon.stderr() + json.dumps(self.states)
        self.assertTrue(secrets)
        for secret in secrets:
            self.assertNotIn(secret, said)
