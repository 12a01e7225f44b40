"""The Debian package as a file: what is in it, and what lintian says of it.

Needs, from Debian: dpkg-dev, binutils, chrpath, lintian."""

import json
import re
import subprocess
import sys
import unittest

from evertest.basics import BIN, ROOT, temporary_directory
from evertest.debian_package import build, package, run
from evertest.sandbox import read
from evertest.suite import Suite

SUITE = Suite(minutes=0.4)


class TheFile(unittest.TestCase):
    """What can be said of the package without installing it."""

    @classmethod
    def setUpClass(cls):
        cls.tree = temporary_directory(cls) / "tree"
        run("dpkg-deb", "--raw-extract", package(), cls.tree)

    def field(self, name):
        return run("dpkg-deb", "--field", package(), name).strip()

    def test_lintian_finds_no_error(self):
        done = subprocess.run(
            ["lintian", "--allow-root", "--fail-on", "error", package()], timeout=120, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        print(done.stdout, file=sys.stderr)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_programs_need_no_swift_runtime_and_no_search_path(self):
        for name in ("evertoken", "evertokend"):
            dynamic = run("readelf", "--dynamic", self.tree / "usr/bin" / name)
            needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic)
            self.assertIn("libc.so.6", needed)
            self.assertIn("libcurl.so.4", needed)
            for library in needed:
                self.assertNotRegex(library, "swift|Foundation|dispatch|BlocksRuntime")
            self.assertNotRegex(dynamic, r"\((RUNPATH|RPATH)\)")
            self.assertNotIn(".symtab", run("readelf", "--section-headers", "--wide",
                                            self.tree / "usr/bin" / name))

    def test_it_depends_on_what_the_programs_link_and_on_certificates_and_systemd(self):
        depends = self.field("Depends")
        for name in ("libc6", "libcurl4", "libssl3", "libsystemd0", "libstdc++6",
                     "ca-certificates", "systemd"):
            self.assertRegex(depends, rf"(^|, ){re.escape(name)}( |,|$)")
        version = re.search(r'"(.*)"', (ROOT / "Sources/TokenFormats/Version.swift").read_text())[1]
        self.assertEqual(self.field("Version"), f"{version}-1")

    def test_every_file_of_the_sources_has_its_place(self):
        places = {
            "usr/share/evertoken/profiles": ROOT.glob("Sources/TokenProviders/Profiles/*.json"),
            "usr/lib/systemd/system": ROOT.glob("systemd/*.service"),
            "usr/share/evertoken": [ROOT / "config/evertoken.schema.json"],
        }
        for folder, sources in places.items():
            sources = list(sources)
            self.assertTrue(sources, folder)
            for source in sources:
                self.assertEqual((self.tree / folder / source.name).read_bytes(),
                                 source.read_bytes())
        for page in ROOT.glob("systemd/man/*"):
            self.assertTrue((self.tree / "usr/share/man" / f"man{page.suffix[1:]}"
                             / f"{page.name}.gz").exists(), page)
        examples = self.tree / "usr/share/doc/evertoken/examples"
        for folder in (ROOT / "config", ROOT / "systemd/examples"):
            for file in folder.rglob("*"):
                if file.is_file() and "schema" not in file.name:
                    self.assertTrue((examples / file.relative_to(folder)).exists(), file)
        schema = json.loads(read(examples / "evertoken.json"))
        self.assertTrue((self.tree / schema["$schema"].lstrip("/")).exists())

    def test_files_belong_to_root_and_none_but_programs_can_be_run(self):
        for line in run("dpkg-deb", "--contents", package()).splitlines():
            mode, owner, _, _, _, name = line.split(maxsplit=5)
            self.assertEqual(owner, "root/root", line)
            is_run = mode.startswith("d") or name.startswith("./usr/bin/")
            self.assertEqual(mode[1:], "rwxr-xr-x" if is_run else "rw-r--r--", line)

    def test_the_same_build_gives_the_same_bytes(self):
        again = build(temporary_directory(self))
        self.assertEqual(again.read_bytes(), package().read_bytes())

    def test_every_package_that_is_linked_in_has_its_licence_told(self):
        told = read(ROOT / "systemd/debian/copyright")
        modules = set()
        for name in ("evertoken", "evertokend"):
            objects = BIN / f"{name}.product" / "Objects.LinkFileList"
            modules |= set(re.findall(r"/(\w+)\.build/", objects.read_text()))
        # A checkout may also be a tool's, or left from a former dependency.
        linked = {path.name for path in (ROOT / ".build/checkouts").iterdir()
                  if modules & {module.name for module in (path / "Sources").iterdir()}}
        self.assertLessEqual({"swift-argument-parser", "swift-asn1", "swift-crypto"}, linked)
        for name in linked:
            self.assertIn(f".build/checkouts/{name}/*", told)

    def test_the_scripts_are_plain_sh(self):
        for name in ("postinst", "prerm", "postrm"):
            script = self.tree / "DEBIAN" / name
            self.assertTrue(script.read_text().startswith("#!/bin/sh\n"))
            run("dash", "-n", script)
