"""`evertoken login` by a loopback redirect, against Glewlwyd, with a person who has no browser."""

from __future__ import annotations

import html
import json
import os
import pathlib
import pwd
import re
import socket

from evertest.basics import wait_until
from evertest.login_world import LoginCase, SmallServer, Waiting, come_back, get, path_with, query
from evertest.programs import write_program
from evertest.servers.authorization import free_ports
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.4)


class BrowserFlow(LoginCase):
    def test_the_whole_flow_leaves_tokens_and_no_secret(self) -> None:
        daemon = self.daemon()
        waiting = self.login(daemon, "--scope", "svc2 svc")
        url = waiting.url()
        asked = query(url)
        self.assertEqual((asked["response_type"], asked["client_id"], asked["redirect_uri"],
                          asked["scope"], asked["code_challenge_method"]),
                         ("code", "web", self.redirect, "svc svc2", "S256"))
        self.assertGreaterEqual(len(asked["state"]), 43)
        back = self.approve(url)
        status, headers, page = come_back(back)
        self.assertEqual(status, 200, page)
        self.assertIn("default-src 'none'", headers["content-security-policy"])
        self.assertEqual((headers["cache-control"], headers["referrer-policy"]),
                         ("no-store", "no-referrer"))
        self.assertIn("<title>Signed in: crm", page.decode())
        self.assert_signed_in(daemon, waiting)
        form = self.endpoint.exchanges[-1][1]
        self.assertEqual(form["redirect_uri"], self.redirect)
        self.assertEqual(len(form["code_verifier"]), 43)
        self.assert_no_secret(daemon, waiting)
        self.assertNotIn(asked["state"], daemon.stderr())
        # It lasts: the refresh token is the daemon's now.
        status, _ = daemon.request("POST", "/v1/credentials/crm/refresh?wait=20")
        self.assertEqual(status, 200, daemon.report())

    def test_the_browser_is_opened_where_there_is_one(self) -> None:
        """By a file: the address itself in the arguments of a program would be everybody's."""
        account = pwd.getpwnam("nobody")
        private = self.directory / "private"
        private.mkdir()
        os.chown(private, account.pw_uid, account.pw_gid)
        private.chmod(0o700)
        self.directory.chmod(0o711)
        daemon = self.daemon(self.config() | {
            "control": {"mode": "0666", "allow": [{"user": "nobody"}]}})
        opened = private / "opened"
        write_program(self.directory / "xdg-open", "#!/bin/sh",
                      'stat -c "%%a" "$1" >%s' % (private / "mode"), 'cat "$1" >>%s.new' % opened,
                      'echo "$#" "$1" >>%s.new; mv %s.new %s' % (opened, opened, opened))
        environment = {"PATH": path_with(self.directory), "DISPLAY": ":99",
                       "XDG_RUNTIME_DIR": str(private)}
        other = ("setpriv", "--reuid", "nobody", "--regid", str(account.pw_gid), "--clear-groups")
        waiting = self.login(daemon, environment=environment, prefix=other)
        url = waiting.url()
        wait_until(opened.exists, 10, "xdg-open")
        page, _, words = opened.read_text().rstrip("\n").rpartition("\n")
        self.assertEqual(html.unescape(re.search(r'url=([^"]+)"', page)[1]), url)
        count, file = words.split()
        self.assertEqual((count, (private / "mode").read_text()), ("1", "600\n"))
        self.assertTrue(pathlib.Path(file).exists())
        come_back(self.approve(url))
        self.assert_signed_in(daemon, waiting)
        self.assertFalse(pathlib.Path(file).exists())
        opened.unlink()
        # Not when asked not to, never as root, and not where such a file has no safe place.
        for arguments, changes, prefix in ((("--no-browser",), {}, other), ((), {}, ()),
                                           ((), {"XDG_RUNTIME_DIR": ""}, other)):
            quiet = self.login(daemon, *arguments, environment=environment | changes,
                               prefix=prefix)
            come_back(self.approve(quiet.url()))
            self.assert_signed_in(daemon, quiet)
            self.assertFalse(opened.exists())

    def test_localhost_is_waited_for_at_both_of_its_addresses(self) -> None:
        daemon = self.daemon()
        port = free_ports(2) + 1
        local = "http://localhost:%d/callback" % port
        waiting = self.login(daemon, "--redirect-uri", local, "--no-browser")
        waiting.url()
        for host in ("127.0.0.1", "[::1]"):
            self.assertEqual(get("http://%s:%d/other" % (host, port))[0], 404, host)
        waiting.stop()
        with socket.socket(socket.AF_INET6) as taken:
            taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("::1", port))
            taken.listen()
            refused = self.login(daemon, "--redirect-uri", local, "--no-browser")
            self.assert_ended(refused, 75, "--port")

    def test_requests_that_are_not_the_answer_change_nothing(self) -> None:
        daemon = self.daemon()
        waiting = self.login(daemon)
        url = waiting.url()
        state, base = query(url)["state"], self.redirect
        for path, status in (("/favicon.ico", 404), ("/", 404), ("/callback/", 404)):
            self.assertEqual(get(base.replace("/callback", path))[0], status, path)
        for asked in ("", "?code=evil", "?code=evil&state=", "?code=evil&state=%s" % state[:-1],
                      "?state=%s" % state, "?code=evil&state=%s&state=%s" % (state, state),
                      "?code=evil&code=good&state=%s" % state, "?code=%%ff&state=%s" % state,
                      "?error=access_denied&state=wrong", "?error=access_denied"):
            status, _, page = get(base + asked)
            self.assertEqual(status, 400, asked)
            self.assertNotIn(b"evil", page)
        self.assertEqual(get("%s?code=evil&state=%s" % (base, state), method="POST")[0], 405)
        self.assertEqual(get(base + "?code=evil&state=" + "x" * 20_000)[0], 431)
        with socket.create_connection(("127.0.0.1", self.port)) as silent:
            silent.sendall(b"GET /callback?code=")
            self.assertIsNone(waiting.process.poll(), waiting.stderr)
            before = len(self.endpoint.exchanges)
            back = self.approve(url)
            self.assertEqual(come_back(back)[0], 200)
        self.assert_signed_in(daemon, waiting)
        self.assertEqual(len(self.endpoint.exchanges), before + 1, "one code, one exchange")

    def test_denied_refused_and_forged_answers(self) -> None:
        daemon = self.daemon(self.config({"issuer": self.issuer}))
        for answer, status, words, title in (
                ("error=access_denied&error_description=%3Cb%3Eno%3C%2Fb%3E", 77, "denied",
                 "Sign-in denied"),
                ("error=invalid_scope", 78, "scope", "Not signed in: ask the administrator"),
                ("error=server_error", 75, "server_error", "Not signed in: try again"),
                ("error=%3Cscript%3E", 75, "sent an error", "Not signed in: try again"),
                ("code=no-such-code", 75, "refused to issue tokens (40", "Not signed in: try"),
                ("code=stolen&iss=https%3A%2F%2Fevil.example", 65, "another server",
                 "Not signed in: ask the administrator")):
            with self.subTest(answer):
                before = len(self.endpoint.exchanges)
                waiting = self.login(daemon)
                state = query(waiting.url())["state"]
                code, _, page = come_back("%s?%s&state=%s" % (self.redirect, answer, state))
                self.assertEqual(code, 400)
                self.assertIn("<title>%s" % title, page.decode())
                self.assertRegex(page.decode(), "<title>.*: crm – evertoken")
                for text in (page.decode(), waiting.stderr):
                    self.assertNotIn("<script", text)
                    self.assertNotIn("<b>", text)
                self.assert_ended(waiting, status, "crm", words)
                self.assertNotIn("script", waiting.stderr)
                self.assertEqual(len(self.endpoint.exchanges) - before,
                                 1 if "no-such" in answer else 0)
        self.assertEqual(daemon.credentials()["crm"]["state"], "login_required")

    def test_the_server_s_own_error(self) -> None:
        # Without a session it must ask the person, which `prompt=none` forbids.
        daemon = self.daemon(self.config({"params": {"prompt": "none"}}))
        waiting = self.login(daemon)
        status, headers, _ = get(waiting.url())
        self.assertEqual(status, 302)
        self.assertEqual(come_back(headers["location"])[0], 400)
        self.assert_ended(waiting, 75, "interaction_required")

    def test_nobody_answers_and_a_port_that_is_taken(self) -> None:
        daemon = self.daemon()
        waiting = self.login(daemon, "--timeout", "300ms")
        self.assert_ended(waiting, 75, "no sign-in came within 300ms")
        with socket.create_server(("127.0.0.1", self.port)):
            self.assert_ended(self.login(daemon), 75, "port %d" % self.port, "--port")

    def test_a_free_port_where_no_other_is_named(self) -> None:
        config = self.config()
        config["credentials"]["crm"]["variables"] = {"redirect_uri": "http://127.0.0.1/back"}
        daemon = self.daemon(config)
        urls = [query(self.login(daemon).url())["redirect_uri"] for _ in range(2)]
        ports = [int(url.removeprefix("http://127.0.0.1:").removesuffix("/back")) for url in urls]
        self.assertEqual(len(set(ports)), 2)
        named = self.login(daemon, "--redirect-uri", "http://localhost/x", "--port",
                           str(self.port))
        self.assertEqual(query(named.url())["redirect_uri"], "http://localhost:%d/x" % self.port)


class ByHand(LoginCase):
    def test_the_address_is_pasted_where_no_loopback_is_registered(self) -> None:
        config = self.config()
        page = "https://app.example/back"
        config["credentials"]["crm"]["variables"]["redirect_uri"] = page
        daemon = self.daemon(config)
        waiting = self.login(daemon, text="")
        asked = query(waiting.url())
        self.assertEqual(asked["redirect_uri"], page)
        waiting.type("%s\n%s?code=evil&state=other\n" % (page, page))
        wait_until(lambda: "another sign-in" in waiting.stderr, 10, "a warning")
        waiting.type("%s?code=no-such-code&state=%s\n" % (page, asked["state"]))
        # The server has it so: the redirect URI is none of the client's.
        self.assert_ended(waiting, 78, "copy it whole", "issue tokens (403 unauthorized_client)")
        self.assertEqual(self.endpoint.exchanges[-1][1]["redirect_uri"], page)
        self.assertEqual(len(self.endpoint.exchanges[-1][1]["code_verifier"]), 43)
        silent = self.login(daemon)
        self.assert_ended(silent, 64, "nothing was pasted")

    def test_a_terminal_takes_the_address_while_the_port_is_waited_on(self) -> None:
        daemon = self.daemon()
        leader, follower = os.openpty()
        waiting = Waiting(self, ["login", "crm"], {"EVERTOKEN_SOCKET": str(daemon.socket)}, None,
                          ("sh", "-c", 'exec "$@" <%s' % os.ttyname(follower), "sh"))
        back = self.approve(waiting.url())
        os.write(leader, (back + "\n").encode())
        self.assert_signed_in(daemon, waiting)
        os.close(leader)
        os.close(follower)

    def test_a_code_or_its_address_from_elsewhere(self) -> None:
        config = self.config({"issuer": self.issuer, "pkce": False})
        daemon = self.daemon(config)
        url = self.login(daemon).url()
        self.assertNotIn("code_challenge", url)
        done = self.login(daemon, "--code", "-", text="")
        done.type(self.approve(url) + "\n")
        self.assert_signed_in(daemon, done)
        self.assert_no_secret(daemon, done)
        forged = self.login(daemon, "--code", self.redirect + "?code=c&iss=https://evil.example")
        self.assert_ended(forged, 65, "another server")
        denied = self.login(daemon, "--code", self.redirect + "?error=access_denied")
        self.assert_ended(denied, 77, "denied")
        self.assert_ended(self.login(daemon, "--code", self.redirect), 65, "neither a code")


class Refusals(LoginCase):
    def test_a_profile_without_a_sign_in_names_what_to_do(self) -> None:
        config = self.config()
        config["providers"]["as"].pop("authorization")
        for name, provider in (("insta", "instagram"), ("box", "febbox"), ("one", "onelogin")):
            config["credentials"][name] = {"provider": provider, "client_id": "i",
                                           "client_secret": "s"}
        config["credentials"]["one"]["variables"] = {"subdomain": "acme"}
        daemon = self.daemon(config)
        environment = {"EVERTOKEN_SOCKET": str(daemon.socket)}
        for name, words in (("crm", 'has no "authorization"'), ("box", "evertoken import"),
                            ("insta", "turns a code"), ("one", "needs no sign-in")):
            waiting = Waiting(self, ["login", name], environment, None)
            self.assert_ended(waiting, 78, words)
        coded = Waiting(self, ["login", "insta", "--code", "c"], environment, None)
        self.assert_ended(coded, 78, "turns a code")
        self.assert_ended(Waiting(self, ["login", "crn"], environment, None), 65, '"crn"')


class Discovery(LoginCase):
    def found(self, document: object) -> Waiting:
        """A login whose issuer has this document."""
        paths: list[str] = []

        def answer(_method: str, path: str, _headers: object, _body: bytes) -> object:
            paths.append(path)
            if "oauth-authorization-server" not in path:
                return 404, {}, b""
            text = document if isinstance(document, str) else json.dumps(document)
            return 200, {"Content-Type": "application/json"}, text.replace(
                "ISSUER", server.base + "/t").encode()

        server = SmallServer(self, answer)
        config = self.config({"issuer": server.base + "/t", "url": None, "device_url": None})
        daemon = self.daemon(config)
        self.paths, self.running = paths, daemon
        return self.login(daemon)

    def test_the_endpoints_of_a_real_server_are_found(self) -> None:
        daemon = self.daemon(self.config({"issuer": self.issuer, "url": None,
                                          "device_url": None}))
        waiting = self.login(daemon)
        url = waiting.url()
        self.assertTrue(url.startswith(self.issuer + "/auth?"), url)
        come_back(self.approve(url))
        self.assert_signed_in(daemon, waiting)
        device = self.login(daemon, "--device", "--timeout", "1s")
        device.url()
        self.assert_ended(device, 75, "was not approved")

    def test_a_document_of_rfc_8414(self) -> None:
        waiting = self.found({"issuer": "ISSUER", "authorization_endpoint": "ISSUER/a",
                              "code_challenge_methods_supported": ["plain"]})
        asked = waiting.url()
        self.assertIn("/t/a?", asked)
        self.assertNotIn("code_challenge", asked)
        self.assertEqual(self.paths, ["/.well-known/oauth-authorization-server/t"])

    def test_hostile_documents(self) -> None:
        for document, words in (
                ({"issuer": "https://evil.example", "authorization_endpoint": "ISSUER/a"},
                 "another issuer"),
                ({"issuer": "ISSUER/", "authorization_endpoint": "ISSUER/a"}, "another issuer"),
                ({"issuer": "ISSUER", "authorization_endpoint": "http://evil.example/a"},
                 "plain http"),
                ({"issuer": "ISSUER", "device_authorization_endpoint": "https://evil.example/d"},
                 "outside its domain"),
                ({"issuer": "ISSUER", "x": "y" * 2_000_000}, "too large"),
                ({"issuer": "ISSUER"}, "no authorization endpoint"),
                ("<html>", "no metadata document"), ('{"issuer": "ISSUER"', "no metadata")):
            with self.subTest(words):
                waiting = self.found(document)
                self.assertIn(waiting.end(), (75, 78))
                self.assertIn(words, waiting.stderr)
                self.assertEqual(waiting.stdout, "")
                self.running.close()

    def test_an_issuer_over_plain_http(self) -> None:
        daemon = self.daemon(self.config({"issuer": "http://id.example", "url": None,
                                          "device_url": None}))
        self.assert_ended(self.login(daemon), 78, "plain http")
