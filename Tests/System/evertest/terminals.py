"""The command line as a user runs it: with a terminal as standard input and error."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from typing import Any, Optional

from evertest.basics import BIN
from evertest.programs import PLAIN_ENVIRONMENT


class Answered:
    """How it ended: the status, standard output, and what stood on the terminal."""

    def __init__(self, args: list[Any], returncode: int, stdout: str, stderr: str) -> None:
        self.args, self.returncode = args, returncode
        self.stdout, self.stderr = stdout, stderr


def on_terminal(*arguments: str, socket: Any = None, question: str = "", answer: str = "",
                timeout: float = 120) -> Answered:
    """Runs `evertoken` to its end, and types `answer` once `question` stands on the terminal."""
    variables = PLAIN_ENVIRONMENT | ({"EVERTOKEN_SOCKET": str(socket)} if socket else {})
    ours, theirs = pty.openpty()
    words = [str(BIN / "evertoken"), *arguments]
    program = subprocess.Popen(words, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs,
                               env=variables, start_new_session=True)
    os.close(theirs)
    seen, is_answered, end = b"", not question, time.monotonic() + timeout
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                part = _read(ours)
                if part is None:
                    break
                seen += part
            elif program.poll() is not None:
                break
            if not is_answered and question.encode() in seen:
                is_answered = True
                os.write(ours, answer.encode() + b"\n")
        assert program.stdout is not None
        stdout = program.stdout.read().decode()
        return Answered(words, program.wait(timeout=10), stdout, seen.decode().replace("\r", ""))
    finally:
        program.kill()
        program.wait()
        if program.stdout:
            program.stdout.close()
        os.close(ours)


def _read(terminal: int) -> Optional[bytes]:
    """None when the other end is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return None
