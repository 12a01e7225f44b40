"""Metrics and health of the real daemon in the situations that an operator meets, read by the
official OpenMetrics parser and compared with `status --json` and with what the provider saw.

Needs root and, from Debian: python3-prometheus-client."""

import json
import re
import time

from prometheus_client.parser import text_string_to_metric_families

from evertest.basics import wait_until
from evertest.programs import ProgramCase, evertoken
from evertest.scrapes import CONTENT_TYPE, Scrape, get, health, scrape
from evertest.servers.authorization import free_ports
from evertest.servers.token_server import Answer
from evertest.state_layout import slot_files
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.4)

#: What `healthz` always holds.
REASONS = ("expired", "login_required", "misconfigured", "quarantined", "pending", "storage",
           "output", "attention")


class MetricsCase(ProgramCase):
    def started(self, credentials, **more):
        """A running daemon that also listens on loopback."""
        self.port = free_ports(1)
        self.running = self.daemon(
            credentials, metrics={"listen": "127.0.0.1:%d" % self.port}, **more)
        return self.running

    def scraped(self):
        """A scrape that was compared with `status --json`, on both listeners."""
        for _ in range(50):
            before = self.status_json()
            found = scrape(self.running)
            status, content_type, text = get(self.port, "/metrics")
            if before == self.status_json():
                break
        self.assertEqual((status, content_type), (200, CONTENT_TYPE))
        self.assertTrue(text.endswith("\n# EOF\n"))
        self.assertEqual(Scrape(text).samples.keys(), found.samples.keys())
        self.compare(found, before)
        self.assert_no_secret(text)
        return found

    def status_json(self):
        return json.loads(self.running.evertoken("status", "--json").stdout)

    def compare(self, found, status):
        self.assertEqual(found.value("evertoken_start_timestamp_seconds"), status["started_at"])
        self.assertEqual(found.value("evertoken_configuration_mistakes"),
                         len(status.get("configuration_mistakes") or []))
        self.assertEqual(found.value("evertoken_ready"), float(status["state"] != "starting"))
        self.assertAlmostEqual(found.value("evertoken_clock_timestamp_seconds"), time.time(),
                               delta=5)
        names = {entry["name"] for entry in status["credentials"]}
        self.assertEqual({dict(labels)["credential"] for _, labels in found.samples
                          if "credential" in dict(labels)}, names)
        for entry in status["credentials"]:
            name = entry["name"]
            self.assertEqual(found.state(name), entry["state"])
            self.assertEqual(found.value("evertoken_credential_info", credential=name,
                                         provider=entry["provider"]), 1)
            for metric, field in (
                    ("access_token_expiry_timestamp_seconds", "expires_at"),
                    ("refresh_token_expiry_timestamp_seconds", "refresh_token_expires_at"),
                    ("last_refresh_timestamp_seconds", "last_refresh_at"),
                    ("next_refresh_timestamp_seconds", "next_refresh_at"),
                    ("refreshes_total", "refreshes"),
                    ("consecutive_failures", "consecutive_failures")):
                self.assertEqual(found.value("evertoken_" + metric, credential=name),
                                 entry[field], metric)

    def assert_no_secret(self, text):
        for secret in self.server.secret_texts():
            self.assertNotIn(secret, text)

    def assert_health(self, code, status, **names):
        """The answer of both listeners, once it is this; reasons that are not named are empty."""
        expected = {"status": status} | {reason: [] for reason in REASONS} | names

        wait_until(lambda: health(self.running, self.port) == (code, expected), 5,
                   "healthz to say %d %s; it says %s" % (
                       code, expected, health(self.running, self.port)), self.running)

    def assert_histogram(self, found, provider, count):
        """As many durations as attempts, in buckets that grow."""
        name = "evertoken_refresh_duration_seconds"
        self.assertEqual(found.value(name + "_count", provider=provider), count)
        buckets = sorted((float(dict(labels)["le"]), value) for labels, value
                         in found.series(name + "_bucket", provider=provider).items())
        self.assertEqual(len(buckets), 11)
        self.assertEqual([value for _, value in buckets], sorted(value for _, value in buckets))
        self.assertEqual(buckets[-1], (float("inf"), count))
        self.assertAlmostEqual(found.value(name + "_created", provider=provider), time.time(),
                               delta=60)
        return dict(buckets), found.value(name + "_sum", provider=provider)

    def refresh(self, name, code=75):
        done = self.running.evertoken("refresh", name, "--wait")
        self.assertEqual(done.returncode, code, done.stderr)


class Served(MetricsCase):
    def test_a_fresh_daemon_and_one_that_was_restarted(self):
        self.started({name: self.credential(name) for name in ("crm", "drive-2.x_y")})
        for name in ("crm", "drive-2.x_y"):
            self.running.wait_for(name, "fresh")
        time.sleep(0.6)  # min_interval
        self.server.plan("crm", Answer(delay=0.3))
        self.refresh("crm", 0)
        found = self.scraped()
        version = evertoken("--version").stdout.strip()
        self.assertEqual(found.value("evertoken_build_info", version=version), 1)
        self.assertEqual(found.attempts("crm"), {"none": 2})
        self.assertEqual(found.attempts("drive-2.x_y"), {"none": 1})
        self.assertEqual(found.value("evertoken_output_problem", credential="crm"), 0)
        self.assertEqual(found.value("evertoken_storage_problem", credential="crm"), 0)
        self.assertLess(found.value("evertoken_refresh_lateness_seconds", credential="crm"), 2)
        seen = self.server.exchanges()
        buckets, total = self.assert_histogram(found, "as", len(seen))
        spent = sum(e.answered_at - e.asked_at for e in seen)
        self.assertGreater(total, 0.3)
        self.assertLess(total, spent + 3)
        self.assertLess(buckets[0.25], 3, "the delayed one is counted as quick")
        self.assert_health(200, "ok")

        self.running.restart()
        self.running.wait_for("crm", "fresh")
        after = self.scraped()
        self.assertEqual(after.value("evertoken_refreshes_total", credential="crm"), 2)
        self.assertEqual(after.attempts("crm"), {"none": 0})
        self.assert_histogram(after, "as", 0)
        self.assertGreaterEqual(after.value("evertoken_start_timestamp_seconds"),
                                found.value("evertoken_start_timestamp_seconds"))
        self.assert_health(200, "ok")

    def test_what_is_configured_no_longer_leaves_no_series(self):
        self.started({"crm": self.credential("crm"), "m": self.machine("m")})
        self.running.wait_for("crm", "fresh")
        self.running.wait_for("m", "fresh")
        self.assertEqual(self.scraped().attempts("m"), {"none": 1})
        more = {"metrics": {"listen": "127.0.0.1:%d" % self.port}}
        self.running.reconfigure(self.config({"crm": self.credential("crm")}, **more))
        found = self.scraped()
        self.assertNotIn('"m"', found.text)
        self.assertNotIn('"machine"', found.text)
        self.assertEqual(found.attempts("crm"), {"none": 1})
        self.running.reconfigure(self.config({}, **more))
        self.assertNotIn("credential=", self.scraped().text)
        self.assert_health(200, "ok")

    def test_a_refused_reload_counts_its_mistakes_until_the_next_one(self):
        self.started({"crm": self.credential("crm")})
        self.running.wait_for("crm", "fresh")
        good = self.running.config_file.read_text()
        self.running.config_file.write_text(
            good.replace('"client_id"', '"klient_id"').replace('"provider"', '"providor"'))
        self.assertEqual(self.running.evertoken("reload").returncode, 78)
        found = self.scraped()
        self.assertGreaterEqual(found.value("evertoken_configuration_mistakes"), 2)
        self.assert_health(200, "ok")
        self.running.config_file.write_text(good)
        self.assertEqual(self.running.evertoken("reload").returncode, 0)
        self.assertEqual(self.scraped().value("evertoken_configuration_mistakes"), 0)


class Forms(MetricsCase):
    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    #: What Prometheus 2.53 and 3.1 ask with by default.
    PROMETHEUS_2 = ("application/openmetrics-text;version=1.0.0;q=0.5,"
                    "application/openmetrics-text;version=0.0.1;q=0.4,"
                    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
    OLDER = "text/plain;version=0.0.4;q=1,*/*;q=0.1"

    def test_the_older_text_has_the_same_samples_under_the_same_names(self):
        self.started({"crm": self.credential("crm"), "out": self.signed_out("out")})
        self.running.wait_for("crm", "fresh")
        self.running.wait_for("out", "login_required")
        found = self.scraped()
        status, content_type, text = get(self.port, "/metrics", Accept=self.OLDER)
        self.assertEqual((status, content_type), (200, self.TEXT))
        self.assertNotIn("# EOF", text)
        self.assertNotIn("# UNIT", text)
        self.assert_no_secret(text)
        samples = {(sample.name, tuple(sorted(sample.labels.items())))
                   for family in text_string_to_metric_families(text) for sample in family.samples}
        self.assertEqual(samples, {key for key in found.samples if not key[0].endswith("_created")})
        kinds = dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", text))
        self.assertEqual(kinds["evertoken_refreshes_total"], "counter")
        self.assertEqual(kinds["evertoken_credential_state"], "gauge")
        self.assertEqual(kinds["evertoken_build_info"], "gauge")
        self.assertEqual(kinds["evertoken_refresh_duration_seconds"], "histogram")
        self.assertEqual(set(kinds), set(re.findall(r"(?m)^# HELP (\S+) ", text)))

    def test_the_one_that_is_wanted_more_is_given_and_the_newer_one_where_none_is(self):
        self.started({"crm": self.credential("crm")})
        for accept, given in ((self.PROMETHEUS_2, CONTENT_TYPE), (self.OLDER, self.TEXT),
                              ("text/plain", self.TEXT), ("*/*", CONTENT_TYPE),
                              ("application/json", CONTENT_TYPE)):
            with self.subTest(accept):
                self.assertEqual(get(self.port, "/metrics", Accept=accept)[1], given)
        self.assertEqual(get(self.port, "/metrics")[1], CONTENT_TYPE)

    def test_liveness_does_not_fail_because_a_person_is_needed(self):
        self.started({"out": self.signed_out("out")})
        alive = (200, "application/json", '{"status":"ok"}\n')
        self.assertEqual(get(self.port, "/livez"), alive, "before anything is settled")
        self.running.wait_for("out", "login_required")
        self.assert_health(503, "login_required", login_required=["out"])
        self.assertEqual(get(self.port, "/livez"), alive)
        self.assertEqual(self.running.request("GET", "/livez"), (200, {"status": "ok"}))
        self.assertEqual(get(self.port, "/livez/")[0], 404)


class Troubled(MetricsCase):
    def test_failures_are_counted_by_the_class_that_status_shows(self):
        self.server.plan("crm", Answer(), Answer(status=503), Answer(
            status=429, headers={"Retry-After": "1"}), Answer(cut=True, rotate=False))
        self.started({"crm": self.credential("crm", refresh={
            "min_interval": "0.5s", "retry": {"initial": "0.1s", "max": "0.2s"}})})
        self.running.wait_for("crm", "fresh")
        time.sleep(0.6)
        self.refresh("crm")
        self.assert_health(200, "ok")
        self.server.wait_for(lambda seen: len(seen) == 5)
        self.running.wait_for("crm", "fresh")
        found = self.scraped()
        self.assertEqual(found.attempts("crm"),
                         {"none": 2, "transient": 1, "rate_limited": 1, "ambiguous": 1})
        self.assertEqual([e.status for e in self.server.exchanges()], [200, 503, 429, 200, 200])
        self.assert_histogram(found, "as", 5)

    def test_a_token_that_ends_while_the_provider_is_away(self):
        self.server.lifetime = 2
        self.started({"crm": self.credential("crm")}, ready_timeout="1s")
        self.running.wait_for("crm", "fresh")
        self.server.stop()
        self.running.wait_for("crm", "expired")
        self.assert_health(503, "expired", expired=["crm"])
        found = self.scraped()
        self.assertGreater(found.value("evertoken_consecutive_failures", credential="crm"), 0)
        self.assertGreater(found.attempts("crm")["transient"], 0)
        self.assertLess(found.value("evertoken_access_token_expiry_timestamp_seconds",
                                    credential="crm"), time.time() + 1)
        self.running.kill()
        # Started again without a provider and without a token that lives.
        self.running.start()
        self.assertEqual(health(self.running, self.port)[1]["status"], "starting")
        self.assert_health(503, "expired", expired=["crm"])

    def test_credentials_that_need_a_person_with_and_without_a_living_token(self):
        seedless = {k: v for k, v in self.credential("old").items() if k != "refresh_token"}
        secret = self.credential("wrong")
        self.started({"out": self.signed_out("out"), "old": seedless,
                      "wrong": secret | {"client_secret": "not the one"}})
        self.running.wait_for("out", "login_required")
        self.running.wait_for("wrong", "misconfigured")
        self.running.wait_for("old", "login_required")
        self.assertEqual(self.running.evertoken(
            "import", "old", text='{"access_token": "x", "expires_in": 3}').returncode, 0)
        wait_until(lambda: self.running.file("old/token") == "x", 5, "the imported token")
        self.refresh("old")
        self.running.wait_for("old", "login_required")
        found = self.scraped()
        # It is tried again soon, for a deploy may be under way.
        self.assertGreaterEqual(found.attempts("wrong").pop("config"), 1)
        self.assertEqual(found.attempts("wrong")["none"], 0)
        self.assertEqual(found.attempts("out")["reauth"], len(self.server.exchanges("out")))
        self.assertEqual(found.attempts("old"), {"none": 0}, "nothing was sent")
        self.assertIsNone(found.value("evertoken_next_refresh_timestamp_seconds",
                                      credential="old"))
        self.assert_health(503, "login_required", login_required=["out"],
                           misconfigured=["wrong"], attention=["old"])
        self.assert_health(503, "login_required", login_required=["old", "out"],
                           misconfigured=["wrong"])

    def test_slots_that_cannot_be_read(self):
        self.started({"crm": self.credential("crm")})
        self.running.wait_for("crm", "fresh")
        self.assertEqual(self.running.terminate(), 0)
        for path in slot_files(self.running.state / "crm"):
            with open(path, "r+b") as file:
                file.seek(70)
                file.write(b"\xff" * 64)
        self.running.start()
        self.running.wait_for("crm", "quarantined")
        self.scraped()
        self.assert_health(503, "quarantined", quarantined=["crm"])

    def test_files_that_cannot_be_written_and_then_can(self):
        outside = self.directory / "outside"
        outside.mkdir()
        self.started({"crm": self.credential("crm", outputs=[{"path": str(outside / "token")}])})
        self.running.wait_for("crm", "fresh")
        outside.rename(self.directory / "away")
        time.sleep(0.6)
        self.running.evertoken("refresh", "crm", "--wait")
        self.running.wait_for("crm", "retrying")
        found = self.scraped()
        self.assertEqual(found.value("evertoken_output_problem", credential="crm"), 1)
        self.assertEqual(found.attempts("crm"), {"none": 2}, "the refresh itself was a success")
        self.assert_health(503, "output", output=["crm"])
        (self.directory / "away").rename(outside)
        self.running.wait_for("crm", "fresh")
        self.assertEqual(self.scraped().value("evertoken_output_problem", credential="crm"), 0)
        self.assert_health(200, "ok")

    def test_a_state_that_cannot_be_written_and_then_can(self):
        self.started({"crm": self.credential("crm")})
        self.running.wait_for("crm", "fresh")
        slots = self.running.state / "crm"
        slots.rename(self.directory / "slots")
        slots.write_text("no directory")
        time.sleep(0.6)
        self.refresh("crm")
        found = self.scraped()
        self.assertEqual(found.value("evertoken_storage_problem", credential="crm"), 1)
        self.assertGreaterEqual(found.attempts("crm")["storage"], 1)
        self.assertEqual(len(self.server.exchanges()), 1, "nothing is sent")
        self.assert_health(503, "storage", storage=["crm"])
        slots.unlink()
        (self.directory / "slots").rename(slots)
        self.running.wait_for("crm", "fresh")
        self.assertEqual(self.scraped().value("evertoken_storage_problem", credential="crm"), 0)
        self.assert_health(200, "ok")
