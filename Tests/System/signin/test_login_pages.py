"""The pages that a sign-in ends with, in headless Chromium: each end of a sign-in looks and reads
differently, says what the terminal says, and fits every screen.

EVERTOKEN_SCREENSHOTS names a directory that the pages are painted into.
"""

from __future__ import annotations

import os
import pathlib
import socket
import unittest
from typing import Any, Optional

from evertest.basics import temporary_directory
from evertest.browser import CONTRASTS, Browser
from evertest.daemon import Daemon
from evertest.login_world import SmallServer, Waiting, come_back, query
from evertest.servers.authorization import free_ports
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.2)

#: WCAG 2.1, contrast of normal text: the least for AA. Headings are large text, which needs 3.
CONTRAST = 4.5
WIDTHS = (320, 360, 900, 1280)
CARD = """
    const card = document.querySelector('main').getBoundingClientRect()
    return {left: card.left, right: innerWidth - card.right, top: card.top,
            bottom: innerHeight - card.bottom, width: document.documentElement.scrollWidth}"""

JSON = {"Content-Type": "application/json"}
#: What the token endpoint answers, by the end that it leads to.
ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "signed-in": (200, JSON, b'{"access_token": "a", "refresh_token": "r", "expires_in": 600}'),
    "later": (503, {}, b""),
    "settings": (401, JSON, b'{"error": "invalid_client"}'),
    "ended-code": (400, JSON, b'{"error": "invalid_grant"}'),
    "portal": (200, {"Content-Type": "text/html"}, b"<html><h1>Welcome, guest</h1></html>"),
}
#: What the browser brings back instead of a code.
ERRORS = {"denied": "access_denied", "trouble": "server_error"}


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.browser = Browser(cls)

    def setUp(self) -> None:
        self.answer: Any = None
        server = SmallServer(self, lambda *_: self.answer)
        self.port = free_ports(1)
        self.redirect = "http://127.0.0.1:%d/callback" % self.port
        config = {
            "providers": {"acme": {"request": {"url": server.base + "/token"},
                                   "authorization": {"url": server.base + "/authorize"}}},
            "credentials": {"crm": {"provider": "acme", "client_id": "i", "client_secret": "s",
                                    "variables": {"redirect_uri": self.redirect}}}}
        self.daemon = Daemon(self, temporary_directory(self), config).start()

    def login(self) -> Waiting:
        return Waiting(self, ["login", "crm", "--no-browser"],
                       {"EVERTOKEN_SOCKET": str(self.daemon.socket)}, None)

    def ended(self, name: str) -> Waiting:
        """A sign-in that came to this end; its page is in the browser."""
        waiting = self.login()
        state = query(waiting.url())["state"]
        self.answer = ANSWERS.get(name)
        given = "error=" + ERRORS[name] if name in ERRORS else "code=the-code"
        self.browser.requests()
        self.browser.open("%s?%s&state=%s" % (self.redirect, given, state))
        self.browser.wait_for("main h1")
        return waiting

    def looks(self, picture: str) -> str:
        """Its edge and its mark, after a look at it in both schemes and at every width."""
        browser = self.browser
        for scheme in ("light", "dark"):
            browser.prefer(scheme)
            for width in WIDTHS:
                browser.resize(width)
                card = browser.run(CARD)
                self.assertLessEqual(card["width"], width, "%s scrolls at %d" % (picture, width))
                self.assertAlmostEqual(card["left"], card["right"], delta=1)
                if width <= 480:
                    self.assertLess(card["top"], 30, "it floats at %d" % width)
                else:
                    self.assertAlmostEqual(card["top"], card["bottom"], delta=1)
                self.paint("%s-%s-%d" % (picture, scheme, width))
            for contrast in browser.run(CONTRASTS):
                self.assertGreaterEqual(contrast, CONTRAST, "%s %s" % (picture, scheme))
        edge = browser.run("return getComputedStyle(document.querySelector('main'))"
                           ".borderTopColor")
        return edge + browser.run("return document.querySelector('h1 span').textContent")

    def paint(self, name: str) -> None:
        folder: Optional[str] = os.environ.get("EVERTOKEN_SCREENSHOTS")
        if folder:
            self.browser.screenshot(pathlib.Path(folder) / (name + ".png"))

    def test_every_end_looks_and_reads_differently_and_says_what_the_terminal_says(self) -> None:
        ends = (("signed-in", 0, "Signed in"), ("denied", 77, "Sign-in denied"),
                ("later", 75, "Not signed in: try again"),
                ("settings", 78, "Not signed in: ask the administrator"))
        looks = {}
        for name, status, heading in ends:
            with self.subTest(name):
                waiting = self.ended(name)
                self.assertEqual(waiting.end(), status, waiting.stderr)
                looks[name] = self.looks(name)
                self.assert_page(heading, waiting)
        self.assertEqual(len(set(looks.values())), len(ends), looks)

    def test_what_is_told_of_other_causes(self) -> None:
        for name, status, words in (
                ("trouble", 75, "server_error"), ("ended-code", 75, "redirect URI"),
                ("portal", 75, "captive portal")):
            with self.subTest(name):
                waiting = self.ended(name)
                self.assertEqual(waiting.end(), status, waiting.stderr)
                self.assertIn(words, waiting.stderr)
                self.looks(name)
                self.assert_page("Not signed in", waiting)

    def assert_page(self, heading: str, waiting: Waiting) -> None:
        browser = self.browser
        self.assertIn(heading, browser.text("h1"))
        text = " ".join(browser.text("main").split())
        self.assertIn("crm at acme, on %s" % socket.gethostname(), text)
        self.assertEqual(browser.run("return document.scripts.length"), 0)
        # Neither code nor state stays in the address bar, nor does the page lead anywhere else.
        self.assertRegex(browser.url, r"^http://127\.0\.0\.1:\d+/signed-in/[\w-]{22}$")
        self.assertEqual([url for url in browser.requests() if "favicon" not in url][1:],
                         [browser.url])
        if waiting.stderr:
            told = waiting.stderr.removeprefix("evertoken: crm: ")
            for sentence in told.strip().split("\n  "):
                self.assertIn(sentence.strip(), text)
        else:
            self.assertIn("You can close this page. Check: evertoken status crm", text)

    def test_another_sign_in_s_answer_ends_nothing_and_is_told_once(self) -> None:
        waiting = self.login()
        state = query(waiting.url())["state"]
        for _ in range(3):
            self.browser.open(self.redirect + "?code=c&state=of-an-old-tab")
        self.assertIn("Go back to the terminal.", self.browser.text("main"))
        self.assertNotIn("crm", self.browser.run("return document.documentElement.outerHTML"))
        self.looks("unexpected")
        self.answer = ANSWERS["signed-in"]
        status, headers, page = come_back("%s?code=the-code&state=%s" % (self.redirect, state))
        self.assertEqual(status, 200)
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertNotIn(b"the-code", page)
        self.assertEqual(waiting.end(), 0, waiting.stderr)
        self.assertEqual(waiting.stderr, "evertoken: an answer came for another sign-in (old "
                                         "tab?); open the address above again\n")

    def test_a_browser_that_never_comes_for_the_page_holds_up_nothing(self) -> None:
        waiting = self.login()
        state = query(waiting.url())["state"]
        self.answer = ANSWERS["signed-in"]
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(("GET /callback?code=c&state=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
                                % state).encode())
            answer = connection.recv(4096).decode()
        self.assertIn("303", answer.split("\r\n")[0])
        self.assertNotIn(state, answer)
        self.assertEqual(waiting.end(20), 0, waiting.stderr)
        self.assertIn("crm: signed in", waiting.stdout)
