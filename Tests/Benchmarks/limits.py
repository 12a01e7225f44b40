"""What no program could pass on this machine: the server alone, and the disk alone.

The server is asked by wrk, each request on a connection of its own. The disk loop (disk_loop.c)
makes a refresh's writes and flushes without the refresh: intent, response and settled record, each
flushed before the next, then a token file. It does so with files of each credential, and with one
file of all and a flusher that serves every writer (group commit).
"""

import base64
import re
import shutil
import subprocess
import tempfile

from contenders import HERE, SECRET, CannotMeasure, need
from witness import Server

WRK = """
wrk.method = "POST"
wrk.headers["Authorization"] = "Basic %s"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
wrk.headers["Connection"] = "close"
wrk.body = "grant_type=refresh_token&refresh_token=first-load"
"""
#: As many as evertokend has in flight.
CONNECTIONS = WRITERS = 64


def server_per_second(binary, folder, seconds, size, trust=None):
    """Requests a second that the server answers when nothing else runs, over new connections."""
    need({"wrk": "wrk"})
    script = folder / "load.lua"
    script.write_text(WRK % base64.b64encode(("load:" + SECRET).encode()).decode())
    server = Server(binary, 3600, size=size, trust=trust, rotates=False)
    try:
        done = subprocess.run(
            ["wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", "%ds" % seconds, "-s", str(script),
             server.url], capture_output=True, text=True, timeout=seconds + 60, check=False)
        seen = server.window()
    finally:
        server.stop()
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    if not rate or seen["refused"] or "Non-2xx" in done.stdout:
        raise CannotMeasure("wrk: %s%s" % (done.stdout, done.stderr))
    return float(rate[1])


def disk_per_second(folder, token_folder, seconds):
    """Refreshes a second whose writes and flushes the disk takes, by form."""
    need({"cc": "gcc libc6-dev"})
    program = folder / "disk_loop"
    subprocess.run(["cc", "-O2", "-pthread", "-o", str(program), str(HERE / "disk_loop.c")],
                   check=True)
    rates = {}
    for form in ("files", "group"):
        place = folder / ("disk-" + form)
        place.mkdir()
        with tempfile.TemporaryDirectory(prefix="evertoken-loop.", dir=token_folder) as tokens:
            done = subprocess.run(
                [str(program), form, str(place), tokens, str(WRITERS), str(seconds)],
                capture_output=True, text=True, timeout=seconds + 120, check=False)
        if done.returncode != 0:
            raise CannotMeasure("disk_loop: " + done.stderr)
        rates[form] = float(done.stdout)
        shutil.rmtree(place)
    return rates


def measure(options, binaries, folder, trust):
    """Both limits, as the JSON has them."""
    seconds = options.limit_seconds
    found = {"server_http_per_s": server_per_second(
        binaries["server"], folder, seconds, options.token_size)}
    if trust:
        found["server_https_per_s"] = server_per_second(
            binaries["server"], folder, seconds, options.token_size, trust)
    rates = disk_per_second(folder, options.token_folder, seconds)
    return {**found, "disk_files_per_s": rates["files"], "disk_group_per_s": rates["group"]}
