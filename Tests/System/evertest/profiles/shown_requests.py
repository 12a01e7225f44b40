"""Parses the output of `evertoken check NAME --show-request` and compares it with a fixture.

Tests/Fixtures/Profiles holds for each shipped profile the requests that its provider's own pages
show, made at a fixed time with fixed secrets. What is printed must be the same requests made now,
«secret» where a secret stood or something computed from one, and «steps.ID.NAME» where a later
step takes a value from an earlier step's answer.
"""

import base64
import dataclasses
import datetime
import json
import re
import time
import urllib.parse

from evertest.basics import ROOT

PROFILES = ROOT / "Sources" / "TokenProviders" / "Profiles"
FIXTURES = ROOT / "Tests" / "Fixtures" / "Profiles"
NAMES = sorted(path.stem for path in PROFILES.glob("*.json"))

#: When the requests of the fixtures were made, and the uuid they hold.
CLOCK, UUID = 1767323045.678, "00000000-0000-4000-8000-000000000001"
UUID_SHAPE = r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b"
CIVIL_SHAPE = r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\b"
EPOCH_SHAPE = r"\b[0-9]{10}(?:[0-9]{3})?\b"
#: Longer than a test takes and shorter than any time zone's difference from UTC.
WINDOW = 300
SIGNATURE = "[0-9A-Fa-f]{32,}|[A-Za-z0-9+/_-]{22,}={0,2}"


def profile(name):
    """The shipped profile, as its file has it."""
    return json.loads((PROFILES / f"{name}.json").read_text())


def fixture(name):
    return json.loads((FIXTURES / f"{name}.json").read_text())


def variables_of(name):
    """The variables a profile declares, with those of the profiles it extends."""
    document = profile(name)
    base = document.get("extends")
    rules = variables_of(base) if base in NAMES else {}
    for key, rule in document.get("variables", {}).items():
        rules[key] = rules.get(key, {}) | rule
    return rules


@dataclasses.dataclass
class Part:
    """One request, as it was printed."""

    heading: str
    method: str
    url: str
    headers: list
    body: str
    assertions: dict  # by name: (header, claims)


def parts_of(output):
    """The requests in the output of `evertoken check NAME --show-request`."""
    _, *rest = re.split(r"(?m)^# (.+)$", output)
    return [_part(heading, text) for heading, text in zip(rest[::2], rest[1::2])]


def _part(heading, text):
    head, *sections = [part for part in text.strip("\n").split("\n\n")
                       if not part.startswith(("left out: ", "not used: "))]
    (method, url), *headers = [line.split(" ", 1) for line in head.split("\n")]
    part = Part(heading, method, url, [(k.removesuffix(":"), v) for k, v in headers], "", {})
    for section in sections:
        if section.startswith("assertion "):
            title, header, claims = section.split("\n")
            part.assertions[title.split()[1]] = json.loads(header), json.loads(claims)
        elif section != "over TLS with a client certificate":
            part.body += section
    return part


def _leaves(node):
    """Every text and number in a JSON value."""
    if isinstance(node, (dict, list)):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from _leaves(inner)
    elif node is not None:
        yield str(node)


class Comparison:
    """Holds printed requests against those of one fixture; `problems` says all that differs."""

    def __init__(self, name):
        self.exchanges = fixture(name)["exchanges"]
        credential = fixture(name)["credential"]
        rules, variables = variables_of(name), credential.get("variables", {})
        #: What «secret» may stand for, and what «steps.ID.NAME» may.
        self.secrets = {"{{jwt}}"} | {
            variables[key] for key, rule in rules.items() if rule.get("secret") and key in variables
        } | {credential[key] for key in ("client_secret", "refresh_token") if key in credential}
        self.answered, self.varies = set(), set()
        self.problems = []

    def run(self, output):
        parts = parts_of(output)
        if len(parts) < len(self.exchanges):
            self.problems.append(f"{len(parts)} requests, not {len(self.exchanges)}")
        for part, exchange in zip(parts, self.exchanges):
            self.compare(part, exchange["request"], exchange.get("assertions", {}))
            leaves = set(_leaves(exchange["answer"]["body"]))
            self.secrets |= leaves
            self.answered |= leaves
        return self.problems

    def compare(self, part, wanted, assertions):
        self.varies = set(wanted.get("varies", []))
        self.equal("method", part.method, wanted["method"])
        url, _, query = part.url.partition("?")
        self.equal("URL", url, wanted["url"])
        self.pairs("query", _pairs(query), wanted["query"])
        by_name = {key.lower(): value for key, value in part.headers}
        if len(by_name) != len(part.headers):
            self.problems.append(f"a header stands twice: {part.headers}")
        wanted_headers = {key.lower(): value for key, value in wanted["headers"].items()}
        self.equal("header", by_name, wanted_headers)
        if "form" in wanted:
            self.pairs("form", _pairs(part.body), wanted["form"])
        elif "json" in wanted:
            self.equal("json", json.loads(part.body or "null"), wanted["json"])
        else:
            self.equal("body", part.body, wanted.get("text", ""))
        contents = {key: (one["header"], one["claims"]) for key, one in assertions.items()}
        self.equal("assertion", part.assertions, contents)

    def pairs(self, what, shown, wanted):
        """Like a dictionary's members, but their order counts too."""
        if [key for key, _ in shown] != list(wanted):
            self.problems.append(f"{what}: {shown}, not {wanted}")
        for key, value in shown:
            if key in wanted:
                self.equal(f"{what} {key}", value, wanted[key])

    def equal(self, what, shown, wanted):
        if isinstance(wanted, dict) and isinstance(shown, dict):
            if set(shown) != set(wanted):
                self.problems.append(f"{what}: {sorted(shown)}, not {sorted(wanted)}")
            for key in set(shown) & set(wanted):
                self.equal(f"{what} {key}", shown[key], wanted[key])
        elif isinstance(wanted, (tuple, list)) and len(shown) == len(wanted):
            for one, other in zip(shown, wanted):
                self.equal(what, one, other)
        elif not self.is_same(what, shown, wanted):
            self.problems.append(f"{what}: {shown!r}, not {wanted!r}")

    def is_same(self, what, shown, wanted):
        if type(shown) is not type(wanted):
            return False
        if _is_of_now(wanted):
            return _moved(shown, wanted)
        if not isinstance(shown, str):
            return shown == wanted
        if shown == "«what fits the key»":
            return re.fullmatch("assertion [a-z_]+ alg", what) is not None
        pieces = re.split("«(.+?)»", shown)
        match = re.fullmatch("(.+)".join(map(re.escape, pieces[::2])), wanted, re.S)
        is_signature = what.split(" ", 1)[-1] in self.varies and re.fullmatch(SIGNATURE, wanted)
        return bool(match) and all(
            self.may_stand_for(label, value) or label == "secret" and is_signature
            for label, value in zip(pieces[1::2], match.groups()))

    def may_stand_for(self, label, value):
        if label != "secret":
            return label.startswith("steps.") and any(value in one for one in self.answered)
        return value in self.secrets or any(one in _decoded(value) for one in self.secrets)


def _pairs(text):
    """The parameters of a form or a query, in their order."""
    return urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))


def _decoded(basic):
    """The id and secret of Basic authentication, form-decoded; nothing if it is none."""
    try:
        return urllib.parse.unquote_plus(base64.b64decode(basic, validate=True).decode())
    except ValueError:
        return ""


def _epoch(value):
    """The seconds since 1970 that a number or a text tells; None if it tells no time."""
    text = str(value)
    if re.fullmatch(EPOCH_SHAPE, text):
        return int(text) / (1000 if len(text) == 13 else 1)
    if re.fullmatch(CIVIL_SHAPE, text):
        return datetime.datetime.fromisoformat(text + "+00:00").timestamp()
    return None


def _is_of_now(wanted):
    """Whether a value of a fixture is other every time: a time, a uuid."""
    epoch = _epoch(wanted)
    return wanted == UUID or epoch is not None and abs(epoch - CLOCK) < 86400


def _moved(shown, wanted):
    """Whether `shown` is now what `wanted` was when the fixture was made, to the same digits."""
    if wanted == UUID:
        return bool(re.fullmatch(UUID_SHAPE, shown))
    then, now = _epoch(wanted), _epoch(shown)
    return (now is not None and len(str(shown)) == len(str(wanted))
            and abs(now - time.time() - (then - CLOCK)) < WINDOW)


def still(text):
    """The text with a word for each uuid and each time of this hour (in UTC); a time that is off by
    a time zone stays, and so makes a difference."""
    def word(match):
        near = abs(_epoch(match[0]) - time.time()) < 3600 + WINDOW
        return "TIME" if near else match[0]

    text = re.sub(UUID_SHAPE, "UUID", text)
    return re.sub(f"{CIVIL_SHAPE}|{EPOCH_SHAPE}", word, text)
