"""A provider on loopback whose published token needs two requests, with a record of all requests.

Strict in both steps. At /oauth/token a refresh token is good for one use, the next one exists
from the moment the request has arrived, and a second use ends the chain: a client that asks for the
second step before the new refresh token is safe shows up in the record. At /login the access token
of the first step becomes a session. /app and /tenant are such a pair without a refresh token, whose
first half lasts and need not be asked for every time.

    server = TwoStepServer()
    first = server.grant("crm")
    server.refuse("login", 500)          # until server.refuse("login", None)
    server.trap("login")                 # the next such request gets no answer...
    call = server.wait_trapped(10)       # ...until the client has gone, or spring()
    server.stop()
"""

import dataclasses
import http.server
import json
import secrets
import socketserver
import sys
import threading
import time
import urllib.parse

from evertest.oracle.oracle_proxy import MARKER, Exchange, ask_for_marker, hung_up

CLIENT = {"client_id": "client", "client_secret": "secret-of-the-client"}
STEPS = {"/oauth/token": "oauth", "/login": "login", "/app": "app", "/tenant": "tenant"}


@dataclasses.dataclass
class Call(Exchange):
    """One request of either step, with its tokens."""

    step: str = ""
    host: str = ""  # the address it came to
    chain: str = ""  # the name it was granted for
    presented: str = ""  # by a second step: the token of a first one
    given: str = ""  # by a second step: the token to publish
    rest_url: str = ""
    held: bool = False  # in the trap


class TwoStepServer:
    """The endpoints and their memory.

    `delay` is asked before each answer: so many seconds pass until it leaves.
    """

    def __init__(self, *, app_lifetime=3600, tenant_lifetime=3600, delay=lambda call: 0.0):
        self.app_lifetime, self.tenant_lifetime = app_lifetime, tenant_lifetime
        self.delay = delay
        self.instance_url = None  # of the next answers of the first step
        self._changed = threading.Condition()
        self._calls = []
        self._connections = set()
        self._accepted = []  # the address of each connection there ever was
        self._chain_of = {}  # every refresh token and first-step token ever given -> its chain
        self._live = {}  # chain -> the one refresh token that works; None once the chain is dead
        self._apps = {}  # app token -> when it ends, on the monotonic clock
        self._refusals = {}  # step -> status and body of its answers, for as long as it stands
        self._trap = None  # the step whose next request is to be held
        self._listeners = []
        self.base = self.listen("127.0.0.1")

    def listen(self, host):
        """Opens a port at one more address; the URL it begins with."""
        listener = _Listener((host, 0), self)
        self._listeners.append(listener)
        threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
        return "http://%s:%d" % listener.server_address[:2]

    def stop(self):
        """Closes the ports and lets go of what is held. Twice is once."""
        self.spring()
        while self._listeners:
            listener = self._listeners.pop()
            listener.shutdown()
            listener.server_close()

    def grant(self, chain):
        """As if its user had just signed in: the first refresh token of a new chain."""
        token = "rt-" + secrets.token_urlsafe(24)
        with self._changed:
            self._chain_of[token], self._live[chain] = chain, token
        return token

    def refuse(self, step, status, body='{"error": "unavailable"}'):
        """Answers this step so from now on; with None as status as usual again. A refused request
        of the first step spends nothing."""
        with self._changed:
            self._refusals.pop(step, None)
            if status is not None:
                self._refusals[step] = status, body

    def revoke_apps(self):
        """No first-step token without a refresh token works any more."""
        with self._changed:
            self._apps.clear()

    def trap(self, step):
        """The next request of this step is held; whatever is held now is let go."""
        with self._changed:
            self._trap = step
            for call in self._calls:
                call.held = False
            self._changed.notify_all()

    def spring(self):
        self.trap(None)

    def wait_trapped(self, timeout):
        """Waits for the request that the trap is for; None when it did not come in time."""
        self.wait_for(lambda calls: any(call.held for call in calls), timeout)
        return next((call for call in self.calls() if call.held), None)

    def calls(self, step=None, chain=None):
        """Copies of all requests, in order of arrival."""
        with self._changed:
            return [dataclasses.replace(call) for call in self._calls
                    if step in (None, call.step) and chain in (None, call.chain)]

    def accepted(self, host):
        """How many connections ever came to an address."""
        with self._changed:
            return self._accepted.count(host)

    def rotations(self):
        """How many refresh tokens were replaced."""
        return sum(call.rotated for call in self.calls("oauth"))

    def live(self, chain):
        """The only refresh token of a chain that works; None after its end."""
        with self._changed:
            return self._live[chain]

    def wait_for(self, condition, timeout):
        """Waits until `condition(calls)` holds; whether it did in time."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: condition(self._calls), timeout))

    def secret_texts(self):
        """Everything that neither a log nor the status may contain."""
        calls = self.calls()
        with self._changed:
            known = set(self._chain_of) | set(self._apps) | {CLIENT["client_secret"]}
        return known | {c.given for c in calls if c.given} | {
            c.access_token for c in calls if c.access_token}

    def wait_settled(self, timeout=30):
        """Waits until every request is finished whose connection was made before this call: as in
        `OracleProxy.wait_settled`, the answer to one more connection says they are accepted."""
        for listener in list(self._listeners):
            ask_for_marker(listener.server_address[:2], timeout)
        with self._changed:
            earlier = set(self._connections)
            if not self._changed.wait_for(lambda: not earlier & self._connections, timeout):
                raise TimeoutError("not settled within %g s" % timeout)

    # Called by the handlers, each from its own thread.

    def opened(self, connection):
        with self._changed:
            self._connections.add(connection)
            self._accepted.append(connection.getsockname()[0])

    def closed(self, connection):
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()

    def begin(self, path, host, form):
        """Checks a request and commits the outcome; returns its record and the body."""
        step = STEPS.get(path, path)
        with self._changed:
            call = Call(len(self._calls), time.time(), path, form.get("grant_type"),
                        form.get("refresh_token"), step=step, host=host)
            call.presented = form.get("access_token") or form.get("app_access_token") or ""
            call.chain = self._chain_of.get(call.refresh_token or call.presented, "")
            if step in self._refusals:
                call.status, body = self._refusals[step]
            else:
                body = json.dumps(self._judge(call, form))
            if self._trap == step:
                self._trap, call.held = None, True
            self._calls.append(call)
            self._changed.notify_all()
        return call, body

    def hold(self, call, connection):
        """While the call is trapped, for as long as its client is there."""
        with self._changed:
            while call.held and not hung_up(connection):
                self._changed.wait(0.01)
        time.sleep(self.delay(call))

    def finish(self, call, delivered):
        with self._changed:
            call.delivered, call.finished = delivered, time.time()
            self._changed.notify_all()

    def _judge(self, call, form):
        judges = {"oauth": self._rotate, "login": self._login, "app": self._app,
                  "tenant": self._tenant}
        call.status = 200
        return judges.get(call.step, self._nowhere)(call, form)

    @staticmethod
    def _no(call, status, error):
        call.status, call.trouble = status, error
        return {"error": error}

    def _nowhere(self, call, form):
        return self._no(call, 404, "not_found")

    def _rotate(self, call, form):
        if {key: form.get(key) for key in CLIENT} != CLIENT:
            return self._no(call, 401, "invalid_client")
        if call.refresh_token is None or call.refresh_token != self._live.get(call.chain):
            if call.chain:
                self._live[call.chain] = None  # a spent one: assume theft
            return self._no(call, 400, "invalid_grant")
        call.new_refresh_token = "rt-" + secrets.token_urlsafe(24)
        call.access_token = "at-" + secrets.token_urlsafe(24)
        self._live[call.chain] = call.new_refresh_token
        self._chain_of |= dict.fromkeys((call.new_refresh_token, call.access_token), call.chain)
        answer = {"access_token": call.access_token, "refresh_token": call.new_refresh_token,
                  "token_type": "Bearer", "expires_in": 600}
        return answer | ({"instance_url": self.instance_url} if self.instance_url else {})

    def _login(self, call, form):
        if not call.chain or not call.presented.startswith("at-"):
            return self._no(call, 401, "invalid_token")
        call.given = "session-" + secrets.token_urlsafe(24)
        call.rest_url = "https://rest.example/%d/" % call.number
        return {"BhRestToken": call.given, "restUrl": call.rest_url}

    def _app(self, call, form):
        if [form.get("app_id"), form.get("app_secret")] != list(CLIENT.values()):
            return self._no(call, 401, "invalid_client")
        call.access_token = "app-" + secrets.token_urlsafe(24)
        self._apps[call.access_token] = time.monotonic() + self.app_lifetime
        return {"code": 0, "app_access_token": call.access_token, "expire": self.app_lifetime}

    def _tenant(self, call, form):
        if self._apps.get(call.presented, 0.0) <= time.monotonic():
            return self._no(call, 401, "invalid_token") | {"code": 99991664}
        call.given = "tenant-" + secrets.token_urlsafe(24)
        return {"code": 0, "tenant_access_token": call.given, "expire": self.tenant_lifetime}


class _Listener(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False  # a held answer must not delay `stop`
    request_queue_size = 128

    def __init__(self, address, state):
        self.state = state
        super().__init__(address, _Handler)

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # HTTPServer's would look up the host's name

    def process_request(self, request, client_address):
        self.state.opened(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        super().shutdown_request(request)
        self.state.closed(request)

    def handle_error(self, request, client_address):
        # These tests disconnect clients in the middle of a request.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self):
        self.close_connection = True
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            return  # cut off by the client: the server never sees it
        path, _, query = self.path.partition("?")
        if "json" in self.headers.get("Content-Type", ""):
            form = json.loads(body)
        else:
            form = dict(urllib.parse.parse_qsl(query) + urllib.parse.parse_qsl(body.decode()))
        state = self.server.state
        call, answer = state.begin(path, self.connection.getsockname()[0], form)
        delivered = False
        try:
            state.hold(call, self.connection)
            delivered = not hung_up(self.connection)
            self.reply(call.status, answer)
        finally:
            state.finish(call, delivered)

    def do_GET(self):
        self.close_connection = True
        self.reply(204 if self.path == MARKER else 404, "")

    def reply(self, status, body):
        payload = body.encode()
        lines = [f"HTTP/1.1 {status} Status", "Content-Type: application/json",
                 f"Content-Length: {len(payload)}", "Connection: close", "", ""]
        self.connection.sendall("\r\n".join(lines).encode() + payload)

    def log_message(self, *_):
        """The record is the log."""
