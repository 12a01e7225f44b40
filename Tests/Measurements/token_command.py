#!/usr/bin/python3
"""How long `evertoken token NAME` takes with a fresh token, from exec to exit.

    Tests/Measurements/token_command.py [--bin DIR] [--runs 50] [--most MILLISECONDS]

One evertokend with a token server on loopback; then, in turn, so that a busy moment meets all
alike: `evertoken token`, `curl --unix-socket` for the same resource, and /bin/true, which is what
starting a program costs here at least. Exit status 1 says that the best run of `evertoken token`
took --most (20) milliseconds or more. Without --bin: the release build. Needs curl. Takes a few
seconds.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "System"))

NAME, SECRET = "crm", "the secret of the client"
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def milliseconds(argv):
    """From posix_spawn(3), which is the exec, to the end of waitpid(2)."""
    silence = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    start = time.perf_counter()
    process = os.posix_spawn(argv[0], argv, ENVIRONMENT, file_actions=silence)
    _, status = os.waitpid(process, 0)
    took = time.perf_counter() - start
    if status != 0:
        raise AssertionError("%s: wait status %d" % (" ".join(argv), status))
    return 1000 * took


def measure(binaries, runs):
    """The durations of each program, by its name."""
    from evertest.basics import wait_until
    from evertest.daemon import Daemon
    from evertest.kills.trials import NoCase
    from evertest.servers.token_server import TokenServer

    with tempfile.TemporaryDirectory() as folder, TokenServer() as server:
        daemon = Daemon(NoCase(), pathlib.Path(folder), {
            "providers": {"as": {"request": {"url": server.url,
                                             "client_auth": "client_secret_basic"}}},
            "credentials": {NAME: {"provider": "as", "client_id": NAME, "client_secret": SECRET,
                                   "refresh_token": server.grant(NAME, SECRET)}}})
        resource = "http://localhost/v1/credentials/%s/token" % NAME
        programs = {
            "evertoken token": [str(binaries / "evertoken"), "token", NAME, "--socket",
                                str(daemon.socket)],
            "curl --unix-socket": [shutil.which("curl"), "-s", "--unix-socket",
                                   str(daemon.socket), resource],
            "/bin/true": ["/bin/true"],
        }
        try:
            daemon.start()
            wait_until(lambda: daemon.credentials()[NAME]["state"] == "fresh", 20, "a token",
                       daemon)
            token = subprocess.run(programs["evertoken token"], check=True, env=ENVIRONMENT,
                                   stdout=subprocess.PIPE, text=True).stdout.strip()
            if token != (daemon.tokens / NAME / "token").read_text():
                raise AssertionError("`evertoken token` printed another token")
            durations = {name: [] for name in programs}
            for _ in range(runs):
                for name, argv in programs.items():
                    durations[name].append(milliseconds(argv))
        finally:
            daemon.kill()
        return durations


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / ".build" / "release")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--most", type=float, default=20, metavar="MILLISECONDS")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs must be 1 or more")
    if shutil.which("curl") is None:
        parser.error("install curl")
    options.bin = options.bin.resolve()
    if not (options.bin / "evertoken").exists():
        parser.error("%s has no evertoken: swift build -c release --static-swift-stdlib"
                     % options.bin)
    os.environ["EVERTOKEN_BIN_DIR"] = str(options.bin)
    durations = measure(options.bin, options.runs)
    print("%-20s %8s %8s   milliseconds, %d runs" % ("", "best", "median", options.runs))
    for name, found in durations.items():
        print("%-20s %8.1f %8.1f" % (name, min(found), statistics.median(found)))
    return 0 if min(durations["evertoken token"]) < options.most else 1


if __name__ == "__main__":
    sys.exit(main())
