"""A loopback server that executes a test's script, and records every byte that it receives.

HTTP libraries hide what these tests need: a connection closed without an answer, a head that never
ends, a second request on one connection, what a client sends before it trusts a certificate. So
this server uses sockets. A script is a function that gets each `Connection`:

    server = RawServer(replying(200, b'{"access_token": "a"}')).start()
    server.plan(hanging_up, replying(503))      # the next connections, one each; the last repeats

Nothing is ever dropped from the record: `Connection.wire` holds the bytes as they came, and
`Connection.plain` what TLS made of them (the same bytes without TLS).
"""

import contextlib
import dataclasses
import email.utils
import select
import socket
import ssl
import struct
import threading
import time

REASONS = {200: "OK", 301: "Moved Permanently", 302: "Found", 400: "Bad Request"}


@dataclasses.dataclass(frozen=True)
class Request:
    """One complete HTTP request, as it came."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name):
        """The value of a header that stands once at most; None if it is not there."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        if len(values) > 1:
            raise AssertionError(f"{name} stands {len(values)} times: {values}")
        return values[0] if values else None


def parse_request(data):
    """The first request in `data` and what follows it; (None, data) while it is not complete."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    if not separator:
        return None, data
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(map(str.strip, line.split(":", 1))) for line in lines]
    length = next((int(v) for k, v in headers if k.lower() == "content-length"), 0)
    if len(rest) < length:
        return None, data
    return Request(*first.split(" ", 2), headers, rest[:length]), rest[length:]


def answer(status=200, body=b"", headers=()):
    """The bytes of a complete answer. The connection's end is left to the script."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}",
             f"Date: {email.utils.formatdate(usegmt=True)}", f"Content-Length: {len(body)}"]
    if body and not any(name.lower() == "content-type" for name, _ in headers):
        lines.append("Content-Type: application/json")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """One accepted connection and all that came over it."""

    def __init__(self, sock, number, context):
        self.socket, self.number, self._context, self._tls = sock, number, context, None
        self.opened_at = time.monotonic()
        self.asked_at = None  # when the first request was complete
        self.ended_at = None  # when the client closed its side, or nothing more could be sent
        self.wire, self.plain = bytearray(), bytearray()
        self.problem = None  # why TLS was not established, or how it ended
        self._read = 0

    @property
    def requests(self):
        """Every complete request that came."""
        found, rest = [], bytes(self.plain)
        while rest:
            request, rest = parse_request(rest)
            if request is None:
                break
            found.append(request)
        return found

    def read_request(self):
        """Waits for the next request on this connection; None when the client has closed."""
        while True:
            request, rest = parse_request(bytes(self.plain[self._read:]))
            if request is not None:
                self._read = len(self.plain) - len(rest)
                return request
            if not self.receive():
                return None

    def receive(self):
        """Waits for more; false when the client has closed."""
        if self._context is None:
            data = self._receive_raw()
        elif self._tls is None:
            return bool(self._receive_raw())  # what follows a failed handshake: wire only
        else:
            try:
                data = self._step(lambda: self._tls.read(65536))
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                data = b""
        self.plain += data
        if self.asked_at is None and parse_request(bytes(self.plain))[0] is not None:
            self.asked_at = time.monotonic()
        return bool(data)

    def certificate(self):
        """The client certificate of the handshake, as `ssl` returns it; None without one."""
        return self._tls.getpeercert() if self._tls is not None else None

    def stays(self, seconds):
        """Whether the client stays connected for this long without sending anything."""
        ready, _, _ = select.select([self.socket], [], [], seconds)
        return not ready or self.receive()

    def send(self, data):
        if self._tls is None:
            return self.socket.sendall(data)
        for start in range(0, len(data), 16384):
            self._step(lambda: self._tls.write(data[start:start + 16384]))

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def handshake(self):
        """TLS on top of the socket, by hand, so that the bytes underneath are recorded too."""
        if self._context is None:
            return
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._step(tls.do_handshake)
        self._tls = tls

    def finish(self):
        """Closes its side, and reads what the client may still send."""
        with contextlib.suppress(OSError, ssl.SSLError):
            if self._tls is not None:
                with contextlib.suppress(ssl.SSLError):
                    self._step(self._tls.unwrap, once=True)
            self.socket.shutdown(socket.SHUT_WR)
            self.socket.settimeout(5)
            while self.receive():
                pass
        self.ended_at = self.ended_at or time.monotonic()
        self.socket.close()

    def _receive_raw(self):
        data = self.socket.recv(65536)
        self.wire += data
        return data

    def _step(self, step, once=False):
        """Runs a TLS step, moving bytes between it and the socket for as long as it wants some."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                if once:
                    return None
                self._flush()
                data = self._receive_raw()
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            finally:
                self._flush()

    def _flush(self):
        if self._outgoing.pending:
            self.socket.sendall(self._outgoing.read())


class RawServer:
    """Listens on loopback, or another address of this host; runs a script for each connection, in
    a thread of its own."""

    def __init__(self, *scripts, context=None, address="127.0.0.1"):
        self._listener = socket.create_server((address, 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.context = context
        self._lock = threading.Lock()
        self._connections, self._threads = [], []
        self.plan(*scripts)

    def start(self):
        self._listening = threading.Thread(target=self._accept, daemon=True)
        self._listening.start()
        return self

    def plan(self, *scripts):
        """What to do with the next connections, one each; the last script repeats."""
        with self._lock:
            self._scripts = list(scripts)

    @property
    def connections(self):
        """All that were ever accepted, in order."""
        with self._lock:
            return list(self._connections)

    @property
    def requests(self):
        """Every complete request, in order of the connections."""
        return [request for one in self.connections for request in one.requests]

    def stop(self):
        """Closes everything; twice is once."""
        with self._lock:
            sockets = [one.socket for one in self._connections]
        for one in [self._listener, *sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in [self._listening, *self._threads]:
            thread.join(10)

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                connection = Connection(sock, len(self._connections) + 1, self.context)
                self._connections.append(connection)
                script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
                thread = threading.Thread(target=self._run, args=(connection, script), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _run(self, connection, script):
        try:
            connection.handshake()
            script(connection)
        except ssl.SSLError as error:
            connection.problem = str(error)
        except OSError:
            connection.ended_at = time.monotonic()  # the client has gone
        connection.finish()


# Scripts.

def replying(status=200, body=b"", headers=()):
    """Reads one request, gives this answer, closes."""
    def script(connection):
        if connection.read_request() is not None:
            connection.send(answer(status, body, headers))
    return script


def hanging_up(connection):
    """Reads one request and closes without an answer."""
    connection.read_request()


def resetting(connection):
    """Reads one request and resets the connection."""
    connection.read_request()
    connection.reset()


def silent(connection):
    """Sends nothing while the client is connected."""
    while connection.receive():
        pass
