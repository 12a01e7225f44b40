#!/usr/bin/python3
"""What one would write in Python instead of running evertokend: requests-oauthlib, a heap of times
and a few threads. Like the Go program it is written to be good at the job.

    refresher.py CONFIG.json

A refresh is stored, then published: each file is written to a temporary one, flushed, renamed, and
its directory flushed. The libraries keep no connection beyond one refresh.

Needs the Debian package python3-requests-oauthlib.
"""

import concurrent.futures
import heapq
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time

import requests.auth
from requests_oauthlib import OAuth2Session

REFRESH_AT = 0.67
REQUEST_TIMEOUT = 30
FIRST_RETRY, LAST_RETRY = 1, 300
# An answer without expires_in says nothing about its lifetime (RFC 6749 section 5.1).
ASSUMED_LIFETIME = 3600
THREADS = 16


def replace_file(path, content, mode):
    """Readers see the old content or the new, and a power cut leaves one of the two."""
    descriptor, temporary = tempfile.mkstemp(prefix="." + path.name, dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Credential:
    def __init__(self, entry, settings):
        self.name, self.url = entry["name"], entry["token_url"]
        self.basic = requests.auth.HTTPBasicAuth(entry["client_id"], entry["client_secret"])
        self.client = entry["client_id"]
        self.trust = settings.get("ca_file") or True
        self.state = pathlib.Path(settings["state_dir"]) / (self.name + ".json")
        self.output = pathlib.Path(settings["token_dir"]) / self.name / "token"
        self.output.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.retry = 0
        try:
            self.held = json.loads(self.state.read_text())
        except FileNotFoundError:
            self.held = {"refresh_token": entry["refresh_token"], "access_token": "none yet"}

    def begin(self):
        """Publishes a stored token that is valid; when the next refresh is due."""
        left = self.held.get("expires_at", 0) - time.time()
        if left <= 0:
            return time.time()
        replace_file(self.output, self.held["access_token"].encode(), 0o640)
        return time.time() + left * REFRESH_AT

    def refresh(self):
        """One refresh; when the next is due."""
        try:
            with OAuth2Session(self.client, token=self.held) as session:
                fresh = session.refresh_token(
                    self.url, auth=self.basic, verify=self.trust, timeout=REQUEST_TIMEOUT)
            self.held = dict(fresh)
            replace_file(self.state, json.dumps(self.held).encode(), 0o600)
            replace_file(self.output, self.held["access_token"].encode(), 0o640)
        except Exception as error:
            # Of any cause: only the next try can help.
            self.retry = min(LAST_RETRY, 2 * self.retry or FIRST_RETRY)
            print("%s: %r" % (self.name, error), file=sys.stderr, flush=True)
            return time.time() + random.uniform(0, self.retry)
        self.retry = 0
        return time.time() + self.held.get("expires_in", ASSUMED_LIFETIME) * REFRESH_AT


def main():
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop = threading.Event()
    settings = json.loads(pathlib.Path(sys.argv[1]).read_text())
    pathlib.Path(settings["state_dir"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    credentials = [Credential(entry, settings) for entry in settings["credentials"]]
    due = [(one.begin(), number) for number, one in enumerate(credentials)]
    heapq.heapify(due)
    lock, changed = threading.Lock(), threading.Event()

    def work(number):
        next_time = credentials[number].refresh()
        with lock:
            heapq.heappush(due, (next_time, number))
            # Only a new earliest time concerns the main thread, which sleeps until the former one.
            if due[0][1] == number:
                changed.set()

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        while not stop.is_set():
            changed.clear()
            with lock:
                while due and due[0][0] <= time.time():
                    pool.submit(work, heapq.heappop(due)[1])
                wait = due[0][0] - time.time() if due else 1
            changed.wait(max(0, min(wait, 1)))


if __name__ == "__main__":
    # The benchmark has a run with http on loopback, which oauthlib refuses otherwise.
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    main()
