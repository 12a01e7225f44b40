"""An authorization server whose tokens are all canaries, and which echoes secrets on request.

It rotates refresh tokens, remembers every secret that it was sent, and stands for a proxy too: a
request for a whole URL is answered as if it had been passed on."""

import base64
import http.server
import json
import threading
import time
import urllib.parse


class Sent:
    """One request, and the secrets in it."""

    def __init__(self, handler, body):
        self.form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        self.headers = {key.lower(): value for key, value in handler.headers.items()}
        self.whole = b"\n".join([handler.requestline.encode(), bytes(handler.headers), body])
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        self.client, self.secret = self.form.get("client_id", ""), ""
        if scheme == "Basic":
            pair = base64.b64decode(value).decode().partition(":")
            self.client, self.secret = (urllib.parse.unquote_plus(part) for part in pair[::2])
        self.refresh_token = self.form.get("refresh_token", "")

    @property
    def secrets(self):
        """The data that a server could echo."""
        names = ("refresh_token", "client_secret", "client_assertion", "code", "code_verifier")
        found = [self.form[name] for name in names if self.form.get(name)]
        return found + [self.headers[name] for name in ("authorization", "x-api-key")
                        if name in self.headers]

    @property
    def echo(self):
        return " ".join(self.secrets)


class Provider:
    """The endpoint. `hostile[client]` holds answers for the next requests of a client: functions of
    what was sent that return (status line, headers, body)."""

    def __init__(self, vault, lifetime=3600):
        self.vault, self.lifetime = vault, lifetime
        self.sent, self.hostile, self.delays, self.wrong = [], {}, {}, []
        self.secret_of = {}  # client -> what must be in each of its requests
        self._changed = threading.Condition()
        handler = type("Handler", (_Handler,), {"provider": self})
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads, self._http.block_on_close = True, False
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d/token" % self.port

    def stop(self):
        self._http.shutdown()
        self._http.server_close()

    def wait_for(self, condition, timeout=20):
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self.sent), timeout):
                raise AssertionError("in vain; requests of %s" % [s.client for s in self.sent])

    def answer(self, sent):
        """(status line, headers, body) for one request."""
        with self._changed:
            self.sent.append(sent)
            for name, kind in (("client_assertion", "assertion"), ("code_verifier", "verifier")):
                if name in sent.form:
                    self.vault.learn(kind, sent.form[name])
            expected = self.secret_of.get(sent.client)
            if expected and expected not in sent.whole.decode() and expected != sent.secret:
                self.wrong.append("%s did not send its secret" % sent.client)
            planned = self.hostile.get(sent.client)
            script = planned.pop(0) if planned else None
            self._changed.notify_all()
        time.sleep(self.delays.get(sent.client, 0))
        if script is not None:
            return script(sent)
        return "200 OK", {}, json.dumps(self.grant()).encode()

    def grant(self):
        """A token answer with two new canaries."""
        return {"access_token": self.vault.new("access", "AT"), "token_type": "Bearer",
                "expires_in": self.lifetime, "refresh_token": self.vault.new("refresh", "RT")}


class _Handler(http.server.BaseHTTPRequestHandler):
    provider: Provider

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, answer = self.provider.answer(Sent(self, body))
        lines = {"Content-Type": "application/json", "Content-Length": str(len(answer)),
                 "Connection": "close"} | headers
        head = "HTTP/1.1 %s\r\n" % status + "".join(
            "%s: %s\r\n" % pair for pair in lines.items()) + "\r\n"
        try:
            self.wfile.write(head.encode("latin-1") + answer)
        except OSError:
            pass  # the client may have had enough

    do_GET = do_POST

    def log_message(self, *_):
        pass


def _json(status, **fields):
    return lambda sent: (status, {}, json.dumps(
        {key: value(sent) if callable(value) else value for key, value in fields.items()}
    ).encode())


def _echo(sent):
    return sent.echo


def _forged(sent):
    return "invalid\r\nerror: crm: forged line %s\n\x1b[31m%s" % (sent.echo, sent.echo)


def _html(sent):
    return ("<html><body><h1>Error</h1><p>You sent %s</p></body></html>" % sent.echo).encode()


def _page(status, **headers):
    return lambda sent: (status, {"Content-Type": "text/html"} | {
        name.replace("_", "-"): value.format(echo=sent.echo, query=urllib.parse.quote(sent.echo))
        for name, value in headers.items()}, _html(sent))


def _spelled(sent):
    data = sent.echo.encode()
    return " ".join([base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode(),
                     data.hex(), "".join("%%%02X" % b for b in data)])


#: Everything a server may say back that it was told. Each is the first answer to one credential.
ECHOES = {
    "error": _json("400 Bad Request", error=_echo),
    "error-401": _json("401 Unauthorized", error=_echo),
    "description": _json("400 Bad Request", error="invalid_request", error_description=_echo),
    "description-grant": _json("400 Bad Request", error="invalid_grant", error_description=_echo,
                               error_uri=_echo),
    "description-client": _json("401 Unauthorized", error="invalid_client",
                                error_description=_echo),
    "spelled": _json("400 Bad Request", error=_spelled, error_description=_spelled),
    "forged": _json("400 Bad Request", error=_forged, error_description=_forged),
    "error-200": _json("200 OK", error=_echo, error_description=_echo),
    "error-503": _json("503 Service Unavailable", error="temporarily_unavailable", message=_echo),
    "error-object": _json("400 Bad Request", error=lambda sent: {"code": sent.echo,
                                                                  "message": sent.echo}),
    "key": lambda sent: ("400 Bad Request", {}, json.dumps({sent.echo: sent.echo}).encode()),
    "html-403": _page("403 Forbidden"),
    "html-500": _page("500 Internal Server Error"),
    "html-200": _page("200 OK"),
    "text": lambda sent: ("400 Bad Request", {"Content-Type": "text/plain"}, sent.echo.encode()),
    "location": _page("302 Found", Location="https://evil.example/?t={query}"),
    "location-307": _page("307 Temporary Redirect", Location="http://127.0.0.1:1/{query}"),
    "headers": _page("400 Bad Request", X_Echo="{echo}", WWW_Authenticate='Basic realm="{echo}"',
                     Set_Cookie="t={query}"),
    "retry-after": _page("429 Too Many Requests", Retry_After="{echo}"),
    "content-type": _page("400 Bad Request", Content_Type="text/{query}; charset={echo}"),
    "date": _page("503 Service Unavailable", Date="{echo}"),
    "encoding": _page("200 OK", Content_Encoding="{query}", Transfer_Encoding="{query}"),
    "injected": _page("400 Bad Request", X_Echo="a\r\nX-Other: {echo}\r\nRetry-After: 0"),
    "reason": lambda sent: ("400 " + sent.echo, {}, b"{}"),
    "status-line": lambda sent: (sent.echo + " OK", {}, b"{}"),
    "length": _page("200 OK", Content_Length="{query}"),
    "not-json": lambda sent: ("200 OK", {}, b'{"access_token": "' + sent.echo.encode()),
    "number": lambda sent: ("200 OK", {}, b'{"access_token": %s}' % sent.echo.encode()),
    "types": _json("200 OK", access_token=lambda sent: [sent.echo], expires_in=_echo),
    "control": lambda sent: ("200 OK", {}, json.dumps(
        {"access_token": "a\r\n" + sent.echo, "expires_in": 60}).encode()),
}
