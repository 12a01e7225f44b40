"""What the measurements of programs share."""

import json
import os
import subprocess


class CannotMeasure(Exception):
    """Something the measurement needs is missing."""


def field(path, name):
    """The number after NAME: in one of /proc's files."""
    for line in path.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise CannotMeasure(f"{path} has no {name}")


def write_private(path, value):
    path.touch(mode=0o600)
    path.write_text(json.dumps(value, indent=2))
    return path


def build_go(source, output):
    """Builds the Go program of a folder with Debian's packages, without a network."""
    settings = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOPROXY": "off",
                "CGO_ENABLED": "0", "GOFLAGS": "", "GOCACHE": str(output.parent / "cache")}
    built = subprocess.run(
        ["go", "build", "-o", str(output), "main.go"], cwd=source, text=True,
        env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if built.returncode != 0:
        raise CannotMeasure(f"go build failed:\n{built.stdout}")
    return output
