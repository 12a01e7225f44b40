"""Secrets that can be recognised anywhere, and the scan for them.

Every canary has a random part of its own. A text holds a secret if it holds eight bytes in a row of
a random part, as it is or in another spelling: base64 or base64url at any of the three positions,
percent-encoded, hexadecimal.
"""

import base64
import collections
import dataclasses
import re
import secrets
import string
import threading

RUN = re.compile(rb"[A-Za-z0-9+/_%=.~-]{8,}")
#: Bytes of a random part that are a find, and the length of what is looked up first.
ENOUGH = 8
FORMS = ("plain", "base64", "base64url", "hex", "HEX", "percent", "PERCENT")


@dataclasses.dataclass(frozen=True)
class Canary:
    """One secret. `kind` decides where it may be seen."""

    kind: str
    text: str
    parts: tuple[str, ...]  # the random parts of the text


@dataclasses.dataclass(frozen=True)
class Hit:
    """A piece of a secret that was found."""

    canary: Canary
    form: str
    piece: str

    def __str__(self):
        return "%s of %s (%s)" % (self.form, self.canary.text[:24], self.canary.kind)


def spellings(part):
    """(name, text, how many of its characters are eight bytes of the secret)."""
    data = part.encode()
    yield "plain", part, ENOUGH
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + data).decode()
        # Characters that bytes before or after the secret have a share in are left out.
        text = whole[(0, 2, 3)[shift]:(shift + len(data)) * 8 // 6]
        yield "base64", text, ENOUGH + 2
        yield "base64url", text.replace("+", "-").replace("/", "_"), ENOUGH + 2
    yield "hex", data.hex(), 2 * ENOUGH
    yield "HEX", data.hex().upper(), 2 * ENOUGH
    yield "percent", "".join("%%%02x" % byte for byte in data), 3 * ENOUGH
    yield "PERCENT", "".join("%%%02X" % byte for byte in data), 3 * ENOUGH


class Vault:
    """All secrets of a campaign, made here or seen on the way, and the scan for all of them."""

    def __init__(self):
        self.canaries, self.scanned, self._numbers = {}, 0, collections.Counter()
        self._pieces = {}  # the first eight bytes of a piece -> [(piece, Hit)]
        self._lock = threading.Lock()
        self._known = {}  # what was scanned before, and with how many secrets

    def new(self, kind, prefix=None):
        """A new secret, such as RT-canary-000001-k3…"""
        with self._lock:
            prefix = prefix or kind.upper()
            self._numbers[prefix] += 1
            number = self._numbers[prefix]
        alphabet = string.ascii_letters + string.digits
        part = "".join(secrets.choice(alphabet) for _ in range(28))
        text = "%s-canary-%06d-%s" % (prefix, number, part)
        self.learn(kind, text, (part,))
        return text

    def learn(self, kind, text, parts=None):
        """A secret that others made: an assertion, a key, a verifier. By default all of it is
        random."""
        canary = Canary(kind, text, tuple(parts or (text,)))
        with self._lock:
            if text in self.canaries:
                return text
            self.canaries[text] = canary
            for part in canary.parts:
                for form, spelled, enough in spellings(part):
                    for start in range(len(spelled) - enough + 1):
                        piece = spelled[start:start + enough].encode()
                        self._pieces.setdefault(piece[:ENOUGH], []).append(
                            (piece, Hit(canary, form, piece.decode())))
        return text

    def scan(self, data):
        """Every secret in these bytes, once for each of its forms."""
        self.scanned += len(data)
        key = (hash(data), len(data), len(self.canaries))
        if key not in self._known:
            self._known[key] = self._scan(data)
        return self._known[key]

    def _scan(self, data):
        found = {}
        for run in set(RUN.findall(data)):
            for start in range(len(run) - ENOUGH + 1):
                for piece, hit in self._pieces.get(run[start:start + ENOUGH], ()):
                    if run.startswith(piece, start):
                        found.setdefault((hit.canary, hit.form), hit)
        return list(found.values())

    def of_kind(self, kind):
        return [canary for canary in self.canaries.values() if canary.kind == kind]
