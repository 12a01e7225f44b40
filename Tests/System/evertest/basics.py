"""The basis of all system tests: paths, temporary directories, and waiting.

Every wait has a condition and a limit; a failed wait reports its condition and the daemon's log.
The processes of a test are stopped when the test ends, when the interpreter exits, and on SIGTERM.

Environment: EVERTOKEN_BIN_DIR (where the binaries are), EVERTOKEN_KEEP=1 (keep the directories).
"""

from __future__ import annotations

import atexit
import http.client
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time
from typing import Any, Callable, Optional, Protocol, TypeVar

ROOT = pathlib.Path(__file__).resolve().parents[3]
#: The C and shell parts: shims, a tracer, real servers, a systemd in namespaces.
SUPPORT = ROOT / "Tests" / "Support"
#: This package, for the modules that run as programs.
LIBRARY = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("EVERTOKEN_BIN_DIR") or ROOT / ".build" / "release").resolve()

T = TypeVar("T")


class Witness(Protocol):
    """The source of a failed wait's report: the daemon."""

    def died(self) -> bool: ...
    def report(self) -> str: ...


def _interrupted(*_: object) -> None:
    """Turns SIGTERM into an orderly exit, so that `timeout` leaves no server behind."""
    raise KeyboardInterrupt("terminated")


if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, _interrupted)


def require_binaries() -> None:
    """Fails, rather than skips, where there is nothing to test."""
    if not (BIN / "evertokend").exists():
        raise AssertionError("no %s: run `swift build -c release`, or set EVERTOKEN_BIN_DIR"
                             % (BIN / "evertokend"))


def temporary_directory(case: Any) -> pathlib.Path:
    """A new directory under /tmp, removed after the test (or, given a class, after the class)."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="evertoken-test-", dir="/tmp"))
    if os.environ.get("EVERTOKEN_KEEP") == "1":
        print("keeping", path, file=sys.stderr)
    else:
        at_end(case, shutil.rmtree, path, ignore_errors=True)
    return path


def at_end(case: Any, function: Callable[..., object], *args: Any, **keywords: Any) -> None:
    """Calls `function` when `case` (a test, or a test class) is over, and once more at
    exit, in case the test was interrupted: it must do no harm the second time."""
    add = case.addClassCleanup if isinstance(case, type) else case.addCleanup
    add(function, *args, **keywords)
    atexit.register(function, *args, **keywords)


def wait_until(predicate: Callable[[], T], timeout: float, what: str,
               daemon: Optional[Witness] = None, pause: float = 0.05) -> T:
    """Returns the first true value of `predicate`; fails saying what was waited for.

    A predicate that cannot reach the daemon is asked again: it may be starting.
    """
    deadline = time.monotonic() + timeout
    account = daemon.report if daemon is not None else lambda: ""
    while True:
        trouble = ""
        try:
            value = predicate()
            if value:
                return value
        except (OSError, http.client.HTTPException) as error:
            trouble = " (last: %r)" % error
        if daemon is not None and daemon.died():
            raise AssertionError("the daemon stopped before: %s\n%s" % (what, account()))
        if time.monotonic() > deadline:
            raise AssertionError("waited %g s in vain for: %s%s\n%s"
                                 % (timeout, what, trouble, account()))
        time.sleep(pause)
