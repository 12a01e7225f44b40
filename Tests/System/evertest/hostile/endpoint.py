"""A token endpoint that gives one hostile answer on request, and knows which refresh tokens are
valid.

It rotates: every refresh token is good for one use, and the next one exists from the moment the
request arrives. What a hostile answer does to the token that was sent is part of its `Case`:

KEPT     the server did not honour the request; the token that was sent still works.
TOLD     it was honoured, and the sent part of the answer contains the complete new token: only that
         one works now. A client that does not find it is locked out.
LENIENT  it was honoured, the answer does not hold the new token, and the server lets the old one
         work once more (what FAPI 2.0 asks of those who rotate).
HALF     the same, and the answer holds the new access token: it ends between the two.
SPENT    it was honoured, and the answer lacks the new token: only a new sign-in helps.
"""

import dataclasses
import json
import secrets
import threading
import urllib.parse
from typing import Callable, Optional

from evertest.servers.raw_server import RawServer, answer

KEPT, TOLD, LENIENT, HALF, SPENT = "kept", "told", "lenient", "half", "spent"
#: Part of everything that a hostile server sends; must appear nowhere.
CANARY = "Xq7-text-of-the-server-Zk2"
#: Marks the other one of two answers.
FORGED = b'{"access_token": "forged-access", "refresh_token": "forged-refresh", "expires_in": 99}'
#: The assumed lifetime in seconds when the answer has none.
ASSUMED = 300


class Grant:
    """A pair of new tokens, and the ways to write them down."""

    def __init__(self, access=None, refresh=None):
        self.access = secrets.token_hex(8) if access is None else access
        self.refresh = secrets.token_hex(8) if refresh is None else refresh

    def body(self, **more):
        """An RFC 6749 answer; `more` overrides its fields, None takes one away."""
        fields = {"access_token": self.access, "token_type": "Bearer", "expires_in": 3600,
                  "refresh_token": self.refresh, "note": CANARY} | more
        return json.dumps({k: v for k, v in fields.items() if v is not None}).encode()

    def literally(self, **literals):
        """The same with the given fields as they are spelled, valid JSON or not."""
        fields = {"access_token": json.dumps(self.access), "expires_in": "3600",
                  "refresh_token": json.dumps(self.refresh)} | literals
        parts = (b'"%s": %s' % (key.encode(), value if isinstance(value, bytes) else value.encode())
                 for key, value in fields.items())
        return b"{" + b", ".join(parts) + b"}"


@dataclasses.dataclass(frozen=True)
class Case:
    """One hostile answer, and the expected result."""

    name: str
    script: Callable  # (connection, grant): all that is said on the connection
    expect: str | tuple[str, ...]  # the class in the status; "granted" if a token is published
    token: str = KEPT
    times: int = 1  # so many refreshes in a row get it
    access: Optional[Callable] = None  # makes the access token, or the refresh token, from some
    refresh: Optional[Callable] = None  # random text
    lifetime: Optional[int] = None  # of the token that is granted, in seconds
    waits: Optional[tuple[float, float]] = None  # bounds of the time to the next try
    ordinary: int = 3600  # lifetime of the tokens before and after, in seconds

    @property
    def classes(self):
        return (self.expect,) if isinstance(self.expect, str) else self.expect

    def new_grant(self):
        made = Grant()
        return Grant(self.access(made.access) if self.access else None,
                     self.refresh(made.refresh) if self.refresh else None)


class Endpoint:
    """The endpoint of one credential, on a port of its own."""

    #: How long the request after the hostile one waits while the test reads the status.
    PATIENCE = 2.5

    def __init__(self, context=None):
        self.server = RawServer(self._talk, context=context)
        self.lifetime = 3600
        self.seed = secrets.token_hex(8)
        self.live = [self.seed]  # the refresh tokens that would work now, the best one last
        self.grants = [Grant(refresh=self.seed)]
        self.looked = threading.Event()
        self.looked.set()
        self._left, self._case = 0, None
        self._changed = threading.Condition()

    def arm(self, case):
        """The next `case.times` connections get the hostile answer."""
        with self._changed:
            self._case, self._left = case, case.times
            self.hostile, self.presented = [], []  # connections; tokens of the requests after them
            self.looked.clear()
            self.before, self.grant = list(self.live), case.new_grant()
            self.grants.append(self.grant)

    def disarm(self):
        with self._changed:
            self._left = 0
            self.looked.set()

    def sign_in(self):
        """A new sign-in: returns a new refresh token, the only valid one."""
        with self._changed:
            self.grants.append(Grant())
            self.live = [self.grants[-1].refresh]
            return self.live[0]

    def wait_hostile(self, timeout):
        """The first hostile connection."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.hostile, timeout):
                raise TimeoutError("no request came")
            return self.hostile[0]

    def secret_texts(self):
        with self._changed:
            return {text for grant in self.grants for text in (grant.access, grant.refresh)}

    def _talk(self, connection):
        with self._changed:
            case = self._case if self._left else None
            if case is not None:
                self._left -= 1
                self.hostile.append(connection)
                if len(self.hostile) == 1 and case.token != KEPT:
                    new = [self.grant.refresh]
                    self.live = self.before + new if case.token in (LENIENT, HALF) else new
                self._changed.notify_all()
        if case is not None:
            return case.script(connection, self.grant)
        request = connection.read_request()
        if request is None:
            return None
        self.looked.wait(self.PATIENCE)
        return connection.send(self._honest(request))

    def _honest(self, request):
        """RFC 6749 section 6, for tokens of one use."""
        sent = dict(urllib.parse.parse_qsl(request.body.decode("ascii"), keep_blank_values=True))
        sent = sent.get("refresh_token", "")
        with self._changed:
            if self._case is not None:
                self.presented.append(sent)
            if sent not in self.live:
                if any(sent == grant.refresh for grant in self.grants):
                    self.live = []  # a second use: assume theft
                return answer(400, b'{"error": "invalid_grant"}')
            self.grants.append(Grant())
            self.live = [self.grants[-1].refresh]
            return answer(200, self.grants[-1].body(expires_in=self.lifetime))


# Scripts of hostile servers.

def head(status="200 OK", *lines, version="HTTP/1.1"):
    """The head of an answer, its empty line included."""
    return "\r\n".join([f"{version} {status}", *lines, "", ""]).encode("latin-1")


def framed(status, body, *lines):
    """An answer with a Content-Length."""
    return head(status, f"Content-Length: {len(body)}", *lines) + body


def chunked(*parts, extension=b"", trailers=b""):
    """A chunked body."""
    data = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts)
    return data + b"0" + extension + b"\r\n" + trailers + b"\r\n"


def saying(what):
    """Reads the request, says this (bytes, or what a function makes of the grant), and closes."""
    def script(connection, grant):
        if connection.read_request() is not None:
            connection.send(what(grant) if callable(what) else what)
    return script


def keeping_on(first, again=b"", every=0.0):
    """Never closes the connection: sends `again` repeatedly until the client disconnects."""
    def script(connection, grant):
        connection.read_request()
        connection.send(first(grant) if callable(first) else first)
        while connection.stays(every):
            if again:
                connection.send(again)
    return script


def dripping(what, every=0.2):
    """One byte at a time."""
    def script(connection, grant):
        connection.read_request()
        for byte in what(grant) if callable(what) else what:
            connection.send(bytes([byte]))
            if not connection.stays(every):
                return
        while connection.stays(every):
            pass
    return script
