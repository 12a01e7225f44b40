"""Where the second of two requests goes when the first one's answer names the host.

A forged answer must not send a client's secrets to the forger: the host must have the same owner as
the one that answered, or match the profile's pattern for it. 127.0.0.2 is the foreign host here; it
listens, so that a request to it would be seen. The first step's refresh token is safe in any
case.
"""

from evertest.steps import StepsCase, rotating
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.1)

NAME = "sf"
LOGIN = "${steps.oauth.instance_url}/login"


class HostsTest(StepsCase):
    def setUp(self):
        self.listen()

    def listen(self):
        """A new server, which answers at two addresses."""
        self.serve()
        self.stranger = self.server.listen("127.0.0.2")

    def begin(self, instance_url, *, regex=None):
        """Starts with a first step that names this host, and a profile that keeps it: as it is, or
        so much of it as matches."""
        self.server.instance_url = instance_url
        kept = "/instance_url" if regex is None else {"path": "/instance_url", "regex": regex}
        self.start(rotating(self.server.base, lifetime="1h", login=LOGIN,
                            keep={"instance_url": kept}), NAME)

    def logins(self):
        return [(call.host, call.status) for call in self.server.calls("login")]

    def assert_refused(self, *words):
        """The second step is not made, says why, and has cost nothing: mended, it is made."""
        error = self.wait_state(NAME, "misconfigured", "config")["last_error"]
        self.assertIsNone(error["http_status"], error)
        self.assertTrue(error["remedy"], error)
        self.assertNotIn("evil", error["problem"])  # what a server writes is never quoted
        for word in words:
            self.assertIn(word, error["problem"] + "; " + error["remedy"])
        self.assertEqual([call.step for call in self.server.calls()], ["oauth"])
        self.assertEqual(self.server.accepted("127.0.0.2"), 0)
        self.assert_chain_whole(NAME)
        self.server.instance_url = self.server.base
        self.refresh(NAME)
        self.wait_state(NAME, "fresh")
        self.assertEqual(self.logins(), [("127.0.0.1", 200)])
        self.assert_chain_whole(NAME)
        self.assert_silent()

    def test_the_host_that_answered_is_used(self):
        self.begin(self.server.base)
        self.wait_state(NAME, "fresh")
        self.assertEqual(self.logins(), [("127.0.0.1", 200)])
        token = self.published(NAME)
        self.assertEqual(token["instance_url"], self.server.base)
        self.assertEqual(token["access_token"], self.server.calls("login")[0].given)

    def test_another_address_is_refused(self):
        self.begin(self.stranger)
        self.assert_refused("steps.oauth.instance_url", "names a host outside 127.0.0.1's", "regex")

    def test_another_name_is_refused(self):
        for url in ("https://evil.example", "https://127.0.0.1.evil.example",
                    "https://evil.example:443/127.0.0.1", "https://127.0.0.10"):
            with self.subTest(url):
                self.listen()
                self.begin(url)
                self.assert_refused("names a host outside 127.0.0.1's")
                self.daemon.close()

    def test_an_address_in_disguise_is_refused(self):
        for form in ("http://HERE@THERE", "http://HERE\\@THERE", "http://THERE#@HERE",
                     "http://THERE?@HERE", "http://THERE/@HERE", "http://HERE\n@THERE",
                     "http://127.0.0.1.THERE", "//THERE", "THERE", "ftp://THERE", "http://",
                     "file:///etc/passwd", "http://evil.example", "https://evil.example#"):
            with self.subTest(form):
                self.listen()
                places = {"HERE": self.server.base, "THERE": self.stranger}
                for word, base in places.items():
                    form = form.replace(word, base.removeprefix("http://"))
                self.begin(form)
                self.assert_refused()
                self.daemon.close()

    def test_another_address_is_used_where_a_pattern_for_all_of_it_lets_it_pass(self):
        self.begin(self.stranger, regex=r"^http://127\.0\.0\.[12]:[0-9]+$")
        self.wait_state(NAME, "fresh")
        self.assertEqual(self.logins(), [("127.0.0.2", 200)])
        self.assertEqual(self.published(NAME)["instance_url"], self.stranger)
        self.assertEqual({call.host for call in self.server.calls("oauth")}, {"127.0.0.1"})
        self.assert_chain_whole(NAME)

    def test_a_pattern_for_a_part_of_it_vouches_for_nothing(self):
        for regex in (r"http://127\.0\.0\.[12]:[0-9]+", r"^http://127\.0\.0\.[12]:[0-9]+"):
            with self.subTest(regex):
                self.listen()
                self.begin(self.stranger, regex=regex)
                self.assert_refused("names a host outside 127.0.0.1's", "anchored")
                self.daemon.close()

    def test_what_a_pattern_does_not_let_pass_is_not_there(self):
        self.begin(self.stranger, regex=r"^http://127\.0\.0\.1:[0-9]+$")
        self.assert_refused("the URL needs steps.oauth.instance_url")
