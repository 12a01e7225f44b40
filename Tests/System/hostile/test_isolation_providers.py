"""One provider cannot harm the credentials of another one.

One daemon serves them all, and a provider chooses what it answers, how large and how slowly. So
beside each hostile provider stands a healthy one with tokens that live for four seconds, and what
is published of it is looked at all the time: a token older than that is a lapse. The bodies come
from evertest/servers/worst_bodies.py. Name servers and proxies are in test_isolation_names.py.
"""

import itertools
import json
import os
import re
import time

from evertest.basics import wait_until
from evertest.isolation.providers import EAGER, PROMPT, IsolationCase
from evertest.servers.raw_server import RawServer, answer, replying, silent
from evertest.servers.worst_bodies import bodies, content_type
from evertest.state_layout import ANSWER_MAGIC, slot_files
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.8)

#: Answers that are no grant are tried again soon, after a pattern has looked at them.
TRANSIENT = [
    {"if": [{"path": "/error_description",
             "matches": "(?i)rate.?limit|too many|quota|throttl"}], "class": "transient"},
    {"if": [{"path": "/error", "exists": True}], "class": "transient"},
    {"if": [{"status": ["4xx"]}], "class": "transient"}]


class WorstServer(RawServer):
    """Answers with one body after another; every second answer is a refusal."""

    def __init__(self, wanted=""):
        self.bodies = [(name, body) for name, body in bodies().items() if re.search(wanted, name)]
        self._numbers = itertools.count()
        super().__init__(self._answer)

    @property
    def answers(self):
        return len(self.connections)

    def _answer(self, connection):
        number = next(self._numbers)
        name, body = self.bodies[number % len(self.bodies)]
        status = 400 if (number + number // len(self.bodies)) % 2 else 200
        connection.read_request()
        connection.send(answer(status, body, [("Content-Type", content_type(name))]))


def processor_seconds(pid):
    """User and system time that a process has taken (proc(5), stat: fields 14 and 15)."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stored_answers(daemon):
    """How many credentials have an answer in one of their slots."""
    return sum(any(ANSWER_MAGIC in slot.read_bytes() for slot in slot_files(folder))
               for folder in daemon.state.iterdir() if folder.is_dir())


def texts(node):
    """All names and texts in a parsed JSON value."""
    if isinstance(node, dict):
        return [*node, *texts(list(node.values()))]
    if isinstance(node, list):
        return [text for element in node for text in texts(element)]
    return [str(node)]


class WorstBodiesTest(IsolationCase):
    def hostile(self, server):
        """A daemon with 24 credentials at this server; not started."""
        profile = self.provider(server.port, errors=TRANSIENT, response={"default_lifetime": "2s"})
        return self.isolated({"hostile": profile}, {
            f"hostile-{number}": {"provider": "hostile", "refresh": EAGER}
            for number in range(24)})

    def test_the_worst_bodies_of_one_provider_do_not_keep_another_one_waiting(self):
        server = self.serve(WorstServer())
        daemon = self.hostile(server)
        watch = self.start_watched(daemon)
        self.assert_never_lapses(watch, daemon, 15)
        wait_until(lambda: server.answers > 2 * len(server.bodies), 30,
                   "every body at either status", daemon)
        self.assertEqual(watch.stale, {})

    def test_no_step_of_the_loop_takes_long_over_them_and_each_is_measured(self):
        server = self.serve(WorstServer())
        daemon = self.hostile(server).start()
        wait_until(lambda: server.answers > 2 * len(server.bodies), 60,
                   "every body at either status", daemon)
        status, text = daemon.request("GET", "/metrics")
        self.assertEqual(status, 200)
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
        for name in ("evertoken_loop_step_seconds", "evertoken_loop_step_cpu_seconds"):
            self.assertIn(f'{name}_bucket{{le="0.05"}}', values)
            self.assertGreater(int(values[f"{name}_count"]), 100)
            self.assertEqual(values[f'{name}_bucket{{le="+Inf"}}'], values[f"{name}_count"])
        steps = {key: value for key, value in values.items() if "loop_step_cpu" in key}
        self.assertEqual(steps['evertoken_loop_step_cpu_seconds_bucket{le="0.05"}'],
                         steps["evertoken_loop_step_cpu_seconds_count"], steps)

    def test_a_restart_with_such_answers_on_the_disk_is_prompt_and_cheap(self):
        server = self.serve(WorstServer("marks|ladder"))
        daemon = self.hostile(server)
        daemon.start(wait=False)
        wait_until(lambda: stored_answers(daemon) >= 20, 60, "stored answers", daemon)
        server.stop()  # so that the answers on the disk are all that there is to read
        daemon.kill()
        begun, last = time.monotonic(), self.server.exchanges("healthy")
        daemon.start(wait=False)
        wait_until(lambda: len(self.server.exchanges("healthy")) > len(last), 60,
                   "a request of the healthy credential", daemon)
        daemon.wait_for("healthy", "fresh", 60)
        self.assertLess(time.monotonic() - begun, PROMPT, "seconds until it was fresh again")
        wait_until(lambda: time.monotonic() - begun > 10, 20, "the end of ten seconds", daemon)
        self.assertLess(processor_seconds(daemon.process.pid), 4)


class SilentProviderTest(IsolationCase):
    def test_a_provider_that_never_answers_leaves_room_to_others(self):
        server = self.serve(RawServer(silent))
        daemon = self.isolated({"silent": self.provider(server.port)}, {
            f"silent-{number:02}": {"provider": "silent"} for number in range(80)})
        watch = self.start_watched(daemon)
        wait_until(lambda: len(server.connections) >= 16, 10, "all it may have", daemon)
        self.assert_never_lapses(watch, daemon, 15)


class RefreshTokenTest(IsolationCase):
    """Programs that read a token file must not be able to refresh."""

    def granting(self, name, *, profile=None, seed=None, place="daemon", **fields):
        """A daemon with a credential whose provider always gives these fields."""
        body = json.dumps({"token_type": "Bearer", "expires_in": 3600} | fields).encode()
        server = self.serve(RawServer(replying(200, body)))
        entry = {"provider": name, "refresh": EAGER}
        if seed is not None:
            entry["refresh_token"] = seed
        provider = self.provider(server.port, **(profile or {}))
        return self.isolated({name: provider}, {name: entry}, place=place).start()

    def published(self, daemon):
        """Every text in the files of the token directory: the files, and what JSON spells."""
        files = [path.read_text() for path in daemon.tokens.rglob("*") if path.is_file()]
        return "\n".join(itertools.chain(files, *(
            texts(json.loads(file)) for file in files if file.startswith("{"))))

    def assert_refused(self, daemon, name, token):
        """The attempt ends with an error that names the setting, and publishes nothing."""
        def ended():
            entry = daemon.credentials()[name]
            return entry if entry["last_error"] or entry["state"] == "fresh" else None

        entry = wait_until(ended, 20, "an end of the attempt", daemon)
        self.assertNotEqual(entry["state"], "fresh", "it was published")
        self.assertIn("lifecycle.refresh_token: access_token", entry["last_error"]["remedy"])
        self.assertIsNone(daemon.file(f"{name}/token"))
        self.assertIsNone(daemon.file(f"{name}/token.json"))
        self.assertNotIn(token, self.published(daemon))

    def test_an_access_token_that_is_the_new_refresh_token_is_not_published(self):
        daemon = self.granting("same", access_token="one-for-both", refresh_token="one-for-both")
        self.assert_refused(daemon, "same", "one-for-both")

    def test_an_access_token_that_is_the_refresh_token_just_sent_is_not_published(self):
        for number, more in enumerate(({}, {"refresh_token": "a-new-one"})):
            with self.subTest(more=more):
                daemon = self.granting("echo", place=f"daemon-{number}", seed="one-sent",
                                       access_token="one-sent", **more)
                self.assert_refused(daemon, "echo", "one-sent")

    def test_it_is_published_where_the_profile_says_that_it_renews_itself(self):
        daemon = self.granting("own", profile={"lifecycle": {"refresh_token": "access_token"}},
                               access_token="renews-itself")
        daemon.wait_for("own", "fresh")
        self.assertEqual(daemon.file("own/token"), "renews-itself")

    def test_a_refresh_token_that_is_repeated_in_another_field_is_published_nowhere(self):
        token = 'rt-"quoted"\\slashed\\"both'
        names = ("plain", "marked", "within", "deep", "key", "harmless")
        keep = {name: f"/{name}" for name in names}
        daemon = self.granting(
            "echo", profile={"response": {"keep": keep}}, access_token="at-1",
            refresh_token=token, scope="read " + token, plain=token, marked=token + "\u0301",
            within=f"before {token}\u0315\u0300 after", deep=[{"a": [token + "\u200d"]}],
            key={token + "\u0301": 1}, harmless='"quoted" \\ e\u0301')
        daemon.wait_for("echo", "fresh")
        self.assertNotIn(token, self.published(daemon))
        document = json.loads(daemon.file("echo/token.json"))
        self.assertEqual(document["harmless"], '"quoted" \\ e\u0301')
        self.assertEqual([name for name in (*names[:-1], "scope") if name in document], [])
