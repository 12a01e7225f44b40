#!/usr/bin/python3
"""Measures an idle evertokend beside a Go program with the same task.

Both keep the same three credentials (two rotating refresh tokens, one client credentials grant)
against one token server on loopback, at the same time, and are watched over the same window.
A wake-up is a voluntary context switch of any of a program's threads: it slept, then ran. The Go
program is go-refresher/main.go, linked without libc (CGO_ENABLED=0, the smaller of its two forms).

    Tests/Measurements/idle.py [--seconds 60] [--max-wakeups 12] [--watchdog 30] [--https]

Needs the Debian packages golang-go and golang-golang-x-oauth2-dev (openssl for --https) and a
release build of evertokend. Exit status: 0 measured and within the limit; 1 a check failed; 2 it
could not be set up. Every answer has Connection: close, so neither program keeps one open.

The defaults make a quick check of evertokend's limit. Go's runtime collects garbage every two
minutes and then returns memory, so a fair comparison needs --settle 150 --seconds 240.
"""

import argparse
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from loopback_token_server import SECRET, serving
from programs import CannotMeasure, build_go, field, write_private

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ("mail", "crm", "reports")
ROTATING = ("mail", "crm")
OURS, THEIRS = "evertokend", "go-refresher"


class Program:
    """One of the two programs with its data in /proc. Reading /proc does not wake it."""

    def __init__(self, name, argv, folder, environment):
        self.name, self.token_dir, self.log = name, folder / "run", folder / "log"
        clean = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                argv, env=clean, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.proc = pathlib.Path("/proc") / str(self.process.pid)
        self.counted, self.wakeups = {}, 0

    def complaint(self, server):
        """Why this program has not done its task; None when it has."""
        if self.process.poll() is not None:
            return f"{self.name} ended with status {self.process.returncode}"
        for name in NAMES:
            try:
                token = (self.token_dir / name / "token").read_text()
            except FileNotFoundError:
                return f"{self.name} has not written the token of {name}"
            if token != server.issued.get(f"{self.name}-{name}", [None])[-1]:
                return f"{self.name} shows something else than the newest token of {name}"
        return None

    def count(self):
        """Adds the switches since the last call; a thread seen for the first time adds all."""
        for task in (self.proc / "task").iterdir():
            try:
                born = (task / "stat").read_text().rpartition(")")[2].split()[19]
                switches = field(task / "status", "voluntary_ctxt_switches")
            except (FileNotFoundError, ProcessLookupError):
                continue  # This thread ended between the listing and the reading.
            key = (task.name, born)
            self.wakeups += switches - self.counted.get(key, 0)
            self.counted[key] = switches

    def memory(self):
        try:
            pss = field(self.proc / "smaps_rollup", "Pss")
        except OSError:
            pss = None  # Only root can read a process that forbids dumps.
        status = self.proc / "status"
        return {"VmRSS, KiB": field(status, "VmRSS"), "RssAnon, KiB": field(status, "RssAnon"),
                "Pss, KiB": pss, "threads": field(status, "Threads")}

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start_evertokend(folder, url, ca_file, environment):
    default = HERE.parent.parent / ".build" / "release"
    binary = pathlib.Path(os.environ.get("EVERTOKEN_BIN_DIR") or default).resolve() / OURS
    if not binary.exists():
        raise CannotMeasure(f"{binary} is missing: swift build -c release")
    request = {"url": url, "client_auth": "client_secret_basic"}
    credentials = {}
    for name in NAMES:
        one = {"provider": "service", "client_id": f"{OURS}-{name}", "client_secret": SECRET}
        if name in ROTATING:
            one.update(provider="account", refresh_token=f"first-{OURS}-{name}")
        credentials[name] = one
    config = {"state_dir": str(folder / "state"), "token_dir": str(folder / "run"),
              "providers": {"account": {"request": request},
                            "service": {"extends": "client_credentials", "request": request}},
              "credentials": credentials}
    if ca_file:
        config["ca_file"] = str(ca_file)
    path = write_private(folder / "evertoken.json", config)
    return Program(OURS, [str(binary), "--config", str(path)], folder, environment)


def start_go_program(folder, url, ca_file):
    binary = build_go(HERE / THEIRS, folder / THEIRS)
    credentials = [
        {"name": name, "token_url": url, "client_id": f"{THEIRS}-{name}", "client_secret": SECRET,
         "refresh_token": f"first-{THEIRS}-{name}" if name in ROTATING else ""}
        for name in NAMES]
    path = write_private(folder / "go-refresher.json", {
        "state_dir": str(folder / "state"), "token_dir": str(folder / "run"),
        "credentials": credentials})
    trust = {"SSL_CERT_FILE": str(ca_file)} if ca_file else {}
    return Program(THEIRS, [str(binary), "-config", str(path)], folder, trust)


def wait_until_idle(programs, server, settle):
    """Every token is written, then `settle` seconds pass in which starting up may end.

    Returns what was still missing when the wait was given up."""
    deadline = time.monotonic() + 60
    while missing := complaints(programs, server):
        if time.monotonic() > deadline or any_ended(programs):
            return missing
        time.sleep(0.05)
    time.sleep(settle)
    return []


def complaints(programs, server):
    return [c for c in (program.complaint(server) for program in programs) if c]


def any_ended(programs):
    return any(program.process.poll() is not None for program in programs)


def watch(programs, seconds, notifications):
    """Counts wake-ups for `seconds`; returns how long it really was and the watchdog's signs.

    Once a second, so that a thread that ends in between takes less than a second's count along."""
    for program in programs:
        program.count()
        program.wakeups = 0
    started, signs = time.monotonic(), 0
    signs_of_life(notifications)
    while (passed := time.monotonic() - started) < seconds and not any_ended(programs):
        time.sleep(min(1, seconds - passed))
        for program in programs:
            program.count()
        signs += signs_of_life(notifications)
    return time.monotonic() - started, signs


def signs_of_life(notifications):
    """How many WATCHDOG=1 messages came since the last look."""
    signs = 0
    while notifications:
        try:
            signs += b"WATCHDOG=1" in notifications.recv(65536).split(b"\n")
        except BlockingIOError:
            break
    return signs


def print_table(rows):
    print(f"{'idle, three credentials':24}{OURS:>14}{THEIRS:>14}{'ratio':>8}")
    for label, (ours, theirs) in rows.items():
        cells = ("-" if v is None else f"{v:.1f}" if isinstance(v, float) else str(v)
                 for v in (ours, theirs))
        ratio = "-" if ours is None or not theirs else f"{ours / theirs:.2f}"
        print("{:24}{:>14}{:>14}{:>8}".format(label, *cells, ratio))


def start(options, folder, server, url, ca_file, programs):
    """Adds both programs to `programs`, each as soon as it runs; returns the watchdog's socket."""
    for name in (OURS, THEIRS):
        (folder / name).mkdir()
        for rotating in ROTATING:
            server.good_refresh_token[f"{name}-{rotating}"] = f"first-{name}-{rotating}"
    environment, notifications = {}, None
    if options.watchdog:
        notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        notifications.bind(str(folder / "notify"))
        environment = {"NOTIFY_SOCKET": str(folder / "notify"),
                       "WATCHDOG_USEC": str(int(options.watchdog * 1e6))}
    programs.append(start_evertokend(folder / OURS, url, ca_file, environment))
    programs.append(start_go_program(folder / THEIRS, url, ca_file))
    return notifications


def measure(options, server, scheme, programs, notifications):
    """Measures and prints; returns the failed checks, as sentences."""
    if missing := wait_until_idle(programs, server, options.settle):
        return missing
    requests = server.requests_seen()
    seconds, signs = watch(programs, options.seconds, notifications)
    failures = complaints(programs, server)
    if any_ended(programs):
        return failures
    if server.requests_seen() != requests:
        failures.append("a token was requested within the window: this was not idling")
    if options.watchdog and options.seconds > options.watchdog and not signs:
        failures.append(f"{OURS} gave no sign of life to the watchdog")
    memory = [program.memory() for program in programs]
    per_minute = tuple(program.wakeups * 60 / seconds for program in programs)
    rows = {label: tuple(m[label] for m in memory) for label in memory[0]}
    print_table({**rows, "wake-ups per minute": per_minute})
    version = subprocess.run(["go", "version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    print(f"{seconds:.0f} s after {options.settle:g} s, {scheme}, "
          f"watchdog {f'{options.watchdog:g} s' if options.watchdog else 'off'}, "
          f"{os.cpu_count()} CPUs, Linux {os.uname().release}, {version}")
    if per_minute[0] > options.max_wakeups:
        failures.append(f"{OURS} woke {per_minute[0]:.1f} times a minute; "
                        f"the limit is {options.max_wakeups:g}")
    return failures


def parsed_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="length of the window")
    parser.add_argument("--settle", type=float, default=5, help="pause before it")
    parser.add_argument("--max-wakeups", type=float, default=12, help="per minute, evertokend")
    parser.add_argument("--watchdog", type=float, default=0, metavar="S",
                        help="give evertokend a systemd watchdog of S seconds, as its unit does")
    parser.add_argument("--https", action="store_true", help="serve the tokens over TLS")
    options = parser.parse_args()
    if options.seconds <= 0:
        parser.error("--seconds must be more than 0")
    for tool, package in {"go": "golang-go", "openssl": "openssl"}.items():
        if not shutil.which(tool) and (tool == "go" or options.https):
            parser.error(f"{tool} is missing: apt-get install {package}")
    return options


def main():
    options = parsed_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # So that `finally` stops the programs.
    programs = []
    with tempfile.TemporaryDirectory(prefix="evertoken-idle.") as name:
        folder = pathlib.Path(name)
        with serving(folder, options.https) as (server, url, ca_file):
            try:
                notifications = start(options, folder, server, url, ca_file, programs)
                scheme = url.partition(":")[0]
                failures = measure(options, server, scheme, programs, notifications)
            except CannotMeasure as reason:
                print(f"idle.py: {reason}", file=sys.stderr)
                return 2
            finally:
                for program in programs:
                    program.stop()
        for program in programs if failures else ():
            print(f"--- {program.name}'s last lines", file=sys.stderr)
            print(program.log.read_text(errors="replace")[-2000:], file=sys.stderr)
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
