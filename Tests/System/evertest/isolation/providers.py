"""A healthy provider beside hostile ones, and a watch on its published token."""

import threading
import time

from evertest.basics import at_end, wait_until
from evertest.programs import PlainDaemon, ProgramCase
from evertest.servers.token_server import boot_time

#: Seconds after a start within which a healthy credential has its token.
PROMPT = 5
EAGER = {"min_interval": "0.5s", "retry": {"initial": "0.5s", "max": "1s"}}


class Watch:
    """Looks at the published token of the credential `healthy` all the time."""

    def __init__(self, case, daemon):
        self.server, self.path = case.server, daemon.tokens / "healthy" / "token"
        self.looks, self.first_at = 0, None
        self.stale = {}  # token -> how old it was when it was seen last, in seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        at_end(case, self.stop)

    def stop(self):
        self._stopped.set()
        self._thread.join(10)

    def _run(self):
        while not self._stopped.wait(0.02):
            now = boot_time()
            try:
                token = self.path.read_text()
            except FileNotFoundError:
                continue
            self.first_at = self.first_at or time.monotonic()
            self.looks += 1
            age = now - self.server.issued_with(token).asked_at
            if age > self.server.lifetime:
                self.stale[token] = round(age, 2)


class IsolationCase(ProgramCase):
    """A healthy provider and its credential, and a daemon for them and others."""

    lifetime = 4

    def serve(self, server):
        """Starts a server that stops with the test."""
        at_end(self, server.start().stop)
        return server

    def isolated(self, providers, credentials, *, place="daemon", **more):
        """A daemon for these and the healthy credential; not started."""
        for name, entry in credentials.items():
            credentials[name] = {"client_id": name, "client_secret": "secret",
                                 "refresh_token": "seed-" + name} | entry
        config = self.config({"healthy": self.credential("healthy")} | credentials, **more)
        config["providers"] |= providers
        folder = self.directory / place
        folder.mkdir(mode=0o700)
        return PlainDaemon(self, folder, config, {})

    @staticmethod
    def provider(port, host="127.0.0.1", scheme="http", **more):
        """A provider at this port of loopback."""
        request = {"url": f"{scheme}://{host}:{port}/token", "client_auth": "client_secret_basic"}
        return {"request": request} | more

    def start_watched(self, daemon, within=PROMPT):
        """Starts the daemon and waits for the healthy credential's first token."""
        watch, begun = Watch(self, daemon), time.monotonic()
        daemon.start(wait=False)
        wait_until(lambda: watch.first_at, 60, "the healthy credential's first token", daemon)
        self.assertLess(watch.first_at - begun, within, "seconds until the first token")
        return watch

    def assert_never_lapses(self, watch, daemon, seconds):
        """Lets the time pass, and looks at what the watch saw."""
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > end, seconds + 60, "the end of the watch", daemon)
        self.assertEqual(watch.stale, {}, "older than it may be\n" + daemon.report())
        self.assertGreater(watch.looks, 10 * seconds)
