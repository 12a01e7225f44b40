"""Token files on a mount that does not answer: ext4 in a loop image, frozen while it is written to.

Needs root and, from Debian: e2fsprogs, mount, util-linux (fsfreeze)."""

import pathlib
import time

from evertest.basics import at_end, wait_until
from evertest.disks.freezable import FreezableDisk
from evertest.programs import ProgramCase, token_json
from evertest.servers.token_server import TokenServer
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.6)

#: More than there are lanes for token files.
STUCK = 24


class AMountThatDoesNotAnswer(ProgramCase):
    lifetime = 4

    def setUp(self):
        super().setUp()
        self.disk = FreezableDisk(self, self.directory / "image", self.directory / "mount")
        self.slow = TokenServer(lifetime=40).start()
        at_end(self, self.slow.stop)

    def stuck(self, name):
        """A credential with one file on the disk and one in the token directory."""
        seed = self.slow.grant(name, "secret-of-" + name)
        return {"provider": "slow", "client_id": name, "client_secret": "secret-of-" + name,
                "refresh_token": seed, "refresh": {"min_interval": "0.5s", "at": "10%"},
                "outputs": [{"path": str(self.disk.mount_point / name)},
                            {"path": name + "/token.json", "format": "json"}]}

    def config(self, credentials, **more):
        whole = super().config(credentials, **more)
        whole["providers"]["slow"] = {
            "request": {"url": self.slow.url, "client_auth": "client_secret_basic"}}
        return whole

    def threads(self, daemon):
        return len(list(pathlib.Path("/proc", str(daemon.process.pid), "task").iterdir()))

    def test_it_delays_no_other_credential_and_not_the_other_files_of_its_own(self):
        names = ["stuck%02d" % number for number in range(STUCK)]
        daemon = self.daemon({"good": self.credential("good")} | {n: self.stuck(n) for n in names})
        for name in ["good", *names]:
            daemon.wait_for(name, "fresh", timeout=60)
        # Before the daemon is killed: it cannot end while a thread of it sleeps in a write.
        at_end(self, self.disk.thaw)
        self.disk.freeze()
        before = {name: token_json(daemon, name)["access_token"] for name in names}
        most, end, lapses = 0, time.monotonic() + 25, []
        while time.monotonic() < end:
            most = max(most, self.threads(daemon))
            left = token_json(daemon, "good")["expires_at"] - time.time()
            if left < -0.5:
                lapses.append(left)
            time.sleep(0.1)
        self.assertEqual(lapses, [], "the good token lapsed")
        self.assertLess(most, 64)
        for name in names:
            self.assertNotEqual(token_json(daemon, name)["access_token"], before[name], name)
        problem = daemon.credentials()[names[0]]["last_error"]["problem"]
        self.assertIn("does not answer", problem)
        self.assertIn(str(self.disk.mount_point), problem)
        self.disk.thaw()
        for name in names:
            file = self.disk.mount_point / name
            wait_until(lambda: file.read_text() == token_json(daemon, name)["access_token"], 60,
                       "the newest token of %s on the disk" % name, daemon)
        self.assertEqual(daemon.terminate(), 0)
