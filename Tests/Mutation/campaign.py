"""Makes a copy with all mutants, builds it, and finds out which tests detect which mutant."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Optional

from mutants import Mutant

ROOT = pathlib.Path(__file__).resolve().parents[2]
#: The parts of the repository that a build and the tests need.
PARTS = ("Package.swift", "Package.resolved", "Sources", "Tests", "config", "systemd", "README.md",
         "LICENSE")
PROGRAMS = ("evertokend", "evertoken")
VARIABLE = "EVERTOKEN_MUTANT"
SCENARIO = "scenario:"
UNIT_LIMIT, SYSTEM_LIMIT = 120, 240  # seconds; a test that does not end has detected the mutant

SWITCH = '''internal import Glibc

/// Whether this mutant is to be.
package func mutated(_ number: Int) -> Bool { chosen == number }

private let chosen = getenv("%s").flatMap { Int(String(cString: $0)) } ?? 0
''' % VARIABLE

SWITCH_IN_C = '''#include <stdlib.h>
static int mutated(int number) {
    const char *chosen = getenv("%s");
    return chosen && atoi(chosen) == number;
}
''' % VARIABLE


class OutOfDate(Exception):
    """A quoted text was not found; the programs have changed since the mutant was written."""


def build(mutants: list[Mutant], place: pathlib.Path, jobs: int) -> bool:
    """Makes the copy and builds it; whether that went well."""
    try:
        changed = changed_sources(mutants)
    except OutOfDate as error:
        print("out of date: %s" % error, file=sys.stderr)
        return False
    tree = place / "tree"
    copy(tree, changed)
    print("building %d mutants into one" % len(mutants), flush=True)
    command = ["swift", "build", "--build-tests", "-j", str(jobs)]
    command += ["--scratch-path", str(place / "build")]
    done = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, env={**os.environ, "EVERTOKEN_SIMULATION": "1"})
    if done.returncode != 0:
        print(done.stdout[-4000:], file=sys.stderr)
    return done.returncode == 0


def run(mutants: list[Mutant], chosen: list[Mutant], place: pathlib.Path, jobs: int) -> int:
    if not build(mutants, place, jobs):
        return 1
    with tempfile.TemporaryDirectory(prefix="evertoken-mutation-") as wrappers:
        os.chmod(wrappers, 0o755)
        return Campaign(place / "tree", place / "build" / "debug", pathlib.Path(wrappers),
                        jobs).run(chosen)


def changed_sources(mutants: list[Mutant]) -> dict[str, str]:
    """By path below the repository, the files with the mutants in them."""
    sites: dict[str, list[tuple[int, int, str, int]]] = {}
    texts: dict[str, str] = {}
    for each in mutants:
        text = texts.setdefault(each.file, (ROOT / "Sources" / each.file).read_text())
        for original, instead in each.edits:
            if text.count(original) != 1:
                raise OutOfDate("mutant %d: %r is %d times in %s" % (
                    each.number, original, text.count(original), each.file))
            start = text.index(original)
            sites.setdefault(each.file, []).append(
                (start, start + len(original),
                 instead.replace("$M", "mutated(%d)" % each.number), each.number))
    changed = {"Sources/TokenFormats/Mutation.swift": SWITCH}
    for file, edits in sites.items():
        text, last, number = texts[file], len(texts[file]), 0
        for start, end, instead, this in sorted(edits, reverse=True):
            if end > last:
                raise OutOfDate("mutants %d and %d overlap in %s" % (this, number, file))
            text, last, number = text[:start] + instead + text[end:], start, this
        changed["Sources/" + file] = importing(file, text)
    return changed


def importing(file: str, text: str) -> str:
    """Adds the import of the switch, in the style of the file's other imports."""
    if file.endswith(".c"):
        return text.replace("#include \"", SWITCH_IN_C + "#include \"", 1)
    if file.startswith("TokenFormats/") or re.search(
            r"^(\w+ )?import TokenFormats$", text, re.M):
        return text
    return "internal import TokenFormats\n" + text


def copy(tree: pathlib.Path, changed: dict[str, str]) -> None:
    """Does not touch unchanged files, so that they are not built again."""
    wanted: set[pathlib.Path] = {tree / path for path in changed}
    for part in PARTS:
        source = ROOT / part
        files = source.rglob("*") if source.is_dir() else [source]
        for file in files:
            path = file.relative_to(ROOT)
            if file.is_dir() or not file.exists() or "__pycache__" in path.parts:
                continue
            wanted.add(tree / path)
            content = file.read_bytes()
            if str(path) in changed:
                content = changed[str(path)].encode()
            put(tree / path, content, file.stat().st_mode & 0o777)
    for path, text in changed.items():
        put(tree / path, text.encode(), 0o644)
    for part in PARTS:
        for file in (tree / part).rglob("*"):
            if not file.is_dir() and file not in wanted:
                file.unlink()


def put(path: pathlib.Path, content: bytes, mode: int) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


class Campaign:
    def __init__(self, tree: pathlib.Path, products: pathlib.Path, wrappers: pathlib.Path,
                 jobs: int) -> None:
        self.tree, self.wrappers, self.jobs = tree, wrappers, jobs
        self.unit_tests = products / "evertokenPackageTests.xctest"
        self.simulation = products / "evertoken-simulation"
        # Where other users can run them too.
        self.programs = wrappers / "programs"
        self.programs.mkdir(mode=0o755)
        for name in PROGRAMS:
            shutil.copy2(products / name, self.programs / name)

    def run(self, chosen: list[Mutant]) -> int:
        tests = sorted({test for each in chosen for test in each.tests})
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            wrong = [(test, problem) for test, problem in zip(tests, pool.map(self.sound, tests))
                     if problem]
            for test, problem in wrong:
                print("without any mutant %s\n%s" % (test, problem), file=sys.stderr)
            if wrong:
                return 1
            print("%d tests pass without any" % len(tests), flush=True)
            caught = sum(pool.map(self.hunt, chosen))
        print("%d mutants, %d caught, %d survived" % (
            len(chosen), caught, len(chosen) - caught))
        return 0 if caught == len(chosen) else 1

    def sound(self, test: str) -> str:
        """Why a test fails without a mutant; tried twice, because a machine may stall."""
        for _ in range(2):
            passed, output = self.try_test(test, 0)
            ran = re.findall(r"^(?:Ran|.*Test run with|.*, seed \d+:) (\d+) (?:test|event)",
                             output, re.M)
            if not ran or ran[-1] == "0":
                return "is not there:\n" + output[-1500:]
            if passed:
                return ""
        return "fails:\n" + output[-3000:]

    def hunt(self, each: Mutant) -> bool:
        begun = time.monotonic()
        by: Optional[str] = next((t for t in each.tests if not self.try_test(t, each.number)[0]),
                                 None)
        print("%4d  %-30s %-62s %s, %.1f s" % (
            each.number, pathlib.Path(each.file).name, each.removed,
            "caught by " + by if by else "SURVIVED " + ", ".join(each.tests),
            time.monotonic() - begun), flush=True)
        return by is not None

    def try_test(self, test: str, number: int) -> tuple[bool, str]:
        environment = dict(os.environ)
        if test.startswith(SCENARIO):
            environment[VARIABLE] = str(number)
            command = [str(self.simulation), "scenarios", "1", test.removeprefix(SCENARIO)]
            return self.judge(command, self.tree, environment, UNIT_LIMIT)
        if ":" in test:
            module, word = test.split(":")
            folder = self.tree / "Tests" / "System"
            command = [sys.executable, "-B", "-m", "unittest", "discover", "-s", str(folder)]
            command += ["-p", module + ".py"] + (["-k", word] if word else [])
            environment["EVERTOKEN_BIN_DIR"] = str(self.wrapper(number))
            return self.judge(command, folder, environment, SYSTEM_LIMIT)
        environment[VARIABLE] = str(number)
        command = [str(self.unit_tests), "--testing-library",
                   "swift-testing", "--filter", test]
        return self.judge(command, self.tree, environment, UNIT_LIMIT)

    def wrapper(self, number: int) -> pathlib.Path:
        """A directory with both programs, which run this mutant in any environment."""
        folder = self.wrappers / str(number)
        folder.mkdir(exist_ok=True)
        for name in PROGRAMS:
            new = folder / (".%s.%d" % (name, time.monotonic_ns()))
            new.write_text('#!/bin/sh\n%s=%d exec "%s" "$@"\n' % (
                VARIABLE, number, self.programs / name))
            new.chmod(0o755)
            new.rename(folder / name)
        return folder

    @staticmethod
    def judge(command: list[str], folder: pathlib.Path, environment: dict[str, str],
              limit: float) -> tuple[bool, str]:
        """Whether it passed, and its output. Processes that it started are ended."""
        with subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                start_new_session=True) as process:
            try:
                output = process.communicate(timeout=limit)[0]
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)  # the suites clean up after themselves
                try:
                    output = process.communicate(timeout=20)[0]
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    output = process.communicate()[0]
                return False, output + "\nnot over in %g s" % limit
        return process.returncode == 0, output
