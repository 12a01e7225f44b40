"""Token files as other programs meet them: formats, owners, modes, and never half a file.

Needs root (owners and groups are set) and curl."""

import grp
import http.server
import json
import pwd
import random
import stat
import subprocess
import sys
import threading
import time

from evertest.basics import LIBRARY, at_end, wait_until
from evertest.programs import PLAIN_ENVIRONMENT, ProgramCase, timed, token_json
from evertest.servers.token_server import Answer, boot_time
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.7)

NAME = "crm-main.1"
TEMPLATE = "Token: ${access_token}; until ${expires_at}; ${upper(token_type)}: $x {y} \\ \"z\"\n"


class Api(http.server.ThreadingHTTPServer):
    """A server on loopback that remembers each request's Authorization header."""

    daemon_threads = True

    def __init__(self, case):
        self.authorizations = []
        super().__init__(("127.0.0.1", 0), ApiHandler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        at_end(case, self.server_close)
        at_end(case, self.shutdown)
        self.url = "http://127.0.0.1:%d/" % self.server_address[1]


class ApiHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.authorizations.append(self.headers["Authorization"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """The list is the log."""


class FormatTest(ProgramCase):
    def published(self, *outputs, name=NAME):
        daemon = self.daemon({name: self.credential(name, outputs=list(outputs))})
        daemon.wait_for(name, "fresh")
        self.token = self.server.exchanges()[-1].access_token
        return daemon

    def test_every_format_says_the_token_in_its_way(self):
        daemon = self.published(
            {"path": "a/raw"}, {"path": "a/json", "format": "json"},
            {"path": "a/header", "format": "header"}, {"path": "a/env", "format": "env"},
            {"path": "a/curl", "format": "curl"},
            {"path": "a/template", "format": "template", "template": TEMPLATE})
        self.assertEqual(daemon.file("a/raw"), self.token)
        self.assertEqual(daemon.file("a/header"), "Authorization: Bearer %s\n" % self.token)
        self.assertEqual(daemon.file("a/env"), "CRM_MAIN_1_ACCESS_TOKEN=%s\n" % self.token)
        fields = json.loads(daemon.file("a/json"))
        self.assertEqual(set(fields), {"access_token", "token_type", "expires_at", "issued_at",
                                       "credential", "provider"})
        self.assertEqual((fields["access_token"], fields["credential"], fields["provider"]),
                         (self.token, NAME, "as"))
        self.assertEqual(fields["expires_at"] - fields["issued_at"], self.lifetime)
        self.assertAlmostEqual(fields["issued_at"], time.time(), delta=20)
        self.assertEqual(daemon.file("a/template"), TEMPLATE.replace("${access_token}", self.token)
                         .replace("${expires_at}", str(fields["expires_at"]))
                         .replace("${upper(token_type)}", "BEARER"))

    def test_no_refresh_token_is_in_any_output(self):
        daemon = self.published({"path": "a/json", "format": "json"})
        self.assertNotIn(self.server.live_refresh_token(NAME), daemon.file("a/json"))

    def test_curl_and_a_shell_can_use_the_files_as_they_are(self):
        daemon = self.published({"path": "a/curl", "format": "curl"},
                                {"path": "a/header", "format": "header"},
                                {"path": "a/env", "format": "env"})
        api, folder = Api(self), daemon.tokens / "a"
        for arguments in (["-K", folder / "curl"], ["-H", "@%s" % (folder / "header")]):
            subprocess.run(["curl", "-fsS", "--max-time", "10", *arguments, api.url], check=True,
                           env=PLAIN_ENVIRONMENT)
        self.assertEqual(api.authorizations, ["Bearer " + self.token] * 2)
        said = subprocess.run(
            ["sh", "-c", '. "$0"; printf %s "$CRM_MAIN_1_ACCESS_TOKEN"', folder / "env"],
            check=True, capture_output=True, text=True).stdout
        self.assertEqual(said, self.token)

    def test_owner_group_and_mode_are_as_configured(self):
        outside = self.directory / "outside"
        outside.mkdir()
        daemon = self.published(
            {"path": "plain/token"},
            {"path": "shared/token", "group": "mail", "mode": "0440"},
            {"path": "numbers/token", "owner": 5, "group": "8", "mode": "0600"},
            {"path": str(outside / "token"), "owner": "games", "group": "mail", "mode": "0644"})
        mail, games = grp.getgrnam("mail").gr_gid, pwd.getpwnam("games").pw_uid
        self.assertEqual((games, mail), (5, 8), "base-passwd numbers them so")
        for path, mode, owner, group in (
                ("plain/token", 0o640, 0, 0), ("shared/token", 0o440, 0, mail),
                ("numbers/token", 0o600, games, mail), (outside / "token", 0o644, games, mail),
                ("plain", 0o750, 0, 0), ("shared", 0o750, 0, mail)):
            with self.subTest(path):
                about = (daemon.tokens / path).stat()
                self.assertEqual((oct(stat.S_IMODE(about.st_mode)), about.st_uid, about.st_gid),
                                 (oct(mode), owner, group))
        self.assertEqual([file.name for file in outside.iterdir()], ["token"])

    def test_the_default_outputs_are_token_and_token_json(self):
        daemon = self.fresh_daemon("crm")
        self.assertEqual({file.name for file in (daemon.tokens / "crm").iterdir()},
                         {"token", "token.json"})
        self.assertEqual(token_json(daemon, "crm")["access_token"], daemon.file("crm/token"))

    def test_an_output_that_cannot_be_written_is_told_and_spoils_no_other(self):
        missing = self.directory / "missing"
        daemon = self.daemon({"crm": self.credential("crm", outputs=[
            {"path": str(missing / "token")}, {"path": "crm/token"},
            {"path": "crm/x", "group": "no-such-group"}])})
        entry = wait_until(lambda: daemon.credentials()["crm"]["last_error"], 10, "a complaint")
        self.assertEqual(entry["class"], "output")
        self.assertIn(str(missing), entry["problem"])
        self.assertIn("no-such-group", entry["problem"])
        self.assertEqual(daemon.file("crm/token"), self.server.exchanges()[-1].access_token)


    def test_an_output_that_cannot_be_written_keeps_the_token_from_nobody_else(self):
        daemon = self.daemon({"crm": self.credential("crm", outputs=[
            {"path": str(self.directory / "missing" / "token")}, {"path": "crm/token"}])})
        wait_until(lambda: daemon.file("crm/token"), 10, "the output that can be written", daemon)
        done, seconds = timed(daemon.evertoken, "token", "crm", timeout=90)
        self.assert_exit(done, 0)
        self.assertEqual(done.stdout.strip(), daemon.file("crm/token"))
        self.assertLess(seconds, 5)
        self.assertEqual(daemon.credentials()["crm"]["state"], "retrying")


class AtomicityTest(ProgramCase):
    """Readers at full speed while tokens that live a second are renewed twice a second."""

    lifetime = 1

    def watch(self, *paths):
        watcher = subprocess.Popen(
            [sys.executable, LIBRARY / "oracle" / "file_watcher.py", *paths],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(watcher.communicate)
        self.addCleanup(watcher.kill)
        self.assertEqual(watcher.stdout.readline(), "ready\n")
        return watcher

    def test_readers_only_ever_see_whole_files_with_their_final_owner_and_mode(self):
        outputs = [{"path": "crm/token", "group": "mail", "mode": "0644"},
                   {"path": "crm/token.json", "format": "json", "owner": "games", "mode": "0404"}]
        tokens = self.directory / "daemon" / "run"
        raw, fields = str(tokens / "crm/token"), str(tokens / "crm/token.json")
        watcher = self.watch(raw, fields)
        daemon = self.daemon({"crm": self.credential("crm", outputs=outputs)})
        self.server.wait_for(lambda seen: len(seen) >= 30, timeout=40)
        self.assertEqual(daemon.terminate(), 0)
        sights = json.loads(watcher.communicate("over\n", timeout=20)[0])
        issued = [e.access_token for e in self.server.exchanges()]
        self.assert_sights(sights[raw], (0o644, 0, 8), issued, str)
        self.assert_sights(sights[fields], (0o404, 5, 0), issued,
                           lambda text: json.loads(text)["access_token"])

    def assert_sights(self, sights, access, issued, token_in):
        self.assertGreater(sum(looks for *_, looks in sights), 10_000, "the reader was too slow")
        self.assertNotIn(None, [text for text, *_ in sights], "the file was missing for a while")
        self.assertEqual({tuple(rest) for _, *rest, _ in sights}, {access})
        seen = [token_in(text) for text, *_ in sights]
        self.assertGreaterEqual(len(seen), 25)
        order = [issued.index(token) for token in seen]
        self.assertEqual(order, sorted(set(order)), "an old token came back")


class ExpiryTest(ProgramCase):
    lifetime = 4

    def test_at_its_end_a_token_is_kept_or_removed_as_configured_and_comes_back(self):
        daemon = self.daemon({"crm": self.credential("crm", refresh={"at": "100%"}, outputs=[
            {"path": "crm/kept"}, {"path": "crm/gone", "on_expiry": "remove"}])})
        daemon.wait_for("crm", "fresh")
        self.server.stop()
        wait_until(lambda: daemon.file("crm/gone") is None, 15, "the output to be removed", daemon)
        gone_at = boot_time()
        last = self.server.exchanges()[-1]
        self.assertEqual(daemon.file("crm/kept"), last.access_token)
        self.assertGreater(gone_at, last.asked_at + self.lifetime - 0.5, "removed while valid")
        self.assertLess(gone_at, last.asked_at + self.lifetime + 1.5, "removed late")
        self.assertEqual(daemon.wait_for("crm", "expired")["last_error"]["class"], "transient")
        self.server.start()
        daemon.wait_for("crm", "fresh")
        token = self.server.exchanges()[-1].access_token
        wait_until(lambda: daemon.file("crm/gone") == token == daemon.file("crm/kept"), 3,
                   "both outputs to hold the new token", daemon)


class ExpiryRaceTest(ProgramCase):
    """Answers that come just as the token before them ends."""

    lifetime = 1
    #: Looks in a row; a file may rightly be away for the moment between two tokens.
    too_many = 4

    def test_a_new_token_s_file_is_not_removed_for_the_end_of_the_one_before(self):
        chance, names = random.Random(1), ["crm-%02d" % number for number in range(30)]
        for name in names:
            self.server.plan(name, *(Answer(delay=chance.uniform(0.47, 0.53))
                                     for _ in range(100)))
        daemon = self.daemon({name: self.credential(name, outputs=[
            {"path": name + "/token", "on_expiry": "remove"}]) for name in names})
        self.server.wait_for(lambda seen: len(seen) > 2 * len(names))
        missing = dict.fromkeys(names, (0, None))  # looks in a row, with the same token
        end = time.monotonic() + 10
        while time.monotonic() < end:
            for name, entry in daemon.credentials().items():
                looks, token = missing[name]
                is_gone = entry["state"] in ("fresh", "refreshing") and not daemon.file(
                    name + "/token")
                same = looks + 1 if token == entry["refreshes"] else 1
                missing[name] = (same if is_gone else 0, entry["refreshes"])
                if missing[name][0] >= self.too_many:
                    self.fail("%s has a valid token and no file:\n%s\n%s" % (
                        name, entry, daemon.credentials()[name]))
            time.sleep(0.02)  # between looks, not for anything
