"""The shipped alert rules, judged by promtool on recordings of the real daemon: each alert fires
when it should, and none on a day whose failures all end by themselves.

Needs root and, from Debian: gcc, libc6-dev, python3-prometheus-client, python3-yaml; prometheus is
unpacked, not installed."""

import re
import unittest

from evertest.alert_recordings import (ALL, RULES, Recording, expectations, judge, rules,
                                       run_promtool)
from evertest.basics import ROOT, at_end, temporary_directory, wait_until
from evertest.clocks import ClockedDaemon, build_shim, tell
from evertest.programs import evertoken
from evertest.servers.authorization import free_ports, post_form
from evertest.servers.token_server import Answer, TokenServer
from evertest.state_layout import slot_files
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.5)

DAY = 86_400
#: Refreshed after an hour, to the second.
LIFETIME = 5400
HOURLY = {"at": "66.67%", "jitter": "0%", "min_interval": "0.5s"}


class AlertCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shim = build_shim(temporary_directory(cls))

    def setUp(self):
        self.directory = temporary_directory(self)
        self.servers = []

    def server(self, **options):
        server = TokenServer(**({"lifetime": LIFETIME} | options)).start()
        at_end(self, server.stop)
        self.servers.append(server)
        return server

    def credential(self, server, name, provider="hourly", **more):
        seed = server.grant(name, "secret of " + name)
        return {"provider": provider, "client_id": name, "client_secret": "secret of " + name,
                "refresh_token": seed, "refresh": HOURLY} | more

    def provider(self, server, **more):
        return {"request": {"url": server.url, "client_auth": "client_secret_basic"}} | more

    def started(self, providers, credentials, fresh=None, **more):
        """A daemon whose credentials have their first token."""
        self.config = {"providers": providers, "credentials": credentials} | more
        self.daemon = ClockedDaemon(self, self.directory, self.config, self.shim).start()
        self.await_fresh(*(credentials if fresh is None else fresh))
        return self.daemon

    def await_fresh(self, *names):
        wait_until(lambda: all(self.daemon.credentials()[name]["state"] == "fresh"
                               for name in names), 20, "fresh: %s" % (names,), self.daemon)

    def assert_agrees(self, *tests):
        """promtool finds that exactly the expected alerts fire."""
        objection = judge(self.directory, *tests)
        if objection is not None:
            self.fail("%s\n%s" % (objection, self.daemon.report()))


class TheRules(AlertCase):
    def test_promtool_finds_no_mistake_in_the_rules_and_the_example(self):
        for arguments in (("check", "rules", "--lint=all", "--lint-fatal", RULES),
                          ("check", "config", ROOT / "config" / "prometheus.example.yml")):
            done = run_promtool(*arguments)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_alert_waits_a_while_has_a_severity_and_names_a_command(self):
        commands = set(re.findall(r"^  ([a-z]+) ", evertoken("--help").stdout, re.MULTILINE))
        for rule in rules():
            with self.subTest(rule["alert"]):
                self.assertEqual(set(rule), {"alert", "expr", "for", "labels", "annotations"})
                self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))
                self.assertEqual(set(rule["annotations"]), {"summary", "description"})
                self.assertRegex(rule["annotations"]["description"],
                                 r"run: (evertoken|systemctl|journalctl|timedatectl)\b")
                named = re.findall(r"\bevertoken ([a-z]+)", rule["annotations"]["description"])
                self.assertLessEqual(set(named), commands, "no such command")

    def test_every_metric_that_a_rule_names_is_exported(self):
        server = self.server(rotate=False)
        self.started({"hourly": self.provider(server, lifecycle={
            "refresh_token": "static", "refresh_token_lifetime": "60d"})},
            {"crm": self.credential(server, "crm")})
        names = {name for name, _ in Recording(self.daemon).rows[0]}
        for rule in rules():
            named = set(re.findall(r"\b(?:evertoken_\w+|up)\b(?![\w\"=)])", rule["expr"]))
            self.assertTrue(named, rule["alert"])
            self.assertEqual(named - names, set(), rule["alert"])


class QuietDay(AlertCase):
    def test_a_day_with_hourly_refreshes_one_retry_one_restart_and_one_reload(self):
        server, brief = self.server(), self.server(lifetime=900)
        session = {"lifecycle": {"refresh_token": "rotating", "refresh_token_lifetime": "2h"}}
        self.started(
            {"hourly": self.provider(server), "brief": self.provider(brief),
             "session": self.provider(server, **session)},
            {"crm": self.credential(server, "crm"),
             "planned-late": self.credential(server, "planned-late", refresh={"at": "95%"}),
             "brief": self.credential(brief, "brief", "brief", refresh={}),
             "session": self.credential(server, "session", "session")})
        day = Recording(self.daemon, interval=240)
        day.live(8 * 60)
        server.plan("crm", Answer(status=503))
        day.live(8 * 60)
        self.daemon.restart()
        self.await_fresh("crm")
        code, _ = self.daemon.request("POST", "/v1/reload")
        self.assertEqual(code, 200)
        day.live(8 * 60)
        seen = [exchange.status for exchange in server.exchanges("crm")]
        self.assertEqual(seen.count(503), 1)
        self.assertIn(seen.count(200), (24, 25), "not hourly")
        self.assertGreater(len(brief.exchanges()), 24 * 4)
        self.assert_agrees(day.promtool("a quiet day", never=True))
        tell("quiet day", scrapes=len(day.rows),
             refreshes=sum(len(server.exchanges()) for server in self.servers))


class Troubles(AlertCase):
    NAMES = ("good", "failing", "login", "wrong", "output", "storage", "planned-late", "damaged")

    def prepared(self):
        """A daemon whose credentials are fresh, and will all but two fail in ways of their own."""
        self.main, self.failing = self.server(), self.server()
        credentials = {name: self.credential(self.main, name) for name in self.NAMES}
        credentials["failing"] = self.credential(self.failing, "failing", "failing")
        credentials["planned-late"]["refresh"] = HOURLY | {"at": "95%"}
        credentials["missing"] = self.credential(self.main, "missing", "away")
        self.outside = self.directory / "outside"
        self.outside.mkdir()
        credentials["output"]["outputs"] = [{"path": str(self.outside / "token")}]
        away = {"request": {"url": "http://127.0.0.1:%d/" % free_ports(1)}}
        daemon = self.started(
            {"hourly": self.provider(self.main), "failing": self.provider(self.failing),
             "away": away}, credentials, fresh=self.NAMES)
        self.assertEqual(daemon.terminate(), 0)
        for path in slot_files(daemon.state / "damaged"):
            with open(path, "r+b") as file:
                file.seek(70)
                file.write(b"\xff" * 64)
        daemon.start()
        self.await_fresh("good")
        self.failing.stop()
        # A spent refresh token ends the sign-in, from any client.
        post_form(self.main.url, {"grant_type": "refresh_token",
                                  "refresh_token": credentials["login"]["refresh_token"]},
                  ("login", "secret of login"))
        self.main.grant("wrong", "another secret", self.main.live_refresh_token("wrong"))
        self.outside.rename(self.directory / "gone")
        (daemon.state / "storage").rename(self.directory / "slots")
        (daemon.state / "storage").write_text("no directory")
        return daemon

    def mend(self):
        self.failing.start()
        (self.directory / "gone").rename(self.outside)
        (self.daemon.state / "storage").unlink()
        (self.directory / "slots").rename(self.daemon.state / "storage")

    def test_every_trouble_has_its_alert_and_the_good_ones_have_none(self):
        self.prepared()
        # Minute 0 is the fiftieth of the tokens' ninety; they are refreshed in the tenth.
        begun = self.daemon.credentials()["good"]["last_refresh_at"]
        self.daemon.clocks.suspend(begun + 3000 - self.daemon.clocks.wall())
        hour = Recording(self.daemon)
        always = {"EvertokenQuarantined": ["damaged"]}
        hour.live(3)
        hour.expect(always)
        hour.live(15)
        always |= {"EvertokenTokenMissing": ["missing"], "EvertokenOutputProblem": ["output"],
                   "EvertokenStorageProblem": ["storage"], "EvertokenMisconfigured": ["wrong"]}
        hour.expect(always)
        hour.live(12)
        always |= {"EvertokenLoginRequired": ["login"]}
        hour.expect(always | {"EvertokenRefreshFailing": ["failing", "storage"],
                              "EvertokenTokenExpiring": ["failing", "login", "storage", "wrong"]})
        hour.live(15)
        hour.expect(always | {"EvertokenTokenExpired": [
            "failing", "login", "output", "storage", "wrong"]})
        self.mend()
        hour.live(15)
        hour.expect({"EvertokenQuarantined": ["damaged"], "EvertokenTokenMissing": ["missing"],
                     "EvertokenLoginRequired": ["login"], "EvertokenMisconfigured": ["wrong"],
                     "EvertokenTokenExpired": ["login", "wrong"]})
        self.assert_agrees(hour.promtool("an hour of troubles"))

    def test_a_renewal_that_waits_for_room_is_late(self):
        server = self.server()
        self.started({"hourly": self.provider(server)}, {
            name: self.credential(server, name) for name in ("slow", "waiting")}, max_in_flight=1)
        recording = Recording(self.daemon)
        recording.live(55)
        recording.expect({})
        server.plan("slow", Answer(delay=4))
        code, _ = self.daemon.request("POST", "/v1/credentials/slow/refresh")
        self.assertEqual(code, 202)
        recording.live(15, patience=0.01)
        recording.expect({"EvertokenRefreshLate": ["waiting"]})
        server.wait_for(lambda seen: seen[-1].client_id == "waiting" and len(seen) > 3)
        recording.live(20)
        recording.expect({})
        self.assert_agrees(recording.promtool("late"))


class Programs(AlertCase):
    def test_a_program_of_on_change_that_fails_until_it_works(self):
        server, flag = self.server(), self.directory / "flag"
        hook = {"exec": ["/usr/bin/test", "-e", str(flag)]}
        self.started({"hourly": self.provider(server)}, {
            "deaf": self.credential(server, "deaf", on_change=[hook]),
            "other": self.credential(server, "other")})
        recording = Recording(self.daemon)
        recording.live(4)
        recording.expect({})
        recording.live(4)
        recording.expect({"EvertokenHookFailing": ["deaf"]})
        flag.touch()
        recording.live(12)
        recording.expect({})
        self.assert_agrees(recording.promtool("a program that fails"))


class TheDaemon(AlertCase):
    def setUp(self):
        super().setUp()
        server = self.server()
        self.started({"hourly": self.provider(server)}, {"crm": self.credential(server, "crm")})

    def test_a_refused_configuration_until_it_is_corrected(self):
        recording = Recording(self.daemon)
        good = self.daemon.config_file.read_text()
        self.daemon.config_file.write_text("{")
        self.daemon.request("POST", "/v1/reload")
        recording.live(4)
        recording.expect({})
        recording.live(4)
        recording.expect({"EvertokenConfigurationRefused": ALL})
        self.daemon.config_file.write_text(good)
        self.daemon.request("POST", "/v1/reload")
        recording.live(1)
        recording.expect({})
        self.assert_agrees(recording.promtool("a refused reload"))

    def test_restarts_and_a_daemon_that_is_down_and_one_that_nobody_scrapes(self):
        recording = Recording(self.daemon)
        for _ in range(3):
            recording.live(2)
            self.daemon.restart()
        recording.live(3)
        recording.expect({})
        self.daemon.restart()
        recording.live(3)
        recording.expect({"EvertokenRestarting": ALL})
        recording.live(14)
        recording.expect({})
        recording.down(4)
        recording.expect({})
        recording.down(3)
        recording.expect({"EvertokenDown": ALL})
        unscraped = {"name": "no scrape arrives", "interval": "1m", "input_series": [],
                     "alert_rule_test": expectations(9, {}) + expectations(
                         12, {"EvertokenAbsent": ALL})}
        self.assert_agrees(recording.promtool("restarts"), unscraped)

    def test_a_clock_that_is_wrong_until_it_is_set(self):
        recording = Recording(self.daemon)
        recording.live(2)
        self.daemon.clocks.step(-120)
        recording.live(4)
        recording.expect({})
        recording.live(4)
        recording.expect({"EvertokenClockWrong": ALL})
        self.daemon.clocks.step(120)
        recording.live(2)
        recording.expect({})
        self.assert_agrees(recording.promtool("a clock"))


class SignIn(AlertCase):
    def test_the_end_of_a_refresh_token_is_told_two_weeks_and_at_last_a_day_before(self):
        keeping, rotating = self.server(rotate=False), self.server()
        self.started(
            {"fixed": self.provider(keeping, lifecycle={
                "refresh_token": "static", "refresh_token_lifetime": "60d"}),
             "sliding": self.provider(rotating, lifecycle={
                 "refresh_token": "rotating", "refresh_token_lifetime": "60d"})},
            {"fixed": self.credential(keeping, "fixed", "fixed"),
             "sliding": self.credential(rotating, "sliding", "sliding")})
        end = self.daemon.credentials()["fixed"]["refresh_token_expires_at"]
        tests = []
        for left, days in ((14.01, None), (13.9, "14"), (7.01, "14"), (6.9, "7"), (3.01, "7"),
                           (2.9, "3"), (1.01, "3"), (0.9, "1")):
            self.daemon.clocks.suspend(end - left * DAY - self.daemon.clocks.wall())
            self.await_fresh("fixed", "sliding")
            recording = Recording(self.daemon)
            recording.live(8)
            recording.expect({} if days is None else {"EvertokenSignInDue": [("fixed", days)]})
            tests.append(recording.promtool("%g days left" % left))
        self.assert_agrees(*tests)
