"""Throw-away certificate authorities and server certificates, made with the openssl command.

Each test has its own directory. Keys are P-256: created in milliseconds, and strong enough for an
hour on loopback.
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

    def __init__(self, directory, name="Test CA", *, days=2):
        self.directory = pathlib.Path(directory) / name.replace(" ", "-").lower()
        self.directory.mkdir()
        self.certificate, self._key = self.directory / "ca.pem", self.directory / "ca.key"
        _new_key(self._key)
        request = self.directory / "ca.csr"
        _openssl("req", "-new", "-key", self._key, "-out", request, "-subj", f"/CN={name}",
                 "-addext", "basicConstraints=critical,CA:TRUE")
        _openssl("x509", "-req", "-in", request, "-signkey", self._key, "-days", str(days),
                 "-copy_extensions", "copyall", "-out", self.certificate)

    def server(self, name="good", *, names=LOOPBACK, days=2, subject="loopback", bits=None):
        """A server's certificate and key in one PEM file; with negative `days` it has expired,
        with `bits` its key is an RSA key of that length."""
        key, request = self.directory / f"{name}.key", self.directory / f"{name}.csr"
        certificate = self.directory / f"{name}.crt"
        if bits is None:
            _new_key(key)
        else:
            _openssl("genrsa", "-out", key, str(bits))
        _openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={subject}",
                 "-addext", f"subjectAltName={names}")
        # An end before the beginning, which is now, is always in the past.
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                 "-CAcreateserial", "-days", str(days),
                 "-copy_extensions", "copyall", "-out", certificate)
        return _joined(self.directory / f"{name}.pem", key, certificate)


def self_signed(directory):
    """A self-signed certificate of a server."""
    directory = pathlib.Path(directory)
    key, certificate = directory / "self.key", directory / "self.crt"
    _new_key(key)
    _openssl("req", "-x509", "-new", "-key", key, "-out", certificate, "-subj", "/CN=loopback",
             "-days", "2", "-addext", f"subjectAltName={LOOPBACK}")
    return _joined(directory / "self.pem", key, certificate)


def _joined(target, *parts):
    target.write_text("".join(part.read_text() for part in parts))
    return target


def context(pem, *, is_lax=False):
    """A server's side of TLS with this certificate; a lax one takes weak keys."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if is_lax:
        made.set_ciphers("DEFAULT:@SECLEVEL=0")
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
