"""A hostile token endpoint can delay one credential by a few seconds, and nothing else: not memory,
not the renewals of other credentials, not the next refresh token.
"""

import itertools
import threading
import time

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.daemon import Daemon
from evertest.neighbour import Neighbour
from evertest.servers.raw_server import RawServer, answer, replying, silent
from evertest.suite import Suite
from evertest.wire import QUICK, WireCase, granting

SUITE = Suite(timed=True, minutes=0.9)

TIMEOUT = 2
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def flooding(first, again=b"", every=0.0):
    """Reads the request, sends `first`, and then `again` until the client has had enough."""
    def script(connection):
        connection.read_request()
        connection.send(first)
        while again and connection.stays(every):
            connection.send(again)
    return script


def answering_first(connection):
    """Answers before a byte of the request was read."""
    connection.send(answer(200, granting(2)))
    connection.read_request()


def held(release, script):
    """The same script, begun only after `release`."""
    def waiting(connection):
        release.wait(20)
        script(connection)
    return waiting


def big(padding):
    """Ten megabytes with a refresh token in front."""
    return b'{"refresh_token": "rt-2", "padding": "' + padding + b'"}'


BIG = big(b"x" * 10_000_000)
HOSTILE = {
    "ten_megabytes": flooding(answer(200, BIG)),
    "an_endless_body": flooding(HEAD + b"\r\n", b"x" * 65536),
    "a_body_of_one_byte_a_second": flooding(HEAD + b"\r\n{", b" ", every=1),
    "a_head_of_one_byte_a_second": flooding(b"H", b"T", every=1),
    "a_megabyte_of_headers": flooding(
        HEAD + b"X-Filler: 0123456789abcdef\r\n" * 37_500 + b"\r\n" + granting(2)),
    "one_header_of_a_megabyte": flooding(
        HEAD + b"X-Filler: " + b"x" * 1_000_000 + b"\r\n\r\n" + granting(2)),
    "endless_headers": flooding(HEAD, b"X-Filler: 0123456789abcdef\r\n" * 1000),
    "endless_interim_answers": flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "a_chunk_longer_than_can_be": flooding(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n", b"x" * 65536),
    "an_answer_before_the_request": answering_first,
    "no_answer": silent,
}


class LimitsTest(WireCase):
    """One daemon for all: a credential for each hostile server, and one beside them."""

    @classmethod
    def setUpClass(cls):
        cls.neighbour = Neighbour()
        cls.servers = {name: RawServer(replying(200, granting(1))) for name in HOSTILE}
        everyone = cls.servers | {"neighbour": cls.neighbour.server}
        for server in everyone.values():
            at_end(cls, server.start().stop)
        config = {
            "providers": {name: cls.provider(server) for name, server in everyone.items()},
            "credentials": {name: cls.credential(name) for name in everyone}}
        for name in HOSTILE:
            config["credentials"][name]["refresh"] = QUICK | {"timeout": f"{TIMEOUT}s"}
        cls.daemon = Daemon(cls, temporary_directory(cls), config).start()
        wait_until(lambda: all(c["state"] == "fresh" for c in cls.daemon.credentials().values()),
                   20, "everything fresh", cls.daemon)
        wait_until(lambda: len(cls.neighbour.issued) >= 3, 20, "a settled neighbour", cls.daemon)
        stop = threading.Event()
        watch = threading.Thread(target=cls.neighbour.watch, args=(cls.daemon, stop), daemon=True)
        watch.start()
        cls.addClassCleanup(watch.join, 10)
        cls.addClassCleanup(stop.set)
        wait_until(lambda: cls.neighbour.looks >= 25, 10, "a first look at the neighbour")
        cls.memory_before = max(cls.neighbour.memory)

    def assault(self, name):
        server, neighbour = self.servers[name], self.neighbour
        looks, issued = neighbour.looks, len(neighbour.issued)
        server.plan(HOSTILE[name], replying(200, granting(3)))
        before = self.status(name)
        self.refresh(name)
        wait_until(lambda: len(server.connections) == 2, 10, "the connection", self.daemon)
        hostile = server.connections[1]
        # Over when it has failed, or brought a token.
        self.wait_for(name, lambda s: s["consecutive_failures"] or s["refreshes"]
                      > before["refreshes"], "the end of the attempt", TIMEOUT + 3)
        self.assertLess(time.monotonic() - hostile.opened_at, TIMEOUT + 3)
        wait_until(lambda: hostile.ended_at, 5, "the client's end of the connection", self.daemon)
        self.assertLess(hostile.ended_at - hostile.opened_at, TIMEOUT + 3)
        self.assertEqual(len(hostile.requests), 1)
        self.wait_for(name, lambda s: s["state"] == "fresh", "a good answer after the bad one")
        wait_until(lambda: len(neighbour.issued) > issued, 5, "the neighbour's next token",
                   self.daemon)
        self.assertGreater(neighbour.looks, looks)
        self.assertEqual(neighbour.stale, [])
        growth = max(neighbour.memory) - self.memory_before
        self.assertLess(growth, 8 << 20, "resident memory grew by so many bytes")


def _test(name):
    return lambda self: self.assault(name)


for _name in HOSTILE:
    setattr(LimitsTest, f"test_only_one_credential_pays_for_{_name}_and_only_seconds", _test(_name))


# Lifetimes as they stand in the JSON, and what a token then has to live.
ASSUMED = 300
EXPIRIES = {
    "missing": (None, ASSUMED), "null": ("null", ASSUMED), "empty": ('""', ASSUMED),
    "huge": ("1e18", ASSUMED),
    "infinite": ("1e400", ASSUMED), "text": ('"3600"', 3600), "fraction": ("3600.5", 3600),
    "boolean": ("true", ASSUMED), "two-to-63": ("9223372036854775808", ASSUMED),
    "two-to-64": ("18446744073709551616", ASSUMED), "list": ("[3600]", ASSUMED),
}
ENDED = {"zero": "0", "negative": "-1", "zero-in-quotes": '"0"', "long-ago": "-3600"}
TINY = {"tenth-of-a-ms": "0.0001", "ms": "0.001", "least": "5e-324", "half": "0.5", "one": "1"}

# Access tokens as they stand in the JSON, each beside a new refresh token.
UNPUBLISHABLE = {
    "cr": rb'"a\rb"', "lf": rb'"a\nb"', "nul": rb'"a\u0000b"', "del": rb'"a\u007fb"',
    "accent": '"a\u00e9b"'.encode(), "escaped-accent": rb'"a\u00e9b"', "bare-lf": b'"a\nb"',
    "bare-nul": b'"a\x00b"', "latin-1": b'"a\xe9b"', "half-a-pair": rb'"a\ud800b"',
    "empty": b'""', "null": b"null", "number": b"17", "very-long": b'"' + b"x" * 20_000 + b'"',
}


class HeadersTest(WireCase):
    def test_an_answer_with_more_than_16_kib_of_headers_is_one_that_was_cut(self):
        filler = b"X-Filler: 0123456789abcdef\r\n"
        head = HEAD + b"Connection: close\r\n"
        servers = {"below": self.serve(replying(200, granting(1, refresh_token="below")), flooding(
            head + filler * 500 + b"\r\n" + granting(2, refresh_token="below-2")))}
        servers["above"] = self.serve(replying(200, granting(1, refresh_token="above")), flooding(
            head + filler * 700 + b"\r\n" + granting(2, refresh_token="above-2")))
        self.start({name: self.provider(server) for name, server in servers.items()})
        for name in servers:
            self.wait_state(name, "fresh")
            self.refresh(name)
        wait_until(lambda: self.output("below") == "at-2", 10, "the token below", self.daemon)
        self.wait_error("above", "ambiguous")
        self.assertEqual(self.output("above"), "at-1")


class FieldsTest(WireCase):
    def lifetimes(self, literals):
        """Starts a daemon with a credential for each lifetime; the times of its requests."""
        seen = {name: [] for name in literals}

        def script(connection):
            name = connection.read_request().target.strip("/")
            seen[name].append(time.monotonic())
            field = "" if literals[name] is None else f', "expires_in": {literals[name]}'
            connection.send(answer(200, (
                f'{{"access_token": "at-{len(seen[name])}", "token_type": "Bearer", '
                f'"refresh_token": "{name}-{len(seen[name])}"{field}}}').encode()))

        server = self.serve(script)
        self.start({name: self.provider(server, path=f"/{name}") for name in literals},
                   {name: self.credential(name, refresh={}) for name in literals})
        wait_until(lambda: all(seen.values()), 10, "a request for each", self.daemon)
        return seen

    def test_no_expires_in_brings_a_crash_or_a_second_request_at_once(self):
        seen = self.lifetimes({name: literal for name, (literal, _) in EXPIRIES.items()})
        # Time for a second request.
        self.assert_stays(lambda: not self.daemon.died(), 4, "the daemon crashed")
        for name, (_, lifetime) in EXPIRIES.items():
            with self.subTest(name):
                self.assertEqual(len(seen[name]), 1)
                status = self.status(name)
                self.assertEqual(status["state"], "fresh")
                self.assertAlmostEqual(status["expires_at"] - status["last_refresh_at"],
                                       lifetime, delta=1)
                self.assertEqual(self.output(name), "at-1")

    def test_a_token_that_has_ended_when_it_comes_is_not_published_nor_asked_for_in_a_storm(self):
        seen = self.lifetimes(ENDED)
        self.assert_stays(lambda: max(map(len, seen.values())) < 8, 4, "a storm of requests")
        for name, times in seen.items():
            with self.subTest(name):
                self.assertIsNone(self.output(name))
                gaps = [b - a for a, b in itertools.pairwise(times)]
                self.assertEqual([gap for gap in gaps if gap < 0.9], [])
                self.assertIn("already ended", self.status(name)["last_error"]["problem"])

    def test_the_tiniest_lifetime_brings_two_requests_a_second_at_most(self):
        seen = self.lifetimes(TINY)
        self.assert_stays(lambda: max(map(len, seen.values())) < 20, 3, "a storm of requests")
        for name, times in seen.items():
            with self.subTest(name):
                gaps = [b - a for a, b in itertools.pairwise(times)]
                self.assertEqual([gap for gap in gaps if gap < 0.4], [])
        self.assertGreaterEqual(len(seen["one"]), 3)  # a second is a lifetime all the same

    def test_a_token_that_no_header_can_carry_is_not_published_and_its_refresh_token_is_used(self):
        servers, releases = {}, {name: threading.Event() for name in UNPUBLISHABLE}
        for name, literal in UNPUBLISHABLE.items():
            body = b'{"access_token": %s, "expires_in": 3600, "refresh_token": "rt-2"}' % literal
            servers[name] = self.serve(replying(200, granting(1)), replying(200, body),
                                       held(releases[name], replying(200, granting(3))))
        self.start({name: self.provider(server) for name, server in servers.items()})
        for name, server in servers.items():
            with self.subTest(name):
                self.wait_state(name, "fresh")
                self.refresh(name)
                status = self.wait_error(name, "transient", timeout=3)
                self.assertIn(status["state"], ("retrying", "refreshing"))
                self.assertEqual(self.output(name), "at-1")
                releases[name].set()
                self.wait_connections(server, 3)
                self.assertIn(b"refresh_token=rt-2", server.requests[2].body)
                self.wait_state(name, "fresh")
                self.assertEqual(self.output(name), "at-3")

    def test_the_refresh_token_at_the_front_of_ten_megabytes_is_the_next(self):
        # Wherever the answer is cut, one of the last two is cut inside a character.
        accents = "\u00e9".encode() * 5_000_000
        servers = {
            name: self.serve(replying(200, granting(1)), replying(200, big(padding)),
                             replying(200, granting(3)))
            for name, padding in (
                ("ascii", b"x" * 10_000_000), ("even", accents), ("odd", b"x" + accents))}
        self.start({name: self.provider(server) for name, server in servers.items()})
        for name, server in servers.items():
            with self.subTest(name):
                self.wait_state(name, "fresh")
                self.refresh(name)
                self.wait_connections(server, 3)
                self.assertIn(b"refresh_token=rt-2", server.requests[2].body)
