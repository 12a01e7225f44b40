"""Runs hostile cases against one daemon, many at once, and records the results.

Every credential (a `Lane`) has an endpoint of its own and goes through its cases one after another:
the hostile answer, a look at the status while the next request is kept waiting, the way back.
"""

import concurrent.futures
import dataclasses
import json
import secrets
import subprocess
import threading
import time

from evertest.basics import BIN, at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.hostile.endpoint import CANARY, SPENT, Endpoint
from evertest.neighbour import Neighbour
from evertest.state_layout import SLOTS
from evertest.wire import WireCase

TIMEOUT = 3
REFRESH = {"timeout": f"{TIMEOUT}s", "min_interval": "0.5s",
           "retry": {"initial": "0.5s", "max": "1s"}}
#: Fewer than the daemon's 64 requests in flight, of which the neighbour needs one.
AT_ONCE = 56


class ShortLived(Neighbour):
    """Beside more than fifty servers in one process, two seconds would judge these and not the
    daemon."""

    LIFETIME = 4


class Watch:
    """Records the daemon's status of all credentials, and every text in it."""

    def __init__(self, daemon):
        self.daemon, self.entries, self.texts = daemon, {}, set()
        self._asked = 0.0  # when the daemon was asked for these entries
        self._changed, self._stopped = threading.Condition(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self):
        self._stopped.set()
        self._thread.join(10)

    def _look(self):
        while not self._stopped.wait(0.1):
            asked = time.monotonic()
            status = self.daemon.try_status()
            if status is None:
                continue
            entries = {entry["name"]: entry for entry in status["credentials"]}
            with self._changed:
                self.entries, self._asked = entries, asked
                self.texts |= {json.dumps(entry["last_error"], ensure_ascii=False)
                               for entry in entries.values()}
                self._changed.notify_all()

    def wait(self, name, condition, timeout, since=lambda: 0.0):
        """The first entry of the credential for which this holds, or None; `since` tells how old
        it may be."""
        def look():
            entry = self.entries.get(name)
            return entry if entry and condition(entry) and self._asked >= since() else None

        with self._changed:
            return self._changed.wait_for(look, timeout)


@dataclasses.dataclass
class Seen:
    """The result of one case."""

    lane: "Lane"
    case: object
    entry: dict | None = None  # of the status, after the hostile answer
    seconds: float = 0.0  # from the connection to that entry
    ended: float | None = None  # from the connection to the client's end of it
    output: str | None = None  # what was published then
    unchanged: bool = False  # whether that is what was published before
    kept: bool = True  # whether a refresh token that lives was on the disk then
    granted: str | None = None  # the tokens of the hostile answer, access
    told: str | None = None  # and refresh
    sent: str | None = None  # the refresh token of the hostile request
    next: str | None = None  # that of the request after it
    way: str = ""  # how the credential came back
    trouble: str = ""

    @property
    def klass(self):
        if self.entry is None:
            return "nothing"
        return self.entry["last_error"]["class"] if self.entry["last_error"] else "granted"


class Lane:
    """One credential, its endpoint and its cases."""

    def __init__(self, name, cases, context=None):
        self.name, self.cases = name, cases
        self.endpoint = Endpoint(context)
        self.endpoint.lifetime = cases[0].ordinary
        self.scheme = "https" if context else "http"
        self.seen = []

    def run(self, campaign):
        """All cases, one after another."""
        for case in self.cases:
            seen = Seen(self, case)
            self.seen.append(seen)
            try:
                self._assault(seen, campaign)
                self._return(seen, campaign)
            except Exception as error:  # told by the tests, case by case
                seen.trouble = repr(error)
            finally:
                self.endpoint.disarm()

    def _order(self, campaign):
        with campaign.door:
            code, reply = campaign.daemon.request("POST", f"/v1/credentials/{self.name}/refresh")
        if code >= 300:
            raise AssertionError(f"refresh: {code} {reply}")

    def _assault(self, seen, campaign):
        case, endpoint, daemon = seen.case, self.endpoint, campaign.daemon
        now = time.monotonic()
        before = campaign.watch.wait(self.name, lambda e: e["state"] == "fresh", 10, lambda: now)
        published = daemon.tokens / self.name / "token"
        old = published.read_text()
        endpoint.arm(case)
        seen.sent = endpoint.before[-1]
        seen.granted, seen.told = endpoint.grant.access, endpoint.grant.refresh
        self._order(campaign)
        hostile = endpoint.wait_hostile(10)
        granted_at = None

        def is_over(entry):
            # The old token may be renewed once more before the hostile answer: what the daemon
            # says of the new one is what it is asked for once that is published.
            nonlocal granted_at
            if published.read_text() == endpoint.grant.access:
                granted_at = granted_at or time.monotonic()
            return entry["last_error"] or granted_at and entry["refreshes"] > before["refreshes"]

        seen.entry = campaign.watch.wait(
            self.name, is_over, TIMEOUT + 8, lambda: granted_at or 0.0)
        seen.seconds = time.monotonic() - hostile.opened_at
        seen.output = published.read_text()
        seen.unchanged = seen.output in (old, endpoint.grants[-2].access)
        slots = b"".join((daemon.state / self.name / slot).read_bytes()
                         for slot in SLOTS)
        seen.kept = case.token == SPENT or any(
            json.dumps(token)[1:-1].encode() in slots or token.encode() in slots
            for token in endpoint.live)
        if endpoint.hostile and endpoint.hostile[0].ended_at:
            seen.ended = endpoint.hostile[0].ended_at - hostile.opened_at
        endpoint.looked.set()

    def _return(self, seen, campaign):
        case, endpoint, watch = seen.case, self.endpoint, campaign.watch
        if seen.entry is None:
            raise AssertionError("the daemon never said what came of it")
        if case.token == SPENT:
            seen.way = "sign in"
            if seen.klass == "granted":
                self._order(campaign)
            if not watch.wait(self.name, lambda e: e["state"] == "login_required", 20):
                raise AssertionError("a person is needed, and not told so")
            with campaign.door:
                campaign.daemon.sign_in(self.name, {"refresh_token": endpoint.sign_in()})
        elif case.waits or seen.klass == "granted" or case.times == 2:
            seen.way = "an order"
            if case.waits and case.waits[0] > 400:
                seen.way = "a reload"
                campaign.wait_for_reload()
            else:
                if case.times == 2:
                    watch.wait(self.name, lambda e: e["consecutive_failures"] >= 2, 10)
                self._order(campaign)
        else:
            seen.way = "by itself"
        fresh = watch.wait(
            self.name, lambda e: e["state"] == "fresh" and not e["last_error"]
            and endpoint.presented and (campaign.daemon.tokens / self.name / "token").read_text()
            == endpoint.grants[-1].access, 15)
        seen.next = endpoint.presented[0] if endpoint.presented else None
        if not fresh:
            raise AssertionError("it never came back")


class Campaign:
    """One daemon, all lanes, a healthy neighbour, and the resident memory all the while."""

    def __init__(self, case, lanes, authority):
        self.lanes, self.neighbour = lanes, ShortLived()
        self.door = threading.Semaphore(8)  # the control socket takes 32 callers at once
        self.client_secret = secrets.token_hex(16)
        self._reload, self._waiting, self._lock = threading.Event(), 0, threading.Lock()
        at_end(case, self.stop)
        self.neighbour.server.start()
        self.config = {"log_level": "debug", "providers": {}, "credentials": {}}
        for lane in lanes:
            lane.endpoint.server.start()
            tls = {"tls": {"ca_file": str(authority.certificate)}} if lane.scheme == "https" else {}
            provider = WireCase.provider(lane.endpoint.server, scheme=lane.scheme)
            provider["request"] |= tls
            self._add(lane.name, provider, lane.endpoint.seed, REFRESH)
        self._add("neighbour", WireCase.provider(self.neighbour.server), "seed-neighbour",
                  {"min_interval": "0.5s"})
        self.daemon = Daemon(case, temporary_directory(case), self.config).start()
        wait_until(lambda: all(c["state"] in ("fresh", "refreshing") and c["expires_at"]
                               for c in self.daemon.credentials().values()),
                   60, "everything fresh", self.daemon)
        wait_until(lambda: len(self.neighbour.issued) >= 2, 20, "a settled neighbour", self.daemon)

    def _add(self, name, provider, seed, refresh):
        self.config["providers"][name] = provider
        self.config["credentials"][name] = WireCase.credential(
            name, client_secret=self.client_secret, refresh_token=seed, refresh=refresh)

    def stop(self):
        for lane in self.lanes:
            lane.endpoint.disarm()
        for server in [*(lane.endpoint.server for lane in self.lanes), self.neighbour.server]:
            server.stop()

    def run(self):
        """Everything; then the daemon is stopped, so that its account is complete."""
        ended = threading.Event()
        beside = threading.Thread(target=self.neighbour.watch, args=(self.daemon, ended),
                                  daemon=True)
        beside.start()
        self.watch = Watch(self.daemon)
        wait_until(lambda: self.neighbour.looks >= 25, 10, "a first look at the neighbour")
        self.memory_before = max(self.neighbour.memory)
        waiting = [lane for lane in self.lanes
                   if any(case.waits and case.waits[0] > 400 for case in lane.cases)]
        others = [lane for lane in self.lanes if lane not in waiting]
        with concurrent.futures.ThreadPoolExecutor(len(waiting) or 1) as patient:
            held = [patient.submit(lane.run, self) for lane in waiting]
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(lambda lane: lane.run(self), others))
            wait_until(lambda: self._waiting + sum(f.done() for f in held) == len(waiting), 20,
                       "those that have to wait for an hour")
            self._change()
        self.shown = [self._command("status"), self._command("status", "--json"),
                      str(self.daemon.request("GET", "/metrics")[1]), *self.watch.texts]
        ended.set()
        beside.join(10)
        self.watch.stop()
        self.exit_status = self.daemon.terminate()
        self.journal = self.daemon.stderr()

    def _command(self, *arguments):
        done = subprocess.run([BIN / "evertoken", *arguments, "--socket", self.daemon.socket],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30, check=False)
        return done.stdout + done.stderr

    def wait_for_reload(self):
        with self._lock:
            self._waiting += 1
        self._reload.wait(60)

    def _change(self):
        """A changed configuration ends the longest wait."""
        for lane in self.lanes:
            self.config["credentials"][lane.name]["refresh"] = REFRESH | {
                "timeout": f"{TIMEOUT + 1}s"}
        self.daemon.configure(self.config)
        code, reply = self.daemon.request("POST", "/v1/reload")
        if code >= 300:
            raise AssertionError(f"reload: {code} {reply}")
        self._reload.set()

    @property
    def seen(self):
        return [seen for lane in self.lanes for seen in lane.seen]

    def secret_texts(self):
        """Everything that the daemon must not show."""
        tokens = {text for lane in self.lanes for text in lane.endpoint.secret_texts()}
        return {CANARY, self.client_secret} | tokens
