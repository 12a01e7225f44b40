"""Common parts of the tests with a real systemd and with bad disks: a token server on loopback, the
status of the daemon's credentials, and booting a systemd around a single test."""

import functools
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import unittest

from evertest.basics import BIN, ROOT, SUPPORT, require_binaries, wait_until
from evertest.daemon import UnixConnection
from evertest.servers.token_server import TokenServer

UNIT_FILES = ROOT / "systemd"
#: Set for the half of a test that runs next to the booted systemd.
INSIDE = "EVERTOKEN_TEST_INSIDE_SYSTEMD" in os.environ
#: Where the repository's Tests and systemd folders are found in there.
ROOT_INSIDE = "/srv/evertoken"


def read(path):
    """The text of a file, None while there is none."""
    try:
        return pathlib.Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


class Control:
    """The control socket of a daemon."""

    def __init__(self, path):
        self.path = path

    def request(self, method, target, body=None):
        """Status code and decoded body of one exchange."""
        connection = UnixConnection(self.path, timeout=20)
        try:
            connection.request(method, target, body=None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def status(self):
        """The whole status; empty while no daemon listens."""
        try:
            return self.request("GET", "/v1/status")[1]
        except (FileNotFoundError, ConnectionError):
            return {}

    def credential(self, name):
        """One credential of the status; empty while there is none of that name."""
        found = (c for c in self.status().get("credentials", []) if c["name"] == name)
        return next(found, {})

    def wait_for(self, name, condition, what, timeout=20.0):
        """Waits until `condition(credential)` holds and returns the credential."""
        def look():
            credential = self.credential(name)
            return credential if credential and condition(credential) else None

        return wait_until(look, timeout, f"{name}: {what}")

    def refresh(self, name):
        code, answer = self.request("POST", f"/v1/credentials/{name}/refresh")
        if code >= 300:
            raise AssertionError(f"refresh of {name}: {code} {answer}")


def in_systemd(programs=("evertokend", "evertoken"), instead=None):
    """Runs a test method of an `InSystemdCase` next to a systemd booted for it alone.

    Outside, the method boots one (private process, mount and network namespaces; everything in
    there is discarded) that has our unit, the programs in /usr/bin and nothing else, and runs the
    same method again inside. `programs=()` puts /bin/true in the place of both, for tests of the
    unit. `instead` gives other files, {source: target}, instead of unit, programs and the rest."""
    def decorate(test):
        @functools.wraps(test)
        def run(self):
            if not INSIDE:
                _boot(self, test.__name__, programs, instead)
                return
            self.arrange()
            try:
                test(self)
            except BaseException:
                print(self.everything_known(), file=sys.stderr)
                raise

        return run

    return decorate


def _installed(programs):
    """What an installation by hand puts in place, besides the unit: pairs of source and target."""
    if programs:
        require_binaries()
        sources = {name: BIN / name for name in programs}
    else:
        sources = dict.fromkeys(("evertokend", "evertoken"), shutil.which("true"))
    return [
        (UNIT_FILES / "evertoken.sysusers", "/usr/lib/sysusers.d/evertoken.conf"),
        (UNIT_FILES / "evertoken.tmpfiles", "/usr/lib/tmpfiles.d/evertoken.conf"),
        *((source, f"/usr/bin/{name}") for name, source in sources.items()),
    ]


def _boot(case, method, programs, instead):
    command = [SUPPORT / "with-systemd.sh", "--boot-timeout", "60", "--timeout", "150"]
    if instead is None:
        files = _installed(programs)
        command += ["--unit", UNIT_FILES / "evertoken.service"]
    else:
        files = [*instead().items()]
    files.append((ROOT / "README.md", f"{ROOT_INSIDE}/README.md"))
    for source, target in files:
        command += ["--file", f"{source}:{target}"]
    for folder in (ROOT / "Tests", UNIT_FILES):
        command += ["--bind", f"{folder}:{ROOT_INSIDE}/{folder.name}:ro"]
    command += ["--", "/usr/bin/python3", "-B", "-m", "unittest"]
    command += [f"{type(case).__module__}.{type(case).__name__}.{method}"]
    environment = os.environ | {
        "EVERTOKEN_TEST_INSIDE_SYSTEMD": "1",
        "PYTHONPATH": f"{ROOT_INSIDE}/Tests/System",
    }
    done = subprocess.run(
        command, cwd="/", env=environment, timeout=240, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    case.assertEqual(done.returncode, 0, f"\n{done.stdout}")
    case.assertIn("Ran 1 test", done.stdout)


def _text(field):
    """A journal field as text: one that is not valid text comes as a list of its bytes."""
    is_bytes = isinstance(field, list) and all(isinstance(byte, int) for byte in field)
    return bytes(field).decode("latin-1") if is_bytes else str(field)


class InSystemdCase(unittest.TestCase):
    """What a test inside has at hand: a token server, the unit not yet started, systemctl."""

    CONFIG = pathlib.Path("/etc/evertoken")
    STATE = pathlib.Path("/var/lib/evertoken")
    TOKENS = pathlib.Path("/run/evertoken")

    def arrange(self):
        """User and directories as a package would make them; a token server; no config yet."""
        self.command("systemd-sysusers", "/usr/lib/sysusers.d/evertoken.conf")
        self.command("systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/evertoken.conf")
        self.arrange_server()

    def arrange_server(self):
        self.control = Control(self.TOKENS / "control.sock")
        self.server = TokenServer(lifetime=3600).start()
        self.addCleanup(self.server.stop)
        self.addCleanup(self.assert_no_secret_in_the_journal)

    def command(self, *arguments, check=True):
        done = subprocess.run(
            arguments, timeout=100, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False)
        if check:
            self.assertEqual(done.returncode, 0, f"{arguments}: {done.stdout}")
        return done

    def systemctl(self, *arguments):
        return self.command("systemctl", *arguments).stdout

    def show(self, name):
        """One property of the unit, as systemctl prints it."""
        return self.systemctl("show", "-P", name, "evertoken.service").strip()

    def write(self, path, text, mode=0o640):
        """A file of the operator: root:evertoken, readable by the daemon."""
        target = self.CONFIG / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        target.chmod(mode)
        shutil.chown(target, "root", "evertoken")
        return str(target)

    def grant(self, name, **more):
        """A credential of that name for the config, its secrets in files of their own."""
        secret = secrets.token_urlsafe(18)
        seed = self.server.grant(f"{name}-client", secret)
        return {
            "provider": "as",
            "client_id": f"{name}-client",
            "client_secret": {"file": self.write(f"secrets-of/{name}.client_secret", secret)},
            "refresh_token": {"file": self.write(f"secrets-of/{name}.refresh_token", seed)},
            **more,
        }

    def configure(self, credentials, **more):
        """Writes evertoken.json with one provider, the token server, named "as"."""
        request = {"url": self.server.url, "client_auth": "client_secret_basic"}
        whole = {"providers": {"as": {"request": request}}, "credentials": credentials, **more}
        self.write("evertoken.json", json.dumps(whole, indent=2))

    def drop_in(self, text):
        """What `systemctl edit evertoken` does."""
        folder = pathlib.Path("/etc/systemd/system/evertoken.service.d")
        folder.mkdir(exist_ok=True)
        (folder / "test.conf").write_text(text, encoding="utf-8")
        self.systemctl("daemon-reload")

    def start(self):
        """Starts the unit with one credential, crm, and returns its access token."""
        self.configure({"crm": self.grant("crm")})
        self.systemctl("start", "evertoken")
        return (self.TOKENS / "crm" / "token").read_text(encoding="utf-8")

    def journal(self, *filters):
        """Entries of the journal, every field whole."""
        self.command("journalctl", "--sync")
        lines = self.command("journalctl", "--all", "--quiet", "-o", "json", *filters).stdout
        return [json.loads(line) for line in lines.splitlines()]

    def assert_no_secret_in_the_journal(self):
        """No eight characters in a row of any secret in any field of any entry."""
        entries = self.journal()
        self.assertTrue(entries, "the journal is empty: nothing was looked at")
        for secret in self.server.secret_texts():
            pieces = {secret[start:start + 8] for start in range(max(1, len(secret) - 7))}
            for entry in entries:
                text = "\n".join(map(_text, entry.values()))
                self.assertFalse([p for p in pieces if p in text], f"a secret is in {entry}")

    def everything_known(self):
        """For the report of a failure. Secrets of a test are worth nothing afterwards."""
        parts = [["systemctl", "status", "--no-pager", "-l", "evertoken"],
                 ["journalctl", "--no-pager", "-n", "100", "-o", "short-monotonic"]]
        found = [self.command(*part, check=False).stdout for part in parts]
        return "\n".join([*found, json.dumps(self.control.status()),
                          *map(str, self.server.exchanges())])
