"""The operator's worst night: every fault that a host or a provider can have is made for real, and
one command, `evertoken status`, must name its true cause and the remedy that cures it.

Needs root, util-linux, openssl and gcc.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.clocks import ClockedDaemon, build_shim
from evertest.isolation.names import NamesCase
from evertest.programs import PlainDaemon, ProgramCase, evertoken
from evertest.servers.certificates import Authority, context, outdated, self_signed
from evertest.servers.raw_server import replying
from evertest.suite import Suite
from evertest.wire import WireCase, form, granting

SUITE = Suite(timed=True, minutes=0.9)

#: A refresh token that no text may repeat.
CANARY = "Canary-7f9zQ-0123456789-seed"


def refusing(status, code, **more):
    return replying(status, json.dumps({"error": code} | more).encode())


def closed_port():
    """A port on loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class NightCase(WireCase):
    """What `evertoken status` says of each trouble."""

    def page(self, *names):
        """What a person reads, in one line."""
        done = self.command("status", *names)
        self.assertEqual(done.returncode, 0, done.stderr)
        return " ".join(done.stdout.split())

    def assert_told(self, name, cause, *words, timeout=30):
        """Waits for this cause; then the problem and the remedy stand in `evertoken status`."""
        status = self.wait_for(
            name, lambda s: s["last_error"] and s["last_error"]["cause"] == cause, cause, timeout)
        page = self.page()
        for word in words:
            self.assertIn(" ".join(word.split()), page)
        error = status["last_error"]
        self.assertIn(" ".join(error["remedy"].split()), page)
        if not error["remedy"].startswith("Wait"):
            self.assertNotIn("Wait", error["remedy"])
        self.assertGreaterEqual(error["tries"], 1)
        self.assertLessEqual(error["since"], error["at"])
        return status

    def assert_told_nothing(self, server):
        """Not a byte of a request, inside TLS or outside."""
        self.assertTrue(server.connections)
        for connection in server.connections:
            self.assertEqual(bytes(connection.plain), b"")
            for secret in (b"POST", b"HTTP/1", b"grant_type", b"seed-", b"Basic"):
                self.assertNotIn(secret, connection.wire)


def no_renegotiation_info(connection):
    """A ServerHello of TLS 1.2 without any extension: one before RFC 5746."""
    connection.receive()
    hello = b"\x03\x03" + os.urandom(32) + b"\x00" + b"\xc0\x2b" + b"\x00"
    shake = b"\x02" + len(hello).to_bytes(3, "big") + hello
    connection.send(b"\x16\x03\x03" + len(shake).to_bytes(2, "big") + shake)
    connection.receive()


class CertificateTest(NightCase):
    def setUp(self):
        self.directory = temporary_directory(self)
        self.authority = Authority(self.directory)

    def trusting(self, server, authority=None):
        file = str((authority or self.authority).certificate)
        return self.provider(server, scheme="https", tls={"ca_file": file})

    def test_every_certificate_that_is_not_trusted_is_told_with_its_remedy_and_sent_nothing(self):
        ended = Authority(self.directory, "Ended CA", days=-1)
        authority, stranger = self.authority, Authority(self.directory, "Another CA")
        ca_file = f"Name your CA in \"ca_file\" (now {authority.certificate})"
        cases = {
            "expired": (context(authority.server("expired", days=-1)), "certificate_expired",
                        "it has expired (on 20", "Tell the provider that its certificate ended on",
                        "timedatectl"),
            "expired-ca": (context(ended.server()), "ca_certificate_expired",
                           "the CA certificate \"Ended CA\" behind it has expired (on 20",
                           f"Put the CA's new certificate into {ended.certificate}"),
            "unknown": (context(stranger.server()), "certificate_issuer_unknown",
                        "its issuer is unknown (\"Another CA\")", ca_file,
                        "update-ca-certificates"),
            "self-signed": (context(self_signed(self.directory)), "certificate_self_signed",
                            "it is self-signed", "Name it in \"ca_file\""),
            "other-host": (context(authority.server(
                "other", names="DNS:elsewhere.example", subject="elsewhere.example")),
                "certificate_for_other_host", "for another host (\"elsewhere.example\")",
                "Correct the host in the provider's request.url"),
            "weak": (context(authority.server("weak", bits=1024), is_lax=True), "tls_weak_key",
                     "too weak", "Ask the provider for a longer key"),
            "tls-1-1": (outdated(context(authority.server("old"))), "tls_too_old",
                        "offers no TLS version from 1.2 on",
                        "Ask the provider to offer TLS 1.2 or 1.3"),
        }
        servers = {name: self.serve(replying(200, granting(1)), context=side)
                   for name, (side, *_) in cases.items()}
        self.start({name: self.trusting(server, ended if name == "expired-ca" else None)
                    for name, server in servers.items()})
        for name, (_, cause, *words) in cases.items():
            with self.subTest(name):
                status = self.assert_told(name, cause, *words)
                self.assertEqual(status["condition"], "failing")
                self.assert_told_nothing(servers[name])

    def test_a_server_without_secure_renegotiation_is_told_as_such(self):
        server = self.serve(no_renegotiation_info)
        self.start({"old": self.trusting(server)})
        self.assert_told("old", "tls_no_secure_renegotiation", "RFC 5746", "renew the TLS software")
        for connection in server.connections:
            self.assertNotIn(b"grant_type", connection.wire)

    def test_a_server_of_plain_http_is_told_as_such(self):
        def plain(connection):
            connection.receive()
            connection.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        server = self.serve(plain)
        self.start({"bare": self.trusting(server)})
        self.assert_told("bare", "tls_not_spoken", "does not speak TLS",
                         f"curl -v https://127.0.0.1:{server.port}/")

    def test_a_ca_file_and_a_client_certificate_that_are_missing_are_named(self):
        server = self.serve(replying(200, granting(1)),
                            context=context(self.authority.server("good")))
        lost, half = self.trusting(server), self.trusting(server)
        missing = self.directory / "missing.pem"
        lost["request"]["tls"]["ca_file"] = str(missing)
        half["request"]["tls"] |= {"certificate": str(missing), "private_key": str(missing)}
        self.start({"lost": lost, "half": half})
        self.assert_told("lost", "ca_file_unusable", str(missing), "No such file or directory",
                         f"Put PEM certificates into {missing}")
        self.assert_told("half", "client_certificate_unusable", str(missing), "Give PEM files")
        self.assertEqual(server.requests, [])
        shutil.copy(self.authority.certificate, missing)
        self.wait_state("lost", "fresh")

    def test_a_clock_three_years_behind_is_the_clock_and_not_the_provider(self):
        server = self.serve(replying(200, granting(1)),
                            context=context(self.authority.server("good")))
        config = {"providers": {"clock": self.trusting(server)},
                  "credentials": {"clock": self.credential("clock")}}
        self.daemon = ClockedDaemon(self, temporary_directory(self), config,
                                    build_shim(self.directory))
        self.daemon.clocks.step(-3 * 365 * 86400.0)
        self.daemon.start()
        self.assert_told("clock", "certificate_not_yet_valid", "it is not valid yet, but from 20",
                         "Check this host's clock: timedatectl")
        self.assert_told_nothing(server)

    def test_a_secret_in_a_certificate_is_told_nowhere(self):
        servers = {}
        for number, name in enumerate((CANARY, CANARY.upper(), CANARY[3:20], f"x.{CANARY[:8]}.y")):
            side = context(self.authority.server(f"echo-{number}", names="DNS:elsewhere.example",
                                                 subject=name))
            servers[f"echo-{number}"] = self.serve(replying(200, granting(1)), context=side)
        stranger = Authority(self.directory, CANARY)
        servers["issuer"] = self.serve(replying(200, granting(1)),
                                       context=context(stranger.server()))
        self.start({name: self.trusting(server) for name, server in servers.items()},
                   {name: self.credential(name, refresh_token=CANARY) for name in ("issuer",)}
                   | {name: self.credential(name, refresh_token=f"seed-{name}",
                                            client_secret=CANARY)
                      for name in servers if name != "issuer"})
        for name, server in servers.items():
            status = self.wait_error(name, "transient")
            self.assertRegex(status["last_error"]["cause"], "certificate_")
            self.assert_told_nothing(server)
        texts = [self.page(), json.dumps(self.daemon.status()), self.daemon.stderr()]
        texts += [self.page(name) for name in servers]
        for text in texts:
            for part in (CANARY[:8], CANARY[3:20], CANARY[-8:]):
                self.assertNotIn(part.lower(), text.lower())


class WayTest(NightCase):
    def test_a_refused_connection_and_an_outage(self):
        down = {"request": {"url": f"https://127.0.0.1:{(port := closed_port())}/token"}}
        broken = self.serve(replying(503, b"<html>busy</html>", [("Content-Type", "text/html")]))
        self.start({"down": down, "broken": self.provider(broken)})
        self.assert_told("down", "connection_refused", "does not accept connections",
                         f"curl -v https://127.0.0.1:{port}/", "a firewall or \"proxy\"",
                         "status page")
        status = self.assert_told("broken", "provider_fails", "the provider answered 503",
                                  "see the provider's status page")
        self.assertEqual(status["condition"], "failing")
        self.wait_for("broken", lambda s: s["last_error"]["tries"] >= 2, "a second try")

    def test_a_proxy_that_wants_a_login_refuses_cannot_connect_or_is_not_there(self):
        def saying(status):
            def script(connection):
                connection.read_request()
                connection.send(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n"
                                b"Proxy-Authenticate: Basic realm=\"x\"\r\n\r\n" % status)
            return script

        cases = {
            "login": (407, "proxy_wants_login", "wants a login (407)", "user and password"),
            "refuses": (403, "proxy_refuses", "(403)", "Have the proxy allow"),
            "lost": (503, "proxy_cannot_connect", "finds no way to the provider (503)",
                     "from the proxy's host"),
        }
        proxies = {name: self.serve(saying(case[0])) for name, case in cases.items()}
        url = "https://token.example.test/token"
        providers = {name: {"request": {"url": url, "proxy": f"http://127.0.0.1:{proxy.port}"}}
                     for name, proxy in proxies.items()}
        gone = closed_port()
        providers["gone"] = {"request": {"url": url, "proxy": f"http://127.0.0.1:{gone}"}}
        self.start(providers)
        for name, (_, cause, *words) in cases.items():
            with self.subTest(name):
                self.assert_told(name, cause, f"the proxy 127.0.0.1:{proxies[name].port}", *words)
                for connection in proxies[name].connections:
                    self.assertNotIn(b"grant_type", connection.wire)
        self.assert_told("gone", "proxy_unreachable",
                         f"the proxy 127.0.0.1:{gone} cannot be reached",
                         "Check that the proxy runs")

    def test_a_captive_portal_and_a_login_page_are_no_wrong_response(self):
        html = b"<!DOCTYPE html><html><form>Room number</form></html>"
        portal = self.serve(replying(200, html, [("Content-Type", "text/html; charset=utf-8")]))
        page = self.serve(replying(403, html, [("Content-Type", "text/html")]))
        away = self.serve(replying(302, b"", [("Location", "https://login.portal.example/token")]))
        other = self.serve(replying(200, b"<a>x</a>", [("Content-Type", "application/xml")]))
        servers = {"portal": portal, "page": page, "away": away, "other": other}
        self.start({name: self.provider(server) for name, server in servers.items()})
        for name in ("portal", "page"):
            self.assert_told(name, "answer_is_html", "HTML page where JSON should be",
                             f"curl -v http://127.0.0.1:{servers[name].port}/",
                             "answered text/html in the provider's place", "captive portal")
        self.assert_told("away", "answer_redirects",
                         "a redirect to the same path of login.portal.example",
                         "Correct the provider's request.url if the endpoint has moved")
        self.assert_told("other", "answer_of_other_type", "application/xml where JSON should be")

    def test_a_secret_in_a_redirect_is_told_nowhere(self):
        places = [f"https://{CANARY}.example/", f"https://x/{CANARY}", f"//{CANARY.lower()}/",
                  f"https://{CANARY[:8]}.example/", "https://%43%61%6e%61%72%79%2d%37.example/",
                  "https://user:Canary-7f9zQ@x.example/"]
        servers = {f"echo-{number}": self.serve(replying(302, b"", [("Location", place)]))
                   for number, place in enumerate(places)}
        self.start({name: self.provider(server) for name, server in servers.items()},
                   {name: self.credential(name, refresh_token=f"seed-{name}", client_secret=CANARY)
                    for name in servers})
        for name in servers:
            self.assert_told(name, "answer_redirects", "a redirect")
        texts = [self.page(), json.dumps(self.daemon.status()), self.daemon.stderr()]
        for text in texts:
            for part in (CANARY[:8], CANARY[-8:], "%43%61"):
                self.assertNotIn(part.lower(), text.lower())


class NameTest(NamesCase):
    is_mute = False

    def test_a_name_that_the_dns_does_not_know_is_told_with_the_command_that_shows_it(self):
        daemon = self.isolated({"lost": {"request": {"url": "https://lost.example.test/token"}}},
                               {"lost": {"provider": "lost"}}).start()
        self.problem(daemon, "lost", "the name lost.example.test cannot be resolved")
        error = daemon.credentials()["lost"]["last_error"]
        self.assertEqual(error["cause"], "name_not_resolved")
        page = " ".join(daemon.evertoken("status").stdout.split())
        self.assertIn("Check this host's DNS: resolvectl query lost.example.test", page)


class RefusalTest(NightCase):
    def test_each_refusal_has_a_remedy_of_its_own(self):
        cases = {
            "client": (401, "invalid_client", "client_refused", "401 invalid_client",
                       "Check client_id, client_secret and the provider's settings"),
            "may-not": (400, "unauthorized_client", "client_may_not", "Allow this grant type"),
            "type": (400, "unsupported_grant_type", "grant_type_unsupported", "Correct the grant"),
            "scope": (400, "invalid_scope", "scope_refused", "Correct \"scope\""),
            "dpop": (400, "use_dpop_nonce", "dpop_demanded", "it demands DPoP", "Switch DPoP off"),
            "proof": (400, "invalid_dpop_proof", "dpop_demanded", "Switch DPoP off"),
            "denied": (403, "access_denied", "access_denied", "Allow the app or the user"),
            "unknown": (404, "not_found", "endpoint_unknown", "no token endpoint there (404",
                        "Correct the provider's request.url"),
            "request": (400, "invalid_request", "request_refused", "--show-request"),
            "limit": (429, "x", "rate_limited", "no more requests for now",
                      "when the provider allows it"),
        }
        servers = {name: self.serve(refusing(*case[:2])) for name, case in cases.items()}
        self.start({name: self.provider(server) for name, server in servers.items()})
        for name, (_, _, cause, *words) in cases.items():
            with self.subTest(name):
                status = self.assert_told(name, cause, *words)
                if name != "client":
                    self.assertNotIn("client_id", status["last_error"]["remedy"])

    def test_a_corrected_secret_file_is_seen_and_a_missing_one_is_named(self):
        server = self.serve(replying(200, granting(1)))
        file = temporary_directory(self) / "client-secret"
        self.start({"crm": self.provider(server)},
                   {"crm": self.credential("crm", client_secret={"file": str(file)})})
        status = self.assert_told("crm", "secret_missing", f"Create {file}", "seen by itself")
        self.assertEqual(status["state"], "misconfigured")
        self.wait_for("crm", lambda s: s["last_error"]["tries"] >= 3, "a third look", 60)
        self.assertEqual(self.status("crm")["last_error"]["since"], status["last_error"]["since"])
        self.assertEqual(server.requests, [])
        self.assertIn("A setting of this host is wrong; nothing was sent", self.daemon.stderr())
        self.assertNotIn("The credential is misconfigured", self.daemon.stderr())
        file.touch(mode=0o600)
        file.write_text("secret")
        self.wait_state("crm", "fresh", 30)

    def test_never_signed_in_is_told_as_such_and_login_is_offered_only_where_it_works(self):
        server = self.serve(replying(200, granting(1)))
        knows = self.provider(server) | {"authorization": {"url": "https://id.example/authorize"}}
        entries = {name: self.credential(name) for name in ("calendar", "plain")}
        for entry in entries.values():
            del entry["refresh_token"]
        self.start({"calendar": knows, "plain": self.provider(server)}, entries)
        status = self.assert_told("calendar", "not_signed_in", "calendar: not signed in yet",
                                  "Run: evertoken login calendar (other ways: man evertoken)")
        self.assertEqual(status["condition"], "login_required")
        self.assert_told("plain", "not_signed_in", "Run: evertoken import plain")
        self.assertNotIn("evertoken login plain", self.page())
        self.assertIn("There is no refresh token yet", self.daemon.stderr())
        self.assertNotIn("A person must sign in again", self.daemon.stderr())
        self.assertEqual(server.requests, [])

    def test_a_revoked_refresh_token_calls_a_person_while_the_token_still_lives(self):
        life = 80
        server = self.serve(replying(200, granting(1, life)), refusing(400, "invalid_grant"))
        provider = self.provider(server) | {"authorization": {"url": "https://id.example/a"}}
        self.start({"crm": provider})
        self.wait_state("crm", "fresh")
        granted = time.time()
        self.refresh("crm")
        status = self.wait_for("crm", lambda s: s["last_error"], "the first refusal")
        error = status["last_error"]
        self.assertEqual(error["cause"], "refresh_token_refused_unspent")
        self.assertIn("400 invalid_grant", error["problem"])
        self.assertIn("If you know that it was revoked, run: evertoken login crm", error["remedy"])
        self.assertNotIn("Wait", error["remedy"])
        # Half of what was left, and no later.
        self.assertLess(error["until"], granted + life / 2 + 5)
        self.assertGreater(error["until"], time.time() + 10)
        self.wait_for("crm", lambda s: s["last_error"]["tries"] >= 2, "a second refusal", 60)
        due = self.wait_state("crm", "login_required", 70)
        self.assertLess(time.time(), granted + life, "it came too late")
        self.assertGreater(due["expires_at"], time.time())
        self.assertIsNone(due["last_error"]["until"])
        self.assertLess(due["last_error"]["since"], error["at"] + 1)
        self.assertGreaterEqual(due["last_error"]["tries"], 3)
        self.assertLess(len(server.requests), 9)
        self.assertIn("Run: evertoken login crm", self.page())
        self.assertEqual(self.output("crm"), "at-1")

    def test_one_refresh_token_in_two_credentials_is_told_with_the_name_of_the_other(self):
        server = self.serve(replying(200, granting(1)), replying(200, granting(2)))
        entries = {name: self.credential("crm", refresh_token="seed-same")
                   for name in ("car", "crm")}
        self.start({"crm": self.provider(server)}, entries)
        wait_until(lambda: any(s["last_error"] for s in self.daemon.credentials().values()), 20,
                   "a refused one", self.daemon)
        [second] = [name for name in entries if self.status(name)["last_error"]]
        [first] = set(entries) - {second}
        cause = self.status(second)["last_error"]["cause"]
        self.assertIn(cause, ("token_held_by_other", "token_spent_by_other"))
        self.assert_told(second, cause, f"\"{first}\" has spent this" if "spent" in cause
                         else f"\"{first}\" holds the same", f"evertoken import {second}")
        self.assertEqual(len(server.requests), 1)
        self.assertEqual(form(server.requests[0])["refresh_token"], "seed-same")


class DiskTest(NightCase):
    """tmpfs of one page too few, files of other groups, and copies."""

    def tmpfs(self, size="256k"):
        place = temporary_directory(self) / "mount"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place], check=True)
        at_end(self, subprocess.run, ["umount", "--lazy", place], check=False)
        return place

    @staticmethod
    def fill(place):
        descriptor = os.open(place / "filler", os.O_WRONLY | os.O_CREAT, 0o600)
        with contextlib.suppress(OSError):
            while True:
                os.write(descriptor, bytes(4096))
        os.close(descriptor)

    def test_a_full_state_disk_sends_nothing_and_says_make_room(self):
        server = self.serve(replying(200, granting(1)))
        place = self.tmpfs()
        self.fill(place)
        self.start({"crm": self.provider(server)}, state_dir=str(place))
        self.assert_told("crm", "state_full", "No space left on device", "Make room",
                         "nothing is sent until it can be written")
        self.assertEqual(server.requests, [])
        (place / "filler").unlink()
        self.wait_state("crm", "fresh", 60)

    def test_a_full_disk_of_token_files_is_undelivered_and_no_failed_renewal(self):
        server = self.serve(replying(200, granting(1)))
        place = self.tmpfs("64k")
        self.fill(place)
        self.start({"crm": self.provider(server)}, token_dir=str(place))
        status = self.assert_told("crm", "output_full", "No space left on device", "Make room",
                                  f"df -h {place}")
        self.assertEqual(status["condition"], "undelivered")
        (place / "filler").unlink()
        self.wait_state("crm", "fresh", 60)
        self.assertEqual(len(server.requests), 1)

    def test_a_token_file_that_is_a_mount_point_says_to_mount_its_directory(self):
        server = self.serve(replying(200, granting(1)))
        folder = temporary_directory(self)
        file = folder / "token"
        file.touch()
        subprocess.run(["mount", "--bind", file, file], check=True)
        at_end(self, subprocess.run, ["umount", "--lazy", file], check=False)
        entry = self.credential("crm", outputs=[{"path": str(file)}])
        self.start({"crm": self.provider(server)}, {"crm": entry})
        status = self.assert_told("crm", "output_is_mount_point", "it is a mount point",
                                  f"Mount its directory, {folder}, instead of the file")
        self.assertEqual(status["condition"], "undelivered")

    def test_a_restored_backup_sends_nothing_and_names_both_ways(self):
        server = self.serve(*(replying(200, granting(number)) for number in (1, 2, 3)))
        provider = self.provider(server) | {"authorization": {"url": "https://id.example/a"}}
        self.start({"crm": provider})
        self.wait_state("crm", "fresh")
        copy = temporary_directory(self) / "backup"
        shutil.copytree(self.daemon.state, copy)
        self.refresh("crm")
        wait_until(lambda: len(server.requests) == 2, 20, "a refresh", self.daemon)
        self.wait_state("crm", "fresh")
        self.daemon.terminate()
        shutil.rmtree(self.daemon.state)
        shutil.copytree(copy, self.daemon.state)
        self.daemon.start()
        self.wait_state("crm", "quarantined")
        self.assert_told("crm", "state_copied", "copied or restored from a backup",
                         "evertoken accept crm", "evertoken login crm")
        self.assertEqual(len(server.requests), 2)


class ForeignGroupTest(ProgramCase):
    def test_a_group_that_the_unit_does_not_allow_is_told_with_the_lines_to_add(self):
        config = self.config({"crm": self.credential(
            "crm", outputs=[{"path": "crm/token", "group": "daemon"}])})
        place = temporary_directory(self)
        place.chmod(0o755)
        daemon = PlainDaemon(self, place, config, {})
        shutil.chown(daemon.config_file, "nobody", "nogroup")
        shutil.chown(place, "nobody", "nogroup")
        daemon.prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        daemon.start()

        def look():
            error = daemon.credentials()["crm"]["last_error"]
            return error and error["cause"] == "output_group_forbidden"

        wait_until(look, 30, "the group to be refused", daemon)
        entry = daemon.credentials()["crm"]
        self.assertEqual(entry["condition"], "undelivered")
        page = " ".join(evertoken("status", socket=daemon.socket).stdout.split())
        for word in ("Run systemctl edit evertoken and add under [Service]:",
                     "SupplementaryGroups=daemon", "SystemCallFilter=@chown",
                     "systemctl restart evertoken"):
            self.assertIn(word, page)
