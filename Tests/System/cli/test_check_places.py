"""`evertoken check` looks at what the configuration names, with the rights of the daemon's user,
and says what cannot work and what to run; the daemon finds the same at a reload.

Files and users are real: `nobody` is the daemon, whose state it owns, and root runs the check."""

import grp
import os
import pwd
import re
import shlex
import struct
import subprocess

from evertest.checks import CheckCase
from evertest.programs import PLAIN_ENVIRONMENT, evertoken, write_private, write_program
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.1)

NOBODY = pwd.getpwnam("nobody")


def access_list(user, right, others):
    """The value of system.posix_acl_access (acl(5)): what one user may, and all others."""
    entries = [(1, 6, -1), (2, right, user), (4, others, -1), (16, 7, -1), (32, others, -1)]
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, mode, number % 2 ** 32) for tag, mode, number in entries)


class PlaceCase(CheckCase):
    def setUp(self):
        super().setUp()
        self.directory.chmod(0o755)
        self.secrets = self.directory / "secrets"
        self.secrets.mkdir(mode=0o755)

    def secret(self, name, text="s3cret", mode=0o600):
        path = write_private(self.secrets / name, text)
        path.chmod(mode)
        return path

    def own_state(self):
        """From now on the daemon is `nobody`, and the configuration its own."""
        state = self.directory / "state"
        state.mkdir(mode=0o700)
        os.chown(state, NOBODY.pw_uid, NOBODY.pw_gid)

    def entry(self, name="crm", **more):
        entry = {"provider": "as", "client_id": name,
                 "client_secret": {"file": str(self.secret("good", mode=0o644))}}
        return entry | more

    def warnings(self, *arguments, **more):
        """The warnings of a configuration with this entry; it is accepted all the same."""
        self.write(self.config({"crm": self.entry(**more)}), 0o644)
        done = evertoken("check", "--config", str(self.file), *arguments)
        self.assert_exit(done, 0)
        self.assertIn("ok, 1 credential", done.stdout)
        self.assertNotIn("s3cret", done.stdout + done.stderr)
        return done.stderr.splitlines()

    def warning(self, *arguments, **more):
        found = self.warnings(*arguments, **more)
        self.assertEqual(len(found), 1, found)
        return found[0]

    def run_remedy(self, warning, text=""):
        """What stands behind `run:` or `create it:`, as the person would paste it."""
        command = re.search(r"(?:run|create it): (.+)$", warning)[1]
        subprocess.run(["sh", "-c", command], check=True, input=text, text=True)


class FilesTest(PlaceCase):
    def test_a_good_configuration_has_no_warning(self):
        self.own_state()
        self.assertEqual(self.warnings(), [])

    def test_a_missing_secret_file_is_told_with_the_command_that_makes_it(self):
        self.own_state()
        missing = self.secrets / "crm.client-secret"
        told = self.warning(client_secret={"file": str(missing)})
        group = grp.getgrgid(NOBODY.pw_gid).gr_name
        self.assertEqual(
            told, "warning: crm.client_secret: %s does not exist; create it: install -o root -g %s "
            "-m 0640 /dev/stdin %s" % (missing, group, missing))
        self.run_remedy(told, "s3cret")
        self.assertEqual(self.warnings(client_secret={"file": str(missing)}), [])
        self.assertEqual(missing.stat().st_mode & 0o777, 0o640)

    def test_a_secret_of_root_s_is_unreadable_for_the_daemon_s_user_and_cured_by_what_is_told(self):
        mine = {"client_secret": {"file": str(self.secret("mine"))}}
        self.assertEqual(self.warnings(**mine), [], "root's own daemon could not read it")
        self.own_state()
        told = self.warning(**mine)
        self.assertIn("cannot be read by the user nobody", told)
        self.run_remedy(told)
        self.assertEqual(self.warnings(**mine), [])

    def test_an_acl_counts_as_the_kernel_has_it(self):
        """What the mode alone does not say: an entry for the daemon's user, and one against it."""
        self.own_state()
        file = self.secret("acl")
        mine = {"client_secret": {"file": str(file)}}
        os.setxattr(file, "system.posix_acl_access", access_list(NOBODY.pw_uid, 4, others=0))
        self.assertEqual(self.warnings(**mine), [])
        os.setxattr(file, "system.posix_acl_access", access_list(NOBODY.pw_uid, 0, others=4))
        self.assertIn("cannot be read by the user nobody", self.warning(**mine))

    def test_a_directory_that_the_daemon_s_user_may_not_enter_is_named(self):
        self.own_state()
        closed = self.directory / "closed"
        closed.mkdir(mode=0o700)
        file = write_private(closed / "s", "s3cret")
        file.chmod(0o644)
        told = self.warning(client_secret={"file": str(file)})
        self.assertIn("who may not enter %s;" % closed, told)
        self.run_remedy(told)
        self.assertEqual(self.warnings(client_secret={"file": str(file)}), [])

    def test_a_user_can_be_named(self):
        told = self.warning("--user", "nobody",
                            client_secret={"file": str(self.secret("mine"))})
        self.assertIn("cannot be read by the user nobody", told)
        done = evertoken("check", "--config", str(self.file), "--user", "no-such-user")
        self.assert_exit(done, os.EX_NOUSER, "no-such-user")

    def test_a_drop_in_that_the_daemon_cannot_read_is_named(self):
        self.own_state()
        drop_in = self.drop_in("10-more.json", "{}")
        told = self.warning()
        self.assertIn("%s cannot be read by the user nobody" % drop_in, told)
        self.run_remedy(told)
        self.assertEqual(self.warnings(), [])

    def test_a_person_who_is_not_the_daemon_is_told_on_whose_behalf_was_looked(self):
        self.own_state()
        self.write(self.config({"crm": self.entry()}), 0o644)
        done = evertoken("check", "--config", str(self.file), prefix=[
            "setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups"])
        self.assert_exit(done, 0)
        self.assertIn("with the rights of daemon; the daemon has those of nobody: sudo",
                      done.stdout)

    def test_an_initial_refresh_token_may_go_when_it_has_done_its_work(self):
        seed = {"refresh_token": {"file": str(self.secrets / "seed")}}
        self.assertIn("crm.refresh_token", self.warning(**seed))
        (self.directory / "state" / "crm").mkdir(parents=True, mode=0o700)
        self.assertEqual(self.warnings(**seed), [])

    def test_a_fifo_a_directory_and_an_empty_file_are_no_secret_and_hold_nothing_up(self):
        os.mkfifo(self.secrets / "fifo")
        for path in (self.secrets / "fifo", self.secrets):
            self.assertIn("is not a regular file",
                          self.warning(client_secret={"file": str(path)}))
        empty = self.secret("empty", "")
        self.assertIn("is empty", self.warning(client_secret={"file": str(empty)}))


class ProgramsTest(PlaceCase):
    def test_programs_that_cannot_run_are_named(self):
        self.own_state()
        plain = self.secret("plain", mode=0o644)
        script = write_program(self.directory / "script", "#!/no/such/interpreter")
        good = write_program(self.directory / "good", "#!/bin/sh")
        for words, told in (([str(self.directory / "no")], "does not exist"),
                            ([str(plain)], "cannot be run by the user nobody"),
                            (["logger", "x"], 'write its whole path, such as "/usr/bin/logger"'),
                            ([str(script)], "/no/such/interpreter")):
            with self.subTest(words=words):
                warning = self.warning(on_change=[{"exec": [str(good)]}, {"exec": words}])
                self.assertIn("crm.on_change[1]: ", warning)
                self.assertIn(told, warning)
                self.assertIn("crm.client_secret: ",
                              self.warning(client_secret={"command": words}))

    def test_a_program_for_a_secret_is_not_run(self):
        mark = self.directory / "ran"
        program = write_program(self.directory / "program", "#!/bin/sh", "touch %s" % mark)
        self.assertEqual(self.warnings(client_secret={"command": [str(program)]}), [])
        self.assertFalse(mark.exists())


class AuthoritiesTest(PlaceCase):
    def test_files_that_are_no_certificates_are_named_with_what_is_wrong(self):
        block = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
        for text, told in ((None, "does not exist"), ("", "is empty"),
                           ("PASTE HERE", "holds no certificate in PEM"),
                           (block[:-30], "ends within a certificate"), (block, None)):
            with self.subTest(told):
                file = self.directory / "ca.pem"
                file.unlink(missing_ok=True)
                if text is not None:
                    file.write_text(text)
                self.write(self.config({"crm": self.entry()}, ca_file=str(file)), 0o644)
                done = self.check()
                self.assert_exit(done, 0)
                expected = ["warning: ca_file: %s %s" % (file, told)] if told else []
                lines = [line.partition(";")[0] for line in done.stderr.splitlines()]
                self.assertEqual(lines, expected)


class MountTest(PlaceCase):
    def test_an_output_that_is_a_mount_point_is_named_and_one_written_in_place_is_not(self):
        target = self.directory / "token"
        target.write_text("")
        outputs = [{"path": str(target)}]
        self.write(self.config({"crm": self.entry(outputs=outputs)}), 0o644)
        command = "mount --bind {0} {0} && exec {1} check --config {2}".format(
            shlex.quote(str(target)), shlex.quote(evertoken("--version").args[0]),
            shlex.quote(str(self.file)))
        def mounted():
            return subprocess.run(["unshare", "-m", "sh", "-c", command], capture_output=True,
                                  text=True, env=PLAIN_ENVIRONMENT, timeout=60)

        done = mounted()
        self.assert_exit(done, 0, "crm.outputs: %s is a mount point" % target, "in-place")
        outputs[0]["write"] = "in-place"
        self.write(self.config({"crm": self.entry(outputs=outputs)}), 0o644)
        self.assertNotIn("mount point", mounted().stderr)


class StrictnessTest(PlaceCase):
    def test_strict_makes_a_warning_a_mistake_and_nothing_else(self):
        self.assertEqual(self.warnings("--strict"), [])
        self.write(self.config({"crm": self.entry(scope="read")}), 0o644)
        done = evertoken("check", "--config", str(self.file), "--strict")
        self.assert_exit(done, os.EX_CONFIG, "crm.scope: has no effect")

    def test_one_directory_for_tokens_and_state_is_refused(self):
        self.write(self.config({"crm": self.entry()}, token_dir="same", state_dir="./same"), 0o644)
        self.assert_exit(self.check(), os.EX_CONFIG, "token_dir: ", "is state_dir too")

    def test_a_derived_socket_path_that_is_too_long_is_refused(self):
        folder = "d" * (107 - len(str(self.directory)) - len("/control.sock"))
        self.write(self.config({"crm": self.entry()}, token_dir=folder), 0o644)
        self.assert_exit(self.check(), os.EX_CONFIG, "control_socket: ", "has 108 bytes")
        self.write(self.config({"crm": self.entry()}, token_dir=folder[1:]), 0o644)
        self.assert_exit(self.check(), 0)
        units = {"units": ["backup.service"]}
        self.write(self.config({"crm": self.entry(**units)}, token_dir=folder[1:]), 0o644)
        self.assert_exit(self.check(), os.EX_CONFIG, "credential_socket: ")

    def test_a_configuration_that_one_may_not_read_is_another_matter_than_none(self):
        self.write(self.config({"crm": self.entry()}))
        done = evertoken("check", "--config", str(self.file), prefix=[
            "setpriv", "--reuid=nobody", "--regid=%d" % NOBODY.pw_gid, "--clear-groups"])
        self.assert_exit(done, os.EX_NOPERM, "you may not read it; run: sudo evertoken check")
