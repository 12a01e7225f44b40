"""A token server on loopback for measurements: strict about requests, quick to answer."""

import base64
import contextlib
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import threading
import urllib.parse

LIFETIME = 3600
SECRET = "measurement"


class TokenServer(http.server.ThreadingHTTPServer):
    """Hands out long-lived tokens; a refresh token works once, as with the strictest servers."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), TokenRequest)
        self.lock = threading.Lock()
        self.good_refresh_token = {}
        self.issued = {}
        self.refused = []

    def answer(self, client, form):
        """The status and body for one request of an authenticated client."""
        with self.lock:
            rotating = client in self.good_refresh_token
            grant = form.get("grant_type")
            expected = "refresh_token" if rotating else "client_credentials"
            offered = form.get("refresh_token")
            if grant != expected or offered != self.good_refresh_token.get(client):
                self.refused.append(f"{client}: {grant}")
                return 400, {"error": "invalid_grant"}
            tokens = self.issued.setdefault(client, [])
            tokens.append(f"at-{client}-{len(tokens)}-" + os.urandom(12).hex())
            body = {"access_token": tokens[-1], "token_type": "Bearer", "expires_in": LIFETIME}
            if rotating:
                body["refresh_token"] = "rt-" + os.urandom(16).hex()
                self.good_refresh_token[client] = body["refresh_token"]
            return 200, body

    def requests_seen(self):
        with self.lock:
            return sum(map(len, self.issued.values())) + len(self.refused)


class TokenRequest(http.server.BaseHTTPRequestHandler):
    """One POST with client_secret_basic and a form body (RFC 6749 sections 4.4 and 6)."""

    timeout = 10

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        client = self.authenticated_client()
        if client is None:
            with self.server.lock:
                self.server.refused.append("a request with a wrong client")
            status, body = 401, {"error": "invalid_client"}
        else:
            status, body = self.server.answer(client, form)
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def authenticated_client(self):
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return None
        pair = map(urllib.parse.unquote_plus, base64.b64decode(value).decode().split(":", 1))
        client, secret = pair
        return client if secret == SECRET else None

    def log_message(self, *_):
        """Nothing: the table is the only output."""


@contextlib.contextmanager
def serving(folder, https=False):
    """A running server, its URL, and the bundle of authorities to trust it by (None for http)."""
    with TokenServer() as server:
        bundle = use_https(server, folder) if https else None
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        scheme = "https" if https else "http"
        try:
            yield server, f"{scheme}://127.0.0.1:{server.server_address[1]}/token", bundle
        finally:
            server.shutdown()
            thread.join()


def use_https(server, folder):
    """Gives the server a certificate; returns a bundle with the system's authorities as well,
    because reading them is part of the cost of a program that uses real providers."""
    key, certificate, bundle = (folder / name for name in ("key.pem", "cert.pem", "bundle.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, stderr=subprocess.DEVNULL)
    system = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
    bundle.write_text((system.read_text() if system.exists() else "") + certificate.read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return bundle
