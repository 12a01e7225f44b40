"""After a kill: is every valid refresh token on the disk, and does the daemon continue from there?

The server's list of valid refresh tokens is compared with the bytes of the slots; then the daemon
is started as usual. Each broken promise is a `Fault` of the trial.
"""

from __future__ import annotations

import collections
import json
import time
from typing import Any

from evertest.basics import wait_until
from evertest.kills.trials import LIMIT, NAME, SECRET, Trial
from evertest.tracing.kill_trace import Trace

SEVERAL = "more requests for one refresh token than the policy allows"
LOST = "a refresh token is lost"


class Judgement:
    """After the kill: checks the disk, and whether the daemon continues from there."""

    def __init__(self, trial: Trial, trace: Trace) -> None:
        self.trial, self.trace = trial, trace
        trial.proxy.wait_settled(LIMIT)
        self.before = trial.exchanges()
        self.is_cut_off = self.is_ambiguous = False
        self.files = dict.fromkeys(("token", "token.json"), trial.prepared.published)

    def examine(self) -> None:
        """While no daemon runs."""
        trial, trace = self.trial, self.trace
        live = trial.server.live_refresh_token(trial.client)
        rotations = sum(e.rotated for e in self.before)
        saved = trace.answers_saved() - self.refusals()
        if live is None:
            trial.fault(SEVERAL, "the grant was revoked before the kill")
        elif not trial.is_on_disk(live):
            self.is_cut_off = saved < rotations
            if not self.is_cut_off:
                trial.fault(LOST, "rotations %d, answers whose write returned %d" % (
                    rotations, saved))
        early = trace.published_early()
        if early:
            trial.fault("published before the answer was flushed", str(early))
        self.files = trial.check_files(self.files, "at the kill")
        newest = len(trial.access_tokens()) - 1
        for file, number in self.files.items():
            if self.is_cut_off and number == newest:
                trial.fault(LOST, file + " holds the access token of an answer that no slot has")
            saved = trace.saved_when_put_in_place("/" + file)
            least = len(trial.prepared.access_tokens) - 1 + sum(
                e.access_token is not None for e in self.before[:saved])
            if saved and number < least:
                trial.fault("a token file went back", "%s: a rename returned, and it holds %d "
                            "of %d" % (file, number, least))

    def refusals(self) -> int:
        """Answers that brought no token; one that was not saved was the last of all."""
        return sum(e.status is not None and not e.rotated for e in self.before)

    def recover(self) -> None:
        """The daemon, started as usual, gets a new token, or says why it cannot."""
        self.trial.daemon.start()
        try:
            self._check_account()
            if self._get_on():
                if self._needs_person():
                    self._sign_in_again()
                self._check_end()
        finally:
            self._check_requests()

    def _get_on(self) -> bool:
        """By itself where it means to try soon; else it is asked to, once."""
        is_asked, end = False, time.monotonic() + LIMIT
        while not self._is_over():
            entry = self._entry()
            account = json.dumps(entry)
            if entry["state"] in ("misconfigured", "quarantined", "expired"):
                return self.trial.fault("a state that nothing explains", account)
            if not self.is_cut_off and (entry["last_error"] or {}).get("class") == "reauth":
                return self.trial.fault(LOST, "refused, though the live token was there: "
                                        + account)
            if time.monotonic() > end:
                return self.trial.fault("no way on", account)
            due = entry["next_refresh_at"]
            is_soon = due is not None and due < time.time() + 5
            if not is_asked and not is_soon and entry["state"] in ("fresh", "retrying"):
                is_asked = True
                self.trial.daemon.request("POST", "/v1/credentials/%s/refresh" % NAME)
            time.sleep(0.004)
        return True

    def _entry(self) -> dict[str, Any]:
        return self.trial.daemon.credentials()[NAME]

    def _rotated_since(self, count: int) -> bool:
        """Whether the server has rotated, and the daemon has published what it gave."""
        new = [e for e in self.trial.exchanges()[count:] if e.rotated]
        entry = self._entry()
        last = len(self.trial.access_tokens()) - 1
        return bool(new) and entry["state"] == "fresh" and (
            self.trial.published("token.json") == last)

    def _is_over(self) -> bool:
        return self._needs_person() or self._rotated_since(len(self.before))

    def _needs_person(self) -> bool:
        """It says so; or the answer to a new sign-in was lost, and the former is refused too."""
        entry = self._entry()
        error, candidate = entry["last_error"] or {}, entry["candidate"] or {}
        return entry["state"] == "login_required" or (
            self.is_cut_off and error.get("class") == "reauth"
            and "interrupted" in str(candidate.get("problem")))

    def _check_account(self) -> None:
        """What is in doubt is said within a second (I36); what is safe is not called lost."""
        end = time.monotonic() + 1
        while True:
            entry = self._entry()
            error = entry["last_error"] or {}
            told = "%s; %s" % (error.get("problem"), (entry["candidate"] or {}).get("problem"))
            self.is_ambiguous |= error.get("class") == "ambiguous" or "interrupted" in told
            if error or "interrupted" in told or not self.is_cut_off or time.monotonic() > end:
                break
            time.sleep(0.002)
        account = json.dumps(entry)
        if self.is_cut_off and "interrupted" not in told:
            self.trial.fault("an interrupted request that the status does not tell of", account)
        if not self.is_cut_off and self.trace.answers_saved() and error:
            self.trial.fault("an error although the answer is on the disk", account)

    def _sign_in_again(self) -> None:
        trial, entry = self.trial, self._entry()
        error = entry["last_error"]
        if not self.is_cut_off:
            trial.fault(LOST, "login_required, though the live token was on the disk: "
                        + json.dumps(entry))
        elif error["class"] not in ("reauth", "ambiguous") or "interrupted" not in "%s; %s" % (
                error["problem"], (entry["candidate"] or {}).get("problem")):
            trial.fault("login_required without its reason", json.dumps(entry))
        self.files = trial.check_files(self.files, "while a person must sign in")
        count = len(trial.exchanges())
        trial.daemon.sign_in(NAME, {"refresh_token": trial.server.grant(trial.client, SECRET)})
        trial.daemon.request("POST", "/v1/credentials/%s/refresh" % NAME)
        wait_until(lambda: self._rotated_since(count), LIMIT, "a token after signing in again",
                   trial.daemon, pause=0.005)

    def _check_end(self) -> None:
        trial = self.trial
        if "on_change" in trial.options:
            hooked, last = trial.directory / "hooked", trial.access_tokens()[-1]
            wait_until(lambda: hooked.exists() and hooked.read_text() == last, LIMIT,
                       "the program to be told of the newest token", trial.daemon, pause=0.005)
        status = trial.daemon.terminate()
        if status != 0:
            trial.fault("it ends with status %d" % status, trial.daemon.stderr()[-500:])
        trial.proxy.wait_settled(LIMIT)
        self.files = trial.check_files(self.files, "in the end")
        newest = len(trial.access_tokens()) - 1
        if set(self.files.values()) != {newest}:
            trial.fault("not the newest token is published", "%s of %d" % (self.files, newest))
        left = [str(f) for f in (trial.directory / "run").rglob("*.new")]
        if left:
            trial.fault("left over", str(left))

    def _check_requests(self) -> None:
        """Every refresh token is sent once; the one whose answer was cut off once more."""
        exchanges = self.trial.exchanges()
        sent = collections.Counter(e.refresh_token for e in exchanges)
        cut_off = self.before[-1].refresh_token if self.is_cut_off else None
        for token, count in sent.items():
            if count > (2 if token == cut_off else 1):
                self.trial.fault(SEVERAL, "%d times %s..., before that the requests %s" % (
                    count, str(token)[:8], [e.number for e in self.before]))
        if self.trial.proxy.max_in_flight() > 1:
            self.trial.fault(SEVERAL, "two at once")


class CandidateJudgement(Judgement):
    """The configuration names another refresh token than the stored one, which works: whatever
    happens to either, no person is needed."""

    def examine(self) -> None:
        super().examine()
        for token in self._living():
            if not self.trial.is_on_disk(token):
                self.trial.fault(LOST, "%s..., which works, is nowhere" % token[:8])

    def _living(self) -> list[str]:
        """But for the one of an answer that could not be saved."""
        lost = self.before[-1].new_refresh_token if self.is_cut_off else None
        living = self.trial.server.live_refresh_tokens(self.trial.client)
        return [token for token in living if token != lost]

    def _needs_person(self) -> bool:
        return self._entry()["state"] == "login_required"

    def _sign_in_again(self) -> None:
        if not self._living():  # before there was a second one
            return super()._sign_in_again()
        self.trial.fault(LOST, "a person must sign in, though one of two tokens works: "
                         + json.dumps(self._entry()))

    def _check_requests(self) -> None:
        """What is spent is not sent again, but for the one whose answer was cut off; what was
        refused is not either, but for one whose refusal was not saved."""
        exchanges = self.trial.exchanges()
        cut_off = self.before[-1].refresh_token if self.is_cut_off else None
        spent: collections.Counter[str] = collections.Counter()
        refused: collections.Counter[str] = collections.Counter()
        for exchange in exchanges:
            token = str(exchange.refresh_token)
            if spent[token] > (token == cut_off):
                self.trial.fault(SEVERAL, "%s... after it was spent" % token[:8])
            spent[token] += exchange.rotated or spent[token] > 0
            refused[token] += exchange.status == 400
        for token, count in refused.items():
            if count > 2:
                self.trial.fault(SEVERAL, "refused %d times: %s..." % (count, token[:8]))
        if self.trial.proxy.max_in_flight() > 1:
            self.trial.fault(SEVERAL, "two at once")
