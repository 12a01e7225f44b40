"""The commands that change something: `login`, `import` and `reload`, and what a reload keeps."""

import datetime
import json
import os
import time

from evertest.basics import wait_until
from evertest.programs import ProgramCase, evertoken, write_private
from evertest.servers.token_server import Answer, TokenServer
from evertest.state_layout import SLOT_A, slot_files
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=1.1)

CALLBACK = "https://app.example/callback?from=here"


class CodeServer(TokenServer):
    """A token server that remembers the forms it was sent."""

    def __init__(self, **options):
        super().__init__(**options)
        self.forms = []

    def begin(self, client_id, client_secret, form):
        self.forms.append(form)
        return super().begin(client_id, client_secret, form)

    def expect_code(self, client_id):
        """The next request of this client gets tokens, as if it were an authorization code."""
        tokens = {"access_token": "access-by-code", "token_type": "Bearer", "expires_in": 3600,
                  "refresh_token": "refresh-by-code"}
        self.grant(client_id, self._clients[client_id], tokens["refresh_token"])
        self.plan(client_id, Answer(status=200, body=json.dumps(tokens)))
        return tokens


class LoginTest(ProgramCase):
    def make_server(self):
        return CodeServer(lifetime=self.lifetime)

    def test_a_code_becomes_the_first_tokens(self):
        daemon = self.daemon({"crm": self.signed_out("crm")})
        daemon.wait_for("crm", "login_required")
        tokens = self.server.expect_code("crm")
        done = daemon.evertoken("login", "crm", "--code", "4f2c/9 +", "--redirect-uri", CALLBACK)
        self.assert_exit(done, 0)
        form = self.server.forms[-1]
        self.assertEqual((form["grant_type"], form["code"], form["redirect_uri"]),
                         ("authorization_code", "4f2c/9 +", CALLBACK))
        daemon.wait_for("crm", "fresh")
        self.assertEqual(daemon.file("crm/token"), tokens["access_token"])
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        self.assertEqual(self.server.forms[-1]["refresh_token"], tokens["refresh_token"])

    def test_a_refused_code_is_told_and_changes_nothing(self):
        daemon = self.fresh_daemon("crm")
        token = daemon.file("crm/token")
        done = daemon.evertoken("login", "crm", "--code", "wrong")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("crm: the provider accepted you, but refused to issue tokens (400",
                      done.stderr)
        self.assertNotIn("wrong", done.stderr)
        self.assertEqual(daemon.credentials()["crm"]["state"], "fresh")
        self.assertEqual(daemon.file("crm/token"), token)
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        self.assertIsNotNone(self.server.live_refresh_token("crm"))

    def test_slots_that_cannot_be_read_are_set_aside_by_a_person_before_a_sign_in(self):
        daemon = self.daemon({"crm": self.credential("crm")})
        daemon.wait_for("crm", "fresh")
        daemon.terminate()
        for slot in slot_files(daemon.state / "crm"):
            slot.write_bytes(b"x" * slot.stat().st_size)
        daemon.start()
        entry = daemon.wait_for("crm", "quarantined")
        self.assertIn("evertoken accept crm", entry["last_error"]["remedy"])
        sent = len(self.server.forms)
        done = daemon.evertoken("login", "crm", "--code", "4f2c9")
        self.assert_exit(done, os.EX_TEMPFAIL, "evertoken accept crm", "evertoken import crm")
        self.assertEqual(len(self.server.forms), sent)
        self.assertEqual((daemon.state / "crm" / SLOT_A).read_bytes()[:1], b"x")
        done = daemon.evertoken("accept", "crm", "--yes")
        self.assert_exit(done, os.EX_TEMPFAIL, "crm: accepted, but the provider refused the "
                         "configured refresh token (invalid_grant): run evertoken login crm")
        self.server.expect_code("crm")
        self.assert_exit(daemon.evertoken("login", "crm", "--code", "4f2c9"), 0)
        daemon.wait_for("crm", "fresh")

    def test_a_login_without_a_name_that_is_known_or_a_daemon_fails(self):
        self.assert_exit(self.fresh_daemon("crm").evertoken("login", "crn", "--code", "1"),
                         os.EX_DATAERR, '"crn"')
        self.assert_exit(evertoken("login", "crm", "--code", "1", socket="/nonexistent"),
                         os.EX_UNAVAILABLE)


class ImportTest(ProgramCase):
    def test_what_is_no_token_answer_is_bad_data_and_is_not_quoted(self):
        daemon = self.fresh_daemon("crm")
        before = daemon.file("crm/token.json")
        for text in ("", "{", "[]", '"s3cret-typo"', '{"access_token": 7, "s3cret-typo": 1}', "{}",
                     '{"refresh_token": ""}', '{"refresh_token": "s3cret-typo" ',
                     '{"access_token": "s3cret-typo", "expires_in": -1}',
                     '{"access_token": "s3cret-typo", "expires_at": 1700000000}',
                     json.dumps({"refresh_token": "r" * 200_000})):
            with self.subTest(text[:60]):
                done = daemon.evertoken("import", "crm", text=text)
                self.assert_exit(done, os.EX_DATAERR, "evertoken: ")
                self.assertNotIn("s3cret-typo", done.stderr)
        self.assertEqual(daemon.file("crm/token.json"), before)
        self.assertNotIn("s3cret-typo", daemon.stderr())

    def test_imported_tokens_are_adopted_and_published_without_any_request(self):
        daemon = self.daemon({"crm": self.signed_out("crm")})
        daemon.wait_for("crm", "login_required")
        sent = len(self.server.exchanges())
        refresh_token = self.server.grant("crm", "secret-of-crm")
        end = int(time.time()) + 1800
        done = daemon.evertoken("import", "crm", text=json.dumps({
            "access_token": "brought-along", "refresh_token": refresh_token, "expires_at": end,
            "token_type": "Bearer", "id_token": "ignored"}))
        self.assert_exit(done, 0)
        daemon.wait_for("crm", "fresh")
        self.assertEqual(daemon.file("crm/token"), "brought-along")
        self.assertAlmostEqual(
            json.loads(daemon.file("crm/token.json"))["expires_at"], end, delta=1)
        self.assertEqual(len(self.server.exchanges()), sent)
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        self.assertEqual(self.server.exchanges()[-1].refresh_token, refresh_token)

    def stored(self, refresh_token, *, left):
        """As x/oauth2 stores a token that was granted to another program."""
        end = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=2)))
        end += datetime.timedelta(seconds=left)
        return json.dumps({"access_token": "brought-along", "token_type": "Bearer",
                           "refresh_token": refresh_token, "expiry": end.isoformat()})

    def test_what_rclone_stores_is_adopted_with_its_own_end(self):
        daemon = self.daemon({"crm": self.signed_out("crm")})
        daemon.wait_for("crm", "login_required")
        refresh_token = self.server.grant("crm", "secret-of-crm")
        text = "\ufeff[one]\r\ntype = drive\r\ntoken = %s\r\n[two]\ntoken = %s\n" % (
            self.stored(refresh_token, left=1800), self.stored("another", left=60))
        self.assert_exit(daemon.evertoken("import", "crm", text=text), os.EX_DATAERR,
                         "[one], [two]", "--section")
        done = daemon.evertoken("import", "crm", "--section", "one", text=text)
        self.assert_exit(done, 0)
        self.assertEqual(done.stderr, "")
        daemon.wait_for("crm", "fresh")
        self.assertAlmostEqual(json.loads(daemon.file("crm/token.json"))["expires_at"],
                               time.time() + 1800, delta=5)
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        self.assertEqual(self.server.exchanges()[-1].refresh_token, refresh_token)

    def test_what_an_import_did_not_take_is_said(self):
        daemon = self.daemon({"crm": self.signed_out("crm")})
        daemon.wait_for("crm", "login_required")
        refresh_token = self.server.grant("crm", "secret-of-crm")
        ended = json.loads(self.stored(refresh_token, left=-60)) | {"client_id": "theirs"}
        done = daemon.evertoken("import", "crm", text=json.dumps(ended))
        self.assert_exit(done, 0, "has expired", "not imported: client_id")
        daemon.wait_for("crm", "fresh")
        self.assertEqual(self.server.exchanges()[-1].refresh_token, refresh_token)
        endless = {"access_token": "brought-along",
                   "refresh_token": self.server.grant("crm", "secret-of-crm")}
        self.assert_exit(daemon.evertoken("import", "crm", text=json.dumps(endless)), 0,
                         "five minutes")
        self.assertNotIn(refresh_token, done.stderr + done.stdout)

    def test_a_refused_import_says_so_and_leaves_a_credential_that_is_well_alone(self):
        daemon = self.fresh_daemon("one", "two")
        spent = self.server.exchanges()[0].refresh_token
        self.assert_exit(daemon.evertoken("refresh", "one", "--wait"), 0)
        owner = self.server.exchanges()[0].client_id
        other = "two" if owner == "one" else "one"
        before = daemon.credentials()[other]
        for refused in (spent, "r" * 16_000):
            done = daemon.evertoken("import", other, text=json.dumps({"refresh_token": refused}))
            self.assert_exit(done, os.EX_TEMPFAIL, other, "Nothing was changed")
            self.assertEqual(daemon.credentials()[other], before)
        sent = len(self.server.exchanges())
        self.assert_exit(daemon.evertoken("refresh", other, "--wait"), 0)
        self.assertEqual(len(self.server.exchanges()), sent + 1)

    def test_a_refresh_token_alone_is_used_at_once(self):
        daemon = self.daemon({"crm": self.signed_out("crm")})
        daemon.wait_for("crm", "login_required")
        refresh_token = self.server.grant("crm", "secret-of-crm")
        text = json.dumps({"refresh_token": refresh_token})
        self.assert_exit(daemon.evertoken("import", "crm", text=text), 0)
        daemon.wait_for("crm", "fresh", timeout=5)
        self.assertEqual(daemon.file("crm/token"), self.server.exchanges()[-1].access_token)


class SeedTest(ProgramCase):
    """A refresh token in a file: an operator who signs in again only has to replace it."""

    def seeded_daemon(self, **more):
        self.seed = write_private(self.directory / "seed", "never-issued\n")
        entry = self.credential("crm", refresh_token={"file": str(self.seed)}, **more)
        daemon = self.daemon({"crm": entry})
        daemon.wait_for("crm", "login_required")
        return daemon

    def test_a_new_seed_is_adopted_within_65_seconds_without_any_command(self):
        daemon = self.seeded_daemon()
        self.seed.write_text(self.server.live_refresh_token("crm") + "\n")
        daemon.wait_for("crm", "fresh", timeout=66)
        self.assertEqual(daemon.file("crm/token"), self.server.exchanges()[-1].access_token)

    def test_a_new_seed_is_adopted_at_once_when_a_refresh_is_ordered(self):
        daemon = self.seeded_daemon()
        self.seed.write_text(self.server.live_refresh_token("crm") + "\n")
        self.assert_exit(daemon.evertoken("refresh", "crm", "--wait"), 0)
        self.assertEqual(daemon.credentials()["crm"]["state"], "fresh")
        self.assertEqual(daemon.file("crm/token"), self.server.exchanges()[-1].access_token)

    def test_the_same_seed_is_not_sent_again_and_again(self):
        daemon = self.seeded_daemon()
        sent = len(self.server.exchanges())
        self.seed.write_text("never-issued\n")
        done = daemon.evertoken("refresh", "crm", "--wait")
        self.assert_exit(done, os.EX_TEMPFAIL, "crm is login_required", "evertoken import crm")
        self.assertEqual(len(self.server.exchanges()), sent + 1)


class ReloadTest(ProgramCase):
    def test_a_reload_says_what_changed(self):
        one, two = self.credential("one"), self.credential("two")
        daemon = self.daemon({"one": one})
        daemon.wait_for("one", "fresh")
        daemon.configure(self.config({"two": two}))
        done = daemon.evertoken("reload")
        self.assert_exit(done, 0)
        daemon.wait_for("two", "fresh")
        self.assertNotIn("one", daemon.credentials())
        self.assertRegex(done.stdout, r"\bone\b")
        self.assertRegex(done.stdout, r"\btwo\b")

    def test_a_config_with_mistakes_is_refused_and_the_old_one_stays(self):
        one = self.credential("one")
        daemon = self.daemon({"one": one})
        daemon.configure(self.config({"one": one, "two": {}}))
        done = daemon.evertoken("reload")
        self.assertRegex(done.stderr, r'%s\n  \d+:\d+ credentials.two: "provider" is missing'
                         % daemon.config_file)
        self.assertEqual(list(daemon.credentials()), ["one"])
        self.assertIn('"provider" is missing', daemon.evertoken("status").stdout)
        daemon.reconfigure(self.config({"one": one}))
        self.assertNotIn("provider", daemon.evertoken("status").stdout)
        self.assert_exit(done, os.EX_CONFIG)

    def test_a_removed_credential_loses_its_outputs_keeps_its_state_and_can_come_back(self):
        one, two = self.credential("one"), self.credential("two")
        daemon = self.daemon({"one": one, "two": two})
        for name in ("one", "two"):
            daemon.wait_for(name, "fresh")
        self.assert_exit(daemon.evertoken("refresh", "two", "--wait"), 0)
        token, live = daemon.file("two/token"), self.server.live_refresh_token("two")
        self.assertNotEqual(live, two["refresh_token"])
        daemon.reconfigure(self.config({"one": one}))
        wait_until(lambda: not (daemon.tokens / "two").exists(), 5, "its folder to go", daemon)
        self.assertIsNotNone(daemon.file("one/token"))
        self.assertTrue((daemon.state / "two" / SLOT_A).exists())
        sent = len(self.server.exchanges())
        daemon.reconfigure(self.config({"one": one, "two": two}))
        daemon.wait_for("two", "fresh")
        self.assertEqual(daemon.file("two/token"), token)
        self.assertEqual(len(self.server.exchanges()), sent, "it needed a request to come back")
        self.assert_exit(daemon.evertoken("refresh", "two", "--wait"), 0)
        self.assertEqual(self.server.exchanges()[-1].refresh_token, live)

    def test_a_credential_that_is_renamed_takes_its_refresh_token_along(self):
        self.server.rotate = False
        old = self.credential("old")
        daemon = self.daemon({"old": old})
        daemon.wait_for("old", "fresh")
        daemon.reconfigure(self.config({"new": old}))
        daemon.wait_for("new", "fresh")

    def test_an_output_that_is_gone_from_the_config_is_removed(self):
        one = self.credential("one")
        daemon = self.daemon({"one": one})
        daemon.wait_for("one", "fresh")
        daemon.reconfigure(self.config({"one": one | {"outputs": [
            {"path": "one/token"}, {"path": "else/header", "format": "header"}]}}))
        wait_until(lambda: daemon.file("else/header") and not daemon.file("one/token.json"), 5,
                   "the outputs to be as configured", daemon)
        self.assertIsNotNone(daemon.file("one/token"))
        self.assertEqual(len(self.server.exchanges()), 1)
