"""A daemon that holds a secret of every kind, from every place, and the hooks and commands that are
part of it. It runs as another user than the tester, from copies of the programs, under the tap."""

import base64
import json
import os
import pathlib
import shutil
import subprocess

from evertest.basics import BIN, at_end, require_binaries, temporary_directory, wait_until
from evertest.daemon import UnixConnection
from evertest.programs import PLAIN_ENVIRONMENT, write_program
from evertest.secrecy.provider import Provider
from evertest.servers.client_assertions import openssl
from evertest.tracing.tap import tapped

#: Debian's nobody.
USER = 65534
AS_USER = ["setpriv", "--reuid=%d" % USER, "--regid=%d" % USER, "--clear-groups"]
UNDER_TAP = 40  # seconds of patience: strace makes a daemon slow
REFRESH = {"min_interval": "0.5s", "retry": {"initial": "0.3s", "max": "0.6s"}}


def private_keys(vault, directory):
    """The PEM text and the JWK text of two new RSA keys, learnt by the vault."""
    pem = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048").decode()
    lines = [line for line in pem.splitlines() if "-----" not in line]
    vault.learn("private_key", pem, lines[1:])  # the first line is alike in all keys
    other = openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-outform", "DER")
    url = lambda part: base64.urlsafe_b64encode(part).rstrip(b"=").decode()  # noqa: E731
    jwk = {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "k1", "d": url(other[7:39]),
           "x": url(other[-64:-32]), "y": url(other[-32:])}
    vault.learn("private_key", jwk["d"])
    return pem, json.dumps(jwk)


class World:
    """Directory, provider, configuration, and the daemon once it is started."""

    def __init__(self, case, vault):
        require_binaries()
        self.vault, self.case = vault, case
        self.directory = temporary_directory(case)
        self.directory.chmod(0o711)
        self.programs = self.directory / "bin"
        self.programs.mkdir(mode=0o755)
        self.programs.chmod(0o755)
        for name in ("evertokend", "evertoken"):
            shutil.copy(BIN / name, self.programs / name)
            (self.programs / name).chmod(0o755)
        self.home = self.directory / "home"  # all that the daemon may touch
        self.inputs = self.home / "inputs"
        for folder in (self.home, self.inputs):
            folder.mkdir(mode=0o700)
        self.state, self.tokens = self.home / "state", self.home / "run"
        self.socket, self.config_file = self.home / "control.sock", self.home / "evertoken.json"
        self.log, self.credentials, self.processes = self.directory / "stderr", {}, []
        self.environment, self.more, self.records = dict(PLAIN_ENVIRONMENT), {}, []
        self.providers, self.more_outputs = {}, []
        self.provider = Provider(vault)
        at_end(case, self.provider.stop)
        at_end(case, self.close)

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    # The configuration.

    def private(self, name, text):
        """A file of the daemon's user with this text."""
        path = self.inputs / name
        path.touch(mode=0o600)
        path.write_text(text)
        os.chown(path, USER, USER)
        return str(path)

    def program(self, name, *lines):
        """A shell script that the daemon's user may run."""
        return [str(write_program(self.programs / name, "#!/bin/sh", *lines))]

    def profile(self, name, auth, base="refresh_token", **request):
        """A profile for this provider."""
        self.providers[name] = {"extends": base, "request": {
            "url": self.provider.url, "client_auth": auth} | request}

    def add(self, name, provider="basic", secret=None, seed=True, **more):
        """A credential; its seed is a canary, and its secret is what its requests must hold."""
        entry = {"provider": provider, "client_id": name, "refresh": REFRESH}
        if secret is not None:
            text, source = secret
            entry["client_secret"] = source
            self.provider.secret_of[name] = text
        if seed:
            entry["refresh_token"] = self.vault.new("seed", "RT-seed")
        self.credentials[name] = entry | more

    def secret(self, source):
        """A client secret, and where the configuration says that it is."""
        text = self.vault.new("client_secret", "CS")
        number = "%d" % len(self.vault.canaries)
        if source == "inline":
            return text, text
        if source == "file":
            return text, {"file": self.private(number, text + "\n")}
        if source == "env":
            self.environment["SECRET_" + number] = text
            return text, {"env": "SECRET_" + number}
        if source == "systemd":
            self.environment["CREDENTIALS_DIRECTORY"] = str(self.inputs)
            self.private("systemd-" + number, text)
            return text, {"credential": "systemd-" + number}
        file = self.private(number, text + "\n")
        return text, {"command": self.program("give-" + number, 'exec cat "%s"' % file)}

    def write_config(self, text=None):
        whole = {"state_dir": str(self.state), "token_dir": str(self.tokens),
                 "control_socket": str(self.socket), "log_level": "debug",
                 "providers": self.providers, "credentials": self.credentials} | self.more
        self.config_file.touch(mode=0o600)
        self.config_file.write_text(json.dumps(whole, indent=2) if text is None else text)
        for path in (self.home, self.inputs, self.config_file):
            os.chown(path, USER, USER)
        return self.config_file.read_text()

    # The programs.

    def start(self, tap=True, wait=True, arguments=(), user=AS_USER):
        """The daemon; with `wait`, until it answers."""
        command = [*user, str(self.programs / "evertokend"), "--config", str(self.config_file),
                   *arguments]
        with open(self.log, "ab") as log:
            options = {"cwd": str(self.home), "env": self.environment, "stdout": log,
                       "stderr": log, "stdin": subprocess.DEVNULL}
            if tap:
                self.records.append(self.directory / ("tap-%d" % len(self.records)))
                self.process = tapped(command, self.records[-1], **options)
            else:
                self.process = subprocess.Popen(command, **options)
        self.processes.append(self.process)
        if wait:
            wait_until(lambda: self.request("GET", "/healthz"), UNDER_TAP, "an answer", self)
        return self.process

    def died(self):
        return self.process.poll() is not None

    def report(self):
        return self.log.read_text(errors="replace")[-6000:]

    def stop(self):
        """SIGTERM; the exit status. What the tap wrote is then whole."""
        self.process.terminate()
        return self.ended()

    def ended(self):
        status = self.process.wait(UNDER_TAP)
        self.wait_for_records()
        return status

    def wait_for_records(self):
        """strace ends after the traced process: waits until no process has its files open."""
        def is_open(path):
            done = subprocess.run(["sh", "-c", 'for f in /proc/[0-9]*/fd/*; do [ "$f" -ef "$0" ] '
                                   '&& echo $f; done; true', str(path)], capture_output=True)
            return bool(done.stdout)

        for path in self.records:
            wait_until(lambda: path.exists() and not is_open(path), UNDER_TAP,
                       "the end of strace")

    def evertoken(self, *arguments, text="", tap=True):
        """The command line, as root."""
        command = [str(self.programs / "evertoken"), *map(str, arguments)]
        options = {"env": PLAIN_ENVIRONMENT | {"EVERTOKEN_SOCKET": str(self.socket)},
                   "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                   "cwd": str(self.directory), "text": True}
        if tap:
            self.records.append(self.directory / ("tap-%d" % len(self.records)))
            process = tapped(command, self.records[-1], **options)
        else:
            process = subprocess.Popen(command, **options)
        self.processes.append(process)
        output, errors = process.communicate(text, timeout=UNDER_TAP)
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    # The control socket.

    def request(self, method, path, body=None, timeout=UNDER_TAP):
        connection = UnixConnection(self.socket, timeout)
        try:
            connection.request(method, path, None if body is None else json.dumps(body).encode())
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def states(self):
        listed = json.loads(self.request("GET", "/v1/status")[1])["credentials"]
        return {entry["name"]: entry for entry in listed}

    def wait_for(self, names, condition, what):
        return wait_until(lambda: all(condition(self.states()[name]) for name in names),
                          UNDER_TAP, what, self)

    def output(self, name, file="token"):
        return pathlib.Path(self.tokens / name / file).read_text()
