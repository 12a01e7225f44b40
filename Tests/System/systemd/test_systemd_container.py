"""The drop-in for containers that refuse namespaces: with it the service needs none of its own,
each of its lines is needed for that, and the rest of the sandbox stays.

Needs root and, from Debian: systemd. Nothing outside the booted systemd is touched."""

import os
import pathlib
import re
import unittest

from evertest.sandbox import ROOT_INSIDE, UNIT_FILES, InSystemdCase, in_systemd, read
from evertest.suite import Suite

SUITE = Suite(timed=True, minutes=0.1)

DROP_IN = "examples/container.conf"
#: All kinds that a unit can ask for.
KINDS = ("mnt", "ipc", "uts", "net", "pid", "user", "cgroup")


def settings(text):
    """NAME=VALUE of each line that sets something."""
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


class ContainerTest(InSystemdCase):
    def drop_in_text(self):
        return read(pathlib.Path(ROOT_INSIDE) / "systemd" / DROP_IN)

    def own_namespaces(self):
        """The kinds of which the daemon has one of its own."""
        process = self.show("MainPID")
        return {kind for kind in KINDS
                if os.readlink(f"/proc/{process}/ns/{kind}") != os.readlink(f"/proc/1/ns/{kind}")}

    @in_systemd()
    def test_with_the_drop_in_the_service_has_no_namespace_of_its_own_and_works(self):
        self.start()
        self.assertEqual(self.own_namespaces(), {"mnt", "ipc", "uts"})
        self.systemctl("stop", "evertoken")
        secret = self.write("secrets/of-crm", "a secret of systemd")
        self.drop_in(self.drop_in_text() + f"LoadCredential=crm-secret:{secret}\n")
        seed = self.server.grant("crm-client", "a secret of systemd")
        entry = self.grant("crm") | {"client_secret": {"credential": "crm-secret"}}
        self.server.grant("crm-client", "a secret of systemd", refresh_token=seed)
        entry["refresh_token"] = {"file": self.write("secrets-of/crm.refresh_token", seed)}
        self.configure({"crm": entry})
        self.systemctl("start", "evertoken")
        self.control.wait_for("crm", lambda c: c["state"] == "fresh", "a token")
        self.assertEqual(self.own_namespaces(), set())
        self.assertTrue(read(self.TOKENS / "crm" / "token"))

    @in_systemd()
    def test_the_rest_of_the_sandbox_stays(self):
        self.drop_in(self.drop_in_text())
        self.start()
        status = read(f"/proc/{self.show('MainPID')}/status")
        self.assertEqual(int(re.search(r"CapBnd:\s*(\w+)", status)[1], 16), 0)
        self.assertEqual(re.search(r"NoNewPrivs:\s*(\d)", status)[1], "1")
        self.assertEqual(re.search(r"Seccomp:\s*(\d)", status)[1], "2")
        for name, value in (("User", "evertoken"), ("RestrictNamespaces", "yes"),
                            ("MemoryDenyWriteExecute", "yes"), ("MemorySwapMax", "0"),
                            ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX")):
            self.assertEqual(self.show(name), value)

    @in_systemd(programs=())
    def test_every_line_is_understood_and_undoes_what_the_unit_asks_for(self):
        unit = settings(read("/etc/systemd/system/evertoken.service"))
        undone = settings(self.drop_in_text())
        self.assertEqual(undone.pop("ReadWritePaths"), "")
        self.assertEqual(set(undone) - set(unit), set())
        self.drop_in(self.drop_in_text())
        done = self.command("systemd-analyze", "verify", "--man=no",
                            "/etc/systemd/system/evertoken.service")
        self.assertEqual(done.stdout, "")

    @in_systemd()
    def test_none_of_its_lines_can_be_left_out(self):
        text = self.drop_in_text()
        self.configure({"crm": self.grant("crm")})
        for name in settings(text):
            if name == "ReadWritePaths":
                continue
            with self.subTest(name):
                self.drop_in(re.sub(rf"(?m)^{name}=.*$", "", text))
                self.systemctl("restart", "evertoken")
                self.assertNotEqual(self.own_namespaces(), set())


class TextTest(unittest.TestCase):
    def test_the_manual_names_the_file_that_the_package_brings(self):
        page = (UNIT_FILES / "man" / "evertokend.8").read_text(encoding="utf-8")
        self.assertTrue("/usr/share/doc/evertoken/" + DROP_IN in page)
        self.assertTrue((UNIT_FILES / DROP_IN).exists())
