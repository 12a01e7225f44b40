"""The daemon against django-oauth-toolkit: one-use and lasting refresh tokens, and a grace window.

In the issuer `grace` a spent refresh token gets the same new pair again for some seconds. There
the proxy loses answers, as a cut connection would, and the daemon has to ask again in time.
"""

from __future__ import annotations

import threading
import unittest

from evertest.basics import at_end, temporary_directory
from evertest.daemon import Daemon
from evertest.oracle.oracle_proxy import Exchange, OracleProxy
from evertest.oracle.rotation import Credential, RotationChecks, RotationRun, sign_in
from evertest.servers.authorization import DjangoToolkit
from evertest.suite import Suite

SUITE = Suite(minutes=0.6)

ACCESS_TTL, GRACE = 5, 10
ISSUERS = ("rotate", "static", "grace")
EACH = 8  # credentials per issuer
DROPS = 8


class LoseSome:
    """Loses every `nth` answer up to `most`, but no two to the same refresh token."""

    def __init__(self, nth: int, most: int) -> None:
        self.nth, self.most, self.count, self.lost = nth, most, 0, set()
        self.lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> bool:
        with self.lock:
            self.count += 1
            lose = (self.count % self.nth == 0 and len(self.lost) < self.most
                    and exchange.status == 200 and exchange.refresh_token not in self.lost)
            if lose:
                self.lost.add(exchange.refresh_token)
            return lose


class DjangoToolkitTest(RotationChecks, unittest.TestCase):
    at_least = {issuer: 50 for issuer in ISSUERS}

    @classmethod
    def setUpClass(cls) -> None:
        directory = temporary_directory(cls)
        cls.server = DjangoToolkit(cls, ACCESS_TTL, GRACE)
        cls.proxies = {issuer: OracleProxy(
            cls.server.base_of(issuer), str(directory / (issuer + ".jsonl"))) for issuer in ISSUERS}
        cls.proxies["grace"].drop = LoseSome(7, DROPS)
        for proxy in cls.proxies.values():
            at_end(cls, proxy.start().stop)
        credentials = sign_in(cls.server, ISSUERS, EACH)
        daemon = Daemon(cls, directory, {
            "providers": {issuer: cls.provider(issuer) for issuer in ISSUERS},
            "credentials": {c.name: c.config(directory, **cls.extras(c)) for c in credentials}})
        cls.observed = RotationRun(
            daemon, list(cls.proxies.values()), credentials,
            lambda c, token: cls.server.introspect(c.issuer, token, c.client), ACCESS_TTL)
        daemon.start()
        cls.observed.observe(cls.done, limit=120)

    @classmethod
    def provider(cls, issuer: str) -> dict[str, object]:
        auth = "client_secret_post" if issuer == "static" else "client_secret_basic"
        profile: dict[str, object] = {"request": {
            "url": cls.proxies[issuer].base + "/o/token/", "client_auth": auth}}
        if issuer == "grace":
            profile["lifecycle"] = {"refresh_token": "rotating", "reuse_grace": "%ds" % GRACE}
        return profile

    @staticmethod
    def extras(credential: Credential) -> dict[str, object]:
        # Early enough that a retry 2 s after a lost answer still finds the old token alive.
        return {"refresh": {"at": "30%"}} if credential.issuer == "grace" else {}

    @classmethod
    def done(cls) -> bool:
        counts = cls.observed.refreshes()
        return (all(counts[issuer] >= n for issuer, n in cls.at_least.items())
                and len(cls.lost()) == DROPS and all(later for _, later in cls.lost()))

    @classmethod
    def lost(cls) -> list[tuple[Exchange, list[Exchange]]]:
        """Each exchange whose answer was lost, and those of its credential that came after it."""
        return [(e, [later for later in chain[i + 1:] if later.finished])
                for chain in cls.observed.exchanges().values()
                for i, e in enumerate(chain) if e.dropped]

    def test_a_lost_answer_is_asked_for_again_within_the_grace_window(self) -> None:
        self.assertEqual(len(self.lost()), DROPS, self.observed.daemon.report())
        for lost, later in self.lost():
            self.assertTrue(later, "never asked again after %s\n%s" % (
                lost, self.observed.daemon.report()))
            again = later[0]
            self.assertEqual(again.refresh_token, lost.refresh_token, (lost, again))
            self.assertLess(again.received - lost.answered_at, GRACE / 2, (lost, again))
            self.assertEqual((again.status, again.new_refresh_token),
                             (200, lost.new_refresh_token), (lost, again))

    def test_a_lost_answer_is_called_ambiguous_while_it_lasts(self) -> None:
        names = {c.name for c in self.observed.credentials if c.issuer == "grace"}
        classes = {(entry.get("last_error") or {}).get("class") for name in names
                   for entry in self.observed.entries[name]}
        self.assertIn("ambiguous", classes, self.observed.daemon.report())

    def test_the_two_other_issuers_are_not_disturbed(self) -> None:
        for issuer in ("rotate", "static"):
            wrong = [e for e in self.proxies[issuer].exchanges if e.finished and e.status != 200]
            self.assertEqual(wrong, [], issuer)
