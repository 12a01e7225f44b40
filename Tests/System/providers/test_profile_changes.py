"""A profile that is changed while its grant is valid, and one that tries to block the daemon.

The refresh token that an answer brought stays the one that is used, however its profile reads now;
and no pattern of a profile, whatever a server answers, keeps the daemon from its other work.
"""

import time
import unittest

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.servers.token_server import Answer, TokenServer
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.2)

QUICK = {"min_interval": "0.5s", "retry": {"initial": "0.2s", "max": "0.5s"}}
ROTATING = {"refresh_token": "rotating"}


class ProfileChangesTest(unittest.TestCase):
    def setUp(self):
        self.server = TokenServer(lifetime=3600).start()
        at_end(self, self.server.stop)

    def configuration(self, *names, **profile):
        profile = {"request": {"url": self.server.url}, "lifecycle": ROTATING} | profile
        return {"providers": {"as": profile}, "credentials": {
            name: {"provider": "as", "client_id": name, "client_secret": "s-" + name,
                   "refresh_token": self.seeds[name], "refresh": QUICK} for name in names}}

    def begin(self, *names, **profile):
        self.seeds = {name: self.server.grant(name, "s-" + name) for name in names}
        self.daemon = Daemon(
            self, temporary_directory(self), self.configuration(*names, **profile)).start()
        for name in names:
            self.wait_state(name, "fresh")

    def wait_state(self, name, state):
        return wait_until(
            lambda: (entry := self.daemon.credentials()[name])["state"] == state and entry, 15,
            f"{name} {state}", self.daemon)

    def refresh(self, name):
        self.assertLess(self.daemon.request("POST", f"/v1/credentials/{name}/refresh")[0], 300)

    #: Each reads nothing in the answer that was given to the profile before.
    CHANGES = {
        "an envelope": {"success": [{"path": "/code", "in": [0]}], "root": "/data"},
        "another field": {"refresh_token": "/renewal", "access_token": "/token"},
        "another format": {"format": "text", "access_token": ""},
    }

    def test_a_profile_that_reads_otherwise_forgets_no_refresh_token(self):
        for what, response in self.CHANGES.items():
            for restart in (False, True):
                with self.subTest(what, restart=restart):
                    self.begin("mail")
                    newest = self.server.live_refresh_token("mail")
                    self.daemon.configure(self.configuration("mail", response=response))
                    if restart:
                        self.daemon.kill()
                        self.daemon.start()
                    else:
                        self.assertEqual(self.daemon.request("POST", "/v1/reload")[0], 200)
                    # The token that was granted is still there, before anything is sent.
                    wait_until(lambda: self.daemon.credentials()["mail"]["refreshes"] == 1, 10,
                               "what the slots hold", self.daemon)
                    self.assertEqual(len(self.server.exchanges()), 1)
                    self.refresh("mail")
                    sent = self.server.wait_for(lambda seen: len(seen) > 1)
                    self.assertEqual(sent[1].refresh_token, newest)
                    self.assertEqual(sent[1].problem, None)
                    self.daemon.close()
                    self.server.stop()
                    self.server = TokenServer(lifetime=3600).start()
                    at_end(self, self.server.stop)

    def test_no_pattern_and_no_answer_holds_the_others_up(self):
        slow = [{"if": [{"path": "/msg", "matches": pattern}], "class": "reauth"}
                for pattern in ("^(a+)+$", "a*a*a*b", "(?i)(a|aa)+$")]
        self.begin("slow", "other", errors=slow)
        body = '{"msg": "%s!"}' % ("a" * 15000)
        self.server.plan("slow", *[Answer(status=400, body=body)] * 3)
        self.refresh("slow")
        self.server.wait_for(lambda seen: sum(e.client_id == "slow" for e in seen) > 1)
        begun = time.monotonic()
        self.refresh("other")
        self.server.wait_for(lambda seen: sum(e.client_id == "other" for e in seen) > 1, 5)
        self.daemon.status()
        self.assertLess(time.monotonic() - begun, 5)

    def test_a_reload_of_outputs_alone_sends_no_doubtful_refresh_token(self):
        self.begin("mail")
        self.server.plan("mail", *[Answer(cut=True, rotate=False)] * 2)
        self.refresh("mail")
        self.server.wait_for(lambda seen: len(seen) == 3)
        self.wait_state("mail", "retrying")
        changed = self.configuration("mail")
        changed["credentials"]["mail"]["outputs"] = [{"path": "mail/other"}]
        self.daemon.configure(changed)
        self.assertEqual(self.daemon.request("POST", "/v1/reload")[0], 200)
        wait_until((self.daemon.tokens / "mail" / "other").exists, 10, "the new output",
                   self.daemon)
        time.sleep(1.5)  # nothing to wait for: that nothing comes is the point
        self.assertEqual(len(self.server.exchanges()), 3)
