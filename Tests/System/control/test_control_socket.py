"""The control socket: its HTTP API with nothing but curl, and who may use which part of it.

Needs root (a connection as another user), curl and setpriv."""

import json
import os
import shutil
import stat
import subprocess

from evertest.basics import BIN, wait_until
from evertest.programs import PLAIN_ENVIRONMENT, ProgramCase, token_json
from evertest.servers.token_server import Answer
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.2)

#: Debian's nobody; its primary group for the tests is mail (8).
STRANGER = ("setpriv", "--reuid=65534", "--clear-groups")
STRANGER_IN_MAIL = ("setpriv", "--reuid=65534", "--regid=8", "--clear-groups")


class Reply:
    """What curl got: status code, media type, text."""

    def __init__(self, output):
        self.text, _, rest = output.rpartition("\n")
        code, self.media_type = rest.split(" ", 1)
        self.code = int(code)

    @property
    def json(self):
        return json.loads(self.text)


def curl(socket, path, *arguments, prefix=(), timeout=45):
    """One request on the socket with the real curl, and with nothing of its own around it."""
    done = subprocess.run(
        [*prefix, "curl", "-sS", "--max-time", str(timeout), "--unix-socket", str(socket),
         "-w", "\n%{http_code} %{content_type}", *arguments, "http://localhost" + path],
        capture_output=True, text=True, env=PLAIN_ENVIRONMENT, timeout=timeout + 5)
    if done.returncode != 0:
        raise AssertionError("curl %s: %d %s" % (path, done.returncode, done.stderr))
    return Reply(done.stdout)


class SocketCase(ProgramCase):
    def assert_answer(self, reply, code):
        self.assertEqual(reply.code, code, reply.text)
        self.assertEqual(reply.media_type, "application/json")
        return reply.json

    def assert_problem(self, reply, code):
        """RFC 9457: the media type, and a body that says what is wrong."""
        self.assertEqual(reply.code, code, reply.text)
        self.assertEqual(reply.media_type, "application/problem+json")
        self.assertEqual(reply.json["status"], code)
        self.assertTrue(reply.json["title"])
        return reply.json


class EndpointTest(SocketCase):
    def setUp(self):
        super().setUp()
        self.running = self.fresh_daemon("crm", "drive")

    def curl(self, path, *arguments):
        return curl(self.running.socket, path, *arguments)

    def test_status_is_what_the_command_line_prints(self):
        answer = self.assert_answer(self.curl("/v1/status"), 200)
        self.assertEqual(answer, json.loads(self.running.evertoken("status", "--json").stdout))
        one = self.assert_answer(self.curl("/v1/credentials/crm"), 200)
        self.assertEqual(one.pop("recent")[0]["result"], "success")
        self.assertEqual(one.pop("refresh_floor")["because"], "min_interval")
        self.assertEqual(one, answer["credentials"][0])

    def test_a_token_is_what_token_json_holds(self):
        for path in ("/v1/credentials/crm/token", "/v1/credentials/crm/token?min_ttl=300",
                     "/v1/credentials/crm/token?min_ttl=5m"):
            answer = self.assert_answer(self.curl(path), 200)
            self.assertEqual(answer, token_json(self.running, "crm"))

    def test_a_refresh_is_accepted_and_carried_out(self):
        reply = self.curl("/v1/credentials/crm/refresh", "-X", "POST")
        self.assert_answer(reply, 202)
        self.server.wait_for(lambda seen: len(seen) == 3, timeout=5)

    def test_an_import_is_adopted_and_published(self):
        reply = self.curl("/v1/credentials/crm/import", "-H", "Content-Type: application/json",
                          "-d", '{"access_token": "by-curl", "expires_in": 600}')
        self.assert_answer(reply, 200)
        wait_until(lambda: self.running.file("crm/token") == "by-curl", 5, "the token's file")

    def test_a_login_exchanges_the_code(self):
        tokens = {"access_token": "by-code", "token_type": "Bearer", "expires_in": 600}
        self.server.plan("crm", Answer(status=200, body=json.dumps(tokens)))
        reply = self.curl("/v1/credentials/crm/login", "-d",
                          '{"code": "1", "redirect_uri": "https://app.example/"}')
        self.assert_answer(reply, 200)
        self.assertEqual(self.server.exchanges("crm")[-1].grant_type, "authorization_code")
        wait_until(lambda: self.running.file("crm/token") == "by-code", 5, "the token's file")

    def test_a_reload_is_carried_out_or_refused_with_the_mistakes(self):
        self.assert_answer(self.curl("/v1/reload", "-X", "POST"), 200)
        self.running.config_file.write_text("{")
        problem = self.assert_problem(self.curl("/v1/reload", "-X", "POST"), 422)
        self.assertIn("%s:1:2: " % self.running.config_file, problem["detail"])

    def test_what_is_wrong_with_a_request_is_told(self):
        post = ("-X", "POST")
        for code, path, arguments in (
                (404, "/v1/credentials/crn", ()), (404, "/v1/credentials/crn/token", ()),
                (404, "/v1/credentials/crn/refresh", post), (404, "/v2/status", ()), (404, "/", ()),
                (400, "/v1/credentials/crm/token?min_ttl=soon", ()),
                (400, "/v1/credentials/crm/import", ("-d", "no json")),
                (400, "/v1/credentials/crm/login", ("-d", "{}"))):
            with self.subTest(path, code=code):
                self.assert_problem(self.curl(path, *arguments), code)

    def test_health_is_503_while_a_token_has_expired(self):
        self.assert_answer(self.curl("/healthz"), 200)
        self.running.evertoken("import", "crm", text='{"access_token": "x", "expires_in": 1}')
        self.server.stop()
        self.running.wait_for("crm", "expired")
        self.assertEqual(self.curl("/healthz").code, 503)
        self.assertIn("crm", self.curl("/healthz").text)
        self.server.start()
        self.running.wait_for("crm", "fresh")
        self.assert_answer(self.curl("/healthz"), 200)

    def test_the_socket_is_0660_and_gone_after_a_stop(self):
        about = self.running.socket.stat()
        self.assertTrue(stat.S_ISSOCK(about.st_mode))
        self.assertEqual(stat.S_IMODE(about.st_mode), 0o660)
        self.assertEqual(self.running.terminate(), 0)
        self.assertFalse(self.running.socket.exists())


class PeerTest(SocketCase):
    """Another user, who can open the socket."""

    def daemon_for_all(self, *allow, place="daemon", **control):
        """Its socket is open to everybody; `allow` names who may do more than look."""
        daemon = self.fresh_daemon(
            "crm", place=place, control={"mode": "0666", "allow": list(allow)} | control)
        # The socket's directories are the tester's own; the stranger has to get through them.
        for folder in (self.directory, daemon.directory):
            folder.chmod(0o711)
        self.program = self.directory / "evertoken"
        shutil.copy(BIN / "evertoken", self.program)
        self.program.chmod(0o755)
        return daemon

    def command_line(self, daemon, *arguments, text=""):
        """The command line as the stranger, from a place where they can run it."""
        return subprocess.run(
            [*STRANGER, self.program, *arguments, "--socket", daemon.socket], input=text,
            capture_output=True, text=True, env=PLAIN_ENVIRONMENT, timeout=60)

    requests = (("/v1/credentials/crm/token",), ("/v1/credentials/crm/refresh", "-X", "POST"),
                ("/v1/credentials/crm/import", "-d", '{"access_token": "x"}'),
                ("/v1/credentials/crm/login", "-d", '{"code": "1"}'),
                ("/v1/reload", "-X", "POST"))

    def test_a_stranger_may_look_but_get_no_token_and_change_nothing(self):
        daemon = self.daemon_for_all()
        for path in ("/v1/status", "/v1/credentials/crm", "/healthz"):
            self.assert_answer(curl(daemon.socket, path, prefix=STRANGER), 200)
        token = daemon.file("crm/token")
        for path, *arguments in self.requests:
            with self.subTest(path):
                reply = curl(daemon.socket, path, *arguments, prefix=STRANGER)
                problem = self.assert_problem(reply, 403)
                self.assertIn("control.allow", problem["detail"])
                self.assertNotIn(token, reply.text)
        self.assertEqual(len(self.server.exchanges()), 1)
        self.assertEqual(daemon.file("crm/token"), token)

    def test_the_command_line_says_that_a_stranger_may_not(self):
        daemon = self.daemon_for_all()
        self.assert_exit(self.command_line(daemon, "status"), 0)
        for words, text in ((["token", "crm"], ""), (["refresh", "crm"], ""), (["reload"], ""),
                            (["import", "crm"], '{"access_token": "x"}')):
            done = self.command_line(daemon, *words, text=text)
            self.assert_exit(done, os.EX_NOPERM, "control.allow")

    def test_who_is_named_in_control_allow_may_do_all(self):
        for place, allow, prefix in (
                ("name", {"user": "nobody"}, STRANGER), ("uid", {"user": 65534}, STRANGER),
                ("group", {"group": "mail"}, STRANGER_IN_MAIL),
                ("gid", {"group": 8}, STRANGER_IN_MAIL)):
            with self.subTest(allow):
                daemon = self.daemon_for_all({"user": "games"}, allow, place=place)
                for path, *arguments in self.requests[:3]:
                    reply = curl(daemon.socket, path, *arguments, prefix=prefix)
                    self.assertIn(reply.code, (200, 202), reply.text)
                # All four are one client: the refresh that was ordered here would come back with
                # a token from before the next sign-in, and end that sign-in as stolen.
                self.assertEqual(daemon.terminate(), 0)

    def test_a_group_that_is_not_named_is_refused(self):
        daemon = self.daemon_for_all({"user": "games"}, {"group": "games"})
        for path, *arguments in self.requests:
            self.assert_problem(
                curl(daemon.socket, path, *arguments, prefix=STRANGER_IN_MAIL), 403)

    def test_a_change_of_control_allow_counts_after_a_reload(self):
        daemon = self.daemon_for_all()
        path = "/v1/credentials/crm/token"
        self.assert_problem(curl(daemon.socket, path, prefix=STRANGER), 403)
        config = json.loads(daemon.config_file.read_text())
        config["control"]["allow"] = [{"user": 65534}]
        daemon.reconfigure(config)
        self.assert_answer(curl(daemon.socket, path, prefix=STRANGER), 200)

    def test_the_socket_s_group_may_open_it_and_others_may_not(self):
        daemon = self.daemon_for_all(mode="0660", group="mail")
        self.assertEqual(daemon.socket.stat().st_gid, 8)
        self.assert_answer(curl(daemon.socket, "/v1/status", prefix=STRANGER_IN_MAIL), 200)
        self.assert_exit(self.command_line(daemon, "status"), os.EX_NOPERM, str(daemon.socket))
