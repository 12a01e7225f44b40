"""`"write": "in-place"`: for a reader that has the file itself, such as a container.

Needs root (a file is mounted)."""

import contextlib
import ctypes
import json
import os
import subprocess

from evertest.basics import wait_until
from evertest.programs import ProgramCase, evertoken
from evertest.servers.token_server import Answer
from evertest.suite import Suite

SUITE = Suite(minutes=0.1)


class InPlaceTest(ProgramCase):
    """A container sees the one file that was there when it was started: here a bind mount."""

    def setUp(self):
        super().setUp()
        self.running = self.daemon({"crm": self.credential("crm", outputs=[
            {"path": "crm/replaced"}, {"path": "crm/raw", "write": "in-place"},
            {"path": "crm/json", "format": "json", "write": "in-place"}])})
        self.running.wait_for("crm", "fresh")

    def refresh(self):
        self.assert_exit(self.running.evertoken("refresh", "crm", "--wait"), 0)
        return self.server.exchanges()[-1].access_token

    def mounted(self, name):
        place = self.directory / ("container-" + name)
        place.touch()
        subprocess.run(["mount", "--bind", self.running.tokens / "crm" / name, place], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", place])
        return place

    def test_a_mounted_file_follows_in_place_and_not_when_it_is_replaced(self):
        raw, as_json, replaced = map(self.mounted, ("raw", "json", "replaced"))
        old = replaced.read_text()
        for _ in range(3):
            token = self.refresh()
            self.assertEqual(raw.read_text(), token)
            self.assertEqual(json.loads(as_json.read_text())["access_token"], token)
            self.assertEqual(replaced.read_text(), old, "why the choice is there")
        self.assertEqual(self.running.file("crm/replaced"), token)

    def test_a_stop_and_a_start_keep_the_file(self):
        raw = self.mounted("raw")
        self.running.terminate()
        self.running.start()
        token = self.refresh()
        self.assertEqual(raw.read_text(), token)

    def test_what_a_power_cut_may_leave_is_put_right_at_the_next_start_offline(self):
        token = self.refresh()
        self.running.terminate()
        self.server.stop()
        for name, rest in (("raw", "x" * 40), ("json", " " * 900)):
            path = self.running.tokens / "crm" / name
            path.write_text(path.read_text()[:7] + rest)
        self.running.start()
        wait_until(lambda: self.running.file("crm/raw") == token, 10, "the file", self.running)

        def written():
            with contextlib.suppress(ValueError):  # one file is written after the other
                return json.loads(self.running.file("crm/json"))["access_token"] == token

        wait_until(written, 10, "the other file", self.running)
        self.server.start()

    def test_it_is_noticed_and_written_again_like_others(self):
        path = self.running.tokens / "crm" / "raw"
        token, inode = path.read_text(), path.stat().st_ino
        path.write_text("garbage")
        self.assert_exit(self.running.evertoken("reload"), 0)
        self.assertEqual((path.read_text(), path.stat().st_ino), (token, inode))

    def test_a_full_disk_leaves_the_old_token_whole(self):
        disk = self.directory / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", disk])
        text = "${access_token}" + "y" * 60
        daemon = self.daemon({"full": self.credential("full", outputs=[
            {"path": str(disk / "token"), "format": "template", "template": text,
             "write": "in-place"}])}, place="full")
        daemon.wait_for("full", "fresh")
        before = (disk / "token").read_text()
        libc = ctypes.CDLL(None, use_errno=True)
        with open(disk / "filler", "wb") as filler:
            libc.posix_fallocate(filler.fileno(), 0, os.statvfs(disk).f_bfree * 4096)
        entries = {"full": self.credential("full", outputs=[
            {"path": str(disk / "token"), "format": "template", "template": text * 200,
             "write": "in-place"}])}
        daemon.configure(self.config(entries))
        self.assert_exit(daemon.evertoken("reload"), os.EX_TEMPFAIL, "No space left")
        self.assertEqual((disk / "token").read_text(), before)
        (disk / "filler").unlink()
        wait_until(lambda: (disk / "token").stat().st_size > 10_000, 20, "the file", daemon)


class RefusalTest(ProgramCase):
    def test_check_says_what_does_not_go_with_it(self):
        file = self.directory / "c.json"
        for more, words in (({"on_expiry": "remove"}, "cannot both be written in place"),
                            ({"mode": "0440"}, "forbids its owner to write"),
                            ({"write": "append"}, "in-place")):
            output = {"path": "a", "write": "in-place"} | more
            file.write_text(json.dumps(self.config(
                {"crm": self.credential("crm", outputs=[output])})))
            file.chmod(0o600)
            self.assert_exit(evertoken("check", "--config", str(file)), os.EX_CONFIG, words)


#: docker/cli, pkg/kvfile, as of 2024: blanks at the begin are dropped, a line that begins with # is
#: a comment, a name has no blank, and what follows the first = is the value as it stands.
def docker_env_file(text):
    values = {}
    for line in text.split("\n"):
        line = line.lstrip(" \t")
        if not line or line.startswith("#"):
            continue
        name, has_value, value = line.partition("=")
        assert not any(c in name for c in " \t"), "variable %r contains whitespaces" % name
        assert name, "no variable name on line %r" % line
        if has_value:
            values[name] = value
    return values


class DockerTest(ProgramCase):
    def test_an_env_file_is_what_docker_reads_for_any_bearer_token(self):
        daemon = self.daemon({"crm": self.credential("crm", outputs=[
            {"path": "crm/env", "format": "env"},
            {"path": "crm/docker", "format": "template",
             "template": "CRM_TOKEN=${access_token}\nCRM_UNTIL=${rfc3339(expires_at)}\n"}])})
        daemon.wait_for("crm", "fresh")
        token = self.server.exchanges()[-1].access_token
        self.assertEqual(docker_env_file(daemon.file("crm/env")), {"CRM_ACCESS_TOKEN": token})
        values = docker_env_file(daemon.file("crm/docker"))
        self.assertEqual(values.pop("CRM_TOKEN"), token)
        self.assertRegex(values.pop("CRM_UNTIL"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_a_token_with_other_characters_needs_the_template(self):
        token = 'a"b$c|d#e'
        self.server.plan("odd", Answer(body=json.dumps(
            {"access_token": token, "token_type": "Bearer", "expires_in": 3600})))
        daemon = self.daemon({"odd": self.credential("odd", outputs=[
            {"path": "env", "format": "env"}, {"path": "docker", "format": "template",
                                               "template": "ODD_ACCESS_TOKEN=${access_token}\n"}])})
        daemon.wait_for("odd", "fresh")
        self.assertEqual(docker_env_file(daemon.file("docker")), {"ODD_ACCESS_TOKEN": token})
        self.assertNotEqual(docker_env_file(daemon.file("env")), {"ODD_ACCESS_TOKEN": token})
