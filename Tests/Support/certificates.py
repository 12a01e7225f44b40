"""Throw-away certificate authorities and server certificates, made with the openssl command.

Everything lives in the directory of one test. Keys are P-256: made in milliseconds, and good enough
for an hour on loopback.
"""

import pathlib
import ssl
import subprocess
import warnings

LOOPBACK = "IP:127.0.0.1,DNS:localhost"


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments}: exit status {done.returncode}\n{done.stdout}")


def _new_key(path):
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


class Authority:
    """A certificate authority; `certificate` is the file that makes a client trust it."""

    def __init__(self, directory, name="Test CA"):
        self.directory = pathlib.Path(directory) / name.replace(" ", "-").lower()
        self.directory.mkdir()
        self.certificate, self._key = self.directory / "ca.pem", self.directory / "ca.key"
        _new_key(self._key)
        _openssl("req", "-x509", "-new", "-key", self._key, "-out", self.certificate,
                 "-subj", f"/CN={name}", "-days", "2")

    def server(self, name="good", *, names=LOOPBACK, days=2):
        """A server's certificate and key in one PEM file; with negative `days` it has expired."""
        key, request = self.directory / f"{name}.key", self.directory / f"{name}.csr"
        certificate = self.directory / f"{name}.crt"
        _new_key(key)
        _openssl("req", "-new", "-key", key, "-out", request, "-subj", "/CN=loopback",
                 "-addext", f"subjectAltName={names}")
        # An end before the beginning (which is now) has passed, whatever the beginning is.
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                 "-CAcreateserial", "-days", str(days),
                 "-copy_extensions", "copyall", "-out", certificate)
        return _joined(self.directory / f"{name}.pem", key, certificate)


def self_signed(directory):
    """A server's certificate that nobody else vouches for."""
    directory = pathlib.Path(directory)
    key, certificate = directory / "self.key", directory / "self.crt"
    _new_key(key)
    _openssl("req", "-x509", "-new", "-key", key, "-out", certificate, "-subj", "/CN=loopback",
             "-days", "2", "-addext", f"subjectAltName={LOOPBACK}")
    return _joined(directory / "self.pem", key, certificate)


def _joined(target, *parts):
    target.write_text("".join(part.read_text() for part in parts))
    return target


def context(pem):
    """A server's side of TLS with this certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pem)
    return made


def outdated(side):
    """Makes this side of TLS, a server's or a client's, speak version 1.1 and nothing newer; Debian
    and Python would rather not speak it at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        side.set_ciphers("ALL:@SECLEVEL=0")
        side.minimum_version = side.maximum_version = ssl.TLSVersion.TLSv1_1
    return side
