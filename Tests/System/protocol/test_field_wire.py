"""What providers and hosts were seen to do in the field, over the wire: broken and unusual answers
that hold both tokens, ends of tokens that disagree, refusals that pass.

Each test is one observation from a public report or a provider's page. All of them share a daemon
and run at once: every credential has a provider of its own, whose refresh tokens are good for one
use, and which notes what it is sent, when, and what is published at that moment.
"""

import base64
import gzip
import json
import threading
import time
import zlib

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.servers.raw_server import RawServer, answer
from evertest.suite import Suite
from evertest.wire import WireCase, form

SUITE = Suite(timed=True, minutes=0.3)

REFRESH = {"min_interval": "0.5s", "timeout": "5s"}
#: Seconds that a token lives where nothing is to be learnt of that.
LIFE = 3
REFUSED = answer(400, b'{"error": "invalid_grant"}')
TYPE = "Content-Type"


class Provider:
    """Refresh tokens of one use. What is answered to one that works is up to `say`, which is given
    the provider; to any other the answer is `invalid_grant`."""

    def __init__(self, name, say, *, lengths=(0, 0), credential=None, **response):
        self.name, self.say, self.response = name, say, response
        self.credential, self.lengths = credential or {}, lengths
        self.server = RawServer(self._talk)
        self.file = None  # the published token
        self.issued, self.live = 0, f"seed-{name}"
        self.times, self.sent, self.published, self.requests = [], [], [], []
        self._lock = threading.Lock()

    def access(self, number):
        return f"at-{number}".ljust(self.lengths[0], "a")

    def refresh(self, number):
        return f"rt-{number}".ljust(self.lengths[1], "r") if number else f"seed-{self.name}"

    def grant(self, lifetime=LIFE, **more):
        """The fields of an answer with new tokens; None takes one away. From now on only the new
        refresh token works."""
        self.issued += 1
        self.live = self.refresh(self.issued)
        fields = {"access_token": self.access(self.issued), "token_type": "Bearer",
                  "expires_in": lifetime, "refresh_token": self.live} | more
        return {key: value for key, value in fields.items() if value is not None}

    def content(self):
        return self.file.read_text() if self.file.exists() else None

    def _talk(self, connection):
        request = connection.read_request()
        if request is None:
            return
        with self._lock:
            sent = form(request)["refresh_token"]
            self.times.append(time.monotonic())
            self.published.append(self.content())
            self.requests.append(request)
            self.sent.append(sent)
            reply = self.say(self) if sent == self.live else REFUSED
            connection.send(reply)


def plain(fields, *headers):
    return answer(200, json.dumps(fields).encode(), headers)


def always(make, *headers):
    """In every answer: the bytes of a body, made of the grant's fields."""
    return lambda provider: answer(200, make(provider.grant()), headers)


def in_turn(*says):
    """One after another; the last one repeats."""
    return lambda provider: says[min(len(provider.sent), len(says)) - 1](provider)


def granting(lifetime=3600, **more):
    return lambda provider: plain(provider.grant(lifetime, **more))


def refusing(status, headers=(), **fields):
    return lambda provider: answer(status, json.dumps(fields).encode(), headers)


def compact(fields):
    return json.dumps(fields).encode()


def with_fields(text):
    """The answer with this JSON text behind its fields."""
    return always(lambda fields: compact(fields)[:-1] + b", " + text + b"}")


def urlencoded(fields):
    return "&".join(f"{key}={value}" for key, value in fields.items()).encode()


def cookies(*names):
    """Both tokens in header fields of one name, in this order among others."""
    def say(provider):
        fields = provider.grant()
        values = {"lb": "lb=x; Path=/", "sess": f"sess={fields['access_token']}; HttpOnly",
                  "rt": f"rt={fields['refresh_token']}; Secure"}
        return answer(200, b'{"ok": true}', [("Set-Cookie", values[name]) for name in names])
    return say


def cookie(name):
    return {"header": "Set-Cookie", "regex": f"^{name}=([^;]+)"}


BY_COOKIE = {"access_token": cookie("sess"), "refresh_token": cookie("rt"),
             "default_lifetime": f"{LIFE}s"}


def jwt(provider, ends_in):
    """A JWT of this provider's next number."""
    claims = {"exp": int(time.time()) + ends_in, "jti": str(provider.issued + 1)}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
             for part in ({"alg": "RS256"}, claims)]
    return ".".join([*parts, "c2ln"])


def with_jwt(ends_in, **more):
    """A whole answer with a JWT; the clock is told, as real servers do."""
    return lambda provider: plain(provider.grant(access_token=jwt(provider, ends_in), **more))


def counted_down(held):
    """One cached token, which counts its life down: 3, then 0, and a new one from `held` seconds
    after its first request on. The refresh token is a new one each time."""
    def say(provider):
        age = provider.times[-1] - provider.times[0]
        if age >= held:
            return plain(provider.grant(3600))
        provider.issued += 1
        provider.live = provider.refresh(provider.issued)
        return plain({"access_token": "cached", "refresh_token": provider.live,
                      "expires_in": 3 if provider.issued == 1 else 0})
    return say


def ending_early(provider):
    """Ends behind the access token, and no length tells that it was cut."""
    whole = json.dumps(provider.grant(3600)).encode()
    return b"HTTP/1.1 200 OK\r\n\r\n" + whole[:whole.index(b"rt-")]


def deployed(refusal, seconds=6):
    """A token of 12 s; from the second request on a refusal for so many seconds; then a new one."""
    def say(provider):
        if len(provider.times) == 1:
            return plain(provider.grant(12))
        if provider.times[-1] - provider.times[1] < seconds:
            return refusal
        return plain(provider.grant(3600))
    return say


SCOPES = b'"scope": "read", "scope": "read write"'
NOTICE = (b"<br />\n<b>Notice</b>:  Undefined index: scope in <b>/srv/www/token.php</b> on line "
          b"<b>71</b><br />\n")
PAGE = b"<!doctype html><title>Maintenance</title><p>Back soon."
DEAD = {"error": "invalid_request", "error_description": "The refresh_token is invalid."}
EPOCH = {"expires": {"from": "/expires_at", "as": "epoch_seconds"}, "default_lifetime": "1h"}
OWN_END = {"refresh_expires": {"from": "/refresh_expires_in", "as": "seconds"}}


def providers():
    """Providers whose every answer holds both tokens, and those with a sequence of answers."""
    for coding, pack in {"gzip": gzip.compress, "deflate": zlib.compress}.items():
        yield Provider(coding, always(lambda fields, pack=pack: pack(compact(fields)),
                                      ("Content-Encoding", coding)))
    yield Provider("gzip-unsaid", always(lambda fields: gzip.compress(compact(fields))))
    yield Provider("error-false", with_fields(b'"error": false'))
    yield Provider("error-0", with_fields(b'"error": 0'))
    yield Provider("cookies", cookies("lb", "sess", "rt"), **BY_COOKIE)
    yield Provider("cookies-turned", cookies("rt", "lb", "sess"), **BY_COOKIE)
    yield Provider("form-as-html", always(urlencoded, (TYPE, "text/html")))
    yield Provider("json-in-a-string", always(
        lambda fields: json.dumps(json.dumps(fields)).encode()))
    yield Provider("scope-twice", with_fields(SCOPES))
    yield Provider("php-notice", always(lambda fields: NOTICE + compact(fields),
                                        (TYPE, "text/html; charset=UTF-8")))
    yield Provider("14000-bytes", granting(LIFE), lengths=(14_000, 0))
    # A refusal that carries a new refresh token: the server may have rotated, or not.
    yield Provider("503-rotated", in_turn(granting(LIFE), lambda provider: answer(
        503, compact(provider.grant(error="temporarily_unavailable", access_token=None))),
        granting()))
    yield Provider("200-error-rotated", in_turn(granting(LIFE), lambda provider: answer(
        200, compact(provider.grant(error="server_error", access_token=None))), granting()))
    yield Provider("503-not-rotated", in_turn(
        granting(6), refusing(503, refresh_token="rt-unknown"), granting()))
    yield Provider("ends-between-the-tokens", in_turn(granting(), ending_early))
    yield Provider("jwt-exp-300", with_jwt(300, expires_in=3600))
    yield Provider("jwt-of-an-hour-ago", in_turn(
        granting(), with_jwt(-3600, expires_in=-3600), granting()))
    yield Provider("jwt-of-an-hour-ago-at-first", in_turn(
        with_jwt(-3600, expires_in=-3600), granting()))
    yield Provider("cached-token", counted_down(3))
    yield Provider("cached-token-stuck-at-0", counted_down(8))
    yield Provider("quoted-blank", granting("3600 "))
    yield Provider("quoted-fraction", granting("3599.97"))
    yield Provider("expires-at-30-s-ago", in_turn(
        lambda provider: plain(provider.grant(None, expires_at=int(time.time()) + 3600)),
        lambda provider: plain(provider.grant(None, expires_at=int(time.time()) - 30)),
        lambda provider: plain(provider.grant(None, expires_at=int(time.time()) + 3600))), **EPOCH)
    yield Provider("refresh-expires-in-0", granting(refresh_expires_in=0), **OWN_END)
    yield Provider("invalid-client-for-6-s", deployed(answer(401, b'{"error":"invalid_client"}')))
    yield Provider("redirect-for-6-s", deployed(answer(
        302, PAGE, [("Location", "http://127.0.0.1:1/maintenance"), (TYPE, "text/html")])))
    yield Provider("secret-comes-late", granting())
    yield Provider("invalid-request-for-ever", in_turn(granting(4), refusing(400, **DEAD)))


#: Whose second request is ordered: what came first lives long.
ORDERED = ("ends-between-the-tokens", "jwt-of-an-hour-ago", "expires-at-30-s-ago",
           "invalid-client-for-6-s", "redirect-for-6-s", "invalid-request-for-ever")


class RowsTest(WireCase):
    @classmethod
    def setUpClass(cls):
        directory = temporary_directory(cls)
        cls.providers = {one.name: one for one in providers()}
        cls.secret = directory / "client-secret"
        config = {"providers": {}, "credentials": {}}
        for name, one in cls.providers.items():
            at_end(cls, one.server.start().stop)
            config["providers"][name] = cls.provider(one.server) | {"response": one.response}
            config["credentials"][name] = cls.credential(name, refresh=REFRESH) | one.credential
        config["credentials"]["secret-comes-late"]["client_secret"] = {"file": str(cls.secret)}
        cls.daemon = Daemon(cls, directory, config)
        for name, one in cls.providers.items():
            one.file = cls.daemon.tokens / name / "token"
        cls.daemon.start()
        cls.started = time.monotonic()
        timer = threading.Timer(5, cls.put_secret)
        timer.start()
        at_end(cls, timer.cancel)
        wait_until(lambda: all(cls.providers[name].content() for name in ORDERED), 15,
                   "the first tokens", cls.daemon)
        for name in ORDERED:
            cls.daemon.request("POST", f"/v1/credentials/{name}/refresh")
        cls.without_secret = cls.daemon.credentials()["secret-comes-late"]

    @classmethod
    def put_secret(cls):
        cls.secret.touch(mode=0o600)
        cls.secret.write_text("secret\n")
        cls.appeared = time.monotonic()

    def asked(self, name, count, timeout=20):
        """Waits for so many requests; the provider."""
        one = self.providers[name]
        wait_until(lambda: len(one.sent) >= count, timeout, f"{name}: request {count}", self.daemon)
        return one

    def published(self, name, text, timeout=10):
        one = self.providers[name]
        wait_until(lambda: one.content() == text, timeout, f"{name}: {text[:20]} published",
                   self.daemon)

    def notes(self, name):
        """What the history says of the tokens that were granted."""
        told = json.loads(self.command("status", name, "--json").stdout)
        return " ".join(str(attempt.get("note")) for attempt in told["recent"])

    def rotates(self, name, note=None):
        """Each answer's access token is published, and its refresh token is sent next."""
        one = self.asked(name, 4)
        for number in range(4):
            self.assertEqual(one.sent[number], one.refresh(number))
        self.assertEqual(one.published[:4], [None, *map(one.access, (1, 2, 3))])
        self.assertIsNone(self.status(name)["last_error"])
        if note:
            self.assertIn(note, self.notes(name))
        return one

    def test_gzip_although_identity_was_asked_for(self):
        one = self.rotates("gzip", "compressed")
        self.assertIn(one.requests[0].header("Accept-Encoding"), (None, "identity"))

    def test_deflate_although_identity_was_asked_for(self):
        self.rotates("deflate", "compressed")

    def test_gzip_without_a_header_that_says_so(self):
        self.rotates("gzip-unsaid", "compressed")

    def test_error_false_beside_both_tokens(self):
        self.rotates("error-false")

    def test_error_0_beside_both_tokens(self):
        self.rotates("error-0")

    def test_both_tokens_in_cookies_behind_another_one(self):
        self.rotates("cookies")

    def test_both_tokens_in_cookies_in_the_other_order(self):
        self.rotates("cookies-turned")

    def test_a_form_as_text_html(self):
        self.rotates("form-as-html", "form")

    def test_a_document_inside_a_json_string(self):
        self.rotates("json-in-a-string", "inside a string")

    def test_scope_twice_in_every_answer(self):
        self.rotates("scope-twice", "twice")

    def test_a_php_notice_before_the_json_in_every_answer(self):
        self.rotates("php-notice", "around the JSON")

    def test_an_access_token_of_14000_bytes(self):
        self.rotates("14000-bytes")

    def test_a_503_that_carries_the_new_refresh_token(self):
        self.carried("503-rotated", 503)

    def test_a_200_with_an_error_that_carries_the_new_refresh_token(self):
        self.carried("200-error-rotated", 200)

    def carried(self, name, status):
        """A refusal with the only refresh token that works: it is sent first at the next try."""
        one = self.asked(name, 3)
        self.assertEqual(one.sent, [one.refresh(number) for number in (0, 1, 2)], status)
        self.published(name, one.access(3))

    def test_a_503_that_carries_a_refresh_token_which_does_not_work(self):
        one = self.asked("503-not-rotated", 4)
        self.assertEqual(one.sent, [one.refresh(0), "rt-1", "rt-unknown", "rt-1"])
        self.published(one.name, one.access(2))

    def test_an_answer_that_ends_between_the_tokens_tells_nothing_of_rotation(self):
        """Its access token is used. Its refresh token may have been in what is missing, so the
        old one is not believed to last: after a lost answer it is not sent at once again."""
        one = self.asked("ends-between-the-tokens", 2)
        self.published(one.name, "at-2")
        one.live, one.say = "rt-1", lambda provider: b""
        self.refresh(one.name)
        entry = self.wait_for(one.name, lambda s: s["consecutive_failures"] >= 1, "a failure")
        self.assertEqual(set(one.sent[1:]), {"rt-1"})
        self.assertEqual(one.content(), "at-2")
        self.assertGreater(entry["next_refresh_at"] - time.time(), 600, "sent again and again")

    def test_a_jwt_that_ends_before_expires_in(self):
        one = self.asked("jwt-exp-300", 1)
        entry = self.wait_state(one.name, "fresh")
        self.assertAlmostEqual(entry["expires_at"] - entry["last_refresh_at"], 300, delta=5)
        self.assertIn("the earliest holds", self.notes(one.name))
        first = one.content()
        self.refresh(one.name)
        self.asked(one.name, 2)
        self.assertEqual(one.sent, [one.refresh(0), one.refresh(1)])
        self.assertEqual(one.published, [None, first])

    def ended(self, name, before, after):
        """A token that had ended is not published; the refresh token beside it is sent next."""
        number = len(before) + 1
        one = self.asked(name, number + 1)
        self.assertEqual(one.sent, [one.refresh(each) for each in range(number + 1)])
        self.assertEqual(one.published, [None, *before, before[-1] if before else None])
        self.assertIn("already ended", json.dumps(json.loads(
            self.command("status", name, "--json").stdout)["recent"]))
        self.published(name, after)
        # An end at birth never makes the next try come sooner than this (K2).
        self.assertGreaterEqual(one.times[-1] - one.times[-2], 0.9)

    def test_a_jwt_of_an_hour_ago_and_a_negative_expires_in(self):
        self.ended("jwt-of-an-hour-ago", ["at-1"], "at-3")

    def test_a_jwt_of_an_hour_ago_as_the_first_answer_of_all(self):
        self.ended("jwt-of-an-hour-ago-at-first", [], "at-2")

    def test_expires_at_of_30_s_ago(self):
        self.ended("expires-at-30-s-ago", ["at-1"], "at-3")

    def test_a_cached_token_that_counts_down_to_0(self):
        one = self.asked("cached-token", 3)
        self.published(one.name, one.access(one.issued))
        self.assertEqual(one.sent, [one.refresh(each) for each in range(len(one.sent))])
        self.assertEqual(set(one.published), {None, "cached"})
        after = one.times[-1] - one.times[0] - 3
        self.assertTrue(0 <= after <= 2.5, f"{after} s after its end")
        self.assertLessEqual(len(one.sent), 4, "a hot loop")

    def test_a_cached_token_whose_server_stays_at_0(self):
        one = self.providers["cached-token-stuck-at-0"]
        wait_until(lambda: one.content() not in (None, "cached"), 60, "a new token", self.daemon)
        self.assertEqual(one.content(), one.access(one.issued))
        self.assertEqual(one.sent, [one.refresh(each) for each in range(len(one.sent))])
        gaps = [after - before for before, after in zip(one.times[1:], one.times[2:])]
        self.assertGreaterEqual(min(gaps), 0.9, gaps)
        # Every pause is a random part of one that doubles from 1 s: a last try just before the
        # server has a new token may be followed by one of 16 s.
        self.assertLessEqual(one.times[-1] - one.times[0], 8 + 16 + 5)

    def test_an_expires_in_in_quotes_with_a_blank(self):
        self.lives("quoted-blank", 3600)

    def test_an_expires_in_in_quotes_with_a_fraction(self):
        self.lives("quoted-fraction", 3599)

    def lives(self, name, seconds):
        entry = self.wait_state(name, "fresh")
        self.assertAlmostEqual(entry["expires_at"] - entry["last_refresh_at"], seconds, delta=1)
        one = self.providers[name]
        self.refresh(name)
        self.published(name, "at-2")
        self.assertEqual(one.sent, [one.refresh(0), "rt-1"])
        self.assertEqual(one.published, [None, "at-1"])

    def test_refresh_expires_in_0_is_no_known_end(self):
        self.lives("refresh-expires-in-0", 3600)
        entry = self.status("refresh-expires-in-0")
        self.assertIsNone(entry["refresh_token_expires_at"])
        self.assertEqual(entry["state"], "fresh")

    def passes(self, name):
        """A refusal of 6 s while the token has 10 s left: a new one before the old one ends."""
        one = self.providers[name]
        self.asked(name, 3)
        self.published(name, "at-2", 20)
        self.assertLess(one.times[1] - one.times[0], 5)
        self.assertLess(one.times[-1] - one.times[1] - 6, 4, "seconds after the deploy")
        self.assertLess(one.times[-1] - one.times[0], 12, "the token was dead")
        self.assertEqual(one.sent, [one.refresh(0)] + ["rt-1"] * (len(one.sent) - 1))
        self.assertEqual(set(one.published), {None, "at-1"})
        gaps = [after - before for before, after in zip(one.times[1:], one.times[2:])]
        self.assertGreaterEqual(min(gaps), 0.9, gaps)
        self.assertEqual(self.status(name)["state"], "fresh")

    def test_invalid_client_for_6_s_while_the_token_has_10_s_left(self):
        self.passes("invalid-client-for-6-s")

    def test_a_redirect_to_a_page_of_maintenance_for_6_s(self):
        self.passes("redirect-for-6-s")

    def test_a_client_secret_that_is_missing_at_start_and_there_after_5_s(self):
        one = self.asked("secret-comes-late", 1, 25)
        self.published(one.name, "at-1")
        self.assertTrue(0 <= one.times[0] - self.appeared < 15.5)
        self.assertEqual((one.sent, one.published), ([one.refresh(0)], [None]))
        self.assertIn("client-secret", self.without_secret["last_error"]["problem"])
        self.assertIsNone(self.status(one.name)["last_error"])

    def test_invalid_request_of_a_refresh_token_that_is_invalid_for_ever(self):
        one = self.providers["invalid-request-for-ever"]
        self.wait_state(one.name, "login_required", 20)
        count = len(one.sent) - 1
        self.assertTrue(3 <= count <= 5, f"{count} tries")
        self.assertEqual(one.sent, [one.refresh(0)] + ["rt-1"] * count)
        self.assertEqual(one.published[:2], [None, "at-1"])
        self.assertLess(one.times[-1] - one.times[1], 8)
        self.assert_stays(lambda: len(one.sent) == count + 1, 1, "sent again")


class LongTokensTest(WireCase):
    """An access token that fills its record drops out of it; the refresh token never does."""

    def test_16_kib_and_4_kib_over_ten_rotations_and_a_kill(self):
        one = Provider("long", granting(), lengths=(16 << 10, 4 << 10))
        at_end(self, one.server.start().stop)
        directory = temporary_directory(self)
        self.daemon = Daemon(self, directory, {
            "providers": {"long": self.provider(one.server)},
            "credentials": {"long": self.credential("long", refresh=REFRESH)}})
        one.file = self.daemon.tokens / "long" / "token"
        self.daemon.start()
        for number in range(1, 11):
            wait_until(lambda: one.content() == one.access(number), 10, f"token {number}",
                       self.daemon)
            if number == 5:
                self.daemon.kill()
                self.assertEqual(one.content(), one.access(5))
                self.daemon.start()
                self.wait_state("long", "fresh")
                self.assertEqual(one.content(), one.access(5))
                self.assertEqual(len(one.sent), 5, "asked for again although it was there")
            if number < 10:
                self.refresh("long")
        self.assertEqual(one.sent, [one.refresh(number) for number in range(10)])
        self.assertEqual(one.published, [None, *map(one.access, range(1, 10))])
