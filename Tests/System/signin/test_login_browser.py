"""`evertoken login` in a real browser: headless Chromium through Glewlwyd's own pages.

EVERTOKEN_SCREENSHOTS names a directory that the pages are painted into, light and dark.
"""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import urllib.parse

from evertest.basics import wait_until
from evertest.browser import CONTRASTS, Browser
from evertest.login_world import LoginCase, get, query
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.2)

#: WCAG 2.1, contrast of normal text: the least for AA.
CONTRAST = 4.5


class InTheBrowser(LoginCase):
    options = ("--web",)

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.browser = Browser(cls)

    def sign_in(self, url: str) -> None:
        """What the person does on the provider's pages."""
        browser = self.browser
        browser.open(url)
        browser.type("#username", "alice")
        browser.type("#password", "alice-password")
        browser.click("#loginbut")
        browser.click("#grant-svc")
        browser.run("for (const button of document.querySelectorAll('button'))"
                    " if (button.textContent == 'Grant access') button.click()")
        browser.click("[title^=Continue]:not([disabled])")
        wait_until(lambda: "/signed-in/" in browser.url, 20, "the way back")
        wait_until(lambda: browser.find("main h1"), 20, "our page")

    def assert_page(self, title: str, heading: str, *words: str, picture: str) -> None:
        browser = self.browser
        self.assertEqual(browser.title, title)
        self.assertEqual(browser.run("return document.documentElement.lang"), "en")
        self.assertEqual(browser.run("return document.querySelectorAll('h1').length"), 1)
        self.assertIn(heading, browser.text("h1"))
        for word in words:
            self.assertIn(word, browser.text("main"))
        self.assertEqual(browser.run("return document.scripts.length"), 0)
        self.assertNotIn("?", browser.url)
        self.assertEqual(browser.run("return document.referrer"), "")
        wanted = [url for url in browser.requests() if url.startswith("http")]
        last = max(index for index, url in enumerate(wanted) if url.startswith(self.redirect))
        self.assertEqual(wanted[last + 1:], [browser.url], "the page asked for more")
        self.assertEqual({urllib.parse.urlsplit(url).hostname for url in wanted}, {"127.0.0.1"})
        grounds = set()
        for scheme in ("light", "dark"):
            browser.prefer(scheme)
            for contrast in browser.run(CONTRASTS):
                self.assertGreaterEqual(contrast, CONTRAST, "%s %s" % (title, scheme))
            grounds.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
            self.assertTrue(browser.run(
                "return document.documentElement.scrollWidth <= innerWidth"))
            folder = os.environ.get("EVERTOKEN_SCREENSHOTS")
            if folder:
                browser.screenshot(pathlib.Path(folder) / ("%s-%s.png" % (picture, scheme)))
        self.assertEqual(len(grounds), 2, "light and dark look the same")

    def test_login_consent_and_a_token(self) -> None:
        # The person has agreed to nothing yet.
        status, _, _ = put_grant(self, "")
        self.assertEqual(status, 200)
        daemon = self.daemon()
        waiting = self.login(daemon, "--no-browser")
        url = waiting.url()
        self.sign_in(url)
        self.assert_page("Signed in: crm – evertoken", "Signed in", "crm", "close this page",
                         picture="signed-in")
        self.assert_signed_in(daemon, waiting)
        self.assert_no_secret(daemon, waiting)
        # A page that is requested again, from the history, finds no server.
        self.assertRaises(OSError, get, self.browser.url)

    def test_the_provider_s_error_and_a_denial(self) -> None:
        # It would have to ask the person, which is forbidden.
        put_grant(self, "")
        daemon = self.daemon(self.config({"params": {"prompt": "none"}}))
        waiting = self.login(daemon, "--no-browser")
        self.browser.open(waiting.url())
        self.assert_page("Not signed in: try again: crm – evertoken", "try again",
                         "the provider sent an error", picture="error")
        self.assert_ended(waiting, 75, "interaction_required")
        denied = self.login(daemon, "--no-browser")
        state = query(denied.url())["state"]
        self.browser.requests()
        self.browser.open("%s?error=access_denied&state=%s" % (self.redirect, state))
        self.assert_page("Sign-in denied: crm – evertoken", "Sign-in denied", "denied",
                         "evertoken login crm", picture="denied")
        self.assert_ended(denied, 77, "denied")

    def test_a_code_that_is_refused(self) -> None:
        daemon = self.daemon()
        waiting = self.login(daemon, "--no-browser")
        state = query(waiting.url())["state"]
        self.browser.requests()
        self.browser.open("%s?code=no-such-code&state=%s" % (self.redirect, state))
        self.assert_page("Not signed in: try again: crm – evertoken", "try again",
                         "refused to issue tokens (40", picture="failed")
        self.assert_ended(waiting, 75, "refused to issue tokens (40")


def put_grant(case: LoginCase, scope: str) -> tuple[int, dict[str, str], bytes]:
    """What the person has agreed to give the client."""
    parts = urllib.parse.urlsplit(case.server.base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request("PUT", "/api/auth/grant/web", json.dumps({"scope": scope}),
                           {"Cookie": case.cookie, "Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()
