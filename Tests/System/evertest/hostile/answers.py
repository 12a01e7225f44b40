"""Hostile answers by what their body says: other formats and charsets, JSON that is none, numbers
that are none, and tokens that cannot be used. Most contain a valid new refresh token: the daemon
must use it next, whatever the rest of the body is. The access token beside it is published wherever
it can be told which one it is (K1), except where it had ended at birth (K2)."""

import json

from evertest.hostile.endpoint import (ASSUMED, CANARY, FORGED, KEPT, LENIENT, SPENT, TOLD, Case,
                                       framed, saying)
from evertest.hostile.statuses import HTML, NOTE

#: For JSON that is broken in the middle it is sufficient that the refresh token is kept.
EITHER = ("granted", "transient")
PAGE = "text/html; charset=utf-8"


def body(make, kind="application/json"):
    """Status 200 with this body, made of the grant."""
    return saying(lambda grant: framed("200 OK", make(grant), f"Content-Type: {kind}"))


def fields(**literals):
    """A token answer with some fields spelled so."""
    return body(lambda grant: grant.literally(**literals))


def _formats():
    for name, text in {"a-web-page": HTML, "an-empty-body": b"", "white-space": b" \r\n\t " * 99,
                       "xml": b"<?xml version='1.0'?><a>" + CANARY.encode() + b"</a>",
                       "a-json-string": b'"' + CANARY.encode() + b'"', "a-json-number": b"17",
                       "json-null": b"null", "json-true": b"true", "a-json-list": b"[]",
                       "an-empty-object": b"{}", "an-object-of-others": NOTE,
                       "zeros": b"\0" * 4000, "half-an-object": b'{"access_tok',
                       "a-png": b"\x89PNG\r\n\x1a\n" + b"\0\xff" * 99}.items():
        yield Case(f"{name}-with-200", body(lambda grant, text=text: text, PAGE), "ambiguous")
    yield Case("tokens-in-xml", body(lambda grant: (
        f"<token><access_token>{grant.access}</access_token><refresh_token>{grant.refresh}"
        "</refresh_token></token>").encode(), "application/xml"), "ambiguous", SPENT)
    yield Case("tokens-in-a-list", body(lambda grant: b"[" + grant.body() + b"]"), "ambiguous",
               SPENT)
    yield Case("tokens-in-a-form", body(lambda grant: (
        f"access_token={grant.access}&refresh_token={grant.refresh}&expires_in=3600").encode(),
        "application/x-www-form-urlencoded"), "granted", TOLD)
    yield Case("tokens-and-a-wrong-content-type", body(lambda grant: grant.body(), PAGE), "granted",
               TOLD)
    yield Case("tokens-and-no-content-type", saying(
        lambda grant: framed("200 OK", grant.body())), "granted", TOLD)
    # The access token of an answer that says it failed is not believed; its refresh token is tried.
    yield Case("tokens-and-an-error", body(lambda grant: grant.body(error="server_error")),
               "transient", TOLD)
    yield Case("tokens-and-an-empty-error", body(lambda grant: grant.body(error="")), "granted",
               TOLD)


def _surroundings():
    yield Case("jsonp", body(lambda grant: b"callback(" + grant.body() + b");",
                             "text/javascript"), "granted", TOLD)
    for name, text in {"garbage": CANARY.encode(), "a-brace": b"}", "a-nul": b"\0",
                       "a-second-object": b'{"refresh_token": "forged-refresh"}'}.items():
        yield Case(f"tokens-and-{name}-behind", body(
            lambda grant, text=text: grant.body() + text), "granted", TOLD)
    yield Case("a-prefix-against-hijacking",
               body(lambda grant: b")]}',\n" + grant.body()), "granted", TOLD)
    yield Case("a-notice-of-php-in-front", body(
        lambda grant: b"<br />\n<b>Notice</b>:  Undefined index: " + CANARY.encode()
        + b" in <b>/srv/a.php</b> on line <b>7</b><br />\n" + grant.body(), PAGE), "granted", TOLD)
    yield Case("a-log-line-in-front", body(
        lambda grant: b"[2026-11-30] {debug} " + CANARY.encode() + b"\n" + grant.body()),
        "granted", TOLD)
    yield Case("tokens-in-a-string", body(lambda grant: json.dumps(
        grant.body().decode()).encode()), "granted", TOLD)
    # Only once: what is in a string in a string is not looked for.
    yield Case("tokens-in-a-string-in-a-string", body(lambda grant: json.dumps(json.dumps(
        grant.body().decode())).encode()), "ambiguous", LENIENT)
    yield Case("a-form-as-a-web-page", body(lambda grant: (
        f"access_token={grant.access}&refresh_token={grant.refresh}&expires_in=3600").encode(),
        PAGE), "granted", TOLD)
    # Tokens in the scripts or links of a page do not come from the token endpoint.
    for name, (front, behind) in {
            "a-script": (b"<html><script>var grant = ", b"</script></html>"),
            "a-doctype": (b"<!DOCTYPE html><pre>", b"</pre>"),
            "a-head": (b"<head><title>x</title></head>", b"")}.items():
        yield Case(f"forged-tokens-behind-{name}", body(
            lambda grant, front=front, behind=behind: front + FORGED + behind, PAGE), "ambiguous")
    yield Case("forged-tokens-in-a-link", body(
        lambda grant: b'<a href="?access_token=forged-access&refresh_token=forged-refresh">x</a>',
        PAGE), "ambiguous")
    # Which of two answers counts cannot be told: none is published, the last one's token is kept.
    yield Case("two-answers-in-one-body", body(
        lambda grant: FORGED + b"\n" + grant.body()), "transient", TOLD)
    # Text with a hole in it may be another one than it seems: its token has to look like one.
    for name, token in {"blanks": "a b", "quotes": "a\"b", "a-tag": "<b>"}.items():
        yield Case(f"an-access-token-with-{name}-in-a-noisy-answer", body(
            lambda grant: b"notice: " + grant.body()), "transient", TOLD,
            access=lambda made, token=token: made + token)


def _charsets():
    def noted(text):
        return lambda grant: grant.literally(note=b'"' + text + b'"')
    yield Case("json-with-a-bom", body(lambda grant: b"\xef\xbb\xbf" + grant.body()), "granted",
               TOLD)
    for name in ("utf-16", "utf-16-le", "utf-16-be"):
        yield Case(f"json-in-{name}", body(
            lambda grant, name=name: grant.body().decode().encode(name)), "granted", TOLD)
    yield Case("json-in-utf-32", body(lambda grant: grant.body().decode().encode("utf-32")),
               "ambiguous", SPENT)
    yield Case("half-a-character-of-utf-16", body(
        lambda grant: grant.body().decode().encode("utf-16")[:-1]), "granted", TOLD)
    yield Case("json-in-latin-1", body(noted(b"caf\xe9 \xff")), "granted", TOLD)
    yield Case("json-with-half-a-character", body(noted(b"\xf0\x9f\x98")), "granted", TOLD)
    yield Case("json-with-surrogates-in-utf-8", body(noted(b"\xed\xa0\x80")), "granted", TOLD)
    yield Case("json-with-a-lone-surrogate", body(noted(rb"\ud800")), "granted", TOLD)
    yield Case("json-with-a-bare-newline", body(noted(b"a\nb")), "granted", TOLD)
    yield Case("json-with-a-nul", body(noted(b"a\0b")), "granted", TOLD)


def _json():
    def nested(depth, open="[", close="]"):
        return open * depth + close * depth
    yield Case("depth-20", fields(deep=nested(20)), "granted", TOLD)
    yield Case("depth-5000", fields(deep=nested(5000)), EITHER, TOLD)
    yield Case("depth-5000-in-front", body(
        lambda grant: b'{"deep": ' + nested(5000).encode() + b", " + grant.body()[1:]),
        EITHER, TOLD)
    yield Case("depth-100000", fields(deep=nested(100_000)), EITHER, TOLD)
    yield Case("depth-100000-of-objects", fields(deep=nested(50_000, '{"a":', "}")), EITHER, TOLD)
    yield Case("nothing-but-100000-brackets", body(lambda grant: b"[" * 100_000), "ambiguous")
    for count, expect in {2000: "granted", 20_000: "transient"}.items():
        yield Case(f"{count}-keys", body(lambda grant, count=count: grant.body(
            **{f"k{i}": i for i in range(count)})), expect, TOLD)
    # The last of a name counts.
    yield Case("the-access-token-twice", body(
        lambda grant: b'{"access_token": "forged-access", ' + grant.body()[1:]), "granted", TOLD)
    yield Case("the-refresh-token-twice", body(
        lambda grant: b'{"refresh_token": "forged-refresh", ' + grant.body()[1:]), "granted", TOLD)
    yield Case("the-refresh-token-twice-alike", body(lambda grant: grant.literally()[:-1]
               + b', "refresh_token": "%s"}' % grant.refresh.encode()), "granted", TOLD)
    yield Case("the-prototype-of-objects", fields(__proto__='{"access_token": "forged-access"}'),
               "granted", TOLD)
    yield Case("comments", body(lambda grant: grant.body() + b" // " + CANARY.encode()),
               "granted", TOLD)
    yield Case("a-comma-too-many", body(lambda grant: grant.body()[:-1] + b",}"), "granted", TOLD)
    yield Case("a-brace-too-few", body(lambda grant: grant.body()[:-1]), "granted", TOLD)
    yield Case("single-quotes", body(lambda grant: grant.body().replace(b'"', b"'")), "granted",
               TOLD)


EXPIRIES = {
    "missing": (None, ASSUMED), "null": ("null", ASSUMED), "true": ("true", ASSUMED),
    "empty": ('""', ASSUMED), "a-word": (f'"{CANARY}"', ASSUMED), "a-list": ("[3600]", ASSUMED),
    "an-object": ('{"s": 3600}', ASSUMED), "a-billion": ("1000000000", ASSUMED),
    "1e18": ("1e18", ASSUMED),
    "1e999": ("1e999", ASSUMED), "two-to-63": ("9223372036854775808", ASSUMED),
    "two-to-64": ("18446744073709551616", ASSUMED), "nines": ("9" * 400, ASSUMED),
    "a-hex-text": ('"0x10"', ASSUMED), "a-spaced-text": ('" 3600 "', 3600),
    "a-fraction-in-a-text": ('"3599.97"', 3599), "an-exponent-in-a-text": ('"3.6e3"', 3600),
    "a-text": ('"3600"', 3600), "zeros-in-a-text": ('"0003600"', 3600), "a-float": ("7.2e3", 7200),
    "a-fraction": ("3600.75", 3600), "a-long-fraction": ("3600." + "1" * 400, 3600),
    "ten-years-and-more": ("999999999", 3660 * 86400),
}
#: What says that the token had ended when it was issued.
ENDED = {"negative": "-1", "minus-zero": "-0", "zero": "0", "zero-in-a-text": '"0"',
         "negative-in-a-text": '" -3600 "', "less-than-a-second": "0.2"}
NO_NUMBERS = {"nan": "NaN", "infinity": "Infinity", "minus-infinity": "-Infinity", "hex": "0x10",
              "leading-zeros": "0003600", "a-plus": "+3600", "a-bare-point": ".5", "nothing": ""}


def _expiries():
    for name, (literal, lifetime) in EXPIRIES.items():
        made = fields(expires_in=literal) if literal else body(
            lambda grant: grant.body(expires_in=None))
        yield Case(f"expires-in-{name}", made, "granted", TOLD, lifetime=lifetime)
    for name, literal in ENDED.items():
        yield Case(f"expires-in-{name}", fields(expires_in=literal), "transient", TOLD)
    for name, literal in NO_NUMBERS.items():
        yield Case(f"expires-in-{name}", fields(expires_in=literal), EITHER, TOLD)


ODD = {"cr": "\r", "lf": "\n", "crlf": "\r\nX-Forged: 1\r\n", "nul": "\0", "del": "\x7f",
       "escape": "\x1b[2J", "an-accent": "\u00e9", "an-emoji": "\U0001f600", "c1": "\x85",
       "a-line-separator": "\u2028", "tab": "\t"}
FINE = {"space": " ", "quotes": "\"'\\", "form-signs": "&=+%00;",
        "template": "${refresh_token}$(id)"}


def _tokens():
    for name, text in (ODD | FINE).items():
        def infix(made, text=text):
            return made[:8] + text + made[8:]
        usable = name in FINE
        yield Case(f"access-token-with-{name}", body(lambda grant: grant.body()),
                   "granted" if usable else "transient", TOLD, access=infix)
        yield Case(f"refresh-token-with-{name}", body(lambda grant: grant.body()), "granted", TOLD,
                   refresh=infix)
    for name, literal in {"half-a-pair": rb'"a\ud800b"', "latin-1": b'"abc\xe9def"',
                          "null": b"null", "a-number": b"17", "a-list": b"[]", "true": b"true",
                          "an-object": b"{}", "no-text": b'""'}.items():
        yield Case(f"access-token-{name}", fields(access_token=literal), "transient", TOLD)
        # No refresh token that could be used: the old one stays.
        yield Case(f"refresh-token-{name}", fields(refresh_token=literal), "granted", KEPT)
    yield Case("no-refresh-token", body(lambda grant: grant.body(refresh_token=None)), "granted")
    yield Case("no-access-token", body(lambda grant: grant.body(access_token=None)), "transient",
               TOLD)
    # A reader of the file could refresh: not published, and the new refresh token is kept.
    yield Case("one-token-for-both", body(lambda grant: grant.body()), "config", TOLD,
               access=lambda made: "a" * 20, refresh=lambda made: "a" * 20)
    yield Case("token-type-mac", body(lambda grant: grant.body(token_type="MAC")), "granted", TOLD)
    yield Case("token-type-a-list", body(lambda grant: grant.body(token_type=["a"])), "granted",
               TOLD)
    yield Case("a-scope-of-newlines", body(lambda grant: grant.body(scope="a\nb")), "granted", TOLD)


def _sizes():
    def long(count):
        return lambda made: (made * (count // len(made) + 1))[:count]
    whole = body(lambda grant: grant.body())
    front = body(lambda grant: b'{"refresh_token": "%s", "access_token": "%s"}' % (
        grant.refresh.encode(), grant.access.encode()))
    for name, count in {"1": 1, "12-kilobytes": 12 << 10}.items():
        yield Case(f"access-token-of-{name}", whole, "granted", TOLD, access=long(count))
        yield Case(f"refresh-token-of-{name}", whole, "granted", TOLD, refresh=long(count))
    yield Case("both-tokens-of-12-kilobytes", whole, "granted", TOLD, access=long(12 << 10),
               refresh=long(12 << 10))
    yield Case("access-token-of-16-kilobytes", whole, "granted", TOLD, access=long(16 << 10))
    yield Case("both-tokens-of-16-and-4-kilobytes", whole, "granted", TOLD,
               access=long(16 << 10), refresh=long(4 << 10))
    for name, count in {"a-byte-more": (16 << 10) + 1, "1-megabyte": 1 << 20}.items():
        yield Case(f"access-token-of-{name}", front, "transient", TOLD, access=long(count))
    # What fits the slot is kept whole; of what is cut before its end the rest is gone.
    yield Case("refresh-token-of-13-kilobytes", body(lambda grant: grant.body(expires_in=4)),
               "granted", TOLD, refresh=long(13 << 10))
    yield Case("refresh-token-of-1-megabyte", whole, "ambiguous", SPENT, refresh=long(1 << 20))


def cases():
    return [*_formats(), *_surroundings(), *_charsets(), *_json(), *_expiries(), *_tokens(),
            *_sizes()]
