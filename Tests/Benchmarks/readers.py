"""The readers of the soak: every token file is read again and again, as other programs would.

An access token of this folder's server says when it ends, so a file shows by itself whether its
reader has a token that works.
"""

import threading
import time


class Readers(threading.Thread):
    """Reads until it is stopped. `names` may grow; a file counts once it has been there."""

    def __init__(self, folder, names):
        super().__init__(daemon=True)
        self.folder, self.names = folder, names
        self.seen, self.passes, self.longest_pass = set(), 0, 0.0
        #: (name, when in Unix seconds, why), one for each token that ended in its file.
        self.trouble = []
        self._told = set()
        self._stops = threading.Event()

    def run(self):
        while not self._stops.is_set():
            begun = time.monotonic()
            for name in list(self.names):
                self._read(name)
            taken = time.monotonic() - begun
            self.passes, self.longest_pass = self.passes + 1, max(self.longest_pass, taken)
            # A quarter of a processor at most, where there are many files.
            self._stops.wait(max(0.5, 3 * taken))

    def stop(self):
        self._stops.set()
        self.join()

    def _read(self, name):
        now = time.time()
        try:
            with open(self.folder / name / "token", "rb") as file:
                _, _, serial, end, _ = file.read(100).decode().split("-", 4)
        except FileNotFoundError:
            if name in self.seen:
                self._note(name, now, "no file", name)
            return
        except ValueError:
            self._note(name, now, "no whole token", (name, int(now)))
            return
        self.seen.add(name)
        self._told.discard(name)
        if int(end) / 1000 < now:
            self._note(name, int(end) / 1000, "ended", (name, serial))

    def _note(self, name, when, why, key):
        """Once for each token, not once for each look."""
        if key not in self._told:
            self._told.add(key)
            self.trouble.append((name, when, why))
