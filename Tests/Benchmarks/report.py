"""What was measured, for a terminal, for the README, and as JSON with the machine's description."""

import importlib.metadata
import json
import os
import pathlib
import platform
import re
import subprocess

from contenders import CONTENDERS, CRON, GO, OURS, PYTHON, ROOT

RESULTS = ROOT / "Tests" / "Benchmarks" / "results.json"
PLOT = ROOT / "Tests" / "Benchmarks" / "cost.svg"
README = ROOT / "README.md"
BEGIN, END = "<!-- cost: Tests/Benchmarks/scale.py --readme -->\n", "<!-- end of cost -->\n"

#: Title, key, form; a number that a row has not is shown as a dash.
TABLES = [
    [("rate due, /s", "due_per_s", "%.0f"), ("refreshes/s", "rate_per_s", "%.0f"),
     ("CPU ms each", "cpu_ms_per_refresh", "%.2f"),
     ("late p50, ms", "late_p50", "%.0f ms"), ("p99", "late_p99", "%.0f ms"),
     ("max", "late_max", "%.0f ms"), ("private kB", "private_kB", "%d"),
     ("peak kB", "peak_private_kB", "%d"), ("threads", "threads", "%d"),
     ("state, bytes each", "state_bytes", "%d each"),
     ("sent twice", "twice", "%d"), ("expired", "expired", "%d")],
    [("first start, s", "first_start_s", "%.2f"),
     ("READY, files present, s", "start_present_s", "%.2f"),
     ("files empty, written", "start_empty_s", "%.2f"), ("READY", "ready_empty_s", "%.2f"),
     ("private kB", "start_private_kB", "%d"), ("peak kB", "start_peak_kB", "%d")],
    [("status, s", "status_s", "%.3f"), ("late", "status_late_max", "%.0f ms"),
     ("metrics, s", "metrics_s", "%.3f"), ("late", "metrics_late_max", "%.0f ms"),
     ("health, s", "health_s", "%.3f"), ("late", "health_late_max", "%.0f ms"),
     ("reload, s", "reload_s", "%.3f"), ("late", "reload_late_max", "%.0f ms")]]


def show(result):
    print(described(result))
    for columns in TABLES:
        rows = [row for row in result["rows"] if any(key in row for _, key, _ in columns)]
        _table([["", *(title for title, _, _ in columns)],
                *([title(row), *(_cell(row, key, form) for _, key, form in columns)]
                  for row in rows)])
    for name, rate in result["limits"].items():
        print("limit, %s: %.0f" % (name.replace("_", " "), rate))


def title(row):
    words = [row["program"], "{:,}".format(row["credentials"]), row["scheme"]]
    words += ["static"] * (not row["rotates"]) + ["overload"] * row["is_overload"]
    return " ".join(words)


def _cell(row, key, form):
    value = row.get(key)
    if value is None:
        return "-"
    if form.endswith(" ms"):
        return "%.0f" % (1000 * value)
    if form.endswith(" each"):
        return "%.0f" % (value / row["credentials"])
    return form % value


def _table(lines):
    widths = [max(map(len, column)) for column in zip(*lines)]
    print()
    for line in lines:
        print("  ".join([line[0].ljust(widths[0]), *(
            text.rjust(width) for text, width in zip(line[1:], widths[1:]))]))
    print()


def described(result):
    machine, versions = result["machine"], result["versions"]
    return "%s, %d processors, %d GB, Linux %s, state on %s, token files on %s; %s" % (
        machine["processor"], machine["processors"], machine["memory_GB"], machine["kernel"],
        machine["state_file_system"], machine["token_file_system"],
        ", ".join("%s %s" % pair for pair in versions.items()))


def machine(folder, token_folder):
    """What the numbers depend on."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {"processor": model[1] if model else platform.machine(),
            "processors": os.cpu_count(), "memory_GB": round(pages / 2**30),
            "kernel": platform.release(),
            "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
            "state_file_system": _said("stat", "-f", "-c", "%T", str(folder)),
            "token_file_system": _said("stat", "-f", "-c", "%T", str(token_folder))}


def versions(programs, binaries):
    """Of what was measured; of a source tree, its commit."""
    found = {"commit": _said("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")}
    if OURS in programs:
        found[OURS] = _said(str(binaries[OURS]), "--version").split()[-1]
    if GO in programs:
        found["go"] = _said("go", "env", "GOVERSION").removeprefix("go")
        found["x/oauth2"] = _package("golang-golang-x-oauth2-dev")
    if PYTHON in programs:
        found["python"] = _said("/usr/bin/python3", "--version").split()[-1]
        found["requests-oauthlib"] = _package("python3-requests-oauthlib")
    if CRON in programs:
        found["curl"], found["jq"] = _package("curl"), _package("jq")
    return found


def _package(name):
    return _said("dpkg-query", "-W", "-f", "${Version}", name)


def _said(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def readme_section(result):
    """The README's table: the programs at 1,000 credentials, and evertokend at its most."""
    plain = [row for row in result["rows"]
             if row["scheme"] == "http" and row["rotates"] and not row["is_overload"]]
    rows = [row for row in plain if row["credentials"] == 1000]
    rows.sort(key=lambda row: list(CONTENDERS).index(row["program"]))
    rows += [row for row in plain if row["credentials"] > 1000
             and row["program"] in (OURS, GO)
             and row["credentials"] == max(one["credentials"] for one in plain)]
    names = {OURS: "evertokend", GO: "Go, x/oauth2", PYTHON: "Python, requests-oauthlib",
             CRON: "`curl`, `jq`, `mv` in a loop, nothing flushed"}
    lines = [
        "| http on loopback, %d processors | CPU of a refresh | late, 99 of 100 | private memory "
        "| state on disk |" % result["machine"]["processors"], "|---|---|---|---|---|"]
    for row in rows:
        lines.append("| {:,}: {} | {:.1f} ms | {} | {:,.0f} MB | {:,.0f} MB |".format(
            row["credentials"], names[row["program"]], row["cpu_ms_per_refresh"],
            _late(row["late_p99"]), row["private_kB"] / 1000, row["state_bytes"] / 1e6))
    return "\n".join(lines) + "\n"


def _late(seconds):
    if seconds < 0.001:
        return "never"
    return "%.0f ms" % (1000 * seconds) if seconds < 1 else "%.1f s" % seconds


def with_section(text, section):
    """A document with the section between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the document has no marks of the section: %s" % BEGIN.strip())
    return before + BEGIN + section + END + after


def write_json(path, result):
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
