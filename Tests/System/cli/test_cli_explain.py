"""`evertoken explain` and `evertoken logs`: what words mean, and the journal of one credential."""

import os
import re

from evertest.basics import ROOT
from evertest.programs import ProgramCase, evertoken, write_program
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.1)


class Explained(ProgramCase):
    def test_a_word_of_each_kind_is_explained_without_a_daemon(self):
        for word, kind, said in (
                ("login_required", "state", "evertoken login NAME"),
                ("undelivered", "condition", "token file cannot be written"),
                ("rate_limited", "class", "fewer requests"),
                ("fb6943331b894f3ca1cb9bed10536948", "event", "must sign in"),
                ("78", "exit status", "evertoken check")):
            with self.subTest(word):
                done = evertoken("explain", word, socket="/nonexistent/socket")
                self.assert_exit(done, 0)
                self.assertTrue(done.stdout.startswith("%s  (%s)\n" % (word, kind)), done.stdout)
                self.assertIn(said, done.stdout)

    def test_without_a_word_all_are_listed(self):
        done = evertoken("explain")
        self.assert_exit(done, 0)
        words = re.findall(r"(?m)^  ([0-9a-z_]+)  ", done.stdout)
        self.assertLessEqual({"pending", "failing", "transient", "0", "78"}, set(words))
        catalog = (ROOT / "systemd/evertoken.catalog").read_text()
        self.assertLessEqual(set(re.findall(r"(?m)^-- ([0-9a-f]{32})$", catalog)), set(words))

    def test_a_word_that_is_none_is_named(self):
        self.assert_exit(evertoken("explain", "frehs"), os.EX_DATAERR, "did you mean fresh?")
        self.assert_exit(evertoken("explain", "xyzzy"), os.EX_DATAERR, "evertoken explain lists")


class Logs(ProgramCase):
    def setUp(self):
        super().setUp()
        (self.directory / "bin").mkdir()
        write_program(self.directory / "bin" / "journalctl", "#!/bin/sh", 'printf "<%s>" "$@"',
                      "exit 7")
        self.path = {"PATH": "%s:/usr/bin:/bin" % (self.directory / "bin")}

    def test_it_becomes_journalctl(self):
        for words, given in (
                ([], "<-x><-u><evertoken>"),
                (["crm"], "<-x><-u><evertoken><EVERTOKEN_CREDENTIAL=crm>"),
                (["crm", "-f", "--unit", "other", "--", "-p", "err"],
                 "<-x><-u><other><-f><-p><err><EVERTOKEN_CREDENTIAL=crm>")):
            with self.subTest(words):
                done = evertoken("logs", *words, environment=self.path)
                self.assertEqual((done.stdout, done.returncode, done.stderr), (given, 7, ""))

    def test_a_pattern_asks_the_daemon(self):
        daemon = self.daemon({name: self.credential(name) for name in ("a-1", "a-2", "b")})
        done = daemon.evertoken("logs", "a*", environment=self.path)
        self.assertEqual(done.stdout, "<-x><-u><evertoken><EVERTOKEN_CREDENTIAL=a-1>"
                                      "<EVERTOKEN_CREDENTIAL=a-2>")
        self.assert_exit(daemon.evertoken("logs", "c*", environment=self.path), os.EX_DATAERR, "c*")

    def test_a_name_that_could_not_be_one_is_no_option_or_field_of_journalctl(self):
        for name in ("a b", "../x", "A=1", "-x=y"):
            with self.subTest(name):
                done = evertoken("logs", name, environment=self.path)
                self.assertIn(done.returncode, (os.EX_DATAERR, os.EX_USAGE))
                self.assertEqual(done.stdout, "")

    def test_where_there_is_no_journal_it_says_where_the_messages_are(self):
        done = evertoken("logs", environment={"PATH": str(self.directory)})
        self.assert_exit(done, os.EX_UNAVAILABLE, "No such file", "standard error", "docker logs")
