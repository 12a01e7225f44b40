"""The daemon against Glewlwyd: one-use, lasting and dying refresh tokens, and client credentials.

Access tokens live 4 s here, of which Glewlwyd, counting whole seconds, takes away up to one.
"""

from __future__ import annotations

import unittest

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.oracle.oracle_proxy import OracleProxy
from evertest.oracle.rotation import Credential, RotationChecks, RotationRun, sign_in
from evertest.servers.authorization import Glewlwyd
from evertest.suite import Suite

SUITE = Suite(minutes=0.8)

ACCESS_TTL, REFRESH_TTL = 4, 30
ISSUERS = ("rotate", "static", "expiring")
EACH = 8  # credentials per issuer


class GlewlwydTest(RotationChecks, unittest.TestCase):
    at_least = {"rotate": 50, "static": 50, "expiring": 50, "service": 10}
    may_end = ("expiring",)

    @classmethod
    def setUpClass(cls) -> None:
        directory = temporary_directory(cls)
        # One process each: issuers of one Glewlwyd disturb each other (see its script).
        cls.servers = {issuer: Glewlwyd(cls, ACCESS_TTL, REFRESH_TTL) for issuer in ISSUERS}
        cls.proxies = {issuer: OracleProxy(
            cls.servers[issuer].base, str(directory / (issuer + ".jsonl"))) for issuer in ISSUERS}
        for proxy in cls.proxies.values():
            at_end(cls, proxy.start().stop)
        # `expiring` is the last: its clock starts at the login.
        credentials = [c for issuer in ISSUERS
                       for c in sign_in(cls.servers[issuer], (issuer,), EACH)]
        credentials.append(
            Credential("service-1", "service", None, ("cc-basic", "s3cret-basic")))
        daemon = Daemon(cls, directory, {
            "providers": cls.providers(),
            "credentials": {c.name: c.config(directory, **cls.extras(c)) for c in credentials}})
        cls.observed = RotationRun(
            daemon, list(cls.proxies.values()), credentials, cls.introspect, ACCESS_TTL)
        daemon.start()
        cls.observed.observe(cls.done, limit=REFRESH_TTL + 60)

    @classmethod
    def introspect(cls, credential: Credential, token: str) -> bool:
        issuer = "rotate" if credential.issuer == "service" else credential.issuer
        return cls.servers[issuer].introspect(issuer, token, credential.client)

    @classmethod
    def providers(cls) -> dict[str, object]:
        def request(issuer: str) -> dict[str, str]:
            return {"url": "%s/api/%s/token" % (cls.proxies[issuer].base, issuer),
                    "client_auth": "client_secret_basic"}

        service = {"extends": "client_credentials", "request": request("rotate")}
        return {issuer: {"request": request(issuer)} for issuer in ISSUERS} | {"service": service}

    @staticmethod
    def extras(credential: Credential) -> dict[str, object]:
        if credential.issuer == "service":
            return {"scope": "svc"}
        return {"refresh": {"retry": {"initial": "1s", "max": "2s"}}}

    @classmethod
    def expiring(cls) -> list[str]:
        return [c.name for c in cls.observed.credentials if c.issuer == "expiring"]

    @classmethod
    def done(cls) -> bool:
        counts = cls.observed.refreshes()
        return all(counts[i] >= n for i, n in cls.at_least.items()) and all(
            cls.observed.state(name) == "login_required" for name in cls.expiring())

    def test_a_refresh_token_that_ended_needs_a_login(self) -> None:
        for name in self.expiring():
            entry = self.observed.entries[name][-1]
            self.assertEqual(entry["state"], "login_required", self.observed.daemon.report())
            self.assertEqual(entry["last_error"]["class"], "reauth", entry)
            self.assertTrue(entry["last_error"]["remedy"], entry)

    def test_a_refusal_is_believed_only_after_three(self) -> None:
        for name in self.expiring():
            answers = [e.status for e in self.observed.exchanges()[name]]
            refusals = answers[answers.index(400):] if 400 in answers else []
            self.assertGreaterEqual(len(refusals), 3, "%s: %s" % (name, answers))
            self.assertEqual(set(refusals), {400}, "%s: alive again? %s" % (name, answers))

    def test_a_new_login_ends_login_required(self) -> None:
        name, daemon = self.expiring()[0], self.observed.daemon
        wait_until(lambda: daemon.credentials()[name]["state"] == "login_required", 30,
                   "%s to need a login" % name, daemon)
        tokens = self.servers["expiring"].login("expiring")
        daemon.sign_in(name, tokens)
        wait_until(lambda: daemon.credentials()[name]["state"] == "fresh", 10,
                   "%s to be fresh after an import" % name, daemon)
        wait_until(lambda: any(e.refresh_token == tokens["refresh_token"] and e.status == 200
                               for e in self.proxies["expiring"].exchanges), 15,
                   "%s to be refreshed with the imported refresh token" % name, daemon)
