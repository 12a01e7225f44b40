"""A proxy on loopback that plays every host of the Internet.

It grants CONNECT to any host's port 443, ends TLS itself with a certificate that the client was
told to trust, records the one request that comes through each tunnel, and answers what it is told
to. So a client can be tested with its real providers: only its proxy is configured, and not a byte
leaves this machine.

    proxy = RecordingProxy(context, lambda seen: http_answer(200, {}, b"{}")).start()
    # …a client with the proxy `proxy.url`…
    proxy.seen[0].url, proxy.seen[0].request.body
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import ssl
import threading
import time
from typing import Callable, Optional

from evertest.servers.raw_server import Request, parse_request

GRANTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
PORT = ":443"


@dataclasses.dataclass(frozen=True)
class Seen:
    """One request, and the CONNECT that it came through."""

    host: str
    request: Request
    connect: Request
    at: float  # epoch seconds of this machine's clock

    @property
    def url(self) -> str:
        """Where it would have gone, without the query."""
        return f"https://{self.host}{self.request.target.partition('?')[0]}"

    @property
    def query(self) -> str:
        return self.request.target.partition("?")[2]


def http_answer(status: int, headers: dict[str, str], body: bytes) -> bytes:
    """The bytes of an answer that ends its connection; its headers are these and the length."""
    lines = [f"HTTP/1.1 {status} Status", *(f"{key}: {value}" for key, value in headers.items()),
             f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


class RecordingProxy:
    """`respond` is asked for the bytes of each answer, and may take its time; with None the
    connection is closed without one."""

    def __init__(self, context: ssl.SSLContext,
                 respond: Callable[[Seen], Optional[bytes]]) -> None:
        self._context, self._respond = context, respond
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = "http://127.0.0.1:%d" % self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._troubles: list[str] = []
        self._sockets: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="recording-proxy", daemon=True)

    def start(self) -> "RecordingProxy":
        self._thread.start()
        return self

    @property
    def seen(self) -> list[Seen]:
        """Every request so far, in the order they came."""
        with self._lock:
            return list(self._seen)

    @property
    def troubles(self) -> list[str]:
        """Actions of a client other than one request through one tunnel."""
        with self._lock:
            return list(self._troubles)

    def stop(self) -> None:
        """Closes everything; twice is once."""
        with self._lock:
            sockets = [self._listener, *self._sockets]
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(60)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._sockets.add(client)
        try:
            self._converse(client)
        except (OSError, ValueError) as problem:  # ssl.SSLError is an OSError
            self._note(f"a connection broke: {problem!r}")
        finally:
            with self._lock:
                self._sockets.discard(client)
            client.close()

    def _note(self, trouble: str) -> None:
        with self._lock:
            self._troubles.append(trouble)

    def _converse(self, client: socket.socket) -> None:
        connect = self._read(client)
        if connect is None or connect.method != "CONNECT" or not connect.target.endswith(PORT):
            return self._note(f"this is not CONNECT to port 443: {connect}")
        host = connect.target.removesuffix(PORT)
        client.sendall(GRANTED)
        with self._context.wrap_socket(client, server_side=True) as tls:
            request = self._read(tls)
            if request is None:
                return self._note(f"nothing was asked of {host}")
            seen = Seen(host, request, connect, time.time())
            with self._lock:
                self._seen.append(seen)
            answer = self._respond(seen)
            if answer is None:
                return None
            tls.sendall(answer)
            # A client that disconnected without a TLS close sent no further request.
            with contextlib.suppress(OSError):
                if tls.recv(1):
                    self._note(f"{host} was asked something more on the same connection")
            return None

    def _read(self, source: socket.socket) -> Optional[Request]:
        """One whole request; None when the client left before it was whole."""
        data = b""
        while True:
            request, rest = parse_request(data)
            if request is not None:
                if rest:
                    self._note(f"after {request.method} {request.target}: {len(rest)} more bytes")
                return request
            more = source.recv(65536)
            if not more:
                return None
            data += more
