#!/usr/bin/python3
"""An OAuth 2 token endpoint on loopback that a test can script, with a record of all requests.

It is strict: refresh tokens are good for one use, the next one exists from the moment the
request arrives (not when the answer leaves), and a second use revokes the whole family. So a
client that loses an answer, sends twice or goes back a generation shows up in the record.

As a class, in the process of the test:

    with TokenServer(lifetime=60) as server:
        first = server.grant("crm", "its client secret")
        server.plan("crm", Answer(status=503), Answer(delay=2))
        ... POST server.url ...
        server.wait_for(lambda seen: len(seen) == 2)

As a command, scripted over HTTP:

    token_server.py --port 4593 --client crm:secret --refresh-token crm:first --log record.jsonl
    curl -d '{"delay": 2, "plan": {"crm": [{"status": 503}]}}' http://127.0.0.1:4593/control
    curl http://127.0.0.1:4593/control          # the record, as JSON
"""

import argparse
import base64
import dataclasses
import hmac
import http.server
import json
import secrets
import signal
import socket
import threading
import time
import urllib.parse


#: Refresh tokens, each with its sign-in and whether it works; of those the one last used first.
Memory = tuple[tuple[str, int, bool], ...]


@dataclasses.dataclass
class Answer:
    """What to do to one request instead of the usual; None means "as usual"."""

    status: int | None = None
    delay: float | None = None
    body: str | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    rotate: bool | None = None  # an error that rotates all the same, a success that does not
    cut: bool = False  # close the connection without an answer


@dataclasses.dataclass
class Exchange:
    """One request and its outcome. Times are of the boot clock, in seconds."""

    number: int
    client_id: str
    grant_type: str
    refresh_token: str
    asked_at: float
    status: int | None = None
    access_token: str | None = None
    next_refresh_token: str | None = None
    answered_at: float | None = None  # None while it is in flight, and after a cut
    problem: str | None = None


def boot_time():
    """Seconds since boot, suspend included: comparable between processes, never stepped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class TokenServer:
    """The endpoint and its memory. `stop` closes only the port: `start` opens the same one again,
    with everything remembered, so a test can take the server away for a while."""

    def __init__(self, port=0, *, lifetime=3600, delay=0.0, rotate=True, log=None):
        self.port, self.lifetime, self.delay, self.rotate = port, lifetime, delay, rotate
        self._log = open(log, "a", encoding="utf-8") if log else None
        self._clients = {}  # client_id -> secret
        self._owners = {}  # every refresh token ever valid -> client_id
        self._live = {}  # client_id -> the refresh token that works, None once revoked
        self._beside = {}  # client_id -> those of its other sign-ins, which work as well
        self._families = {}  # every refresh token -> its sign-in; 0 unless it was one beside
        self._plans = {}  # client_id -> answers still to give
        self._exchanges = []
        self._changed = threading.Condition()
        self._http = None
        self._thread = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/token"

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Listens; with port 0 the system chooses one, which is then kept."""
        handler = type("Handler", (_Handler,), {"server_state": self})
        self._http = _HTTPServer(("127.0.0.1", self.port), handler)
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self):
        """Closes the port: connections are refused from now on. Twice is once."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._thread.join()
            self._http = None

    def grant(self, client_id, client_secret, refresh_token=None, *, beside=False):
        """Registers a client as if its user had just signed in; returns its refresh token. With
        `beside` the earlier sign-in stays valid too, also after the end of this one."""
        token = refresh_token or secrets.token_urlsafe(32)
        with self._changed:
            self._clients[client_id] = client_secret
            self._owners[token] = client_id
            if beside:
                self._beside.setdefault(client_id, []).append(self._live[client_id])
            self._families[token] = len(self._families) + 1 if beside else 0
            self._live[client_id] = token
        return token

    def plan(self, client_id, *answers):
        """The next requests of this client get these answers, one each; then all is as usual."""
        with self._changed:
            self._plans.setdefault(client_id, []).extend(answers)

    def exchanges(self, client_id=None):
        """Copies of all requests seen, in order of arrival."""
        with self._changed:
            wanted = (e for e in self._exchanges if client_id in (None, e.client_id))
            return [dataclasses.replace(e) for e in wanted]

    def live_refresh_token(self, client_id):
        """The refresh token of this client that works now, of several sign-ins the one last used;
        None if its family is revoked."""
        with self._changed:
            return self._live[client_id]

    def live_refresh_tokens(self, client_id):
        """Those of all its sign-ins that work now, the one last used first."""
        with self._changed:
            return [t for t in [self._live[client_id], *self._beside.get(client_id, [])] if t]

    def memory(self, client_id):
        """All data about this client's refresh tokens."""
        live = self.live_refresh_tokens(client_id)
        with self._changed:
            known = live + [t for t, owner in self._owners.items()
                            if owner == client_id and t not in live]
            return tuple((token, self._families[token], token in live) for token in known)

    def remember(self, client_id, client_secret, memory):
        """A client with this data."""
        with self._changed:
            self._clients[client_id] = client_secret
            for token, family, _ in memory:
                self._owners[token], self._families[token] = client_id, family
            live = [token for token, _, works in memory if works]
            self._live[client_id] = live[0] if live else None
            self._beside[client_id] = live[1:]

    def issued_with(self, access_token):
        """The exchange that brought this access token."""
        return next(e for e in self.exchanges() if e.access_token == access_token)

    def wait_for(self, condition, timeout=20.0):
        """Waits until `condition(exchanges)` holds; returns them, or raises with the record."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self._exchanges), timeout):
                raise TimeoutError(f"after {timeout} s the record is {self._exchanges}")
        return self.exchanges()

    def secret_texts(self):
        """Everything that no log may contain: client secrets and all tokens ever valid."""
        with self._changed:
            access = {e.access_token for e in self._exchanges if e.access_token}
            pairs = (":".join(pair).encode() for pair in self._clients.items())
            basic = {base64.b64encode(pair).decode() for pair in pairs}
            return set(self._clients.values()) | set(self._owners) | access | basic

    def begin(self, client_id, client_secret, form):
        """Checks a request and commits the outcome; returns the exchange, the answer's body and
        the plan for it."""
        with self._changed:
            planned = self._plans.get(client_id)
            answer = planned.pop(0) if planned else Answer()
            exchange = Exchange(
                len(self._exchanges) + 1, client_id, form.get("grant_type", ""),
                form.get("refresh_token", ""), asked_at=boot_time())
            self._exchanges.append(exchange)
            body = self._decide(exchange, client_secret, answer)
            if answer.body is not None:
                body = answer.body
            self._note("asked", exchange)
        return exchange, body, answer

    def finish(self, exchange, delivered):
        """The answer has left, or could not."""
        with self._changed:
            if delivered:
                exchange.answered_at = boot_time()
            self._note("answered" if delivered else "cut", exchange)

    def control(self, order):
        """One scripted change: delay, lifetime, rotate, plan {client: [answers]}, clients."""
        with self._changed:
            for key in ("delay", "lifetime", "rotate"):
                if key in order:
                    setattr(self, key, order[key])
        for client_id, answers in order.get("plan", {}).items():
            self.plan(client_id, *(Answer(**a) for a in answers))

    def _decide(self, exchange, client_secret, answer):
        """RFC 6749 sections 5 and 6, for one-use refresh tokens."""
        known = self._clients.get(exchange.client_id)
        if known is None or not hmac.compare_digest(known.encode(), client_secret.encode()):
            return self._refuse(exchange, answer.status or 401, "invalid_client")
        if exchange.grant_type not in ("refresh_token", "client_credentials"):
            return self._refuse(exchange, answer.status or 400, "unsupported_grant_type")
        refreshing = exchange.grant_type == "refresh_token"
        if refreshing:
            self._turn_to_family(exchange)
        if refreshing and exchange.refresh_token != self._live[exchange.client_id]:
            if self._owners.get(exchange.refresh_token) == exchange.client_id:
                self._revoke_family(exchange)  # a spent one: assume theft
                exchange.problem = "a spent refresh token came back"
            return self._refuse(exchange, 400, "invalid_grant")
        failing = answer.status is not None and answer.status >= 400
        rotate = (self.rotate and not failing) if answer.rotate is None else answer.rotate
        if refreshing and rotate:
            exchange.next_refresh_token = secrets.token_urlsafe(32)
            self._owners[exchange.next_refresh_token] = exchange.client_id
            self._families[exchange.next_refresh_token] = self._families[exchange.refresh_token]
            self._live[exchange.client_id] = exchange.next_refresh_token
        if failing:
            return self._refuse(exchange, answer.status, "temporarily_unavailable")
        return self._grant_tokens(exchange, answer.status or 200)

    def _turn_to_family(self, exchange):
        """The sign-in that is used now comes first."""
        others = self._beside.get(exchange.client_id, [])
        if exchange.refresh_token in others:
            others.remove(exchange.refresh_token)
            others.append(self._live[exchange.client_id])
            self._live[exchange.client_id] = exchange.refresh_token

    def _revoke_family(self, exchange):
        """Revokes the family of the returned token; other sign-ins stay valid."""
        family = self._families[exchange.refresh_token]
        left = [t for t in [self._live[exchange.client_id],
                            *self._beside.get(exchange.client_id, [])]
                if t and self._families[t] != family]
        self._live[exchange.client_id] = left[0] if left else None
        if exchange.client_id in self._beside:
            self._beside[exchange.client_id] = left[1:]

    def _grant_tokens(self, exchange, status):
        exchange.status = status
        exchange.access_token = secrets.token_urlsafe(32)
        body = {"access_token": exchange.access_token, "token_type": "Bearer"}
        body["expires_in"] = self.lifetime
        if exchange.next_refresh_token is not None:
            body["refresh_token"] = exchange.next_refresh_token
        return json.dumps(body)

    @staticmethod
    def _refuse(exchange, status, error):
        exchange.status = status
        exchange.problem = exchange.problem or error
        return json.dumps({"error": error})

    def _note(self, event, exchange):
        """Wakes the waiting and writes one line of the log; the lock is held."""
        self._changed.notify_all()
        if self._log:
            line = {"event": event, "at": boot_time(), **dataclasses.asdict(exchange)}
            self._log.write(json.dumps(line) + "\n")
            self._log.flush()


class _HTTPServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a delayed answer must not delay `stop`
    request_queue_size = 256


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: TokenServer

    def do_GET(self):
        if self.path != "/control":
            self._reply(404, "{}", {})
            return
        record = [dataclasses.asdict(e) for e in self.server_state.exchanges()]
        self._reply(200, json.dumps(record), {})

    def do_POST(self):
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/control":
            self.server_state.control(json.loads(text))
            self._reply(200, "{}", {})
            return
        form = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        exchange, body, answer = self.server_state.begin(*self._client(form), form)
        time.sleep(self.server_state.delay if answer.delay is None else answer.delay)
        if answer.cut:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            self.server_state.finish(exchange, delivered=False)
            return
        try:
            self._reply(exchange.status, body, answer.headers)
        except OSError:
            self.server_state.finish(exchange, delivered=False)
        else:
            self.server_state.finish(exchange, delivered=True)

    def _client(self, form):
        """Name and secret of the client: HTTP Basic as in RFC 6749 section 2.3.1, or the form."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return form.get("client_id", ""), form.get("client_secret", "")
        name, _, secret = base64.b64decode(value).decode().partition(":")
        return urllib.parse.unquote_plus(name), urllib.parse.unquote_plus(secret)

    def _reply(self, status, body, headers):
        payload = body.encode()
        self.send_response(status)
        fields = {"Content-Type": "application/json", **headers}
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(payload)
        self.wfile.flush()

    def log_message(self, *_):
        """The record is the log."""


def main():
    parser = argparse.ArgumentParser(description="a loopback token endpoint for tests")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--lifetime", type=int, default=3600, help="expires_in, in seconds")
    parser.add_argument("--log", help="append one JSON line per event to this file")
    parser.add_argument("--client", action="append", default=[], metavar="ID:SECRET")
    parser.add_argument("--refresh-token", action="append", default=[], metavar="ID:TOKEN")
    options = parser.parse_args()
    server = TokenServer(
        options.port, lifetime=options.lifetime, delay=options.delay, log=options.log)
    first = dict(pair.split(":", 1) for pair in options.refresh_token)
    for client_id, secret in (pair.split(":", 1) for pair in options.client):
        server.grant(client_id, secret, first.get(client_id))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with server:
        print(server.url, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
