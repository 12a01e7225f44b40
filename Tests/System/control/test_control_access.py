"""Access to every route of the control socket for every kind of peer: everything for root and the
daemon's own user; status and metrics for the socket's group; also tokens and changes for the peers
in `control.allow`; nothing for others. The kernel identifies the peer (SO_PEERCRED).

`test_control_socket` has the ordinary cases (Contract 6.2). Needs root and, from Debian:
util-linux."""

import http.client
import json
import socket
import subprocess
import unittest

from evertest.basics import wait_until
from evertest.secrecy.canaries import Vault
from evertest.secrecy.world import USER, World
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.1)

#: Debian's fixed accounts. No user has the number 60.
GAMES, MAN, MAIL, STAFF, GAMES_GROUP = 5, 6, 8, 50, 60
LOOK = ("GET /v1/status", "GET /v1/credentials/crm", "GET /metrics", "GET /healthz")
TOKEN = "GET /v1/credentials/crm/token"
CHANGE = ("POST /v1/credentials/crm/refresh", "POST /v1/credentials/crm/import",
          "POST /v1/credentials/crm/login", "POST /v1/reload",
          "GET /v1/credentials/crm/stored")
BODIES = {CHANGE[1]: '{"access_token": "imported", "expires_in": 60}',
          CHANGE[2]: '{"code": "1"}'}
#: Asks every question of argv[2:] and prints [[status, body], …]; or why it could not connect.
ASK = """
import json, socket, sys
answers = []
for line in json.loads(sys.argv[2]):
    request, body = line
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        try:
            connection.connect(sys.argv[1])
        except OSError as error:
            answers.append([-error.errno, ""])
            continue
        head = "%s HTTP/1.1\\r\\nHost: x\\r\\nX-Forwarded-User: root\\r\\n" % request
        whole = "%sContent-Length: %d\\r\\n\\r\\n%s" % (head, len(body), body)
        connection.sendall(whole.encode())
        data = b""
        while part := connection.recv(65536):
            data += part
        answers.append([int(data.split()[1]), data.decode().partition("\\r\\n\\r\\n")[2]])
print(json.dumps(answers))
"""


def peer(uid, gid, *groups):
    """The command that becomes a user of these groups."""
    more = ["--groups=" + ",".join(map(str, groups))] if groups else ["--clear-groups"]
    return ["setpriv", "--reuid=%d" % uid, "--regid=%d" % gid, *more]


ROOT = ["setpriv", "--clear-groups"]
#: Everybody there is: how they come, and what they may do.
PEERS = {
    "root": (ROOT, "all"),
    "the daemon's own user": (peer(USER, USER), "all"),
    "the daemon's own user with another group": (peer(USER, STAFF), "all"),
    "the socket's group": (peer(MAN, MAIL), "look"),
    "the socket's group as a second one": (peer(MAN, MAN, MAIL), "look"),
    "root's group": (peer(MAN, 0), "nothing"),
    "a stranger": (peer(MAN, MAN), "nothing"),
    "a named user in the socket's group": (peer(GAMES, MAIL), "all"),
    "a named user who cannot open the socket": (peer(GAMES, GAMES), "nothing"),
    "a named group and the socket's": (peer(MAN, GAMES_GROUP, MAIL), "all"),
    "a named group that cannot open the socket": (peer(MAN, GAMES_GROUP), "nothing"),
    "a user with the number of a named group": (peer(GAMES_GROUP, MAIL), "look"),
    "a group with the number of a named user": (peer(MAN, GAMES, MAIL), "look"),
}


class AccessTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World(cls, Vault())
        cls.world.home.chmod(0o755)
        cls.world.profile("basic", "client_secret_basic")
        cls.world.add("crm", secret=cls.world.secret("inline"))
        cls.world.more["control"] = {"allow": [{"user": GAMES}, {"group": GAMES_GROUP}],
                                     "mode": "0660", "group": "mail"}
        cls.world.write_config()
        # Only root may give the socket to a group that is not its own: as a unit's drop-in does.
        cls.world.start(tap=False, user=[*peer(USER, USER, MAIL)])
        cls.world.wait_for(["crm"], lambda c: c["state"] == "fresh", "a token")

    def ask(self, who, requests):
        lines = json.dumps([[request, BODIES.get(request, "")] for request in requests])
        done = subprocess.run(
            [*who, "/usr/bin/python3", "-c", ASK, str(self.world.socket), lines],
            capture_output=True, text=True, timeout=60, check=True, cwd="/")
        return dict(zip(requests, json.loads(done.stdout)))

    def test_every_peer_may_do_exactly_what_is_theirs(self):
        for name, (who, right) in PEERS.items():
            answers = self.ask(who, [*LOOK, TOKEN, *CHANGE])
            for request, (code, body) in answers.items():
                with self.subTest(name, request=request):
                    self.check(request, right, code, body)

    def check(self, request, right, code, body):
        if right == "nothing":
            self.assertEqual((code, body), (-13, ""))  # EACCES: it never gets in
        elif right == "look" and request not in LOOK:
            self.assertEqual(code, 403)
            self.assertNotIn("canary", body)
        else:
            self.assertNotIn(code, (401, 403, -13), body)
        if right == "all" and request == TOKEN:
            self.assertEqual(code, 200)
            self.assertIn("access_token", body)
        if request != TOKEN:
            self.assertNotIn("canary", body)
        self.assertNotIn("RT-", body)

    def test_a_refused_change_changes_nothing(self):
        before = len(self.world.provider.sent)
        token = self.world.output("crm")
        state = self.world.states()["crm"]
        answers = self.ask(peer(MAN, MAIL), CHANGE)
        self.assertEqual({code for code, _ in answers.values()}, {403})
        self.assertEqual(self.world.states()["crm"]["last_refresh_at"], state["last_refresh_at"])
        self.assertEqual(self.world.output("crm"), token)
        self.assertEqual(len(self.world.provider.sent), before)

    def test_who_may_not_is_not_told_which_credentials_there_are(self):
        for name in ("crm", "no-such"):
            answers = self.ask(peer(MAN, MAIL), ["GET /v1/credentials/%s/token" % name])
            self.assertEqual([code for code, _ in answers.values()], [403])

    def test_a_right_that_is_taken_away_is_gone_after_the_reload(self):
        who = peer(GAMES, MAIL)
        self.assertEqual(self.ask(who, [TOKEN])[TOKEN][0], 200)
        control = self.world.more["control"]
        self.world.more["control"] = control | {"allow": []}
        self.world.write_config()
        self.world.request("POST", "/v1/reload")
        self.assertEqual(self.ask(who, [TOKEN])[TOKEN][0], 403)
        self.world.more["control"] = control
        self.world.write_config()
        self.world.request("POST", "/v1/reload")
        self.assertEqual(self.ask(who, [TOKEN])[TOKEN][0], 200)

    def test_the_listener_for_metrics_gives_no_token_and_takes_no_order(self):
        world = World(self, Vault())
        world.profile("basic", "client_secret_basic")
        world.add("crm", secret=world.secret("inline"))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        world.more["metrics"] = {"listen": "127.0.0.1:%d" % port}
        world.write_config()
        world.start(tap=False)
        world.wait_for(["crm"], lambda c: c["state"] == "fresh", "a token")
        for request in (*LOOK, TOKEN, *CHANGE):
            method, path = request.split()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request(method, path, BODIES.get(request))
            answer = connection.getresponse()
            body = answer.read().decode()
            connection.close()
            self.assertNotIn("canary", body)
            is_open = request in ("GET /metrics", "GET /healthz")
            self.assertEqual(answer.status, 200 if is_open else 404, request)
        wait_until(lambda: len(world.provider.sent) == 1, 5, "no more requests")
