#!/usr/bin/python3
"""What one refresh costs evertokend, in instructions: beside another build of it, or alone.

    Tests/Measurements/refresh_cost.py [--bin DIR] [--against DIR] [--most PERCENT]

Each build's evertokend runs under valgrind's callgrind beside a token server on loopback, is asked
for many refreshes one after another, once few and once many of them; the difference, divided, is one
refresh: request, answer, both slots, two token files, journal, and the control socket's own request.
With --against DIR, where an older build's evertokend lies, exit status 1 says that --bin (the release
build) costs over PERCENT (2) more. --calls lists the system calls of one refresh too, by strace.
Needs, from Debian: valgrind; strace for --calls. Takes a minute and a half a build, for refreshes are
half a second apart.
"""

import argparse
import collections
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "System"))

from evertest.basics import wait_until  # noqa: E402
from evertest.daemon import Daemon  # noqa: E402
from evertest.kills.trials import NoCase  # noqa: E402
from evertest.servers.token_server import TokenServer  # noqa: E402

FEW, MANY = 20, 140
NAME, SECRET = "crm", "the secret of the client"


class Prefixed(Daemon):
    """A daemon of some build, run by another program."""

    def __init__(self, directory, server, prefix):
        seed = server.grant(NAME, SECRET)
        super().__init__(NoCase(), directory, {
            "providers": {"as": {"request": {"url": server.url,
                                             "client_auth": "client_secret_basic"}}},
            "credentials": {NAME: {
                "provider": "as", "client_id": NAME, "client_secret": SECRET,
                "refresh_token": seed, "refresh": {"min_interval": "1ms", "timeout": "60s"}}}})
        self.prefix = prefix

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, str(self.directory / "evertokend"), "--config",
                 str(self.config_file)],
                cwd=self.directory, env={"PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        wait_until(lambda: self.try_status() is not None
                   and self.credentials()[NAME]["state"] == "fresh", 120, "a first token", self)
        return self

    def refresh(self, count):
        for _ in range(count):
            code, answer = self.request("POST", "/v1/credentials/%s/refresh?wait=60s" % NAME)
            if code != 200:
                raise AssertionError("a refresh: %d %s" % (code, answer))


def run(binaries, count, prefix_of):
    """So many refreshes; the file that the program before the daemon wrote."""
    with tempfile.TemporaryDirectory() as folder, TokenServer() as server:
        directory = pathlib.Path(folder) / "daemon"
        directory.mkdir(mode=0o700)
        result = pathlib.Path(folder) / "result"
        # Without debugging information, which valgrind may not know how to read.
        subprocess.run(["strip", "--strip-debug", "-o", directory / "evertokend",
                        binaries / "evertokend"], check=True)
        daemon = Prefixed(directory, server, prefix_of(result))
        try:
            daemon.start().refresh(count)
            time.sleep(0.5)  # whatever is still being said
            daemon.terminate()
            time.sleep(0.5)  # strace may end a moment later
        finally:
            daemon.kill()
        refreshed = len(server.exchanges(NAME)) - 1
        if refreshed != count:
            raise AssertionError("%d refreshes, and not %d" % (refreshed, count))
        return result.read_text()


def instructions(binaries, count):
    def prefix(result):
        return ["valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file=%s" % result]

    totals = re.search(r"^(?:totals|summary): (\d+)", run(binaries, count, prefix), re.MULTILINE)
    return int(totals[1])


def cost(binaries):
    """Instructions of one refresh."""
    return (instructions(binaries, MANY) - instructions(binaries, FEW)) / (MANY - FEW)


def calls(binaries):
    """System calls of one refresh, by name."""
    def counted(count):
        def prefix(result):
            return ["strace", "-D", "-f", "-qq", "-o", str(result)]

        text = run(binaries, count, prefix)
        return collections.Counter(re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE))

    few, many = counted(FEW), counted(MANY)
    return {name: (many[name] - few[name]) / (MANY - FEW) for name in sorted(many)
            if many[name] - few[name] > (MANY - FEW) / 20}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / ".build" / "release")
    parser.add_argument("--against", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--most", type=float, default=2, metavar="PERCENT")
    parser.add_argument("--calls", action="store_true")
    options = parser.parse_args()
    for tool in ["valgrind"] + ["strace"] * options.calls:
        if shutil.which(tool) is None:
            parser.error("install " + tool)
    new = cost(options.bin)
    print("%s: %.0f instructions a refresh" % (options.bin, new))
    if options.calls:
        print("  " + ", ".join("%s %.1f" % item for item in calls(options.bin).items()))
    if options.against is None:
        return 0
    old = cost(options.against)
    more = 100 * (new / old - 1)
    print("%s: %.0f; %+.2f %% (at most %g %%)" % (options.against, old, more, options.most))
    if options.calls:
        print("  " + ", ".join("%s %.1f" % item for item in calls(options.against).items()))
    return 1 if more > options.most else 0


if __name__ == "__main__":
    sys.exit(main())
