"""Hostile answers by their framing and their timing: lengths that lie, chunks that never end,
headers without number, compression, connections that end too early, too late or twice, and an
answer cut at every byte."""

import gzip
import secrets
import zlib

from evertest.hostile.endpoint import (ASSUMED, CANARY, FORGED, HALF, LENIENT, SPENT, TOLD, Case,
                                       chunked, dripping, framed, head, keeping_on, saying)
from evertest.hostile.statuses import HTML, NOTE

CHUNKED = "Transfer-Encoding: chunked"
ZEROS = gzip.compress(b"\0" * 10_000_000)


def tokens(*lines, after=b"", body=lambda grant: grant.body()):
    """A token answer under these header lines, without any of its own."""
    return saying(lambda grant: head("200 OK", *lines) + body(grant) + after)


def with_length(length):
    """A token answer with a Content-Length made of its true one."""
    return saying(lambda grant: head("200 OK", f"Content-Length: {length(len(grant.body()))}")
                  + grant.body())


def _lengths():
    whole = "granted", TOLD
    yield Case("content-length-one-too-long", with_length(lambda n: n + 1), *whole)
    # What the length frames is whole: JSON that ends too early, both tokens in it.
    yield Case("content-length-one-too-short", with_length(lambda n: n - 1), *whole)
    yield Case("content-length-a-gigabyte-too-long", with_length(lambda n: n + 10**9), *whole)
    yield Case("content-length-zero", with_length(lambda n: 0), "ambiguous", LENIENT)
    for name, spell in {
            "two-to-63": lambda n: 2**63, "two-to-64": lambda n: 2**64,
            "with-a-plus": lambda n: f"+{n}", "a-fraction": lambda n: f"{n}.5",
            "a-list": lambda n: f"{n}, {n}", "leading-zeros": lambda n: f"000{n}",
            "twice-the-same": lambda n: f"{n}\r\nContent-Length: {n}"}.items():
        yield Case(f"content-length-{name}", with_length(spell), *whole)
    for name, spell in {
            "negative": lambda n: -n, "in-hex": lambda n: hex(n), "empty": lambda n: "",
            "garbage": lambda n: CANARY,
            "twice-shorter-last": lambda n: f"{n}\r\nContent-Length: 3"}.items():
        yield Case(f"content-length-{name}", with_length(spell), "ambiguous", LENIENT)
    # Which of two lengths counts is the HTTP library's affair; that nothing is lost is not.
    yield Case("content-length-twice-longer-last",
               with_length(lambda n: f"3\r\nContent-Length: {n}"), ("granted", "ambiguous"),
               LENIENT)


def chunks(make, *lines):
    return saying(lambda grant: head("200 OK", CHUNKED, *lines) + make(grant.body()))


def _chunks():
    whole = "granted", TOLD
    yield Case("chunks-of-one-byte",
               chunks(lambda b: chunked(*(b[i:i + 1] for i in range(len(b))))), *whole)
    yield Case("chunked-and-a-content-length", chunks(chunked, "Content-Length: 3"), *whole)
    yield Case("chunked-said-twice", chunks(chunked, CHUNKED), *whole)
    yield Case("chunked-said-and-not-done", chunks(lambda b: b), "ambiguous", LENIENT)
    yield Case("an-unknown-transfer-encoding",
               tokens("Transfer-Encoding: " + CANARY), *whole)
    yield Case("chunk-extensions", chunks(lambda b: chunked(b, extension=b";a=b;c")), *whole)
    yield Case("a-chunk-extension-of-a-megabyte",
               chunks(lambda b: chunked(b, extension=b";a=" + b"x" * 1_000_000)), *whole)
    yield Case("trailers-that-lie", chunks(lambda b: chunked(
        b, trailers=b"Content-Length: 3\r\nContent-Type: text/html\r\nStatus: 500\r\n")), *whole)
    yield Case("ten-thousand-trailers", chunks(lambda b: chunked(
        b, trailers=b"".join(b"X-%d: y\r\n" % i for i in range(10_000)))), *whole)
    yield Case("a-trailer-of-a-megabyte", chunks(lambda b: chunked(
        b, trailers=b"X: " + b"y" * 1_000_000 + b"\r\n")), *whole)
    for name, size in {"negative": b"-1", "of-two-to-72": b"F" * 18, "empty": b"", "no-hex": b"zz",
                       "with-0x": b"0x40"}.items():
        yield Case(f"a-chunk-size-{name}", keeping_on(
            head("200 OK", CHUNKED) + size + b"\r\n" + NOTE), "ambiguous")
    yield Case("chunks-ended-by-bare-newlines",
               chunks(lambda b: chunked(b).replace(b"\r\n", b"\n")), *whole)


def _headers():
    whole = "granted", TOLD
    yield Case("ten-thousand-headers", tokens(*(f"X-{i}: y" for i in range(10_000))), "ambiguous",
               LENIENT)
    yield Case("one-header-of-a-megabyte", tokens("X: " + "y" * 1_000_000), "ambiguous", LENIENT)
    yield Case("a-header-name-of-a-megabyte", tokens("y" * 1_000_000 + ": X"), "ambiguous", LENIENT)
    yield Case("a-status-line-of-a-megabyte", saying(b"HTTP/1.1 200 " + b"y" * 1_000_000),
               "ambiguous")
    yield Case("endless-headers", keeping_on(head()[:-2], b"X-Filler: " + b"y" * 500 + b"\r\n"),
               "ambiguous")
    yield Case("endless-interim-answers", keeping_on(b"", head("100 Continue") * 500), "ambiguous")
    yield Case("bare-newlines", saying(
        lambda grant: head("200 OK").replace(b"\r\n", b"\n") + grant.body()), *whole)
    for name, line in {
            "folded": "X: y\r\n  folded\r\n\tagain",
            "without-a-name": ": " + CANARY, "with-a-bare-cr": "X: a\rb",
            "in-latin-1": "X-\xfc: \xff", "with-a-space-before-the-colon": "X : y",
            "with-a-date-of-1970": "Date: Thu, 01 Jan 1970 00:00:00 GMT",
            "with-no-date-at-all": "Date: " + CANARY}.items():
        yield Case(f"a-header-{name}", saying(
            lambda grant, line=line: framed("200 OK", grant.body(), line)), *whole)
    for name, line in {"without-a-colon": CANARY, "with-a-nul": "X: a\0b"}.items():
        yield Case(f"a-header-{name}", tokens(line), "ambiguous", LENIENT)


def _bodies():
    first = ("200 OK", "Content-Type: application/json")
    def big(grant):
        return b'{"refresh_token": "%s", "filler": "' % grant.refresh.encode()
    yield Case("ten-megabytes", tokens(after=b"x" * 10_000_000, body=big), "transient", TOLD)
    yield Case("an-endless-body", keeping_on(head(*first), b"x" * 65536), "ambiguous")
    yield Case("an-endless-chunked-body",
               keeping_on(head(*first, CHUNKED), b"8000\r\n" + b"x" * 0x8000 + b"\r\n"),
               "ambiguous")
    yield Case("a-body-of-five-bytes-a-second", dripping(head(*first) + NOTE), "ambiguous")
    yield Case("a-head-of-five-bytes-a-second", dripping(head(*first) + NOTE), "ambiguous")
    yield Case("a-whole-answer-and-then-five-bytes-a-second", keeping_on(
        lambda grant: head(*first) + grant.body(), b" ", every=0.2), "granted", TOLD)
    yield Case("tokens-and-a-connection-left-open", keeping_on(
        lambda grant: framed("200 OK", grant.body(), "Connection: keep-alive")), "granted", TOLD)
    for name, body in {"gzip": gzip.compress, "deflate": zlib.compress}.items():
        yield Case(f"a-{name}-bomb", saying(framed("200 OK", body(b"\0" * 10_000_000),
                                                   f"Content-Encoding: {name}")), "ambiguous")
        yield Case(f"tokens-in-{name}", saying(lambda grant, body=body, name=name: framed(
            "200 OK", body(grant.body()), f"Content-Encoding: {name}")), "granted", TOLD)
        yield Case(f"tokens-in-{name}-without-saying-so", saying(lambda grant, body=body: framed(
            "200 OK", body(grant.body()))), "granted", TOLD)
        # Known to be cut: nothing of it is published, and its refresh token is kept.
        yield Case(f"tokens-in-{name}-without-an-end", saying(lambda grant, body=body: framed(
            "200 OK", body(grant.body(padding=secrets.token_hex(4000)))[:-3000],
            f"Content-Encoding: {name}")), "transient", TOLD)
        yield Case(f"a-{name}-bomb-by-transfer-encoding", saying(
            head("200 OK", f"Transfer-Encoding: {name}, chunked")
            + chunked(body(b"\0" * 10_000_000))), "ambiguous")
    yield Case("a-gzip-bomb-in-a-gzip-bomb", saying(framed(
        "200 OK", gzip.compress(ZEROS), "Content-Encoding: gzip, gzip")), "ambiguous")
    yield Case("compression-said-and-not-done", saying(
        lambda grant: framed("200 OK", grant.body(), "Content-Encoding: br")), "granted", TOLD)


def silent(connection, _):
    while connection.receive():
        pass


def early(connection, grant):
    connection.send(framed("200 OK", grant.body()))
    connection.read_request()


def resetting(first, *, reading=True):
    def script(connection, grant):
        if reading:
            connection.read_request()
        connection.send(first(grant) if callable(first) else first)
        connection.reset()
    return script


def half_closing(first, *, before=False):
    """Closes its side and listens on (that is what the end of every script does)."""
    def script(connection, grant):
        if not before:
            connection.read_request()
        connection.send(first(grant) if callable(first) else first)
    return script


def _connections():
    def good(grant):
        return framed("200 OK", grant.body())

    yield Case("an-answer-before-the-request-is-read", early, "granted", TOLD)
    yield Case("no-answer", silent, "ambiguous")
    yield Case("a-close-without-an-answer", saying(b""), "ambiguous")
    yield Case("a-close-before-the-request", half_closing(b"", before=True), "ambiguous")
    yield Case("a-reset-before-the-request", resetting(b"", reading=False),
               ("ambiguous", "transient"))
    yield Case("a-reset-after-the-request", resetting(b""), "ambiguous", times=2)
    yield Case("a-reset-after-the-headers", resetting(head("200 OK", "Content-Length: 99")),
               "ambiguous")
    yield Case("a-rotation-and-a-reset", resetting(b""), "ambiguous", SPENT)
    yield Case("a-rotation-and-silence", silent, "ambiguous", SPENT)
    yield Case("a-rotation-and-a-close", saying(b""), "ambiguous", SPENT)
    yield Case("half-a-close-after-the-headers", half_closing(head()), "ambiguous")
    yield Case("two-answers-in-one", saying(lambda grant: good(grant) * 2), "granted", TOLD)
    yield Case("a-forged-second-answer",
               saying(lambda grant: good(grant) + framed("200 OK", FORGED)), "granted", TOLD)
    yield Case("a-forged-answer-after-an-error", saying(
        framed("503 Busy", HTML) + framed("200 OK", FORGED)), "transient")
    yield Case("a-forged-answer-after-204", saying(
        head("204 No Content") + framed("200 OK", FORGED)), "ambiguous")
    yield Case("headers-that-forge-a-body", saying(
        lambda grant: framed("200 OK", grant.body(), "X: y\r\n" + "Content-Type: text/html")),
        "granted", TOLD)


def cases():
    return [*_lengths(), *_chunks(), *_headers(), *_bodies(), *_connections()]


FRAMINGS = ("content-length", "chunked", "close", "too-long")


def _cut(framing, at):
    def whole(grant):
        body = b'{"access_token": "%s", "refresh_token": "%s", "expires_in": 3600}' % (
            grant.access.encode(), grant.refresh.encode())
        if framing == "chunked":
            middle = len(body) - 9  # behind the tokens
            return head("200 OK", CHUNKED) + chunked(body[:middle], body[middle:])
        length = {"content-length": [len(body)], "too-long": [len(body) + 7], "close": []}[framing]
        return head("200 OK", *(f"Content-Length: {one}" for one in length)) + body

    sample = Case("", None, "").new_grant()
    data = whole(sample)

    def has(token):
        return at > data.index(token.encode()) + len(token)

    # Only the last framing does not tell that an answer was cut: what was whole before is read.
    tells = framing != "close"
    lifetime = None
    if at >= data.rindex(b"}") + 1:
        expect, token, lifetime = "granted", TOLD, 3600
    elif has(sample.refresh):
        expect, token = "transient" if tells else "granted", TOLD
    elif has(sample.access) and not tells:
        expect, token = "granted", HALF
    else:
        expect, token = "ambiguous", LENIENT
    if expect == "granted" and lifetime is None:
        lifetime = ASSUMED  # a number at the end may lack digits
    return len(data), Case(f"{framing}-cut-at-{at}", saying(lambda grant: whole(grant)[:at]),
                           expect, token, lifetime=lifetime)


def cuts(framing, step=1):
    """A short answer, cut at every byte; also not at all."""
    end, _ = _cut(framing, 0)
    return [_cut(framing, at)[1] for at in range(0, end + 1, step)]
