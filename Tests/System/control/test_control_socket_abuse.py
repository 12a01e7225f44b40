"""Attacks of any client on the control socket, none of which may stop the daemon.

After each attack the status must arrive within seven seconds: a request has five to arrive."""

import contextlib
import random
import socket
import struct
import threading
import time

from evertest.basics import wait_until
from evertest.programs import ProgramCase
from evertest.servers.token_server import boot_time
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.4)

#: Within this, status must answer during and after whatever others do.
PATIENCE = 7
STATUS = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"

MALFORMED = {
    "nothing": b"", "an empty line": b"\r\n\r\n", "zeros": bytes(2000),
    "bare newlines": STATUS.replace(b"\r\n", b"\n"),
    "no version": b"GET /v1/status\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "a long method": b"G" * 9000 + b" / HTTP/1.1\r\n\r\n",
    "a full URL": b"GET http://localhost/v1/status HTTP/1.1\r\n\r\n",
    "an empty query": b"GET /v1/status? HTTP/1.1\r\n\r\n",
    "a query of nothing but =": b"GET /v1/status?= HTTP/1.1\r\n\r\n",
    "a query of separators": b"GET /v1/status?&&=&==&a&=b& HTTP/1.1\r\n\r\n",
    "a target of nothing but ?": b"GET ? HTTP/1.1\r\n\r\n",
    "a target of slashes": b"GET //// HTTP/1.1\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "an empty header name": b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    "text that is no UTF-8": b"GET /\xff\xfe HTTP/1.1\r\nX: \xc3\r\n\r\n",
    "two lengths": b"POST /v1/reload HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a negative length": b"POST /v1/reload HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "a length without end": b"POST /v1/reload HTTP/1.1\r\nContent-Length: "
                            + b"9" * 40 + b"\r\n\r\n",
    "chunks": b"POST /v1/reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    "a huge min_ttl": b"GET /v1/credentials/crm/token?min_ttl=" + b"9" * 30 + b"d HTTP/1.1\r\n\r\n",
    "an odd min_ttl": b"GET /v1/credentials/crm/token?min_ttl=.s HTTP/1.1\r\n\r\n",
    "an odd wait": b"POST /v1/credentials/crm/refresh?wait=0.0.0s HTTP/1.1\r\n\r\n",
    "deep JSON": b"POST /v1/credentials/crm/import HTTP/1.1\r\nContent-Length: 100000\r\n\r\n"
                 + b"[" * 100_000,
}


class AbuseCase(ProgramCase):
    def setUp(self):
        super().setUp()
        self.running = self.fresh_daemon("crm")

    def connect(self):
        """A connection that is closed at the end of the test at the latest."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(connection.close)
        # Python's own time-out would not wait where the queue of connections is full.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 30, 0))
        connection.connect(str(self.running.socket))
        connection.settimeout(30)
        return connection

    def exchange(self, data, *, end=True):
        """What is answered to these bytes, up to the end of the connection. The daemon may stop
        listening in the middle of them."""
        with contextlib.closing(self.connect()) as connection:
            answer = b""
            try:
                connection.sendall(data)
                if end:
                    connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    answer += part
            except (BrokenPipeError, ConnectionResetError):
                pass
            return answer

    def assert_status_answers(self, patience=PATIENCE):
        """The status is had in time, and it is the same daemon that gives it."""
        end = time.monotonic() + patience
        wait_until(lambda: self.running.status()["credentials"][0]["name"] == "crm", patience,
                   "the status", self.running)
        self.assertLess(time.monotonic(), end + 0.5)
        self.assertIsNone(self.running.process.poll(), "the daemon is gone")


class AbuseTest(AbuseCase):
    def test_a_malformed_request_is_refused_and_no_more(self):
        for name, data in MALFORMED.items():
            with self.subTest(name):
                if self.running.died():
                    self.running.start()
                answer = self.exchange(data)
                self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 "), answer[:80])
                self.assert_status_answers()

    def test_garbage_is_refused_and_no_more(self):
        chance = random.Random(20)
        words = [b"GET ", b"POST ", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"/v1/", b"credentials/",
                 b"status", b"token", b"?", b"&", b"a=b", b":", b" ", b"Content-Length: 3", b"{",
                 b"\x00", b"\xff", b"/", b"crm"]
        for number in range(600):
            data = b"".join(chance.choices(words, k=chance.randrange(1, 14)))
            if number % 3 == 0:
                data = chance.randbytes(chance.randrange(1, 3000))
            self.exchange(data)
            if self.running.died():
                self.fail("the daemon stopped at %r\n%s" % (data, self.running.report()))
        self.assert_status_answers()

    def test_headers_and_bodies_that_are_too_large_are_refused(self):
        line = b"X-%d: " % 1 + b"x" * 1000 + b"\r\n"
        for code, data in (
                (b"431", STATUS[:-2] + b"".join(line.replace(b"1", b"%d" % n, 1)
                                                for n in range(40)) + b"\r\n"),
                (b"431", STATUS[:-2] + b"X: " + b"x" * (2 << 20)),
                (b"413", b"POST /v1/credentials/crm/import HTTP/1.1\r\nContent-Length: 1000000"
                         b"\r\n\r\n" + b" " * 1_000_000)):
            answer, seconds = self.timed_exchange(data)
            # A client that is still sending may meet the end of the connection first.
            self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 " + code), answer[:80])
            self.assertLess(seconds, PATIENCE)
            self.assert_status_answers()

    def timed_exchange(self, data):
        start = time.monotonic()
        return self.exchange(data, end=False), time.monotonic() - start

    def test_a_request_that_drips_is_cut_off_and_delays_nobody(self):
        connection = self.connect()
        start, sent = time.monotonic(), 0
        with self.assertRaises(OSError):  # ends when the daemon has closed it
            for byte in STATUS * 20:
                connection.send(bytes([byte]))
                sent += 1
                if sent % 10 == 1:
                    began = time.monotonic()
                    self.running.status()
                    self.assertLess(time.monotonic() - began, 2)
                if time.monotonic() - start > PATIENCE + 1:
                    break
                time.sleep(0.2)
        self.assertLess(time.monotonic() - start, PATIENCE)

    def test_200_connections_that_say_nothing_keep_nobody_out_for_long(self):
        for _ in range(200):
            self.connect()
        self.assert_status_answers()

    def test_200_requests_at_once_all_come_to_an_end(self):
        answers, threads = [], []
        for _ in range(200):
            thread = threading.Thread(target=lambda: answers.append(self.exchange(STATUS)))
            threads.append(thread)
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(len(answers), 200)
        whole = [answer for answer in answers if answer.startswith(b"HTTP/1.1 200")]
        self.assertGreater(len(whole), 20)
        self.assert_status_answers()

    def test_clients_that_leave_in_the_middle_are_forgotten(self):
        for cut in list(range(1, len(STATUS), 4)) * 5:
            self.say_and_leave(STATUS[:cut])
        for _ in range(100):  # asked, and gone before the answer
            self.say_and_leave(STATUS)
        self.assert_status_answers()

    def say_and_leave(self, data):
        with contextlib.closing(self.connect()) as connection:
            with contextlib.suppress(OSError):  # it may have been turned away
                connection.send(data)

    def wait_in_vain(self, count):
        """So many connections that ask for a token which the provider does not give."""
        self.server.stop()
        self.running.evertoken("import", "crm", text='{"access_token": "x", "expires_in": 1}')
        self.running.wait_for("crm", "expired")
        connections = [self.connect() for _ in range(count)]
        for connection in connections:
            with contextlib.suppress(OSError):  # it may have been turned away
                connection.send(b"GET /v1/credentials/crm/token HTTP/1.1\r\n\r\n")
        return connections

    def test_clients_that_wait_for_a_token_keep_nobody_else_out(self):
        """As when forty units start together, and the provider is away."""
        self.wait_in_vain(40)
        self.assert_status_answers()

    def test_clients_that_waited_and_left_keep_nobody_else_out(self):
        for connection in self.wait_in_vain(40):
            connection.close()
        self.assert_status_answers()


class FloodTest(AbuseCase):
    lifetime = 4

    def test_connections_that_say_nothing_delay_no_refresh(self):
        """Tokens that live 4 s are renewed after 2, whatever hangs at the socket."""
        for _ in range(2):
            connections = [self.connect() for _ in range(40)]
            time.sleep(6)  # the attack itself: to say nothing, for longer than is allowed
            for connection in connections:
                connection.close()
        sent = [exchange.asked_at for exchange in self.server.exchanges()]
        gaps = [after - before for before, after in zip(sent, sent[1:] + [boot_time()])]
        self.assertLess(max(gaps), 3, "a refresh was late: %s" % gaps)
        self.assert_status_answers()
