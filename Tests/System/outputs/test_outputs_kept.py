"""Token files that are deleted, changed or replaced by a link, and names that are hidden.

Needs root."""

import json
import netrc as netrc_reader
import os
import socket
import time

from evertest.basics import wait_until
from evertest.programs import PlainDaemon, ProgramCase, evertoken
from evertest.servers.token_server import Answer
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=1.1)


class KeptTest(ProgramCase):
    """A deleted file is noticed within a minute; at once when a caller asks."""

    def setUp(self):
        super().setUp()
        self.running = self.fresh_daemon("crm", "other")
        self.token = self.server.exchanges("crm")[-1].access_token
        self.path = self.running.tokens / "crm" / "token"

    def health(self):
        return self.running.request("GET", "/healthz")

    def asked(self):
        return len(self.server.exchanges())

    def test_it_is_written_again_within_a_minute_though_nobody_asks(self):
        count = self.asked()
        self.path.unlink()
        deleted = time.monotonic()
        wait_until(self.path.exists, 61, "the file", self.running, pause=0.1)
        self.assertLess(time.monotonic() - deleted, 60)
        self.assertEqual(self.path.read_text(), self.token)
        self.assertEqual(oct(self.path.stat().st_mode & 0o777), "0o640")
        self.assertEqual(self.asked(), count, "no request is made for it")
        self.assertIn("crm/token was deleted", self.running.stderr())

    def test_healthz_is_503_until_it_is_there_again(self):
        self.assertEqual(self.health()[0], 200)
        self.path.unlink()

        def unhealthy():
            status, body = self.health()
            return body if status == 503 else None

        body = wait_until(unhealthy, 5, "503", self.running, pause=0.05)
        self.assertEqual((body["status"], body["output"]), ("output", ["crm"]))
        wait_until(lambda: self.health()[0] == 200, 5, "200", self.running, pause=0.05)
        self.assertEqual(self.path.read_text(), self.token)

    def test_healthz_stays_503_while_it_cannot_be_written_again(self):
        self.path.unlink()
        self.path.mkdir()
        wait_until(lambda: self.health()[0] == 503, 5, "503", self.running, pause=0.05)
        time.sleep(1.2)  # longer than the answer of one look is good for
        status, body = self.health()
        self.assertEqual((status, body["output"]), (503, ["crm"]))
        error = self.running.credentials()["crm"]["last_error"]
        self.assertIn("not a regular file", error["problem"])
        self.path.rmdir()
        self.assert_exit(self.running.evertoken("reload"), 0)
        wait_until(lambda: self.health()[0] == 200, 10, "200", self.running, pause=0.05)

    def test_a_reload_brings_it_back_before_it_returns(self):
        count = self.asked()
        for change in (self.path.unlink, lambda: self.path.write_text("garbage"),
                       lambda: self.path.chmod(0o666), lambda: os.truncate(self.path, 3)):
            change()
            self.assert_exit(self.running.evertoken("reload"), 0)
            self.assertEqual(self.path.read_text(), self.token)
            self.assertEqual(oct(self.path.stat().st_mode & 0o777), "0o640")
        for file in self.path.parent.iterdir():
            file.unlink()
        self.path.parent.rmdir()
        self.assert_exit(self.running.evertoken("reload"), 0)
        self.assertEqual({f.name for f in self.path.parent.iterdir()}, {"token", "token.json"})
        self.assertEqual(self.asked(), count)

    def test_a_reload_with_a_mistake_brings_it_back_too(self):
        self.running.config_file.write_text("{")
        self.path.unlink()
        self.assert_exit(self.running.evertoken("reload"), os.EX_CONFIG)
        wait_until(self.path.exists, 5, "the file", self.running)

    def test_files_that_are_as_they_were_are_left_alone(self):
        before = self.path.stat()
        self.assert_exit(self.running.evertoken("reload"), 0)
        self.assertEqual(self.health()[0], 200)
        self.assertEqual(self.path.stat(), before)
        self.assertNotIn("deleted or changed", self.running.stderr())


class LinkTest(ProgramCase):
    """No symbolic link is followed and none is replaced: each is refused by name, with the path to
    write instead."""

    def setUp(self):
        super().setUp()
        self.real = self.directory / "real"
        self.real.mkdir()
        self.victim = self.real / "file"
        self.victim.write_text("mine")
        self.link = self.directory / "link"
        self.link.symlink_to(self.victim)

    def entry(self, *paths):
        return {"crm": self.credential("crm", outputs=[
            {"path": "crm/token"}, *({"path": str(path)} for path in paths)])}

    def assert_untouched(self):
        self.assertEqual(self.victim.read_text(), "mine")
        self.assertTrue(self.link.is_symlink())

    def test_check_refuses_it(self):
        folder = self.directory / "folder"
        folder.symlink_to(self.real)
        for path, real in ((self.link, self.victim), (folder / "t", self.real / "t")):
            file = self.directory / "check.json"
            file.write_text(json.dumps(self.config(self.entry(path))))
            file.chmod(0o600)
            done = evertoken("check", "--config", str(file))
            self.assert_exit(done, os.EX_CONFIG, "is a symbolic link", str(path), str(real))
        self.assert_untouched()

    def test_a_start_refuses_that_output_and_no_other(self):
        daemon = self.daemon(self.entry(self.link))
        entry = wait_until(lambda: daemon.credentials()["crm"]["last_error"], 10, "it", daemon)
        self.assertEqual(entry["problem"], "%s is a symbolic link; name the real path, %s" % (
            self.link, self.victim))
        self.assertEqual(daemon.file("crm/token"), self.server.exchanges()[-1].access_token)
        self.assertEqual(daemon.request("GET", "/healthz")[0], 503)
        self.assert_untouched()

    def test_a_reload_says_which_output_it_refuses(self):
        entries = self.entry()
        daemon = self.daemon(entries)
        daemon.wait_for("crm", "fresh")
        entries["crm"]["outputs"].append({"path": str(self.link)})
        daemon.configure(self.config(entries))
        self.assert_exit(daemon.evertoken("reload"), os.EX_TEMPFAIL, str(self.link),
                         "is a symbolic link", str(self.victim))
        self.assert_untouched()

    def test_one_that_is_put_in_a_file_s_place_later_is_refused_too(self):
        daemon = self.daemon(self.entry())
        daemon.wait_for("crm", "fresh")
        path = daemon.tokens / "crm" / "token"
        path.unlink()
        path.symlink_to(self.victim)
        self.assert_exit(daemon.evertoken("reload"), os.EX_TEMPFAIL, "is a symbolic link")
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), os.EX_TEMPFAIL)
        self.assert_untouched()
        self.assertTrue(path.is_symlink())
        path.unlink()
        wait_until(lambda: daemon.file("crm/token"), 10, "the file", daemon)


class SocketTest(ProgramCase):
    """A file at a socket's path is named and kept; a socket that is left over is replaced."""

    def entries(self):
        return {"crm": self.credential("crm", units=["backup.service"])}

    def refused(self, key, start):
        for kind in ("file", "link", "directory", "pipe"):
            with self.subTest(kind):
                path = self.directory / (key + "-" + kind)
                victim = self.directory / "victim"
                victim.write_text("mine")
                {"file": lambda: path.write_text("mine"), "link": lambda: path.symlink_to(victim),
                 "directory": path.mkdir, "pipe": lambda: os.mkfifo(path)}[kind]()
                before = path.lstat()
                start(path)
                self.assertEqual(path.lstat().st_ino, before.st_ino)
                self.assertEqual(victim.read_text(), "mine")

    def test_a_start_is_refused_and_names_it(self):
        for key in ("control_socket", "credential_socket"):
            def start(path):
                folder = self.directory / ("d-" + path.name)
                folder.mkdir(mode=0o700)
                daemon = PlainDaemon(self, folder, self.config(
                    self.entries(), **{key: str(path)}), {})
                daemon.start(wait=False)
                self.assertEqual(daemon.process.wait(20), os.EX_CANTCREAT)
                self.assertIn("%s is not a socket and is left as it is" % path, daemon.stderr())

            self.refused(key, start)

    def test_a_reload_and_check_are_refused_and_name_it(self):
        entries = self.entries()
        daemon = self.daemon(entries)
        daemon.wait_for("crm", "fresh")
        for key in ("control_socket", "credential_socket"):
            def reload(path):
                daemon.configure(self.config(entries, **{key: str(path)}))
                words = "%s is not a socket and is left as it is" % path, key
                self.assert_exit(daemon.evertoken("reload"), os.EX_CONFIG, *words)
                self.assert_exit(evertoken("check", "--config", str(daemon.config_file)),
                                 os.EX_CONFIG, *words)

            self.refused(key, reload)
        self.assertEqual(daemon.credentials()["crm"]["state"], "fresh")

    def test_a_stale_socket_is_replaced(self):
        path = self.directory / "stale.sock"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        daemon = self.daemon(self.entries(), credential_socket=str(path))
        daemon.wait_for("crm", "fresh")
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(path))


class HiddenTest(ProgramCase):
    def test_files_that_programs_look_for_in_a_home_can_be_outputs(self):
        home = self.directory / "home"
        home.mkdir()
        netrc = ("machine api.example login me password ${netrc(access_token)}\n")
        outputs = [
            {"path": str(home / ".netrc"), "format": "template", "template": netrc,
             "mode": "0600"},
            {"path": str(home / ".npmrc"), "format": "template", "mode": "0600",
             "template": "//registry.example/:_authToken=${access_token}\n"},
            {"path": str(home / ".pgpass"), "format": "template", "mode": "0600",
             "template": "db.example:5432:*:me:${access_token}\n"},
            {"path": ".config/tool/token"}]
        daemon = self.daemon({"crm": self.credential("crm", outputs=outputs)})
        daemon.wait_for("crm", "fresh")
        token = self.server.exchanges()[-1].access_token
        self.assertEqual({f.name for f in home.iterdir()}, {".netrc", ".npmrc", ".pgpass"})
        self.assertIn(token, (home / ".pgpass").read_text())
        self.assertEqual(daemon.file(".config/tool/token"), token)
        login, _, password = netrc_reader.netrc(str(home / ".netrc")).authenticators("api.example")
        self.assertEqual((login, password), ("me", token))


class HeaderTest(ProgramCase):
    """The scheme of header and curl outputs, and of `evertoken token --header`."""

    def test_it_is_what_the_server_says_where_a_header_can_hold_it(self):
        for given, scheme in (("DPoP", "DPoP"), ("bEARER", "Bearer"), ("a b", "Bearer"),
                              ("x\r\nX-Evil: 1", "Bearer")):
            with self.subTest(given):
                name = "c%d" % len(self.server.exchanges())
                token = "token-of-" + name
                self.server.plan(name, Answer(body=json.dumps(
                    {"access_token": token, "token_type": given, "expires_in": 3600})))
                daemon = self.daemon({name: self.credential(name, outputs=[
                    {"path": "h", "format": "header"}, {"path": "c", "format": "curl"}])},
                    place=name)
                daemon.wait_for(name, "fresh")
                line = "Authorization: %s %s" % (scheme, token)
                self.assertEqual(daemon.file("h"), line + "\n")
                self.assertEqual(daemon.file("c"), 'header = "%s"\n' % line)
                done = daemon.evertoken("token", name, "--header")
                self.assertEqual(done.stdout, line + "\n")
