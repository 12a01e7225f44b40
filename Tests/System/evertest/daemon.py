"""The real daemon: one process, its configuration, its control socket, and what it writes."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import socket
import subprocess
from typing import Any, Optional

from evertest.basics import BIN, at_end, require_binaries, wait_until


class UnixConnection(http.client.HTTPConnection):
    """HTTP/1.1 over a Unix socket."""

    def __init__(self, path: pathlib.Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon:
    """One `evertokend`, its configuration, its directories and everything it writes to stderr."""

    def __init__(self, case: Any, directory: pathlib.Path, config: dict[str, Any],
                 arguments: tuple[str, ...] = ()) -> None:
        require_binaries()
        self.directory, self.arguments = directory, arguments
        self.state, self.tokens = directory / "state", directory / "run"
        self.socket = directory / "control.sock"
        self.config_file, self.log = directory / "evertoken.json", directory / "stderr.log"
        self.process: Any = None
        self.configure(config)
        at_end(case, self.close)

    def configure(self, config: dict[str, Any]) -> None:
        """Writes the configuration; a running daemon sees it after a reload or a restart."""
        full = {"state_dir": str(self.state), "token_dir": str(self.tokens),
                "control_socket": str(self.socket)} | config
        self.config_file.touch(mode=0o600)
        self.config_file.write_text(json.dumps(full, indent=2))

    def start(self, wait: bool = True) -> "Daemon":
        """Starts the binary; with `wait`, until its control socket answers.

        It dies with the thread that calls this: start it from the main one.
        """
        theirs = ("NOTIFY_SOCKET", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "WATCHDOG_USEC",
                  "CREDENTIALS_DIRECTORY", "EVERTOKEN_SOCKET", "LISTEN_FDS", "INVOCATION_ID")
        environment = {k: v for k, v in os.environ.items() if k not in theirs}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", str(BIN / "evertokend"), "--config",
                 str(self.config_file), *self.arguments],
                cwd=self.directory, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        if wait:
            wait_until(lambda: self.try_status() is not None, 20, "an answer on the control socket",
                       self, pause=0.01)
        return self

    def kill(self) -> None:
        """kill -9, as a crash would: returns once the kernel has released everything it held."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    close = kill

    def terminate(self, timeout: float = 45) -> int:
        """SIGTERM; returns the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError("still running %g s after SIGTERM\n%s"
                                 % (timeout, self.report())) from None

    def restart(self) -> None:
        self.terminate()
        self.start()

    def died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def stderr(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def report(self) -> str:
        """For failure messages: the states, and the end of the log."""
        try:
            states = json.dumps(self.status(), indent=1)
        except (OSError, http.client.HTTPException, AssertionError) as error:
            states = "no status: %r (exit status %s)" % (
                error, self.process.returncode if self.process else "none, never started")
        return "--- status\n%s\n--- daemon's stderr (its end)\n%s" % (
            states, self.stderr()[-6000:] or "(nothing)")

    def request(self, method: str, path: str, body: Any = None,
                timeout: float = 40) -> tuple[int, Any]:
        """One request on the control socket: the HTTP status and the answer, parsed if JSON."""
        connection = UnixConnection(self.socket, timeout)
        try:
            content = None if body is None else json.dumps(body).encode()
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            data = response.read()
            is_json = "json" in (response.getheader("Content-Type") or "")
            return response.status, json.loads(data) if is_json and data else data.decode()
        finally:
            connection.close()

    def status(self) -> dict[str, Any]:
        code, answer = self.request("GET", "/v1/status")
        if code != 200 or not isinstance(answer, dict):
            raise AssertionError("GET /v1/status: %d %s" % (code, answer))
        return answer

    def try_status(self) -> Optional[dict[str, Any]]:
        """The status, or None while no daemon listens."""
        try:
            return self.status()
        except (OSError, http.client.HTTPException):
            return None

    def credentials(self) -> dict[str, dict[str, Any]]:
        """By name, what the status says of each credential."""
        return {entry["name"]: entry for entry in self.status()["credentials"]}

    def sign_in(self, name: str, tokens: dict[str, Any]) -> None:
        """POSTs a token response to `import`; fails unless it was adopted."""
        code, answer = self.request("POST", "/v1/credentials/%s/import" % name, tokens)
        if not 200 <= code < 300:
            raise AssertionError("import of %s: %d %s\n%s" % (name, code, answer, self.report()))
