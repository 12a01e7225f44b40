"""What people really save in the files of secrets: Windows line ends, byte order marks, blanks,
UTF-16. The server only knows the secret itself."""

import json

from evertest.programs import ProgramCase, evertoken
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.1)

SECRET = "s3cret of crm"
MARK = b"\xef\xbb\xbf"

#: What a text may stand between, and what of that is worth telling.
SURROUNDINGS = {
    "crlf": (b"", b"\r\n", True), "blank": (b"", b" \n", True), "tab": (b"\t", b"", True),
    "lines": (b"\n", b"\n\n", True), "mark": (MARK, b"", True), "windows": (MARK, b"\r\n", True),
    "unix": (b"", b"\n", False), "bare": (b"", b"", False),
}


class SecretTextTest(ProgramCase):
    def setUp(self):
        super().setUp()
        self.store = self.directory / "store"
        self.store.mkdir(mode=0o700)

    def put(self, name, content):
        path = self.store / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        return {"file": str(path)}

    def entry(self, name, source, *, secret=SECRET):
        entry = self.machine(name, client_secret=source)
        self.server.grant(name, secret)
        return entry

    def test_white_space_around_a_secret_is_dropped_and_told_once(self):
        sources = {name: self.put(name, before + SECRET.encode() + after)
                   for name, (before, after, _) in SURROUNDINGS.items()}
        daemon = self.daemon({name: self.entry(name, source) for name, source in sources.items()})
        for name in sources:
            with self.subTest(name):
                daemon.wait_for(name, "fresh")
                self.assert_exit(daemon.evertoken("refresh", name, "--wait"), 0)
        log = daemon.stderr()
        self.assertNotIn(SECRET, log)
        for name, (_, _, is_told) in SURROUNDINGS.items():
            lines = [line for line in log.splitlines()
                     if "around a secret" in line and sources[name]["file"] in line]
            self.assertEqual(len(lines), 1 if is_told else 0, (name, lines))

    def test_every_place_and_every_value_is_read_so(self):
        entry = self.credential("crm")
        seed = self.server.grant("crm", SECRET)
        entry["client_id"] = self.put("client_id", MARK + b"crm\r\n")
        entry["client_secret"] = {"env": "CRM_SECRET"}
        entry["refresh_token"] = {
            "command": ["/usr/bin/printf", "%s \\r\\n", seed]}
        self.put("other-secret", SECRET.encode() + b"\r\n")
        daemon = self.daemon(
            {"crm": entry, "other": self.entry("other", {"credential": "other-secret"})},
            environment={"CRM_SECRET": "  %s\r" % SECRET, "CREDENTIALS_DIRECTORY": str(self.store)})
        for name in ("crm", "other"):
            daemon.wait_for(name, "fresh")

    def test_white_space_that_belongs_to_the_secret_is_sent_where_trim_is_false(self):
        source = self.put("crm", b" spaced out\r\n") | {"trim": False}
        daemon = self.daemon({"crm": self.entry("crm", source, secret=" spaced out\r\n")})
        daemon.wait_for("crm", "fresh")
        self.assertNotIn("around a secret", daemon.stderr())

    def test_what_can_be_no_secret_is_refused_by_name_and_never_sent(self):
        contents = {
            "utf16": ("\ufeff" + SECRET).encode("utf-16-le"), "nul": b"s3\0cret\n",
            "bell": b"s3\x07cret\n", "lines": b"s3cret\nof crm\n", "tab": b"s3cret\tof crm",
            "blank": MARK + b" \r\n", "dos": b"s3cret\r\n\x1a",
        }
        words = {"utf16": "UTF-16", "nul": "U+0000", "bell": "U+0007", "lines": "line",
                 "tab": "U+0009", "blank": "empty", "dos": "U+001A"}
        sources = {name: self.put(name, content) for name, content in contents.items()}
        daemon = self.daemon({name: self.entry(name, source) for name, source in sources.items()})
        for name, source in sources.items():
            with self.subTest(name):
                daemon.wait_for(name, "misconfigured")
                problem = daemon.credentials()[name]["last_error"]["problem"]
                self.assertIn(source["file"], problem)
                self.assertIn(words[name], problem)
                self.assertEqual(self.server.exchanges(name), [])
        self.assertNotIn("s3", daemon.stderr() + json.dumps(daemon.status()))

    def test_check_tells_of_each_file_what_the_daemon_would(self):
        self.put("crlf", SECRET.encode() + b"\r\n")
        self.put("utf16", SECRET.encode("utf-16"))
        self.put("good", SECRET.encode() + b"\n")
        config = self.config({
            name: self.machine(name, client_secret={"file": str(self.store / name)})
            for name in ("crlf", "utf16", "good", "missing")})
        path = self.store / "evertoken.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        done = evertoken("check", "--config", str(path))
        self.assert_exit(done, 0, "crlf.client_secret: ", "carriage returns",
                         "utf16.client_secret: ", "UTF-16", "missing.client_secret: ")
        self.assertNotIn("good", done.stderr)
        self.assertNotIn("s3cret", done.stderr + done.stdout)
