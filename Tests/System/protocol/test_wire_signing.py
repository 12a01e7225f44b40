"""Requests that sign their own parameters, as Alipay's gateway wants it: RSA over the parameters in
order of their names, the signature in base 64 beside them. The openssl command judges them."""

import base64
import tempfile
import urllib.parse

from evertest.basics import temporary_directory
from evertest.servers.client_assertions import openssl
from evertest.servers.raw_server import replying
from evertest.suite import Suite
from evertest.wire import QUICK, WireCase, granting

SUITE = Suite(timed=True, minutes=0.1)

NAMES = ("app_id", "charset", "grant_type", "method", "refresh_token", "sign_type", "timestamp",
         "version")
#: In order of their names, as they are signed.
PARAMETERS = {
    "app_id": "${client_id}", "charset": "utf-8", "grant_type": "refresh_token",
    "method": "alipay.system.oauth.token", "refresh_token": "${refresh_token}",
    "sign_type": "RSA2", "timestamp": "${now('yyyy-MM-dd HH:mm:ss', '+08:00')}", "version": "1.0"}


def signed_text():
    """A template of NAME=VALUE&…, from the templates of the parameters."""
    parts = []
    for number, name in enumerate(NAMES):
        value = PARAMETERS[name]
        is_template = value.startswith("${")
        parts.append("'%s%s='" % ("&" if number else "", name))
        parts.append(value[2:-1] if is_template else "'%s'" % value)
    return "concat(%s)" % ", ".join(parts)


class SigningTest(WireCase):
    def setUp(self):
        self.directory = temporary_directory(self)
        self.key = self.directory / "app.key"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out",
                self.key)

    def provider(self, server, **more):
        return {"extends": "none", "request": {
            "url": f"http://127.0.0.1:{server.port}/gateway.do", "client_auth": "none",
            "params": PARAMETERS | {"sign": "${sign('RS256', app_key, %s)}" % signed_text()}},
            "response": {"access_token": "/access_token", "refresh_token": "/refresh_token",
                         "expires": {"from": "/expires_in", "as": "seconds"}},
            "variables": {"app_key": {"required": True, "secret": True}}} | more

    def assert_verifies(self, sent):
        values = dict(urllib.parse.parse_qsl(sent.body.decode(), strict_parsing=True))
        self.assertEqual(set(values), {*NAMES, "sign"})
        text = "&".join(f"{name}={values[name]}" for name in NAMES).encode()
        public = self.directory / "app.pub"
        openssl("pkey", "-in", self.key, "-pubout", "-out", public)
        with tempfile.NamedTemporaryFile(dir=self.directory) as signature:
            signature.write(base64.b64decode(values["sign"], validate=True))
            signature.flush()
            said = openssl("dgst", "-sha256", "-verify", public, "-signature", signature.name,
                           text=text)
        self.assertEqual(said, b"Verified OK\n")

    def test_a_signed_request_verifies_with_either_kind_of_key_file(self):
        bare = self.directory / "bare.key"
        lines = self.key.read_text().splitlines()
        # Alipay's own tool saves the base 64 of the key alone, on Windows.
        bare.write_bytes("".join(lines[1:-1]).encode() + b"\r\n")
        for name, key in (("pem", self.key), ("bare", bare)):
            with self.subTest(name):
                server = self.serve(replying(200, granting(1)))
                self.start({"alipay": self.provider(server)}, {"alipay": {
                    "provider": "alipay", "client_id": "2014072300007148",
                    "refresh_token": "RT&1=", "refresh": QUICK,
                    "variables": {"app_key": {"file": str(key)}}}})
                self.wait_state("alipay", "fresh")
                self.assert_verifies(server.requests[0])
                self.daemon.close()

    def test_a_parameter_that_is_given_twice_is_sent_twice(self):
        server = self.serve(replying(200, granting(1)))
        resources = ["https://a.example/", "https://b.example/x"]
        self.start({"as": super().provider(server, params={"resource": resources})})
        self.wait_state("as", "fresh")
        pairs = urllib.parse.parse_qsl(server.requests[0].body.decode(), strict_parsing=True)
        self.assertEqual([value for name, value in pairs if name == "resource"], resources)
        self.assertEqual(len(pairs), 4, pairs)
