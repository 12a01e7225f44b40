"""A credential's state as versions before 0.2 wrote it, byte for byte (a test compares it with what
a build of such a version wrote): after an upgrade it meets a daemon that reads secrets otherwise.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import time
from typing import Any

from evertest.state_layout import (
    ANSWER_AT, ANSWER_MAGIC, BLOCK, RECORD_MAGIC, SLOTS, SLOT_A, SLOT_B, SLOT_SIZE)

HOUR = 3600 * 10 ** 9


def moment() -> dict[str, Any]:
    """Now, by both clocks, in nanoseconds."""
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {"boot": boot, "uptime": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            "wall": time.time_ns()}


@dataclasses.dataclass
class FormerState:
    """Of one credential that began with `seed`, as such a version read its file."""

    credential: str
    seed: str
    refresh_token: str = "RT2"
    access_token: str = "AT2"
    provider: str = "as"
    now: dict[str, Any] = dataclasses.field(default_factory=moment)
    attempt: str = "0" * 32
    round_trip: int = 2_000_000
    date: str = "Mon, 30 Nov 2026 11:11:48 GMT"

    def interrupted(self) -> dict[str, bytes]:
        """The seed was sent, and no answer came."""
        return {SLOT_A: slot(self._record(1, 1, self._beginning()))}

    def answered(self) -> dict[str, bytes]:
        """The answer to it was saved, and nothing after that."""
        return {SLOT_A: slot(self._record(1, 1, self._beginning()), self._answer())}

    def refreshed(self) -> dict[str, bytes]:
        """The seed has become tokens."""
        second = self.now["wall"] // 10 ** 9
        access = {"token": self.access_token, "token_type": "Bearer", "sent_at": self.now,
                  "lifetime": HOUR, "round_trip": self.round_trip, "keep": None,
                  "server_date": second}
        grant = {"refresh_token": self.refresh_token, "refresh_token_since": self.now,
                 "access": access, "spent": [self._spent()], "generation": 1,
                 "seeds": [self._fingerprint()],
                 "attempts": self._attempts(last_success_at=self.now, successes=1),
                 "recent": "%d refresh %d" % (second, self.round_trip // 10 ** 6)}
        return self.answered() | {SLOT_B: slot(self._record(2, 2, grant))}

    def unsent(self) -> dict[str, bytes]:
        """The provider could not be reached with it."""
        second, problem = self.now["wall"] // 10 ** 9, "127.0.0.1:1 does not accept connections"
        error = {"class": "transient", "problem": problem, "at": second}
        grant = self._beginning() | {
            "attempts": self._attempts(failures=1, successes=0) | {"last_error": error},
            "recent": "%d refresh - transient - %s" % (second, problem)}
        return {SLOT_A: slot(self._record(1, 2, grant))}

    def write(self, state: pathlib.Path, slots: dict[str, bytes]) -> None:
        """Both slot files; all zeros where nothing was written."""
        directory = state / self.credential
        directory.mkdir(mode=0o700, parents=True)
        state.chmod(0o700)
        for name in SLOTS:
            file = os.open(directory / name, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
            os.write(file, slots.get(name, bytes(SLOT_SIZE)))
            os.close(file)

    def _record(self, sequence: int, state: int, grant: dict[str, Any]) -> bytes:
        return self._region(RECORD_MAGIC, line(
            {"sequence": sequence, "state": state, "attempt": self.attempt, "kind": "refresh",
             "host": "127.0.0.1", "sent_at": self.now, "grant": grant, "answer_at": ANSWER_AT}))

    def _answer(self) -> bytes:
        head = {"attempt": self.attempt, "status": 200, "cut": False,
                "round_trip": self.round_trip,
                "headers": [["Date", self.date], ["Content-Type", "application/json"]]}
        body = {"access_token": self.access_token, "token_type": "Bearer", "expires_in": 3600,
                "refresh_token": self.refresh_token}
        return self._region(ANSWER_MAGIC, line(head) + b"\n" + json.dumps(body).encode())

    def _region(self, magic: bytes, payload: bytes) -> bytes:
        """A header with its checksum, the payload, and zeros up to a whole block."""
        head = magic + (1).to_bytes(4, "little") + bytes(4) + len(payload).to_bytes(8, "little")
        name = hashlib.sha256(self.credential.encode()).digest()
        whole = head + hashlib.sha256(head + name + payload).digest() + payload
        return whole + bytes(-len(whole) % BLOCK)

    def _beginning(self) -> dict[str, Any]:
        return {"refresh_token": self.seed, "refresh_token_since": self.now, "generation": 0,
                "seeds": [self._fingerprint()], "attempts": self._attempts(successes=0)}

    def _attempts(self, failures: int = 0, **more: Any) -> dict[str, Any]:
        return {"failures": failures, "reauth_answers": 0, "ambiguous": 0,
                "last_attempt_at": self.now} | more

    def _fingerprint(self) -> str:
        return hashlib.sha256(("seed\n" + self.seed).encode()).hexdigest()

    def _spent(self) -> str:
        text = "refresh\n%s\n%s" % (self.provider, self.seed)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def slot(record: bytes, answer: bytes = b"") -> bytes:
    return (record.ljust(ANSWER_AT, b"\0") + answer).ljust(SLOT_SIZE, b"\0")
