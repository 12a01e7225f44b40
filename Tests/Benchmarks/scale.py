#!/usr/bin/python3
"""What many credentials cost: evertokend beside a Go program with the same task, in one run.

    Tests/Benchmarks/scale.py [--credentials 3,1000,10000] [--programs evertokend,go] [--json FILE]

Each program runs alone, against the authorization server of this folder (server/main.go): refresh
tokens rotate, every use of a spent one is counted, and how late a refresh comes is measured at the
server's door. The life of the tokens is chosen so that about --rate refreshes a second are due.
The Go program is that of Tests/Measurements (x/oauth2, a goroutine a credential; state and token
files are written to a temporary file, fsynced, renamed, and their directory fsynced).

For each number of credentials: a first start until every token file is written; a window of
refreshes; a stop; a start with valid state until every file is written again. Private memory is
RssAnon; with --bin-dir another build of evertokend is measured. The files lie below --folder.

Needs the Debian packages golang-go and golang-golang-x-oauth2-dev, and a release build. Exit
status: 0 measured; 1 a token of evertokend was sent twice or
expired, or a limit was passed; 2 it could not be set up.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "Tests" / "Measurements"))

from loopback_token_server import SECRET  # noqa: E402
from programs import CannotMeasure, build_go, field, write_private  # noqa: E402

OURS, GO = "evertokend", "go"
# Files of conf.d stay below the limit of one configuration file.
CREDENTIALS_PER_FILE = 2000
SHORTEST_LIFE = 12


class Server:
    """The authorization server, in a process of its own."""

    def __init__(self, binary, life, size):
        self.process = subprocess.Popen(
            [str(binary), "-life", "%ds" % life, "-size", str(size)],
            stdout=subprocess.PIPE, text=True)
        self.base = "http://127.0.0.1:%d" % int(self.process.stdout.readline())

    def window(self):
        with urllib.request.urlopen(self.base + "/window", timeout=30) as reply:
            return json.load(reply)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Program:
    """A program under measurement and its numbers in /proc, which reading does not wake."""

    def __init__(self, argv, folder):
        self.log = open(folder / "log", "ab")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder)})
        self.proc = pathlib.Path("/proc/%d" % self.process.pid)
        self.most_threads = 0

    def status(self, name):
        return field(self.proc / "status", name)

    def look(self):
        """Notes what only a look at the right moment sees."""
        self.most_threads = max(self.most_threads, self.status("Threads"))

    def processor_seconds(self):
        fields = (self.proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def configure_ours(folder, names, url, binary):
    drop_ins = folder / "conf.d"
    drop_ins.mkdir()
    refresh = {"at": "67%", "margin": "1s", "jitter": "0%"}
    write_private(folder / "evertoken.json", {
        "state_dir": str(folder / "state"), "token_dir": str(folder / "run"),
        "ready_timeout": "10m", "defaults": {"refresh": refresh}, "providers": {"account": {
            "request": {"url": url, "client_auth": "client_secret_basic"},
            "lifecycle": {"refresh_token": "rotating"}}}})
    for start in range(0, len(names), CREDENTIALS_PER_FILE):
        some = names[start:start + CREDENTIALS_PER_FILE]
        write_private(drop_ins / ("%06d.json" % start), {"credentials": {
            name: {"provider": "account", "client_id": name, "client_secret": SECRET,
                   "refresh_token": "first-" + name} for name in some}})
    return [str(binary), "--config", str(folder / "evertoken.json")]


def configure_go(folder, names, url, binary):
    write_private(folder / "go.json", {
        "state_dir": str(folder / "state"), "token_dir": str(folder / "run"),
        "credentials": [{"name": name, "token_url": url, "client_id": name,
                         "client_secret": SECRET, "refresh_token": "first-" + name}
                        for name in names]})
    return [str(binary), "-config", str(folder / "go.json")]


def until_written(program, folder, names, limit):
    """Seconds from the start until every token file is there."""
    missing = list(names)
    while missing:
        if program.process.poll() is not None:
            raise CannotMeasure("it ended: " + (folder / "log").read_text()[-2000:])
        if time.monotonic() - program.started > limit:
            raise CannotMeasure("%d of %d token files are missing after %d s" % (
                len(missing), len(names), limit))
        while missing and (folder / "run" / missing[-1] / "token").exists():
            missing.pop()
        program.look()
        time.sleep(0.02)
    return time.monotonic() - program.started


def on_disk(folder):
    """Bytes that the files below a folder take."""
    done = subprocess.run(["du", "-s", "-B1", str(folder)], capture_output=True, text=True,
                          check=True)
    return int(done.stdout.split()[0])


def measure(name, count, options, binaries, folder):
    names = ["c%06d" % number for number in range(count)]
    life = max(SHORTEST_LIFE, round(count / options.rate / 0.67))
    folder.mkdir()
    row = {"program": name, "credentials": count, "life_s": life}
    with contextlib.ExitStack() as stack:
        server = Server(binaries["server"], life, options.token_size)
        stack.callback(server.stop)
        configure = configure_ours if name == OURS else configure_go
        argv = configure(folder, names, server.base + "/token", binaries[name])
        first = Program(argv, folder)
        stack.callback(first.stop)
        row["first_start_s"] = until_written(first, folder, names, 900)
        # The first round of refreshes belongs to the start.
        time.sleep(life)
        server.window()
        spent, began = first.processor_seconds(), time.monotonic()
        while time.monotonic() - began < options.seconds:
            first.look()
            time.sleep(0.2)
        seen = server.window()
        row["rate_per_s"] = seen["answered"] / (time.monotonic() - began)
        row["cpu_ms_per_refresh"] = (
            1000 * (first.processor_seconds() - spent) / max(1, seen["answered"]))
        row.update((key, seen[key]) for key in ("late_p50", "late_p99", "late_max"))
        row.update((key, seen[key]) for key in ("twice", "expired"))
        row["private_kB"], row["peak_kB"] = first.status("RssAnon"), first.status("VmHWM")
        row["threads"] = first.most_threads
        row["state_bytes"] = on_disk(folder / "state")
        first.stop()
        shutil.rmtree(folder / "run")
        again = Program(argv, folder)
        stack.callback(again.stop)
        row["start_s"] = until_written(again, folder, names, 900)
        time.sleep(1)
        again.look()
        row["start_private_kB"], row["start_peak_kB"] = (
            again.status("RssAnon"), again.status("VmHWM"))
        row["start_threads"] = again.most_threads
        row["twice"] += server.window()["twice"]
    return row


COLUMNS = [
    ("first start, s", "first_start_s", "%.1f"), ("start, s", "start_s", "%.2f"),
    ("refreshes/s", "rate_per_s", "%.0f"), ("CPU ms/refresh", "cpu_ms_per_refresh", "%.2f"),
    ("late p50, s", "late_p50", "%.3f"), ("late p99, s", "late_p99", "%.3f"),
    ("late max, s", "late_max", "%.3f"), ("private, kB", "private_kB", "%d"),
    ("after start, kB", "start_private_kB", "%d"), ("peak at start, kB", "start_peak_kB", "%d"),
    ("threads", "start_threads", "%d"), ("state, bytes", "state_bytes", "%d"),
    ("sent twice", "twice", "%d"), ("expired", "expired", "%d")]


def show(rows):
    head = ["%s %d" % (row["program"], row["credentials"]) for row in rows]
    print("%-18s" % "" + "".join("%18s" % text for text in head))
    for title, key, form in COLUMNS:
        print("%-18s" % title + "".join("%18s" % (form % row[key]) for row in rows))
    for name in dict.fromkeys(row["program"] for row in rows):
        mine = [row for row in rows if row["program"] == name]
        for small, large in zip(mine, mine[1:]):
            grown = large["credentials"] - small["credentials"]
            print("%s, %d to %d credentials: %.1f kB each, after a start %.1f kB each" % (
                name, small["credentials"], large["credentials"],
                (large["private_kB"] - small["private_kB"]) / grown,
                (large["start_private_kB"] - small["start_private_kB"]) / grown))


def parsed_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--credentials", default="3,1000,10000")
    parser.add_argument("--programs", default=",".join((OURS, GO)))
    parser.add_argument("--rate", type=float, default=200, help="refreshes a second that are due")
    parser.add_argument("--seconds", type=float, default=20, help="length of the window")
    parser.add_argument("--token-size", type=int, default=1024, help="bytes of each token")
    parser.add_argument("--bin-dir", type=pathlib.Path, default=ROOT / ".build" / "release")
    parser.add_argument("--folder", type=pathlib.Path, help="for the state and token files")
    parser.add_argument("--most-kb-each", type=float, metavar="KB",
                        help="fail if a credential of evertokend costs more private memory")
    parser.add_argument("--json", type=pathlib.Path, help="where the numbers are written")
    return parser.parse_args()


def main():
    options = parsed_options()
    rows = []
    with tempfile.TemporaryDirectory(prefix="evertoken-scale.", dir=options.folder) as name:
        folder = pathlib.Path(name)
        try:
            binaries = {OURS: options.bin_dir / OURS,
                        "server": build_go(HERE / "server", folder / "server"),
                        GO: build_go(ROOT / "Tests/Measurements/go-refresher", folder / "go")}
            if not binaries[OURS].exists():
                raise CannotMeasure("%s is missing: swift build -c release" % binaries[OURS])
            for count in map(int, options.credentials.split(",")):
                for program in options.programs.split(","):
                    place = folder / ("%s-%d" % (program, count))
                    rows.append(measure(program, count, options, binaries, place))
                    shutil.rmtree(place)
        except CannotMeasure as reason:
            print("scale.py: %s" % reason, file=sys.stderr)
            return 2
    rows.sort(key=lambda row: (row["program"] != OURS, row["program"]))
    show(rows)
    if options.json:
        options.json.write_text(json.dumps({
            "machine": {"processors": os.cpu_count(), "kernel": platform.release()},
            "rows": rows}, indent=2) + "\n")
    return 1 if failures(rows, options) else 0


def failures(rows, options):
    """What evertokend must not do, as sentences; they are shown."""
    found = []
    ours = [row for row in rows if row["program"] == OURS]
    for row in ours:
        for key in ("twice", "expired"):
            if row[key]:
                found.append("%d tokens %s at %d credentials" % (
                    row[key], key, row["credentials"]))
    for small, large in zip(ours, ours[1:]):
        for key in ("private_kB", "start_private_kB"):
            each = (large[key] - small[key]) / (large["credentials"] - small["credentials"])
            if options.most_kb_each and each > options.most_kb_each:
                found.append("%s: %.1f kB for each credential; the limit is %g" % (
                    key, each, options.most_kb_each))
    for sentence in found:
        print("FAILED: " + sentence, file=sys.stderr)
    return found


if __name__ == "__main__":
    sys.exit(main())
