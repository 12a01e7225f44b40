"""Hostile answers by their first lines: every class of status, the odd ones too, redirects,
challenges, and every shape of Retry-After. Each is of a server that did not honour the request,
unless the table says otherwise."""

import email.utils
import json
import time

from evertest.hostile.endpoint import CANARY, LENIENT, SPENT, TOLD, Case, framed, head, saying

NOTE = json.dumps({"message": CANARY, "code_of_the_server": CANARY}).encode()
HTML = f"<!doctype html><html><body><h1>{CANARY}</h1></body></html>".encode()
WEB = "Content-Type: text/html"
#: Seconds that a token lives where the next try comes after a part of what is left of it.
SHORT = 12


def refusing(status, body=NOTE, *lines):
    return saying(framed(f"{status} {CANARY}", body, f"X-Trace: {CANARY}", *lines))


def error(code):
    return json.dumps({"error": code, "error_description": CANARY, "error_uri": CANARY}).encode()


def described(words):
    """An `invalid_request` that says in words what is wrong."""
    return json.dumps({"error": "invalid_request", "error_description": words}).encode()


def granting(status):
    """This status line, with a whole token answer."""
    return saying(lambda grant: framed(status, grant.body()))


def _successes():
    for code in (201, 202, 203, 205, 206, 207, 208, 226, 250, 299):
        yield Case(f"status-{code}-with-tokens", granting(f"{code} {CANARY}"), "granted", TOLD)
    yield Case("status-204-with-a-body", granting("204 No Content"), "ambiguous", LENIENT)
    yield Case("status-204", refusing(204, b""), "ambiguous")
    yield Case("status-205", refusing(205, b""), "ambiguous")
    yield Case("status-206-of-a-range", refusing(206, NOTE, "Content-Range: bytes 0-9/900"),
               "ambiguous")
    for code in (100, 101, 102, 103, 199):
        yield Case(f"only-status-{code}", saying(head(f"{code} {CANARY}", f"X-Trace: {CANARY}")),
                   "ambiguous")
    yield Case("a-hundred-interim-answers-and-tokens", saying(
        lambda grant: head("100 Continue") * 50 + head("103 Early Hints", "Link: </x>") * 50
        + framed("200 OK", grant.body())), "granted", TOLD)


def _redirects(elsewhere):
    there = f"Location: http://127.0.0.1:{elsewhere}/token"
    for code in (300, 301, 302, 303, 305, 306, 307, 308, 399):
        yield Case(f"status-{code}-to-another-origin", refusing(code, HTML, WEB, there), "config")
    yield Case("status-304", saying(head("304 Not Modified", "ETag: " + CANARY)), "config")
    targets = {"https": there.replace("http:", "https:"), "a-file": "Location: file:///etc/passwd",
               "itself": "Location: ?", "nowhere": "Location:", "no-url": "Location: \x80\xff",
               "with-credentials": there.replace("//", "//user:secret@")}
    for name, line in targets.items():
        yield Case(f"a-redirect-to-{name}", refusing(307, HTML, line), "config")
    yield Case("a-redirect-with-an-error-body", refusing(302, error("invalid_grant"), there),
               "config")
    yield Case("tokens-beside-a-location", saying(
        lambda grant: framed("200 OK", grant.body(), there, "Refresh: 0; url=/",
                             'Alt-Svc: h2=":1"', "Strict-Transport-Security: max-age=99999999",
                             "Set-Cookie: a=" + CANARY)), "granted", TOLD)


def _refusals():
    for code in ("invalid_request", "invalid_client", "unauthorized_client", "invalid_scope",
                 "unsupported_grant_type", "access_denied", CANARY):
        name = "an-unknown-error" if code == CANARY else code.replace("_", "-")
        yield Case(f"status-400-{name}", refusing(400, error(code)), "config")
        yield Case(f"status-200-{name}", refusing(200, error(code)),
                   "transient" if code == CANARY else "config")
    # The tries before a person is asked for are spread over what is left of the token.
    for code in (400, 401, 403, 200, 418):
        yield Case(f"status-{code}-invalid-grant", refusing(code, error("invalid_grant")),
                   "reauth", ordinary=SHORT)
    for code in (400, 401, 403):
        yield Case(f"status-{code}-without-a-body", refusing(code, b""), "reauth", ordinary=SHORT)
        yield Case(f"status-{code}-of-a-web-page", refusing(code, HTML, WEB), "reauth",
                   ordinary=SHORT)
    for name, words in {"the-refresh-token-is-invalid": "The refresh_token is invalid.",
                        "a-refresh-token-that-expired": "Refresh token expired"}.items():
        yield Case(f"status-400-invalid-request-of-{name}", refusing(400, described(words)),
                   "reauth", ordinary=SHORT)
    for name, words in {"a-refresh-token-that-is-missing": "Missing parameter: refresh_token",
                        "another-token": "The token is invalid."}.items():
        yield Case(f"status-400-invalid-request-of-{name}", refusing(400, described(words)),
                   "config")
    for scheme in ("Basic realm=x", "Digest realm=x, nonce=y, qop=auth", "Negotiate", "NTLM",
                   "Bearer error=\"invalid_token\"", "DPoP algs=ES256"):
        line = f"WWW-Authenticate: {scheme}"
        name = scheme.split()[0].lower()
        yield Case(f"status-401-challenging-{name}", refusing(401, NOTE, line), "config")
    yield Case("status-407", refusing(407, HTML, "Proxy-Authenticate: Basic realm=x"), "config")
    for code in (402, 404, 405, 406, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422,
                 424, 426, 428, 431, 444, 451, 499):
        yield Case(f"status-{code}", refusing(code), "config")
    for code in (408, 425):
        yield Case(f"status-{code}", refusing(code), "transient")


def _failures():
    for code in (*range(500, 512), 520, 522, 525, 530, 599, 600, 700, 999):
        yield Case(f"status-{code}", refusing(code), "transient")
    yield Case("status-503-three-times", refusing(503, HTML, WEB), "transient", times=3)
    yield Case("status-503-invalid-grant", refusing(503, error("invalid_grant")), "transient")
    yield Case("status-503-retry-after-2", refusing(503, HTML, "Retry-After: 2"), "transient")
    yield Case("status-503-retry-after-a-day", refusing(503, HTML, "Retry-After: 86400"),
               "transient", waits=(3590, 3601))
    yield Case("rotated-then-500", refusing(500), "transient", SPENT, ordinary=4)
    yield Case("rotated-then-500-without-a-body", refusing(500, b""), "transient", SPENT,
               ordinary=4)
    # The access token of an answer that says it failed is not believed; its refresh token is tried.
    for code in (403, 500, 503):
        yield Case(f"status-{code}-with-tokens", granting(f"{code} {CANARY}"),
                   "config" if code == 403 else "transient", TOLD)


def _retry_after():
    ahead = email.utils.formatdate(time.time() + 500, usegmt=True)
    date = "Date: " + email.utils.formatdate(usegmt=True)
    unasked = (20, 31)  # half a minute where the server does not say how long
    shapes = {
        "missing": (None, unasked), "empty": ("", unasked), "zero": ("0", unasked),
        "negative": ("-1", unasked), "garbage": ("soon " + CANARY, unasked),
        "fraction": ("1.5", None), "exponent": ("1e9", unasked), "hex": ("0x10", unasked),
        "a-list": ("5, 9", unasked), "two-to-63": ("9223372036854775808", unasked),
        "forty-digits": ("9" * 40, unasked), "past": ("Thu, 01 Jan 1970 00:00:00 GMT", unasked),
        "one": ("1", None), "spaces": ("   2   ", None), "leading-zeros": ("0002", None),
        "an-hour": ("3600", (3590, 3601)), "a-billion-less-one": ("999999999", (3590, 3601)),
        "a-date": (ahead, (480, 502)),
        "far-future": ("Fri, 31 Dec 9999 23:59:59 GMT", (3590, 3601)),
    }
    for name, (value, waits) in shapes.items():
        lines = [] if value is None else [f"Retry-After: {value}"]
        yield Case(f"status-429-retry-after-{name}", refusing(429, NOTE, date, *lines),
                   "rate_limited", waits=waits)
    yield Case("status-429-retry-after-twice",
               refusing(429, NOTE, date, "Retry-After: 1", "Retry-After: 3600"), "rate_limited")
    yield Case("status-429-retry-after-of-20-kilobytes",
               refusing(429, NOTE, "Retry-After: " + "9" * 20_000), "ambiguous")


def _first_lines():
    for name, line in {
            "without-a-reason": "HTTP/1.1 200", "with-an-empty-reason": "HTTP/1.1 200 ",
            "of-http-1-0": "HTTP/1.0 200 OK", "of-http-2": "HTTP/2 200",
            "in-lower-case": "http/1.1 200 OK", "with-a-long-reason": "HTTP/1.1 200 " + "y" * 9000,
            "with-a-reason-in-latin-1": "HTTP/1.1 200 \xfc\xff"}.items():
        yield Case(f"a-status-line-{name}", saying(
            lambda grant, line=line: framed(line.split(" ", 1)[1], grant.body())
            .replace(b"HTTP/1.1", line.split(" ")[0].encode(), 1)), "granted", TOLD)
    for name, line in {
            "of-http-1-9": "HTTP/1.9 200 OK", "of-http-3": "HTTP/3 200",
            "of-http-7": "HTTP/7.7 200 OK",
            "of-icecast": "ICY 200 OK", "of-rtsp": "RTSP/1.0 200 OK",
            "without-a-status": "HTTP/1.1", "with-letters": "HTTP/1.1 2OO OK",
            "of-status-000": "HTTP/1.1 000 None", "of-status-99": "HTTP/1.1 99 Low",
            "of-status-2000": "HTTP/1.1 2000 High", "of-status-minus-200": "HTTP/1.1 -200 Low",
            "without-a-space": "HTTP/1.1200 OK", "with-a-nul": "HTTP/1.1 200\0 OK"}.items():
        yield Case(f"a-status-line-{name}", saying(
            lambda grant, line=line: line.encode("latin-1") + b"\r\n"
            + framed("", grant.body()).split(b"\r\n", 1)[1]), "ambiguous", LENIENT)
    for name, text in {
            "http-0-9": HTML, "the-http-2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0",
            "http-2-frames": b"\0\0\6\4\0\0\0\0\0\0\3\0\0\0d\0\0\4\x08\0\0\0\0\0\0\1\0\0",
            "ssh": b"SSH-2.0-" + CANARY.encode() + b"\r\n", "a-tls-alert": b"\x15\3\1\0\2\2\x28",
            "nothing-but-newlines": b"\r\n" * 500, "zeros": b"\0" * 5000,
            "bare-json": b'{"access_token": "x"}\n',
            "smtp": b"220 ready " + CANARY.encode()}.items():
        yield Case(f"{name}-for-an-answer", saying(text), "ambiguous")


def cases(elsewhere):
    """All of them; `elsewhere` is a port that gets no connection."""
    return [*_successes(), *_redirects(elsewhere), *_refusals(), *_failures(), *_retry_after(),
            *_first_lines()]
