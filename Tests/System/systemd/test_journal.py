"""The journal's catalog under a real systemd: `journalctl --catalog` explains real incidents, with
the facts of each in its place.

Needs root and, from Debian: systemd. Nothing outside the booted systemd is touched."""

import json
import pathlib
import re
import shutil

from evertest.basics import wait_until
from evertest.sandbox import ROOT_INSIDE, InSystemdCase, in_systemd
from evertest.servers.token_server import Answer
from evertest.suite import Suite

SUITE = Suite(minutes=0.3)

INSTALLED = pathlib.Path("/usr/lib/systemd/catalog/evertoken.catalog")
REFUSED = Answer(status=400, body=json.dumps({"error": "invalid_grant"}))


class Catalog(InSystemdCase):
    def install_catalog(self):
        shutil.copy(f"{ROOT_INSIDE}/systemd/evertoken.catalog", INSTALLED)
        self.command("journalctl", "--update-catalog")

    def explained(self, event, *filters):
        """What `journalctl -x` says of the last entry of that event, which it waits for."""
        text = INSTALLED.read_text(encoding="utf-8")
        ids = dict(re.findall(r"(?m)^-- ([0-9a-f]{32})\nSubject: (.*)$", text))
        [identity] = [key for key, subject in ids.items() if event in subject]
        wait_until(lambda: self.journal(f"MESSAGE_ID={identity}"), 30, event)
        shown = self.command("journalctl", "--catalog", "--no-pager", "--lines=1",
                             f"MESSAGE_ID={identity}", *filters).stdout
        self.assertIn("Defined-By: evertoken", shown)
        self.assertNotRegex(shown, r"@\w+@", "a fact is missing")
        return re.sub(r"(?m)^-- ", "", shown)

    def failing_fast(self, name):
        return self.grant(name, refresh={
            "min_interval": "0.5s", "retry": {"initial": "0.1s", "max": "0.2s"}})

    @in_systemd()
    def test_a_sign_in_that_has_ended_is_explained_with_its_remedy(self):
        self.install_catalog()
        self.server.lifetime = 2
        self.server.plan("crm-client", Answer(), *[REFUSED] * 50)
        self.configure({"crm": self.failing_fast("crm")})
        self.systemctl("start", "evertoken")
        expired = self.explained("published token has expired", "EVERTOKEN_CREDENTIAL=crm")
        self.assertIn("crm: the published token has expired", expired)
        said = self.explained("must sign in again")
        last = self.control.credential("crm")["last_error"]
        self.assertIn("crm: a person must sign in again", said)
        self.assertIn("The provider as no longer takes", said)
        self.assertIn(last["problem"], said)
        self.assertIn(f"What to do: {last['remedy']}.", said)
        self.assertIn("evertoken login crm\n", said)

    @in_systemd()
    def test_every_other_incident_that_can_be_made_here_is_explained(self):
        self.install_catalog()
        hook = {"exec": ["/bin/false"]}
        self.configure({
            "crm": self.failing_fast("crm") | {"on_change": [hook]},
            "drive": self.failing_fast("drive"),
            "far": self.failing_fast("far") | {"outputs": [{"path": "/etc/far/token"}]}},
            ready_timeout="2s")
        self.server.plan("drive-client", *[
            Answer(status=401, body=json.dumps({"error": "invalid_client"}))] * 20)
        self.systemctl("start", "evertoken")
        hooked = self.explained("hear of the new token failed")
        self.assertIn("/bin/false: it ended with status 1", hooked)
        self.assertIn("evertoken check drive --show-request",
                      self.explained("refuses the request itself"))
        self.assertIn("far: a token file could not be written",
                      self.explained("token file could not be written"))

        good = (self.CONFIG / "evertoken.json").read_text(encoding="utf-8")
        self.write("evertoken.json", good.replace('"ready_timeout"', '"ready_timeoutt"'))
        self.command("systemctl", "reload", "evertoken", check=False)
        self.assertIn("ready_timeoutt", self.explained("new configuration was refused"))
        self.command("systemctl", "restart", "evertoken", check=False)
        self.assertIn("ready_timeoutt", self.explained("evertokend does not start"))
        self.write("evertoken.json", good)
        wait_until(lambda: self.show("ActiveState") == "active", 20,
                   "a start by itself once the mistake is gone")

    @in_systemd()
    def test_a_state_that_was_copied_and_one_that_cannot_be_written_are_explained(self):
        self.install_catalog()
        self.configure({"crm": self.failing_fast("crm")}, ready_timeout="2s")
        self.systemctl("start", "evertoken")
        self.systemctl("stop", "evertoken")
        copy = self.STATE.with_name("copy")
        self.command("cp", "-a", str(self.STATE), str(copy))
        shutil.rmtree(self.STATE / "crm")
        self.command("cp", "-a", str(copy / "crm"), str(self.STATE / "crm"))
        self.systemctl("start", "evertoken")
        said = self.explained("stored state cannot be trusted")
        self.assertIn("evertoken accept crm", said)
        self.systemctl("stop", "evertoken")
        shutil.rmtree(self.STATE / "crm")
        (self.STATE / "crm").write_text("not a directory")
        self.systemctl("start", "evertoken")
        said = self.explained("does not take what must be stored")
        self.assertIn("Nothing is sent for crm", said)
