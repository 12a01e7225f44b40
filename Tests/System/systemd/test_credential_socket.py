"""Units that get a fresh token with LoadCredential=, under a real systemd: a unit in the
configuration gets exactly the token, any other unit gets nothing, and no unit waits for long.

Needs root and, from Debian: systemd."""

import json
import os
import secrets
import select
import socket
import stat
import subprocess
import time

from evertest.basics import wait_until
from evertest.programs import ProgramCase
from evertest.sandbox import in_systemd, read
from evertest.servers.token_server import Answer
from evertest.suite import Suite
from evertest.units import UnitCase

SUITE = Suite(timed=True, minutes=0.6)

SOCKET = "/run/evertoken/credentials.sock"
#: Connects from the address given in hexadecimal and prints what comes, for a process of its own.
ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
address = bytes.fromhex(sys.argv[1])
if address: s.bind(address)
s.settimeout(20)
s.connect(sys.argv[2])
s.shutdown(socket.SHUT_WR)
while part := s.recv(4096): sys.stdout.write(part.decode())
"""


def address(unit, name):
    """Where systemd's end of the connection is bound, by systemd.exec(5)."""
    return f"\0{secrets.token_hex(8)}/unit/{unit}/{name}".encode()


def ask(bound, path, *prefix):
    """What a process that is bound to this address gets, and whether it could connect."""
    done = subprocess.run(
        [*prefix, "/usr/bin/python3", "-c", ASK, bound.hex(), str(path)], capture_output=True,
        text=True, timeout=60, check=False)
    return done.stdout, done.returncode == 0


class SocketByItselfTest(ProgramCase):
    """A daemon without systemd; the test is root, as a service manager is."""

    def socket_of(self, **more):
        """A running daemon that gives crm's token to backup.service, and its socket."""
        self.entry = self.credential("crm", units=["backup.service"], **more)
        daemon = self.daemon({"crm": self.entry})
        for folder in (self.directory, daemon.directory):
            folder.chmod(0o755)
        return daemon, daemon.tokens / "credentials.sock"

    def test_by_itself_only_root_can_connect_and_is_believed(self):
        daemon, path = self.socket_of()
        daemon.wait_for("crm", "fresh")

        def right():
            return address("backup.service", "crm")

        nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
        self.assertEqual(ask(right(), path), (daemon.file("crm/token"), True))
        self.assertEqual(ask(right(), path, *nobody), ("", False))
        path.chmod(0o666)
        self.assertEqual(ask(right(), path, *nobody), ("", True))
        self.assertEqual(daemon.terminate(), 0)
        self.assertFalse(path.exists())

    def test_by_itself_what_was_taken_away_meanwhile_is_not_handed_out(self):
        self.server.plan("crm", Answer(delay=2))
        daemon, path = self.socket_of()
        with socket.socket(socket.AF_UNIX) as client:
            client.bind(address("backup.service", "crm"))
            client.connect(str(path))
            wait_until(lambda: self.server.exchanges(), 5, "the refresh")
            other = self.entry | {"units": ["other.service"]}
            daemon.reconfigure(self.config({"crm": other}))
            client.settimeout(10)
            self.assertEqual(client.recv(4096), b"")
        self.assertEqual(ask(address("other.service", "crm"), path)[0], daemon.file("crm/token"))


class CredentialSocketTest(UnitCase):
    """Consumers are oneshot units that copy what they got to /run/got/NAME."""

    def consumer(self, name, credential="token", *lines):
        self.unit(
            name, "[Unit]", "Wants=evertoken.service", "After=evertoken.service", "[Service]",
            "Type=oneshot", f"LoadCredential={credential}:{SOCKET}", "DynamicUser=yes",
            f"ReadWritePaths={self.GOT}", *lines,
            f"ExecStart=/bin/cp %d/{credential} {self.GOT}/%n")

    def started(self, unit):
        """Starts a consumer; what it got, and how many seconds that took."""
        (self.GOT / unit).unlink(missing_ok=True)
        began = time.monotonic()
        self.systemctl("start", unit)
        return read(self.GOT / unit), time.monotonic() - began

    def reload(self):
        """As `evertoken reload` does it: in force when it returns."""
        self.assertEqual(self.control.request("POST", "/v1/reload")[0], 200)

    def ask(self, bound, *prefix):
        return ask(bound, SOCKET, *prefix)

    @in_systemd()
    def test_units_get_exactly_the_token_each_in_its_format(self):
        units = [{"unit": "backup.service", "id": "token"}, {"unit": "report@*.service"},
                 {"unit": "mail.service", "id": "token", "format": "json"},
                 {"unit": "web.service", "id": "token", "format": "header"}]
        self.configure({"crm": self.grant("crm", units=units), "other": self.grant("other")})
        for name in ("backup.service", "mail.service", "web.service"):
            self.consumer(name)
        self.consumer("report@.service", "crm")
        # The daemon is pulled in by the first of them.
        token, _ = self.started("backup.service")
        [exchange] = self.server.exchanges("crm-client")
        self.assertEqual(token, exchange.access_token)
        self.assertEqual(self.started("report@july.service")[0], token)
        self.assertEqual(self.started("report@august.service")[0], token)
        self.assertEqual(self.started("web.service")[0], f"Authorization: Bearer {token}\n")
        whole = json.loads(self.started("mail.service")[0])
        self.assertEqual((whole["access_token"], whole["credential"]), (token, "crm"))
        self.assertNotIn("refresh_token", whole)
        about = os.stat(SOCKET)
        self.assertEqual(stat.filemode(about.st_mode), "srw-------")
        self.assertEqual(about.st_uid, (self.TOKENS / "control.sock").stat().st_uid)
        [entry] = self.said(UNIT="report@july.service")
        self.assertEqual((entry["EVERTOKEN_CREDENTIAL"], entry["EVERTOKEN_ID"]), ("crm", "crm"))
        self.assertEqual(len(self.server.exchanges()), 2)

    @in_systemd()
    def test_one_that_is_not_named_gets_nothing_and_the_journal_says_so_once(self):
        self.configure({"crm": self.grant("crm", units=["backup.service", "report@*.service"])})
        refused = ["stranger.service", "report.service"]
        for name in (*refused, "backup.service"):
            self.consumer(name, "token" if name == "backup.service" else "crm")
        for name in (*refused, *refused, "backup.service"):
            self.assertEqual(self.started(name)[0], "", name)
        for name in (*refused, "backup.service"):
            [entry] = self.said(UNIT=name)
            self.assertEqual(int(entry["PRIORITY"]), 5)
            self.assertIn("may not have", entry["MESSAGE"])
            self.assertIn("units", entry["EVERTOKEN_REMEDY"])
        [entry] = self.said(UNIT="backup.service")
        self.assertEqual(entry["EVERTOKEN_ID"], "token")

    @in_systemd()
    def test_only_root_from_an_address_of_systemd_is_believed(self):
        self.configure({"crm": self.grant("crm", units=["backup.service"])})
        self.systemctl("start", "evertoken")
        token = read(self.TOKENS / "crm" / "token")
        right = address("backup.service", "crm")
        self.assertEqual(self.ask(right), (token, True), "the forged address is not as systemd's")
        owner = ("setpriv", "--reuid=evertoken", "--regid=evertoken", "--clear-groups")
        nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
        self.assertEqual(self.ask(right, *nobody), ("", False), "mode 0600 lets others connect")
        self.assertEqual(self.ask(right, *owner), ("", True))
        os.chmod(SOCKET, 0o666)
        self.assertEqual(self.ask(right, *nobody), ("", True))
        wrong = [b"", b"\0", b"\0/unit/backup.service/crm", b"\0001/unit/backup.service/crm/",
                 b"\0001/user/backup.service/crm", b"\0001/unit/backup.service/crm\0",
                 b"\0001/unit//backup.service/crm", b"\0001/unit/backup.service/other",
                 b"\0xyz/unit/backup.service/crm", b"\0" + b"\xff" * 107,
                 address("x" * 80, ""), address("BACKUP.service", "crm")]
        for bound in wrong:
            self.assertEqual(self.ask(bound), ("", True), bound)
        self.assertEqual(self.ask(right), (token, True))
        uids = [entry["EVERTOKEN_UID"] for entry in self.journal("-u", "evertoken")
                if "EVERTOKEN_UID" in entry]
        self.assertEqual(len(uids), 2, "not once for each user")

    @in_systemd()
    def test_a_token_that_does_not_last_is_refreshed_first(self):
        unit = {"unit": "backup.service", "id": "token", "min_ttl": "3598s"}
        refresh = {"min_interval": "0.5s"}
        self.configure({"crm": self.grant("crm", units=[unit], refresh=refresh)})
        self.consumer("backup.service")
        self.systemctl("start", "evertoken")
        first = read(self.TOKENS / "crm" / "token")
        time.sleep(2.5)
        token, _ = self.started("backup.service")
        second = self.server.exchanges()[1]
        self.assertEqual((token, second.status), (second.access_token, 200))
        self.assertNotEqual(token, first)
        self.assertEqual(read(self.TOKENS / "crm" / "token"), token)

    @in_systemd()
    def test_without_a_token_the_wait_is_bounded_and_the_credential_empty(self):
        unit = {"unit": "backup.service", "id": "token", "timeout": "1s"}
        self.server.stop()
        careful = {"unit": "careful.service", "id": "token", "timeout": "0.2s"}
        retry = {"retry": {"initial": "0.2s", "max": "0.5s"}}
        self.configure({"crm": self.grant("crm", units=[unit, careful], refresh=retry)},
                       ready_timeout="0.5s")
        self.consumer("backup.service")
        self.consumer("careful.service", "token", "ExecStartPre=/usr/bin/test -s %d/token")
        self.systemctl("start", "evertoken")
        got, seconds = self.started("backup.service")
        self.assertEqual(got, "")
        self.assertGreaterEqual(seconds, 1)
        self.assertLess(seconds, 5)
        [entry] = self.said(UNIT="backup.service")
        self.assertEqual((entry["PRIORITY"], entry["EVERTOKEN_CREDENTIAL"]), ("4", "crm"))
        self.assertTrue(entry["EVERTOKEN_PROBLEM"])
        refused = self.command("systemctl", "start", "careful", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertFalse((self.GOT / "careful.service").exists(), "it ran without a token")
        self.server.start()
        wait_until(lambda: read(self.TOKENS / "crm" / "token"), 20, "a token")
        token = self.server.exchanges()[-1].access_token
        self.assertEqual(self.started("careful.service")[0], token)
        self.assertEqual(self.started("backup.service")[0], token)

    @in_systemd()
    def test_a_reload_adds_and_takes_away_and_asks_the_provider_nothing(self):
        crm = self.grant("crm")
        self.configure({"crm": crm})
        self.consumer("backup.service")
        self.consumer("other.service")
        self.systemctl("start", "evertoken")
        token = read(self.TOKENS / "crm" / "token")
        self.assertFalse(os.path.exists(SOCKET), "there is a socket that no unit needs")
        self.assertNotEqual(self.command("systemctl", "start", "backup", check=False).returncode, 0)

        def follow(*units):
            self.configure({"crm": crm | {"units": [{"unit": u, "id": "token"} for u in units]}})
            self.reload()

        follow("backup.service")
        self.assertEqual(self.started("backup.service")[0], token)
        self.assertEqual(self.started("other.service")[0], "")
        follow("other.service")
        self.assertEqual(self.started("other.service")[0], token)
        self.assertEqual(self.started("backup.service")[0], "")
        follow()
        wait_until(lambda: not os.path.exists(SOCKET), 5, "the socket to go")
        self.assertEqual(len(self.server.exchanges()), 1)

    @in_systemd()
    def test_a_reload_while_a_unit_waits_takes_its_token_away(self):
        crm = self.grant("crm")
        unit = {"unit": "backup.service", "id": "token"}
        self.configure({"crm": crm | {"units": [unit]}}, ready_timeout="0.2s")
        self.server.plan("crm-client", Answer(delay=3))
        self.consumer("backup.service")
        self.consumer("late.service")
        self.systemctl("start", "evertoken")
        self.systemctl("start", "--no-block", "backup.service")
        wait_until(lambda: self.result("backup.service", "ActiveState") == "activating", 5,
                   "a start")
        time.sleep(0.5)
        self.configure({"crm": crm | {"units": [unit | {"unit": "late.service"}]}})
        self.reload()
        got = wait_until(lambda: (self.GOT / "backup.service").exists(), 10, "an answer")
        self.assertTrue(got)
        self.assertEqual(read(self.GOT / "backup.service"), "")
        self.assertEqual(self.started("late.service")[0], self.server.exchanges()[0].access_token)

    @in_systemd()
    def test_two_hundred_that_never_read_and_two_hundred_that_wait_delay_nobody(self):
        slow = {"unit": "slow@*.service", "id": "token", "timeout": "20s"}
        self.configure({"crm": self.grant("crm", units=["backup.service"]),
                        "slow": self.grant("slow", units=[slow])}, ready_timeout="0.5s")
        self.server.plan("slow-client", Answer(delay=6))
        self.consumer("backup.service", "crm")
        self.systemctl("start", "evertoken")
        token = read(self.TOKENS / "crm" / "token")

        def connected(bound):
            client = socket.socket(socket.AF_UNIX)
            self.addCleanup(client.close)
            client.bind(bound)
            client.connect(SOCKET)
            return client

        waiting = [connected(address(f"slow@{n}.service", "token")) for n in range(200)]
        silent = [connected(address("backup.service", "crm")) for _ in range(200)]
        got, seconds = self.started("backup.service")
        self.assertEqual(got, token)
        self.assertLess(seconds, 2)
        self.assertEqual(self.control.credential("crm")["state"], "fresh")
        self.assertEqual(select.select(waiting, [], [], 0)[0], [], "answered before its token came")
        for client in silent:
            client.settimeout(5)
            self.assertEqual((client.recv(4096).decode(), client.recv(1)), (token, b""))
        for client in waiting:
            client.settimeout(15)
            self.assertTrue(client.recv(4096).decode())
        [exchange] = self.server.exchanges("slow-client")
        self.assertEqual(exchange.status, 200)

    @in_systemd()
    def test_the_socket_survives_a_restart_and_goes_with_a_stop(self):
        self.drop_in("[Service]\nRuntimeDirectoryPreserve=yes\n")
        self.configure({"crm": self.grant("crm", units=["backup.service"])})
        self.consumer("backup.service", "crm")
        self.systemctl("start", "evertoken")
        self.systemctl("restart", "evertoken")
        self.assertEqual(self.started("backup.service")[0], read(self.TOKENS / "crm" / "token"))
        self.systemctl("kill", "--signal=KILL", "evertoken")
        wait_until(lambda: self.show("NRestarts") == "1" and self.show("ActiveState") == "active",
                   20, "a restart")
        self.assertEqual(self.started("backup.service")[0], read(self.TOKENS / "crm" / "token"))
        self.systemctl("stop", "evertoken")
        self.assertFalse(os.path.exists(SOCKET))
        self.assertTrue((self.TOKENS / "crm" / "token").exists())
