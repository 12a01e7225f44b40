"""The shipped profiles, letter by letter: what is sent is compared with the providers' own pages,
and what those pages show as answers is what the servers here answer.

Tests/Fixtures/Wire holds one file for each: NAME.request is head and body as the page has them,
with PORT and UUID where those vary; NAME.response is the body of an answer, copied from the page.
The order of parameters means nothing; their names and values, and that there are no others, do.
The pages give no status for their errors, so every likely one is tried.

Where a page shows no such thing, the fixture is made of what it says: FebBox's sample answers with
code 0, which by its own text is a failure, so a success is that sample with code 1 and a lifetime;
Fxiaoke's exchange of a code follows its refresh, with `code` for `refreshToken`.
"""

import base64
import json
import re
import time

from evertest.basics import ROOT, wait_until
from evertest.servers.raw_server import parse_request, replying
from evertest.suite import Suite
from evertest.wire import QUICK, WireCase, form

SUITE = Suite(timed=True, minutes=0.2)

FIXTURES = ROOT / "Tests" / "Fixtures" / "Wire"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
# Headers about the connection and the client, of which the pages say nothing.
NEUTRAL = {"accept", "accept-encoding", "connection", "content-length", "user-agent"}


def sample(name, **changed):
    """A fixture's body; with `changed`, the same JSON with other values at its top."""
    body = (FIXTURES / f"{name}.response").read_bytes()
    if not changed:
        return body
    values = json.loads(body) | changed
    return json.dumps({k: v for k, v in values.items() if v is not ...}).encode()


def febbox(code=1, refresh_token="refresh_token", **more):
    """FebBox's sample as a success; or with another code."""
    data = json.loads(sample("febbox-sample"))["data"]
    data |= {"access_token": "granted", "expires_in": 3600, "refresh_token": refresh_token}
    return sample("febbox-sample", code=code, data=data, **more)


class ProfileCase(WireCase):
    PATH, CLIENT = "", ("", "")

    def begin(self, name, *answers, seed=None, **credential):
        """Starts the daemon with a credential of the profile `name`, at a server that gives these
        answers: bodies, or pairs of status and body."""
        pairs = [one if isinstance(one, tuple) else (200, one) for one in answers]
        server = self.serve(*[replying(status, body) for status, body in pairs])
        request = {"url": f"http://127.0.0.1:{server.port}{self.PATH}"}
        provider = {"extends": name, "request": request}
        if name == "febbox":
            provider["acquire"] = {"request": request}
        client_id, client_secret = self.CLIENT
        entry = {"provider": "here", "client_id": client_id, "client_secret": client_secret,
                 "refresh": QUICK} | credential
        if seed:
            entry["refresh_token"] = seed
        self.start({"here": provider}, {name: entry})
        return server

    def assert_sent(self, server, number, fixture):
        """Request `number` of the server is the fixture's, and nothing followed it."""
        connection = self.wait_connections(server, number)
        self.assertEqual(len(connection.requests), 1)
        sent, rest = parse_request(bytes(connection.plain))
        self.assertEqual(rest, b"")
        text = (FIXTURES / f"{fixture}.request").read_text().replace("PORT", str(server.port))
        head, _, body = text.partition("\n\n")
        first, *headers = head.split("\n")
        self.assertRegex(f"{sent.method} {sent.target} {sent.version}",
                         f"^{re.escape(first).replace('UUID', UUID)}$")
        ours = {k.lower(): v for k, v in sent.headers if k.lower() not in NEUTRAL}
        wanted = dict(line.split(": ", 1) for line in headers)
        self.assertEqual(ours, {k.lower(): v for k, v in wanted.items()})
        self.assertEqual(sent.header("Content-Length"), str(len(sent.body)))
        if wanted["Content-Type"] == "application/json":
            self.assertEqual(json.loads(sent.body), json.loads(body))
        else:
            self.assertEqual(sorted(sent.body.decode().split("&")), sorted(body.strip().split("&")))
        return sent

    def published(self, name):
        return json.loads(self.output(name, "token.json"))

    def assert_failed(self, name, failure_class, state):
        """Waits for this error and this state together: a retry is another state for a moment."""
        def holds(status):
            error = status["last_error"] or {}
            return error.get("class") == failure_class and status["state"] == state

        return self.wait_for(name, holds, f"{state} by {failure_class}")["last_error"]


class FebBoxTest(ProfileCase):
    PATH, CLIENT = "/oauth/token", ("client_id", "client_secret")

    def test_without_a_refresh_token_client_credentials_bring_one_which_is_then_used(self):
        server = self.begin("febbox", febbox())
        self.wait_state("febbox", "fresh")
        self.assert_sent(server, 1, "febbox-client_credentials")
        token = self.published("febbox")
        self.assertEqual((token["access_token"], token["token_type"]), ("granted", "string"))
        self.assertIsNone(token.get("scope"))  # the page's null
        self.refresh("febbox")
        self.assert_sent(server, 2, "febbox-refresh_token")

    def test_the_configured_refresh_token_is_sent(self):
        server = self.begin("febbox", febbox(), seed="refresh_token")
        self.wait_state("febbox", "fresh")
        self.assert_sent(server, 1, "febbox-refresh_token")

    def test_the_sample_with_code_0_is_a_failure_although_its_fields_are_filled(self):
        self.begin("febbox", sample("febbox-sample"), seed="refresh_token")
        error = self.assert_failed("febbox", "transient", "pending")
        self.assertIn("code 0", error["problem"])
        self.assertIsNone(self.output("febbox"))

    def test_a_failure_leaves_the_token_that_was_there(self):
        for code in (0, -1):
            with self.subTest(code):
                server = self.begin("febbox", febbox(), febbox(code, "wrong"), seed="refresh_token")
                self.wait_state("febbox", "fresh")
                self.refresh("febbox")
                self.assert_failed("febbox", "transient", "retrying")
                self.assertEqual(self.output("febbox"), "granted")
                self.wait_connections(server, 3)
                sent = [form(one)["refresh_token"] for one in server.requests]
                # What a refusal carries is tried first, the one before it stays beside it.
                self.assertEqual(sent[:3], ["refresh_token", "refresh_token", "wrong"])
                self.daemon.close()

    def test_a_refused_refresh_token_is_replaced_by_client_credentials(self):
        refusal = febbox(-1, "wrong", msg="refresh_token is invalid")
        server = self.begin("febbox", refusal, febbox(), seed="refresh_token")
        self.wait_state("febbox", "fresh")
        self.assert_sent(server, 1, "febbox-refresh_token")
        self.assert_sent(server, 2, "febbox-client_credentials")


class FxiaokeTest(ProfileCase):
    PATH, CLIENT = "/oauth2.0/token", ("FSAID_xxxxx", "982axxxxx")

    def test_the_sample_is_a_success_and_its_refresh_token_the_next(self):
        server = self.begin("fxiaoke", sample("fxiaoke-success"), seed="xxxxxx")
        self.wait_state("fxiaoke", "fresh")
        self.assert_sent(server, 1, "fxiaoke-refresh_token")
        token = self.published("fxiaoke")
        self.assertEqual(token["access_token"], "FSTOK_xxxxx")
        self.assertEqual(token["expires_at"] - token["issued_at"], 7200)
        self.assertEqual(token["open_user_id"], "FSUID_xxxxx")
        self.refresh("fxiaoke")
        self.wait_connections(server, 2)
        self.assertEqual(json.loads(server.requests[1].body)["refreshToken"], "FSREFTOK_xxxxx")

    def test_a_code_is_exchanged(self):
        server = self.begin("fxiaoke", sample("fxiaoke-success"))
        self.wait_state("fxiaoke", "login_required")
        done = self.command("login", "fxiaoke", "--code", "CODE_xxxxx")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.wait_state("fxiaoke", "fresh")
        self.assert_sent(server, 1, "fxiaoke-authorization_code")

    def test_an_answer_without_error_code_is_a_success(self):
        self.begin("fxiaoke", sample("fxiaoke-success", errorCode=...), seed="xxxxxx")
        self.wait_state("fxiaoke", "fresh")
        self.assertEqual(self.output("fxiaoke"), "FSTOK_xxxxx")

    def test_another_error_code_is_a_failure_although_the_fields_are_filled(self):
        self.begin("fxiaoke", sample("fxiaoke-success", errorCode=20016), seed="xxxxxx")
        self.assert_failed("fxiaoke", "transient", "pending")
        self.assertIsNone(self.output("fxiaoke"))

    def test_every_attempt_has_a_new_trace_id(self):
        failure = sample("fxiaoke-success", errorCode=20016)
        server = self.begin("fxiaoke", failure, failure, failure, sample("fxiaoke-success"),
                            seed="xxxxxx")
        self.wait_state("fxiaoke", "fresh", timeout=20)
        self.assertEqual(len(server.requests), 4)
        found = [self.assert_sent(server, n, "fxiaoke-refresh_token").target for n in range(1, 5)]
        self.assertEqual(len(set(found)), 4, found)


class XeeTest(ProfileCase):
    PATH, CLIENT = "/v3/auth/access_token", ("clientId", "clientSecret")
    SEED = json.loads(sample("xee-success"))["refresh_token"]

    def assert_misconfigured(self, shape, status):
        self.begin("xee", (status, sample(f"xee-{shape}")), seed=self.SEED)
        error = self.assert_failed("xee", "config", "misconfigured")
        self.assertEqual(error["http_status"], status)
        self.daemon.close()

    def assert_noted(self, words):
        wait_until(lambda: words in self.daemon.stderr(), 5,
                   "a note in the log about expires_in and expires_at", self.daemon)

    def test_a_code_is_exchanged_and_the_refresh_token_it_brings_is_used(self):
        server = self.begin("xee", sample("xee-success"))
        self.wait_state("xee", "login_required")
        done = self.command("login", "xee", "--code", "xxxxxx")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.wait_state("xee", "fresh")
        self.assert_sent(server, 1, "xee-authorization_code")
        self.refresh("xee")
        self.assert_sent(server, 2, "xee-refresh_token")

    def test_expires_in_rules_over_an_expires_at_long_past_and_the_log_notes_the_difference(self):
        server = self.begin("xee", sample("xee-success"), seed=self.SEED)
        self.wait_state("xee", "fresh")
        self.assert_sent(server, 1, "xee-refresh_token")
        token = self.published("xee")
        self.assertEqual(token["access_token"], json.loads(sample("xee-success"))["access_token"])
        self.assertEqual(token["expires_at"] - token["issued_at"], 3600)
        self.assert_noted("an end in the response cannot be meant and was left out")

    def test_expires_in_rules_over_a_later_expires_at_and_the_log_notes_the_difference(self):
        later = sample("xee-success", expires_at=int(time.time()) + 7200)
        self.begin("xee", later, seed=self.SEED)
        self.wait_state("xee", "fresh")
        token = self.published("xee")
        self.assertEqual(token["expires_at"] - token["issued_at"], 3600)
        self.assert_noted("the ends that the response gives differ")

    def test_expires_at_alone_is_the_end(self):
        end = int(time.time()) + 1800
        self.begin("xee", sample("xee-success", expires_at=end, expires_in=...), seed=self.SEED)
        self.wait_state("xee", "fresh")
        self.assertAlmostEqual(self.published("xee")["expires_at"], end, delta=1)

    def test_both_shapes_of_errors_say_that_the_configuration_is_wrong(self):
        for shape in ("refresh_token-parameters", "authentication"):
            for status in (400, 401, 403):
                with self.subTest(shape, status=status):
                    self.assert_misconfigured(shape, status)

    def test_an_error_with_status_200_says_so_too(self):
        for shape in ("refresh_token-parameters", "authentication"):
            with self.subTest(shape):
                self.assert_misconfigured(shape, 200)

    def test_a_refused_code_is_told_to_whoever_gave_it(self):
        for shape in ("authorization_code-parameters", "authentication"):
            with self.subTest(shape):
                server = self.begin("xee", (400, sample(f"xee-{shape}")))
                self.wait_state("xee", "login_required")
                done = self.command("login", "xee", "--code", "xxxxxx")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("400", done.stderr)
                self.assert_sent(server, 1, "xee-authorization_code")
                self.wait_state("xee", "login_required")
                self.daemon.close()


class OddCharactersTest(ProfileCase):
    """Identifiers, secrets and tokens are any text: each encoding must bring it over unchanged."""

    ODD = "a b+c%2B&d=e/f\"g\\h:i€?#~"
    CLIENT = ("an id+é&=", ODD)

    def test_in_a_form(self):
        server = self.begin("febbox", febbox(refresh_token=self.ODD))
        self.wait_state("febbox", "fresh")
        self.refresh("febbox")
        self.wait_connections(server, 2)
        self.assertEqual(form(server.requests[1]), {
            "grant_type": "refresh_token", "client_id": self.CLIENT[0],
            "client_secret": self.ODD, "refresh_token": self.ODD})

    def test_in_json(self):
        server = self.begin("fxiaoke", sample("fxiaoke-success"), seed=self.ODD)
        self.wait_state("fxiaoke", "fresh")
        self.assertEqual(json.loads(server.requests[0].body), {
            "grantType": "refresh_token", "appId": self.CLIENT[0], "appSecret": self.ODD,
            "refreshToken": self.ODD})

    def test_in_basic_authentication_as_the_page_has_it(self):
        server = self.begin("xee", sample("xee-success"), seed=self.ODD)
        self.wait_state("xee", "fresh")
        scheme, _, value = server.requests[0].header("Authorization").partition(" ")
        self.assertEqual(scheme, "Basic")
        self.assertEqual(base64.b64decode(value, validate=True).decode(), ":".join(self.CLIENT))
        self.assertEqual(form(server.requests[0])["refresh_token"], self.ODD)
