"""After an upgrade from a version before 0.2, which took from a file all but one line feed at its
end, nothing that was spent is sent (K4)."""

import hashlib

from evertest.former_state import FormerState
from evertest.programs import PlainDaemon, ProgramCase
from evertest.state_layout import SLOT_A, SLOT_B
from evertest.suite import Suite

SUITE = Suite(minutes=0.3)

#: What a build of such a version wrote when it had refreshed "RT1\r" once, and of "RT1\r" where the
#: provider could not be reached: when and with which tokens, and the SHA-256 of the files.
REAL = dict(
    now={"boot": "f1d6ac75-44b0-42dd-8506-41b8c553960e", "uptime": 29875468432348,
         "wall": 1796037154278337122},
    attempt="a78e4fa38012609b54f5896a95c7397f",
    refresh_token="rzIkD5iW3CI3Cmw2m2LMBimPxKXNfn-h-5w4iMKX4yM",
    access_token="A4lKbt8AzI31V6ijQjCI6T1_uMSs9fj2NZpI3u3oBMw", round_trip=1615553,
    date="Mon, 30 Nov 2026 11:12:34 GMT")
REAL_UNSENT = dict(
    now={"boot": "f1d6ac75-44b0-42dd-8506-41b8c553960e", "uptime": 29875832577920,
         "wall": 1796037154642483068}, attempt="ee990bb38f1e00deaac7c662f4d6841f")
DIGESTS = {
    SLOT_A: "341e0b4c16e3fcddf77b88f5c8c68eaf2425cffa30b6d083b6ec539f54e6dfa0",
    SLOT_B: "fd84d644c92c953d4a0c1b5fef2115b01f3871105bbb6b320924626f44311cc5"}
UNSENT = {SLOT_A: "aaefebbebeb65ff0c141922a0501ef479a375fdbe6fc163333f630ab20cf0fca"}

#: What stands in the file, and what such a version made of it.
SAVED = {"crlf": ("%s\r\n", "%s\r"), "blank": ("%s \n", "%s "), "tab": ("%s\t\n", "%s\t"),
         "mark": ("\ufeff%s\n", "\ufeff%s"), "both": ("\ufeff%s\r\n", "\ufeff%s\r"),
         "lines": ("%s\n\n", "%s\n"), "crlfs": ("%s\r\n\r\n", "%s\r\n\r"),
         "before": (" %s\n", " %s"), "plain": ("%s\n", "%s")}


def digests(slots):
    return {name: hashlib.sha256(content).hexdigest() for name, content in slots.items()}


class UpgradeTest(ProgramCase):
    def upgraded(self, state_of, tidied=False):
        """The daemon of now, on states as `state_of` has them, and on such files."""
        folder = self.directory / "daemon"
        folder.mkdir(mode=0o700)
        entries = {}
        for name, (saved, read) in SAVED.items():
            seed = self.directory / ("seed-" + name)
            seed.write_text(("%s\n" if tidied else saved) % self.seed(name), newline="")
            former = FormerState(name, read % self.seed(name), refresh_token="RT2-" + name)
            former.write(folder / "state", state_of(former))
            self.server.grant(name, "secret", former.refresh_token)
            entries[name] = {"provider": "as", "client_id": name, "client_secret": "secret",
                             "refresh_token": {"file": str(seed)},
                             "refresh": {"min_interval": "0.5s"}}
        self.running = PlainDaemon(self, folder, self.config(entries), {}).start()

    @staticmethod
    def seed(name):
        return "RT1-" + name

    def assert_goes_on(self, name):
        """With what the former version was given, and never with the seed."""
        for _ in range(2):
            self.assert_exit(self.running.evertoken("refresh", name, "--wait"), 0)
        exchanges = self.server.exchanges(name)
        self.assertEqual(exchanges[0].refresh_token, "RT2-" + name)
        self.assertEqual([e.refresh_token for e in exchanges if "RT1" in e.refresh_token], [])
        self.assertEqual({e.status for e in exchanges}, {200})
        self.assertIsNone(self.running.credentials()[name]["candidate"])

    def test_the_state_is_what_a_former_build_wrote(self):
        self.assertEqual(digests(FormerState("crlf", "RT1\r", **REAL).refreshed()), DIGESTS)
        self.assertEqual(digests(FormerState("down", "RT1\r", **REAL_UNSENT).unsent()), UNSENT)

    def assert_all_go_on(self):
        self.assert_exit(self.running.evertoken("reload"), 0)
        for name in SAVED:
            with self.subTest(name):
                self.running.wait_for(name, "fresh")
                self.assert_goes_on(name)

    def test_what_has_become_tokens_is_not_sent_again(self):
        self.upgraded(FormerState.refreshed)
        self.assert_all_go_on()

    def test_nor_where_the_answer_to_it_is_all_that_was_saved(self):
        self.upgraded(FormerState.answered)
        self.assert_all_go_on()

    def test_nor_where_the_file_was_tidied_up_with_the_upgrade(self):
        self.upgraded(FormerState.refreshed, tidied=True)
        self.assert_all_go_on()

    def test_what_was_never_sent_is_sent_as_it_reads_now(self):
        self.upgraded(FormerState.unsent)
        self.server.wait_for(lambda seen: {e.client_id for e in seen} == set(SAVED))
        for name in SAVED:
            self.assertEqual(self.server.exchanges(name)[0].refresh_token, self.seed(name))
