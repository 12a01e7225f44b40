"""The library that leaves flushes out, or only counts them: `Tests/Support/power_shim.c`."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

from evertest.basics import SUPPORT


def build_shim(directory: pathlib.Path) -> pathlib.Path:
    compiler = next(filter(None, map(shutil.which, ("gcc", "clang", "cc"))))
    shim = directory / "power_shim.so"
    subprocess.run([compiler, "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    "-o", shim, SUPPORT / "power_shim.c"], check=True)
    return shim
