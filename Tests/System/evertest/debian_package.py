"""The Debian package as systemd/debian/build makes it of the release build, quickly compressed; the
same once more under a higher version; and machines to install both on."""

import atexit
import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from evertest.basics import BIN, ROOT, require_binaries
from evertest.sandbox import InSystemdCase, read

#: What the second one is called; the first is the version of the sources.
NEXT_VERSION = "99.0-1"
#: Where the two lie inside.
FIRST, NEXT = "/srv/packages/evertoken.deb", "/srv/packages/next.deb"


def run(*command, **options):
    """The output of a command, with what it says of errors; fails with both."""
    done = subprocess.run(
        [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=120, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}")
    return done.stdout


@functools.cache
def _folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="evertoken-package-", dir="/tmp"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def build(output):
    """Packs the release build into a directory; the package's path."""
    require_binaries()
    quick = {"DPKG_DEB_COMPRESSOR_TYPE": "gzip", "DPKG_DEB_COMPRESSOR_LEVEL": "1"}
    run(ROOT / "systemd" / "debian" / "build", "--no-build", "--output", output,
        env=os.environ | quick | {"EVERTOKEN_BIN_DIR": str(BIN)})
    [package] = pathlib.Path(output).glob("evertoken_*.deb")
    return package


@functools.cache
def package():
    """The package, built once for the whole run."""
    return build(_folder() / "first")


@functools.cache
def next_package():
    """The same files under a higher version, as a later release would be."""
    tree, result = _folder() / "tree", _folder() / "next.deb"
    run("dpkg-deb", "--raw-extract", package(), tree)
    control = tree / "DEBIAN" / "control"
    text = re.sub(r"(?m)^Version: .*$", f"Version: {NEXT_VERSION}", control.read_text())
    control.write_text(text)
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, result)
    return result


def both():
    """For `in_systemd(instead=…)`: nothing is installed, both packages lie there."""
    return {package(): FIRST, next_package(): NEXT}


class InstalledCase(InSystemdCase):
    """What the tests of an installed package share."""

    def arrange(self):
        """A machine that never saw evertoken, and on which packages may start services."""
        pathlib.Path("/usr/sbin/policy-rc.d").unlink(missing_ok=True)
        for rule in pathlib.Path("/etc/dpkg/dpkg.cfg.d").glob("*"):
            rule.write_text("force-unsafe-io\n")  # container images leave manual pages out
        # Seconds of indexing at each installation, of all pages there are.
        pathlib.Path("/var/lib/man-db/auto-update").unlink(missing_ok=True)
        self.assertFalse(self.CONFIG.exists() or self.STATE.exists(), "not a new machine")
        self.arrange_server()

    def apt(self, *arguments):
        return self.command(
            "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "--assume-yes",
            *arguments).stdout

    def install(self, path=FIRST):
        return self.command("dpkg", "--install", path).stdout

    def set_up(self):
        """Installed, configured and started; the access token."""
        self.install()
        self.configure({"crm": self.grant("crm", refresh={"min_interval": "0.5s"})})
        self.systemctl("start", "evertoken")
        return self.token()

    def token(self):
        return read(self.TOKENS / "crm" / "token")

    def installed_version(self):
        return self.command("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}",
                            "evertoken").stdout

    def assert_nothing_failed(self):
        self.assertEqual(self.systemctl("--failed", "--no-legend", "--plain"), "")

    def assert_next_refresh_uses_the_newest_refresh_token(self):
        before = self.server.exchanges()
        self.control.refresh("crm")
        last = self.server.wait_for(lambda seen: len(seen) == len(before) + 1)[-1]
        self.assertEqual((last.problem, last.refresh_token),
                         (None, before[-1].next_refresh_token))
        self.control.wait_for("crm", lambda c: self.token() == last.access_token, "a new token")
