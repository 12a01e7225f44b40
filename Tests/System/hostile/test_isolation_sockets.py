"""What other local users can do to the daemon's sockets, to its directories and to a sign-in.

The other users are processes of other user ids. Needs root and, from Debian: util-linux."""

import errno
import json
import os
import pathlib
import pwd
import re
import socket
import stat
import struct
import threading
import time

from evertest.basics import at_end, wait_until
from evertest.isolation.strangers import (ATTACKER, DRIP, HOLD_LOCK, STATUS, Stranger, become,
                                          paths_that_make_a_status_large)
from evertest.login_world import SmallServer, Waiting, come_back, get, query
from evertest.programs import PlainDaemon, ProgramCase, timed, write_private
from evertest.servers.authorization import free_ports
from evertest.servers.token_server import TokenServer, boot_time
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.4)

#: One that only wants to know the status: a fixed account of Debian's.
BYSTANDER = "man"
OPEN = {"mode": "0666"}


class IsolationCase(ProgramCase):
    def setUp(self):
        super().setUp()
        self.directory.chmod(0o711)

    def place(self, name, credentials=None, **more):
        """A daemon that is not started yet, in a directory that others may pass through."""
        folder = self.directory / name
        folder.mkdir(mode=0o711)
        credentials = {"crm": self.credential("crm")} if credentials is None else credentials
        return PlainDaemon(self, folder, self.config(credentials, **more), {})

    def answered(self, daemon, limit, user=None):
        """The status comes in time, to root or to another user."""
        if user is None:
            (code, _), seconds = timed(daemon.request, "GET", "/v1/status")
            self.assertEqual(code, 200)
        else:
            done, seconds = timed(daemon.evertoken, "status", prefix=become(user))
            self.assert_exit(done, 0)
        self.assertLess(seconds, limit, "for %s\n%s" % (user or "root", daemon.stderr()[-2000:]))


def process_status(pid):
    """The numbers of /proc/PID/status, by name."""
    text = pathlib.Path("/proc/%d/status" % pid).read_text()
    return {name: int(value) for name, value in re.findall(r"(?m)^(\w+):\s+(\d+)", text)}


def cpu_seconds(pid):
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class TheTokenDirectory(IsolationCase):
    def test_another_users_lock_on_it_does_not_keep_the_daemon_from_starting(self):
        daemon = self.place("daemon")
        daemon.tokens.mkdir(mode=0o755)
        Stranger(self, HOLD_LOCK, daemon.tokens)
        daemon.start()
        daemon.wait_for("crm", "fresh")

    def test_two_daemons_with_the_same_one_exclude_each_other(self):
        first = self.place("first").start()
        first.wait_for("crm", "fresh")
        other = self.place("other", token_dir=str(first.tokens)).start(wait=False)
        self.assertNotEqual(other.process.wait(30), 0)
        self.assertIn(str(first.tokens), other.stderr())
        self.assertIn("token_dir", other.stderr())
        self.answered(first, 10)

    def test_a_directory_that_hands_on_its_group_and_its_access_list_gives_a_file_neither(self):
        """Set-group-id, and a default access list (acl(5)) that lets another user read."""
        daemon, outside = self.place("daemon", {}), self.directory / "outside"
        for folder in (daemon.tokens, outside):
            folder.mkdir()
            os.chown(folder, 0, 1)
            folder.chmod(0o2775)
            os.setxattr(folder, "system.posix_acl_default", access_list(ATTACKER))
        outputs = [{"path": "crm/token"}, {"path": str(outside / "token"), "mode": "0640"}]
        daemon.configure(self.config({"crm": self.credential("crm", outputs=outputs)}))
        daemon.start()
        daemon.wait_for("crm", "fresh")
        for path in (daemon.tokens / "crm", daemon.tokens / "crm/token", outside / "token"):
            about = path.stat()
            with self.subTest(path.relative_to(self.directory)):
                self.assertEqual((about.st_gid, about.st_mode & stat.S_ISGID), (os.getegid(), 0))
                self.assert_no_list(path, "access")
                self.assert_no_list(path, "default")

    def assert_no_list(self, path, kind):
        with self.assertRaises(OSError, msg="an access list") as caught:
            os.getxattr(path, "system.posix_acl_" + kind)
        self.assertEqual(caught.exception.errno, errno.ENODATA)


def access_list(user):
    """A default list as the kernel keeps it: the owner and this user may do all, others nothing."""
    entries = [(0x01, 7, -1), (0x02, 7, pwd.getpwnam(user).pw_uid), (0x04, 5, -1), (0x10, 7, -1),
               (0x20, 0, -1)]
    packed = (struct.pack("<HHI", tag, rights, who & 0xFFFFFFFF) for tag, rights, who in entries)
    return struct.pack("<I", 2) + b"".join(packed)


class ThePathOfTheControlSocket(IsolationCase):
    def test_a_file_that_is_there_is_kept_and_the_daemon_says_so(self):
        daemon = self.place("daemon")
        write_private(daemon.socket, "of value")
        daemon.start(wait=False)
        wait_until(lambda: daemon.died() or daemon.try_status(), 30, "an end or an answer")
        self.assertTrue(daemon.process.returncode, "it took the file's place")
        self.assertIn(str(daemon.socket), daemon.stderr())
        self.assertEqual(daemon.socket.read_text(), "of value")

    def test_a_link_that_took_its_place_leads_no_change_of_the_mode_to_another_file(self):
        original = str(self.directory / "daemon/control.sock")
        daemon = self.place("daemon", control={"mode": "0600"}, control_socket=original).start()
        private = write_private(self.directory / "private", "of root")
        daemon.socket = daemon.directory / "moved.sock"
        os.rename(original, daemon.socket)
        os.symlink(private, original)
        crm = {"crm": self.credential("crm")}
        daemon.reconfigure(self.config(crm, control=OPEN, control_socket=original))
        self.assertEqual(oct(stat.S_IMODE(private.stat().st_mode)), "0o600")
        self.assertEqual(oct(stat.S_IMODE(daemon.socket.stat().st_mode)), "0o666")
        daemon.terminate()
        self.assertTrue(os.path.islink(original), "it removed what is not its own")
        self.assertEqual(private.read_text(), "of root")


class SilentConnections(IsolationCase):
    def test_on_the_control_socket_they_delay_neither_root_nor_a_third_user(self):
        daemon = self.place("daemon", control=OPEN).start()
        Stranger.crowd(self, str(daemon.socket), 40)
        self.answered(daemon, 2)
        self.answered(daemon, 2, BYSTANDER)

    def test_the_one_that_has_been_silent_longest_is_closed(self):
        daemon = self.place("daemon", control=OPEN).start()
        crowd = Stranger.crowd(self, str(daemon.socket), 40)
        closed = wait_until(crowd.closed, 2, "one to be closed for the others", pause=0.01)
        self.assertEqual(closed, list(range(len(closed))))
        self.assertLess(len(closed), 40)

    def test_on_the_listener_for_metrics_they_delay_no_request(self):
        port = free_ports(1)
        daemon = self.place("daemon", metrics={"listen": "127.0.0.1:%d" % port}).start()
        daemon.wait_for("crm", "fresh")
        crowd = Stranger.crowd(self, ["127.0.0.1", port], 40)
        (code, _, _), seconds = timed(get, "http://127.0.0.1:%d/healthz" % port)
        self.assertEqual(code, 200, daemon.report())
        self.assertLess(seconds, 2)
        closed = crowd.closed()
        self.assertEqual(closed, list(range(len(closed))))

    def test_on_the_port_of_a_sign_in_they_do_not_keep_the_true_redirect_out(self):
        tokens = {"access_token": "A" * 40, "refresh_token": "R" * 40, "expires_in": 3600}
        answer = (200, {"Content-Type": "application/json"}, json.dumps(tokens).encode())
        base, port = SmallServer(self, lambda *_: answer).base, free_ports(1)
        redirect = "http://127.0.0.1:%d/callback" % port
        daemon = self.place("daemon", {"crm": {
            "provider": "web", "client_id": "web", "client_secret": "s3cret-web",
            "variables": {"redirect_uri": redirect}}}, providers={"web": {
                "authorization": {"url": base + "/auth", "scope": "svc"},
                "request": {"url": base + "/token", "client_auth": "client_secret_basic"}}})
        daemon.start()
        waiting = Waiting(self, ["login", "crm", "--no-browser"],
                          {"EVERTOKEN_SOCKET": str(daemon.socket)}, None)
        state = query(waiting.url())["state"]
        Stranger.crowd(self, ["127.0.0.1", port], 40)
        (code, _, _), seconds = timed(come_back, "%s?code=good&state=%s" % (redirect, state))
        self.assertEqual((code, waiting.end()), (200, 0), waiting.stderr)
        self.assertLess(seconds, 3)
        daemon.wait_for("crm", "fresh")


class OtherHosts(IsolationCase):
    def test_the_listener_for_metrics_answers_only_who_asks_for_this_machine(self):
        """A page whose name was made to lead to the loopback still sends its own name."""
        port = free_ports(1)
        daemon = self.place("daemon", metrics={"listen": "127.0.0.1:%d" % port}).start()
        daemon.wait_for("crm", "fresh")
        hosts = {"evil.example": 421, "127.0.0.1.evil.example": 421, "127.0.0.1:%d" % port: 200,
                 "localhost": 200, "[::1]:%d" % port: 200, None: 200}
        for path in ("/metrics", "/healthz"):
            for host, expected in hosts.items():
                version, line = ("1.1", "Host: %s\r\n" % host) if host else ("1.0", "")
                with self.subTest(path, host=host):
                    with socket.create_connection(("127.0.0.1", port), 20) as one:
                        one.sendall(("GET %s HTTP/%s\r\n%s\r\n" % (path, version, line)).encode())
                        answer = b"".join(iter(lambda: one.recv(65536), b""))
                    self.assertEqual(int(answer.split()[1]), expected, answer[:200])
                    if expected == 421:
                        self.assertNotIn(b"crm", answer)


class AnswersThatAreNotRead(IsolationCase):
    lifetime = 4

    def test_900_of_them_cost_no_renewal_no_thread_and_little_memory(self):
        daemon = self.place("daemon", self.many(), control=OPEN).start()
        wait_until(lambda: all(c["state"] == "fresh" for c in daemon.credentials().values()), 60,
                   "all tokens", daemon, pause=0.5)
        self.assertGreater(len(json.dumps(daemon.status())), 250_000, "it fits in buffers")
        before, most, watch = process_status(daemon.process.pid), {}, TokenWatch(self, daemon)
        Stranger.crowd(self, str(daemon.socket), 900, STATUS)
        end = time.monotonic() + 10
        self.answered(daemon, 2, BYSTANDER)
        while time.monotonic() < end:
            self.answered(daemon, 2)
            now = process_status(daemon.process.pid)
            most = {name: max(now[name], most.get(name, 0)) for name in ("Threads", "VmRSS")}
            time.sleep(0.2)
        watch.assert_live_throughout()
        self.assertLess(most["Threads"], 64)
        self.assertLess(most["VmRSS"] - before["VmRSS"], 150 * 1024)

    def many(self):
        """One whose token lives four seconds, and 300 that make a status large."""
        self.slow = TokenServer(lifetime=3600).start()
        at_end(self, self.slow.stop)
        name = "client-of-many"
        self.slow.grant(name, "secret-of-many")
        extra = {"provider": "machine", "client_id": name, "client_secret": "secret-of-many"}
        paths = paths_that_make_a_status_large(300)
        return {"crm": self.credential("crm")} | {
            "many-%d" % n: extra | {"outputs": [{"path": path}]} for n, path in enumerate(paths)}

    def config(self, credentials, **more):
        config = super().config(credentials, **more)
        config["providers"]["machine"] = {"extends": "client_credentials", "request": {
            "url": self.slow.url, "client_auth": "client_secret_basic"}}
        return config


class TokenWatch:
    """Reads the token file of crm again and again and remembers which token it held when."""

    def __init__(self, case, daemon):
        self.case, self.daemon, self.seen = case, daemon, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()
        at_end(case, self.over.set)

    def look(self):
        while not self.over.wait(0.05):
            self.seen.append((boot_time(), self.daemon.file("crm/token")))

    def assert_live_throughout(self):
        self.over.set()
        self.thread.join()
        server = self.case.server
        ends = {e.access_token: e.asked_at + server.lifetime for e in server.exchanges("crm")}
        late = [(at, at - ends[token]) for at, token in self.seen if at > ends[token]]
        self.case.assertEqual(late, [], self.daemon.report())
        self.case.assertGreater(len({token for _, token in self.seen}), 2, "it was not renewed")


class DrippingRequests(IsolationCase):
    def test_long_heads_and_bodies_byte_by_byte_delay_no_one_and_cost_little(self):
        daemon = self.place("daemon", control=OPEN).start()
        daemon.wait_for("crm", "fresh")
        head = ["GET /v1/status HTTP/1.1\r\nX: ", 0]
        body = ["POST /v1/credentials/crm/import HTTP/1.1\r\nContent-Length: 100000\r\n\r\n",
                80_000]
        before = cpu_seconds(daemon.process.pid)
        dripping = Stranger(self, DRIP, json.dumps([str(daemon.socket), 4.5, 3 * [head, body]]))
        end = time.monotonic() + 4
        while time.monotonic() < end:
            self.answered(daemon, 1)
            time.sleep(0.05)
        self.assertGreater(dripping.heard(), 1000, "the bytes were not sent")
        self.assertLess(cpu_seconds(daemon.process.pid) - before, 3, "seconds of a processor")
        self.answered(daemon, 1, BYSTANDER)
