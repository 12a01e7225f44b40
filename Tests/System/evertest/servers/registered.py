"""Clients of Glewlwyd, each registered for one method of client authentication."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import ssl
from typing import Any, Optional

from evertest.servers.authorization import Glewlwyd, post_form
from evertest.servers.client_assertions import assertion, private_jwk

FAILED = "Token refresh failed"  # how the log begins to tell of it
SIGNED = {"cc-sjwt": "client_secret_jwt", "cc-pkjwt": "private_key_jwt"}
METHODS = {"cc-basic": "client_secret_basic", "cc-post": "client_secret_post",
           "cc-mtls": "tls_client_auth"} | SIGNED


@dataclasses.dataclass(frozen=True)
class Registered:
    """The server's clients, with the keys and secrets that it made for them."""

    server: Glewlwyd

    @property
    def key(self) -> pathlib.Path:
        return pathlib.Path(self.server.facts["CC_PKJWT_KEY"])

    @property
    def token_url(self) -> str:
        return self.server.facts["TOKEN_ROTATE"]

    def secret(self, client_id: str) -> Optional[str]:
        return self.server.facts.get(client_id.upper().replace("-", "_") + "_SECRET")

    def provider(self, client_id: str, **more: Any) -> dict[str, Any]:
        request = {"url": self.token_url, "client_auth": METHODS[client_id]} | more
        return {"extends": "client_credentials", "request": request}

    def credential(self, provider: str, client_id: str, **variables: Any) -> dict[str, Any]:
        """Glewlwyd gives no token without a scope."""
        entry = {"provider": provider, "client_id": client_id, "scope": "svc",
                 "refresh": {"min_interval": "0.5s"}}
        if self.secret(client_id):
            entry["client_secret"] = self.secret(client_id)
        return entry | ({"variables": variables} if variables else {})

    def introspect(self, client_id: str, token: str) -> bool:
        """Whether the token is active; asked by the client it belongs to, by its own method."""
        url, fields, basic = self.server.introspection_url("rotate"), {"token": token}, None
        secret, method = self.secret(client_id), METHODS[client_id]
        if method == "client_secret_basic":
            basic = (client_id, secret or "")
        elif method in SIGNED.values():
            key = self.key if method == "private_key_jwt" else None
            fields |= assertion(client_id, url, key=key, key_id="k1", secret=secret)
        else:
            fields |= {"client_id": client_id} | ({"client_secret": secret} if secret else {})
        tls = None
        if url.startswith("https:"):
            tls = ssl.create_default_context(cafile=self.server.facts["CA"])
            tls.load_cert_chain(self.server.facts["MTLS_CERT"], self.server.facts["MTLS_KEY"])
        status, body = post_form(url, fields, basic, tls)
        if status != 200:
            raise AssertionError("introspection by %s: %d %r" % (client_id, status, body[:300]))
        return json.loads(body)["active"] is True


def key_secrets(key: pathlib.Path) -> set[str]:
    """The secret parts of a private key: the lines of its PEM form, and its number in a JWK."""
    lines = {line for line in key.read_text().splitlines() if "-----" not in line}
    return lines | {json.loads(private_jwk(key))["d"]}
