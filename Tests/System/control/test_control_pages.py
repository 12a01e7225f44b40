"""The status of thousands of credentials: pages, long responses to slow clients, and the page of a
terminal."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import termios
import time

from evertest.basics import BIN, wait_until
from evertest.programs import PLAIN_ENVIRONMENT, ProgramCase
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=1.5)

COUNT = 1500
#: None of them has a refresh token.
NAMES = ["tenant-%05d" % number for number in range(COUNT)]


class Pages(ProgramCase):
    def setUp(self):
        super().setUp()
        self.running = self.daemon({
            name: {"provider": "as", "client_id": "id", "client_secret": "s"} for name in NAMES})
        wait_until(lambda: self.page("state=login_required&limit=1")["counts"]["login_required"]
                   == COUNT, 60, "all credentials settled", self.running)

    def page(self, query):
        code, answer = self.running.request("GET", "/v1/status?" + query)
        self.assertEqual(code, 200, answer)
        return answer

    def test_pages_and_the_whole_document_list_each_credential_once(self):
        self.check_pages()
        self.check_whole()
        self.check_scrape()

    def check_pages(self):
        seen, query = [], "state=login_required&limit=400"
        page = self.page(query)
        while True:
            seen += [entry["name"] for entry in page["credentials"]]
            if "next" not in page:
                break
            self.assertEqual(len(page["credentials"]), 400)
            page = self.page(query + "&after=" + page["next"])
        self.assertEqual(seen, NAMES)
        self.assertEqual(self.page("state=expired")["credentials"], [])
        self.assertEqual(len(self.page("after=" + NAMES[5])["credentials"]), 100)
        for query in ("states=expired", "state=gone", "limit=0", "limit=x", "after=%20"):
            with self.subTest(query):
                code, answer = self.running.request("GET", "/v1/status?" + query)
                self.assertEqual(code, 400)
                self.assertTrue(answer["title"] and answer["detail"])

    def check_whole(self):
        status = self.running.status()
        self.assertEqual([entry["name"] for entry in status["credentials"]], NAMES)
        self.assertNotIn("next", status)
        self.assertNotIn("counts", status)
        done = self.running.evertoken("status", "-o", "name")
        self.assertEqual(done.stdout.split(), NAMES)
        done = self.running.evertoken("status", "--json")
        self.assertEqual(len(json.loads(done.stdout)["credentials"]), COUNT)

    def ask(self, target="/v1/status"):
        """A connection on which a whole document is asked for; the caller reads."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(connection.close)
        connection.settimeout(30)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(str(self.running.socket))
        connection.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % target.encode())
        return connection

    def rest(self, connection):
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(1 << 16):
                parts.append(part)
        return b"".join(parts)

    def test_a_fifth_long_response_is_refused_and_a_slow_reader_is_cut_off(self):
        slow = []
        for target in ("/v1/status", "/metrics", "/v1/status", "/v1/status"):
            slow.append(self.ask(target))
            # It has its place once the response begins.
            self.assertEqual(slow[-1].recv(12), b"HTTP/1.1 200")
        begun = time.monotonic()
        refused = self.rest(self.ask())
        head, body = refused.split(b"\r\n\r\n", 1)
        self.assertTrue(head.startswith(b"HTTP/1.1 503"), head)
        self.assertRegex(head, rb"\r\nRetry-After: \d+")
        self.assertIn("title", json.loads(body))
        # What is no long response goes on.
        self.assertEqual(len(self.page("limit=10")["credentials"]), 10)
        # A slow client that does read is not cut off.
        taken, ended = b"", time.monotonic() + 14
        while time.monotonic() < ended:
            taken += slow[3].recv(12 << 10)
            time.sleep(0.2)
        taken += self.rest(slow[3])
        listed = json.loads(b"{" + taken.split(b"\r\n\r\n", 1)[1].split(b"{", 1)[1])
        self.assertEqual(len(listed["credentials"]), COUNT)
        cut = self.rest(slow[0])
        self.assertLess(time.monotonic() - begun, 40)
        self.assertFalse(cut.endswith(b"]}\n"), "it was sent completely")
        self.assertFalse(self.rest(slow[1]).endswith(b"0\r\n\r\n"), "it was sent completely")
        # Their places are free again.
        self.assertEqual(len(self.running.status()["credentials"]), COUNT)

    def check_scrape(self):
        code, text = self.running.request("GET", "/metrics")
        self.assertEqual(code, 200)
        self.assertTrue(text.endswith("# EOF\n"))
        found = re.findall(r'^evertoken_output_problem\{credential="([^"]*)"\} 0$', text, re.M)
        self.assertEqual(found, NAMES)

    def test_the_watch_fits_the_screen_and_shows_the_worst_first(self):
        rows = 20
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 100, 0, 0))
        program = subprocess.Popen(
            [str(BIN / "evertoken"), "status", "--watch"], stdin=theirs, stdout=theirs,
            stderr=theirs, start_new_session=True,
            env=PLAIN_ENVIRONMENT | {"EVERTOKEN_SOCKET": str(self.running.socket)})
        os.close(theirs)
        try:
            seen, end = b"", time.monotonic() + 30
            while time.monotonic() < end and b"quits" not in seen:
                if select.select([ours], [], [], 0.2)[0]:
                    seen += os.read(ours, 65536)
            os.write(ours, b"q")
            drawn = seen.decode().split("\x1b[H", 1)[1].split("\x1b[J", 1)[0]
            lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rstrip("\r")
                     for line in drawn.split("\n")]
            self.assertLessEqual(len(lines), rows)
            self.assertEqual(lines[0], "0 of %d fresh, %d need a person" % (COUNT, COUNT))
            self.assertTrue(lines[2].startswith(NAMES[0]), lines)
            listed = sum(line.startswith("tenant-") and "login_required" in line
                         for line in lines)
            self.assertGreater(listed, 5)
            self.assertTrue(lines[-1].startswith(
                "%d more credentials are not shown; " % (COUNT - listed)), lines[-1])
            end = time.monotonic() + 20
            while program.poll() is None and time.monotonic() < end:
                if select.select([ours], [], [], 0.1)[0]:
                    with contextlib.suppress(OSError):
                        os.read(ours, 65536)
            self.assertEqual(program.returncode, 0)
        finally:
            program.kill()
            program.wait()
            os.close(ours)
