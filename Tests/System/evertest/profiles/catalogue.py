"""The shipped profiles with their fixtures, as a daemon's credentials and as providers' answers.

The fixtures are compared with the wire here and with pure rendering in
Tests/Unit/TokenProviders/CatalogueTests.swift; both read the same files.
"""

from __future__ import annotations

import email.utils
import json
import os
import pathlib
from typing import Any, Iterable, Optional

from evertest.basics import ROOT
from evertest.profiles.documented_requests import CLOCK, leaves
from evertest.servers.client_assertions import openssl
from evertest.servers.recording_proxy import http_answer

PROFILES = ROOT / "Sources" / "TokenProviders" / "Profiles"
FIXTURES = ROOT / "Tests" / "Fixtures" / "Profiles"
#: What the providers' clocks read: the absolute times in the fixtures were written for it.
DATE = email.utils.formatdate(int(CLOCK), usegmt=True)
#: Taken where nothing says how long a token lives, in seconds.
SHORT_DEFAULT = 300
#: "Secrets" of a fixture that occur in any token request, so that finding them proves nothing.
WORDS = {"client_secret", "refresh_token"}
#: The only floor between two refreshes that these credentials configure, and the daemon's least.
QUICK = {"min_interval": "0.5s"}


class Keys(dict[str, pathlib.Path]):
    """Private keys for one run of the tests, made when they are first wanted: a word of the
    fixtures to a PEM file."""

    KINDS = {"@rsa": ("RSA", "rsa_keygen_bits:2048"), "@p256": ("EC", "ec_paramgen_curve:P-256"),
             "@ed25519": ("ED25519", None)}

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__()
        self.directory = directory

    def __missing__(self, word: str) -> pathlib.Path:
        algorithm, option = self.KINDS[word]
        path = self.directory / f"{word[1:]}.pem"
        openssl("genpkey", "-algorithm", algorithm, *(("-pkeyopt", option) if option else ()),
                "-out", path)
        self[word] = path
        return path


class Documented:
    """One shipped profile and what its provider's documentation shows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fixture = json.loads((FIXTURES / f"{name}.json").read_text())
        self.credential, self.token = self.fixture["credential"], self.fixture["token"]
        self.exchanges, self.errors = self.fixture["exchanges"], self.fixture["errors"]
        self.profile = _inherited(name)
        self.hosts = {one["request"]["url"].split("/")[2] for one in self.exchanges}

    @property
    def lifecycle(self) -> dict[str, Any]:
        return self.profile.get("lifecycle", {})

    @property
    def waits(self) -> bool:
        """Whether the provider wants longer between two refreshes than a test has."""
        return bool({"min_interval", "min_age"} & set(self.lifecycle))

    @property
    def lifetime(self) -> Optional[int]:
        """Of the documented token, in seconds; None when it never ends."""
        documented = self.token["lifetime"]
        if documented == "never":
            return None
        return SHORT_DEFAULT if documented is None else documented

    @property
    def next_refresh_token(self) -> Optional[str]:
        """What the second refresh must be done with."""
        own = self.lifecycle.get("refresh_token") == "access_token"
        new = self.token["access_token"] if own else self.token["refresh_token"]
        return new or self.credential.get("refresh_token")

    def entry(self, keys: Keys, folder: pathlib.Path) -> dict[str, Any]:
        """The credential as a configuration has it."""
        entry = {"provider": self.name, "refresh": QUICK} | self.credential
        variables = dict(self.credential.get("variables", {}))
        for key, value in variables.items():
            if value in Keys.KINDS:
                variables[key] = keys[value].read_text()
            elif self.profile.get("variables", {}).get(key, {}).get("from_file"):
                path = folder / f"{self.name}.{key}"
                path.write_text(value)
                variables[key] = str(path)
        return entry | ({"variables": variables} if variables else {})

    def secrets(self, keys: Keys) -> set[str]:
        """Everything that only its provider may receive: refresh tokens old and new, the client's
        secret, secret variables, and every line of a private key."""
        found = {self.credential.get("client_secret"), self.credential.get("refresh_token"),
                 self.token["refresh_token"]}
        for key, value in self.credential.get("variables", {}).items():
            if value in Keys.KINDS:
                found |= {line for line in keys[value].read_text().split("\n") if "---" not in line}
            elif self.profile.get("variables", {}).get(key, {}).get("secret"):
                found.add(value)
        return {secret for secret in found if secret} - WORDS

    def exchange_at(self, url: str) -> Optional[int]:
        """Which of the exchanges is asked at this URL."""
        urls = [one["request"]["url"] for one in self.exchanges]
        return urls.index(url) if url in urls else None

    def is_cached(self, index: int) -> bool:
        """Whether what this exchange brought is used for later tokens, too, while it lasts."""
        steps = self.profile.get("steps", [])
        return bool(steps) and steps[index].get("cache", False)

    def again(self, index: int) -> dict[str, Any]:
        """The exchange as a second refresh makes it, with the refresh token that the first brought.
        A grant_type stays what it is, though a refresh token may be spelled like it."""
        old, new = self.credential.get("refresh_token"), self.next_refresh_token
        if old is None or old == new:
            return self.exchanges[index]

        def renewed(value: Any, key: str = "") -> Any:
            if isinstance(value, dict):
                return {each: renewed(one, each) for each, one in value.items()}
            return new if value == old and key.lower().replace("_", "") != "granttype" else value

        request = self.exchanges[index]["request"]
        parts = {key: renewed(request[key]) for key in ("query", "form", "json") if key in request}
        return self.exchanges[index] | {"request": request | parts}

    def spends_refresh_token(self, index: int) -> bool:
        """Whether the request of an exchange carries the refresh token."""
        request = self.exchanges[index]["request"]
        values = leaves([request.get(key) for key in ("query", "form", "json", "headers")])
        token = self.credential.get("refresh_token")
        return token is not None and (token in values or token in request["url"])

    def shown_class(self, error: dict[str, Any]) -> str:
        """What `status` must call a documented error, of an attempt that nothing went wrong before
        (Contract 3.2).

        A class of the fixture is what the answer says. What it means depends on what was sent: only
        a request that carried a refresh token can have lost it. So, with such a request, `reauth`
        and `reacquire` are one thing, and `reacquire` where the profile can start over by itself;
        without one, neither a person nor a new start can help, and it is `config`. Where a failure
        burns the refresh token (`burned_on_failure`), every final refusal is the end of it, and a
        temporary one leaves it in doubt.
        """
        told = error["class"]
        ended = "reacquire" if "acquire" in self.profile else "reauth"
        spends = self.spends_refresh_token(error.get("exchange", 0))
        if told in ("reauth", "reacquire"):
            return ended if spends else "config"
        if spends and self.lifecycle.get("burned_on_failure"):
            return {"config": ended, "transient": "ambiguous"}.get(told, told)
        return told


def _inherited(name: str) -> dict[str, Any]:
    """A profile with the lifecycle and variables of those it extends."""
    profile = json.loads((PROFILES / f"{name}.json").read_text())
    base = profile.get("extends", "")
    if not (PROFILES / f"{base}.json").exists():
        return profile
    inherited = _inherited(base)
    merged = {key: inherited.get(key, {}) | profile.get(key, {}) for key in
              ("lifecycle", "variables")}
    return inherited | profile | merged


def shipped_names() -> list[str]:
    """All of them, or those that EVERTOKEN_PROFILE names, with commas between."""
    names = sorted(path.stem for path in PROFILES.glob("*.json"))
    wanted = [name for name in os.environ.get("EVERTOKEN_PROFILE", "").split(",") if name]
    unknown = set(wanted) - set(names)
    if unknown:
        raise AssertionError(f"EVERTOKEN_PROFILE: there is no profile {sorted(unknown)}")
    return wanted or names


def spread(documented: Iterable[Documented]) -> list[list[Documented]]:
    """Groups in which no two profiles share a host, so that a host tells whose request it is."""
    groups: list[list[Documented]] = []
    for one in documented:
        for group in groups:
            if not any(one.hosts & other.hosts for other in group):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


def wire(answer: dict[str, Any]) -> bytes:
    """An answer of a fixture as bytes, of a provider whose clock reads what fixtures want."""
    body = answer["body"]
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    kind = {} if isinstance(body, str) else {"Content-Type": "application/json"}
    headers = kind | answer.get("headers", {}) | {"Date": DATE}
    return http_answer(answer["status"], {k: str(v) for k, v in headers.items()}, content)
