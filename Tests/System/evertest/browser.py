"""A real browser, headless: Chromium, driven through WebDriver (W3C) with the standard library."""

from __future__ import annotations

import base64
import http.client
import json
import pathlib
import subprocess
from typing import Any, Optional

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.servers.authorization import free_ports

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

#: The contrast (WCAG 2.1) of every text against what is below it.
CONTRASTS = """
    const rgb = (element, property) => {
        const found = getComputedStyle(element)[property].match(/[\\d.]+/g).map(Number)
        return found.length === 4 && found[3] === 0 ? null : found.slice(0, 3)
    }
    const light = colour => {
        const [r, g, b] = colour.map(value => value / 255)
            .map(value => value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4)
        return .2126 * r + .7152 * g + .0722 * b
    }
    return [...document.querySelectorAll('h1, p, code')].map(element => {
        let below = element
        while (!rgb(below, 'backgroundColor')) below = below.parentElement
        const [a, b] = [light(rgb(element, 'color')), light(rgb(below, 'backgroundColor'))]
        return (Math.max(a, b) + .05) / (Math.min(a, b) + .05)
    })"""


class Browser:
    """One Chromium with a profile of its own. It may only reach this machine."""

    def __init__(self, case: Any, dark: bool = False) -> None:
        self.port = free_ports(4) + 3  # others take the first ones
        folder = temporary_directory(case)
        self.driver = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "chromedriver", "--port=%d" % self.port],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "en_US.UTF-8"})
        self.session = ""
        at_end(case, self.close)
        wait_until(self._is_ready, 30, "chromedriver to answer", pause=0.02)
        arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--user-data-dir=%s" % (folder / "profile"), "--no-first-run", "--window-size=900,600",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            # Nothing but loopback has a name here.
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--lang=en-US",
            *(["--force-dark-mode"] if dark else [])]
        wanted = {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"performance": "ALL"}, "pageLoadStrategy": "normal"}}
        self.session = self._call("POST", "/session", {"capabilities": wanted})["sessionId"]

    def _is_ready(self) -> bool:
        if self.driver.poll() is not None:
            raise AssertionError("chromedriver ended with %d" % self.driver.returncode)
        return self._call("GET", "/status")["ready"]

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(answer, dict) and answer.get("error"):
            raise AssertionError("%s %s: %s" % (method, path, answer.get("message", "")[:400]))
        return answer

    def command(self, method: str, path: str, body: Any = None) -> Any:
        return self._call(method, "/session/%s%s" % (self.session, path), body)

    def open(self, url: str) -> None:
        self.command("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        return self.command("GET", "/url")

    @property
    def title(self) -> str:
        return self.command("GET", "/title")

    def find(self, css: str) -> Optional[str]:
        """The first element that is there, or None."""
        found = self.command("POST", "/elements", {"using": "css selector", "value": css})
        return found[0][ELEMENT] if found else None

    def wait_for(self, css: str, timeout: float = 20) -> str:
        return wait_until(lambda: self.find(css), timeout, "%s on the page" % css)

    def click(self, css: str) -> None:
        self.command("POST", "/element/%s/click" % self.wait_for(css), {})

    def type(self, css: str, text: str) -> None:
        self.command("POST", "/element/%s/value" % self.wait_for(css), {"text": text})

    def text(self, css: str) -> str:
        return self.command("GET", "/element/%s/text" % self.wait_for(css))

    def run(self, script: str) -> Any:
        return self.command("POST", "/execute/sync", {"script": script, "args": []})

    def screenshot(self, path: pathlib.Path) -> None:
        path.write_bytes(base64.b64decode(self.command("GET", "/screenshot")))

    def prefer(self, scheme: str) -> None:
        """Light or dark, as the page's style sees it."""
        self.command("POST", "/goog/cdp/execute", {
            "cmd": "Emulation.setEmulatedMedia",
            "params": {"features": [{"name": "prefers-color-scheme", "value": scheme}]}})

    def resize(self, width: int, height: int = 700) -> None:
        """The page's own width: a window cannot be as narrow as a telephone."""
        self.command("POST", "/goog/cdp/execute", {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height, "deviceScaleFactor": 1,
                       "mobile": False}})

    def requests(self) -> list[str]:
        """Every URL asked for since this was last called."""
        entries = self.command("POST", "/se/log", {"type": "performance"})
        events = [json.loads(entry["message"])["message"] for entry in entries]
        return [event["params"]["request"]["url"] for event in events
                if event["method"] == "Network.requestWillBeSent"]

    def close(self) -> None:
        if self.driver.poll() is None:
            if self.session:
                try:
                    self.command("DELETE", "")
                except (OSError, AssertionError, http.client.HTTPException, ValueError):
                    pass
            self.driver.terminate()
        self.driver.wait()
