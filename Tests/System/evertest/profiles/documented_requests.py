"""Compares a received request with the one in a provider's documentation.

The documented one is an exchange of Tests/Fixtures/Profiles/NAME.json. It was written down for one
moment and one "random" value (`CLOCK`, `UUID`), and values that depend on them are listed in its
`varies`: their form is compared, times must be near now, UUIDs new, and a signature is computed
again here from what was sent. `{{jwt}}` stands for a signed assertion: its header and
claims are compared, and its signature is verified with the openssl command.
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import hmac
import json
import pathlib
import re
import time
import urllib.parse
from typing import Any, Callable, Iterable, Optional

from evertest.servers.client_assertions import openssl
from evertest.servers.recording_proxy import Seen

#: The moment and the UUID of every fixture; assertions begin half a minute earlier.
CLOCK = 1767323045.678
UUID = "00000000-0000-4000-8000-000000000001"
UUID_V4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
JWT = "{{jwt}}"
#: How far a time may lie from when its request came, in seconds.
NEAR = 5
#: What libcurl and the daemon add to every request; all else is the profile's.
OF_HTTP = {"host", "user-agent", "content-length", "connection", "accept-encoding"}
OF_CONNECT = {"host", "user-agent", "proxy-connection"}
SHAPES = {"digits": r"\d+", "a date": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "a UUID": UUID_V4.pattern,
          "lower-case hex": r"[0-9a-f]+", "upper-case hex": r"[0-9A-F]+", "text": r".+"}

Values = dict[str, str]


def _sha256(key: str, text: str) -> str:
    return hmac.digest(key.encode(), text.encode(), "sha256").hex()


def _avanan(sent: Values, secret: str) -> str:
    text = sent["x-av-req-id"] + sent["x-av-app-id"] + sent["x-av-date"] + secret
    return hashlib.sha256(base64.b64encode(text.encode())).hexdigest()


def _lazada(sent: Values, secret: str) -> str:
    pairs = "".join(key + sent[key] for key in sorted(sent) if key != "sign")
    return _sha256(secret, "/auth/token/refresh" + pairs).upper()


def _pinduoduo(sent: Values, secret: str) -> str:
    pairs = "".join(key + sent[key] for key in sorted(sent) if key != "sign")
    return hashlib.md5((secret + pairs + secret).encode()).hexdigest().upper()


def _shopee(sent: Values, secret: str) -> str:
    path = "/api/v2/auth/access_token/get"
    return _sha256(secret, sent["partner_id"] + path + sent["timestamp"])


#: By profile: the signed name, and the algorithm that the provider's page describes. What is signed
#: is what was sent in the query, the form and the x- headers.
SIGNATURES: dict[str, tuple[str, Callable[[Values, str], str]]] = {
    "avanan": ("x-av-sig", _avanan), "lazada": ("sign", _lazada),
    "pinduoduo": ("sign", _pinduoduo), "shopee": ("sign", _shopee)}


def pairs_of(text: str) -> list[tuple[str, str]]:
    return urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))


def signed_values(request: dict[str, Any]) -> Values:
    """What a documented request has to sign; the same as `Comparison.sent` of a real one."""
    headers = {key: value for key, value in request["headers"].items() if key[:2].lower() == "x-"}
    return {key: str(value) for key, value in
            (request["query"] | request.get("form", {}) | headers).items()}


class Comparison:
    """One exchange of a fixture and the request that was seen; `problems` is empty if they agree.

    `keys` are the files of the private keys, by the word that stands for them in the fixture.
    """

    def __init__(self, name: str, credential: dict[str, Any], exchange: dict[str, Any], seen: Seen,
                 keys: dict[str, pathlib.Path]) -> None:
        self.name, self.credential, self.seen, self.keys = name, credential, seen, keys
        self.wanted, self.assertions = exchange["request"], exchange.get("assertions", {})
        self.varies = self.wanted.get("varies", [])
        self.sent: Values = {}
        self.tokens: list[str] = []
        self.problems: list[str] = []
        self._compare()

    def _expect(self, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            self.problems.append(f"{what} is {found!r}, not {wanted!r}")

    def _compare(self) -> None:
        request, wanted = self.seen.request, self.wanted
        self._expect("the method", request.method, wanted["method"])
        self._expect("the URL", self.seen.url, wanted["url"])
        self._compare_pairs("the query", pairs_of(self.seen.query), wanted["query"])
        self._compare_headers()
        self._compare_body(request.body)
        for name, assertion in self.assertions.items():
            self._compare_assertion(name, assertion)
        for name in self.varies:
            self._compare_varying(name, self.sent.get(name, ""))

    def _compare_body(self, body: bytes) -> None:
        if "form" in self.wanted:
            self._compare_pairs("the form", pairs_of(body.decode()), self.wanted["form"])
        elif "json" in self.wanted:
            # As text, because 1 == 1.0 == True in Python but not in JSON.
            found, wanted = (json.dumps(value, sort_keys=True) for value in
                             (json.loads(body), self.wanted["json"]))
            self._expect("the JSON", found, wanted)
        else:
            self._expect("the body", body.decode(), self.wanted.get("text") or "")

    def _compare_pairs(self, what: str, found: list[tuple[str, str]], wanted: dict) -> None:
        self._expect(f"the names in {what}", [key for key, _ in found], list(wanted))
        for key, value in found:
            self.sent[key] = value
            self._compare_value(key, value, str(wanted.get(key, value)))

    def _compare_headers(self) -> None:
        spelled = {key.lower(): key for key in self.wanted["headers"]}
        found = [(key.lower(), value) for key, value in self.seen.request.headers]
        wanted = {key.lower(): str(value) for key, value in self.wanted["headers"].items()}
        body = self.seen.request.body
        own = OF_HTTP if body or self.seen.request.method != "GET" else OF_HTTP - {"content-length"}
        self._expect("the headers' names", sorted(key for key, _ in found), sorted({*own, *wanted}))
        for key, value in found:
            if key.startswith("x-"):
                self.sent[spelled.get(key, key)] = value
            self._compare_value(spelled.get(key, key), value, wanted.get(key, value))
        values = dict(found)
        self._expect("Host", values.get("host"), urllib.parse.urlsplit(self.wanted["url"]).netloc)
        self._expect("Content-Length", values.get("content-length", "0"), str(len(body)))
        strange = {key.lower() for key, _ in self.seen.connect.headers} - OF_CONNECT
        self._expect("what the proxy is told besides", strange, set())

    def _compare_value(self, key: str, found: str, wanted: str) -> None:
        if key in self.varies:
            self._expect(f"the length of {key}", len(found), len(wanted))
            self._expect(f"the shape of {key}", shape(found), shape(wanted))
        elif JWT in wanted:
            token = found.removeprefix(wanted.removesuffix(JWT))
            self._expect(f"{key}, a JWT,", token.count("."), 2)
            self.tokens.append(token)
        else:
            self._expect(key, found, wanted)

    def _compare_varying(self, key: str, found: str) -> None:
        """The values that depend on time and randomness, computed again."""
        signed, sign = SIGNATURES.get(self.name, ("", None))
        moment = epoch(found)
        if key == signed and sign is not None:
            self._expect(key, found, sign(self.sent, self.credential["client_secret"]))
        elif moment is not None:
            self._expect_near(key, moment, self.seen.at)
        else:
            self._expect_new_uuid(key, found)

    def _expect_near(self, what: str, found: float, wanted: float) -> None:
        if abs(found - wanted) > NEAR:
            self.problems.append(f"{what} is {found}, {found - wanted:+.1f} s from {wanted:.1f}")

    def _expect_new_uuid(self, what: str, found: str) -> None:
        if UUID_V4.fullmatch(found) is None or found == UUID:
            self.problems.append(f"{what} is {found!r}, not a new UUID")

    def _compare_assertion(self, name: str, wanted: dict[str, Any]) -> None:
        if len(self.tokens) != 1:
            self.problems.append(f"there are {len(self.tokens)} assertions for {name!r}")
            return
        head, body, signature = self.tokens[0].split(".")
        header, claims = json.loads(unpadded(head)), json.loads(unpadded(body))
        self._expect(f"{name}'s header", header, wanted["header"])
        self._expect(f"{name}'s claims", sorted(claims), sorted(wanted["claims"]))
        for key, value in wanted["claims"].items():
            if value == UUID:
                self._expect_new_uuid(key, claims.get(key, ""))
            elif key not in ("iat", "exp"):
                self._expect(f"{name}'s {key}", claims.get(key), value)
        begin = wanted["claims"]["iat"] - CLOCK + self.seen.at
        self._expect_near(f"{name}'s iat", claims.get("iat", 0), begin)
        lifetimes = (each.get("exp", 0) - each.get("iat", 0) for each in (claims, wanted["claims"]))
        self._expect(f"{name}'s lifetime", *lifetimes)
        key = self.keys[self.credential["variables"]["private_key"]]
        if not verifies(header.get("alg", ""), key, f"{head}.{body}".encode(), unpadded(signature)):
            self.problems.append(f"{name}'s signature does not verify")


def shape(text: str) -> str:
    """The first of the shapes that fits."""
    return next((name for name, rule in SHAPES.items() if re.fullmatch(rule, text)), "nothing")


def epoch(text: str) -> Optional[float]:
    """The moment that a text may be: seconds, milliseconds, or a date; None if it is none."""
    if shape(text) == "a date":
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))
    if shape(text) != "digits":
        return None
    return int(text) / (1000 if len(text) == 13 else 1)


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verifies(algorithm: str, key: pathlib.Path, signed: bytes, signature: bytes) -> bool:
    """Whether this private key made the signature (RFC 7518 section 3, RFC 8037 section 3.1)."""
    public, mark, data = (key.with_suffix(end) for end in (".public", ".signature", ".signed"))
    public.write_bytes(openssl("pkey", "-in", key, "-pubout"))
    mark.write_bytes(_der(signature) if algorithm == "ES256" else signature)
    data.write_bytes(signed)
    pss = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
    dgst = ("dgst", "-sha256", "-verify", public, "-signature", mark)
    command = {
        "RS256": (*dgst, data), "ES256": (*dgst, data), "PS256": (*dgst, *pss, data),
        "EdDSA": ("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-in", data,
                  "-sigfile", mark)}[algorithm]
    try:
        openssl(*command)
    except AssertionError:
        return False
    return True


def _der(signature: bytes) -> bytes:
    """Two numbers of 32 bytes as a SEQUENCE of INTEGERs (RFC 3279 section 2.2.3)."""
    numbers = b"".join(_integer(part) for part in (signature[:32], signature[32:]))
    return bytes([0x30, len(numbers)]) + numbers


def _integer(number: bytes) -> bytes:
    digits = number.lstrip(b"\0")
    if digits[:1] >= b"\x80":
        digits = b"\0" + digits
    return bytes([2, len(digits)]) + digits


def uuids(seen: Seen) -> list[str]:
    """The random UUIDs of a request: in its query, its headers and the claims of its assertions."""
    body = seen.request.body.decode()
    form = pairs_of(body) if "=" in body and body[:1] != "{" else []
    values = [value for _, value in pairs_of(seen.query) + seen.request.headers]
    for token in [text.removeprefix("Bearer ") for text in [value for _, value in form] + values]:
        if token.startswith("eyJ") and token.count(".") == 2:
            values += leaves(json.loads(unpadded(token.split(".")[1])))
    return [value for value in values if UUID_V4.fullmatch(value)]


def leaves(value: Any) -> Iterable[str]:
    """Every text below a JSON value, keys left out."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from leaves(one)
    elif value is not None:
        yield str(value)
