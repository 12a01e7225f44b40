"""The Debian package as systemd/debian/build makes it of the release build, quickly compressed, and
the same once more under a higher version."""

import atexit
import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from harness import BIN, ROOT, require_binaries

#: What the second one is called; the first is the version of the sources.
NEXT_VERSION = "99.0-1"


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
    return {package(): "/srv/packages/evertoken.deb", next_package(): "/srv/packages/next.deb"}
