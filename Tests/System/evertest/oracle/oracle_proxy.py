"""A reverse proxy on loopback that records the requests to a token endpoint and its answers.

The tests use this record and not the daemon's own statements: only the connection shows whether a
refresh token was used twice, or whether the server had rotated when a process was killed. One
request per connection; every answer says `Connection: close`.
"""

from __future__ import annotations

import dataclasses
import http.client
import http.server
import json
import select
import socket
import socketserver
import sys
import threading
import time
import urllib.parse
from typing import Callable, Optional

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "trailer",
              "upgrade", "proxy-connection", "host", "expect"}
MARKER = "/.accepted-so-far"


def ask_for_marker(address: tuple[str, int], timeout: float) -> None:
    """One more connection, to its answer: a server accepts connections in order, so all earlier
    ones are accepted then."""
    marker = http.client.HTTPConnection(*address, timeout=timeout)
    marker.request("GET", MARKER)
    marker.getresponse().read()
    marker.close()


@dataclasses.dataclass
class Exchange:
    """One request and its outcome. Times are epoch seconds of this machine's clock."""

    number: int
    received: float
    path: str
    grant_type: Optional[str]
    refresh_token: Optional[str]
    status: Optional[int] = None  # what the server answered; None while it has not
    answered_at: Optional[float] = None
    new_refresh_token: Optional[str] = None
    access_token: Optional[str] = None
    expires_in: Optional[float] = None
    dropped: bool = False  # the answer was dropped on purpose
    delivered: bool = False  # the whole answer went to a client that was still there
    in_flight: int = 1  # requests with this refresh token open at once, this one included
    finished: Optional[float] = None
    trouble: Optional[str] = None

    @property
    def rotated(self) -> bool:
        """Whether the server took the refresh token and gave another for it."""
        new = self.new_refresh_token
        return self.status == 200 and new is not None and new != self.refresh_token


class OracleProxy:
    """Forwards to `upstream` (scheme, host and port), records every POST, and can lose answers.

    `drop` is asked after the server has answered: true closes the connection without a byte.
    `hold` is asked next: so many seconds pass between the server's answer and the client's.
    """

    def __init__(self, upstream: str, record: str,
                 drop: Callable[[Exchange], bool] = lambda exchange: False,
                 hold: Callable[[Exchange], float] = lambda exchange: 0.0) -> None:
        parts = urllib.parse.urlsplit(upstream)
        if parts.scheme != "http" or parts.hostname != "127.0.0.1":
            raise ValueError("only plain HTTP on 127.0.0.1 is forwarded, not " + upstream)
        self.upstream = (parts.hostname, parts.port or 80)
        self.drop, self.hold = drop, hold
        self._changed = threading.Condition()
        self._exchanges: list[Exchange] = []
        self._connections: set[socket.socket] = set()
        self._open: dict[str, list[socket.socket]] = {}
        self._record = open(record, "a", encoding="utf-8")
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,),
                                        name="oracle-proxy", daemon=True)

    def __enter__(self) -> "OracleProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    start = __enter__

    def stop(self) -> None:
        """Stops accepting and waits for the exchanges under way."""
        if self._record.closed:
            return
        self._server.shutdown()
        self._server.server_close()
        with self._changed:
            self._record.close()

    @property
    def base(self) -> str:
        """What to put in a URL in place of the upstream's scheme, host and port."""
        return "http://127.0.0.1:%d" % self._server.server_address[1]

    @property
    def exchanges(self) -> list[Exchange]:
        """Every request so far, in the order they were received; copies, safe to keep."""
        with self._changed:
            return [dataclasses.replace(exchange) for exchange in self._exchanges]

    def rotations(self) -> int:
        """How many refresh tokens the server has replaced; one asked for twice counts once."""
        with self._changed:
            return len({e.refresh_token for e in self._exchanges if e.rotated})

    def max_in_flight(self) -> int:
        """The most requests ever open at once for one refresh token: more than 1 is a fault."""
        with self._changed:
            return max((e.in_flight for e in self._exchanges if e.refresh_token), default=0)

    def wait_for_arrival(self, timeout: float) -> bool:
        """Waits for one more request than there are now; false when none came in time."""
        with self._changed:
            seen = len(self._exchanges)
            return self._changed.wait_for(lambda: len(self._exchanges) > seen, timeout)

    def wait_settled(self, timeout: float = 30) -> None:
        """Waits until every request is finished whose connection was made before this call.

        After a client was killed, its connection may still be in the listen queue. Connections
        are accepted in order, so the answer to one more connection says that all earlier ones
        are accepted; what is left is to wait until those are done.
        """
        ask_for_marker(self._server.server_address, timeout)
        with self._changed:
            earlier = set(self._connections)
            if not self._changed.wait_for(lambda: not earlier & self._connections, timeout):
                raise TimeoutError("the server did not answer within %g s: %s" % (
                    timeout, [e for e in self._exchanges if e.finished is None]))

    # Called by the handlers, each from its own thread.

    def accepted(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()

    def begin(self, path: str, form: dict[str, str], connection: socket.socket) -> Exchange:
        with self._changed:
            token = form.get("refresh_token")
            exchange = Exchange(len(self._exchanges), time.time(), path,
                                form.get("grant_type"), token)
            if token:
                # A client that has gone can send nothing more: its request is not "in flight".
                rivals = [s for s in self._open.get(token, []) if not hung_up(s)]
                self._open[token] = rivals + [connection]
                exchange.in_flight = len(rivals) + 1
            self._exchanges.append(exchange)
            self._changed.notify_all()
            return exchange

    def answered(self, exchange: Exchange, status: int, body: bytes) -> None:
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        fields = answer if isinstance(answer, dict) else {}
        with self._changed:
            exchange.status, exchange.answered_at = status, time.time()
            exchange.new_refresh_token = fields.get("refresh_token")
            exchange.access_token = fields.get("access_token")
            exchange.expires_in = fields.get("expires_in")
            self._changed.notify_all()

    def no_longer_in_flight(self, exchange: Exchange, connection: socket.socket) -> None:
        """Just before the answer goes out: its reader may send the next request at once."""
        with self._changed:
            if exchange.refresh_token:
                self._open[exchange.refresh_token] = [
                    s for s in self._open[exchange.refresh_token] if s is not connection]

    def finish(self, exchange: Exchange) -> None:
        with self._changed:
            exchange.finished = time.time()
            if not self._record.closed:
                self._record.write(json.dumps(dataclasses.asdict(exchange)) + "\n")
                self._record.flush()
            self._changed.notify_all()


def hung_up(connection: socket.socket) -> bool:
    """Whether the peer has closed its end, as the kernel does for a killed process."""
    watch = select.poll()
    watch.register(connection, select.POLLRDHUP)
    return bool(watch.poll(0))


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = False  # stop() waits for them
    request_queue_size = 128

    def __init__(self, proxy: OracleProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's would look up the host's name

    def process_request(self, request, client_address) -> None:
        self.proxy.accepted(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        super().shutdown_request(request)
        self.proxy.closed(request)

    def handle_error(self, request, client_address) -> None:
        # These tests disconnect clients in the middle of a request.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.close_connection = True
        if self.path == MARKER:
            self.connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        else:
            self.connection.sendall(self.ask(b"")[2])

    def do_POST(self) -> None:
        self.close_connection = True
        if "Content-Length" not in self.headers:
            return self.send_error(411)
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # cut off by the client: the server never sees it
        form = dict(urllib.parse.parse_qsl(body.decode("latin-1")))
        proxy = self.server.proxy
        exchange = proxy.begin(self.path, form, self.connection)
        try:
            self.exchange(exchange, body)
        finally:
            proxy.no_longer_in_flight(exchange, self.connection)
            proxy.finish(exchange)

    def exchange(self, exchange: Exchange, body: bytes) -> None:
        proxy = self.server.proxy
        try:
            status, content, answer = self.ask(body)
        except (OSError, http.client.HTTPException) as error:
            exchange.trouble = "the server gave no answer: %r" % error
            return
        proxy.answered(exchange, status, content)
        if proxy.drop(exchange):
            exchange.dropped = True
            return
        time.sleep(proxy.hold(exchange))
        gone = hung_up(self.connection)
        proxy.no_longer_in_flight(exchange, self.connection)
        self.connection.sendall(answer)
        exchange.delivered = not gone

    def ask(self, body: bytes) -> tuple[int, bytes, bytes]:
        """Puts the request to the server; its status, its body, and the answer to pass on."""
        upstream = http.client.HTTPConnection(*self.server.proxy.upstream, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        try:
            upstream.request(self.command, self.path, body or None, headers)
            response = upstream.getresponse()
            content = response.read()
        finally:
            upstream.close()
        lines = ["HTTP/1.1 %d %s" % (response.status, response.reason)]
        lines += ["%s: %s" % (k, v) for k, v in response.getheaders()
                  if k.lower() not in HOP_BY_HOP]
        lines += ["Content-Length: %d" % len(content), "Connection: close", "", ""]
        return response.status, content, "\r\n".join(lines).encode("latin-1") + content
