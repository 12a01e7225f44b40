"""Client assertions (RFC 7523) and private JWKs (RFC 7517), made with the openssl command.

An independent implementation: a server verifies what the daemon signs, and a test's own requests to
that server must not be signed by the daemon.
"""

import base64
import hmac
import json
import pathlib
import subprocess
import time
import uuid

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def openssl(*arguments, text=b""):
    """What the command writes to its standard output, given `text`."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=text, capture_output=True,
                          timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments}: exit status {done.returncode}\n{done.stderr}")
    return done.stdout


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def assertion(client_id, audience, *, key=None, key_id=None, secret=None):
    """The form parameters of a client assertion: ES256 with a P-256 key file, HS256 by a secret."""
    header = {"alg": "HS256", "typ": "JWT"} if key is None else {
        "alg": "ES256", "typ": "JWT", "kid": key_id}
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "jti": str(uuid.uuid4()),
              "iat": now - 30, "exp": now + 60}
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims)).encode()
    if key is None:
        signature = hmac.digest(secret.encode(), signed, "sha256")
    else:
        signature = _raw(openssl("dgst", "-sha256", "-sign", key, text=signed))
    return {"client_assertion_type": TYPE,
            "client_assertion": f"{signed.decode()}.{base64url(signature)}"}


def _raw(der):
    """The two numbers of an ECDSA signature, 32 bytes each, out of its DER (RFC 3279): a SEQUENCE
    of two INTEGERs, each with a zero in front where its first bit is set."""
    first = 4 + der[3]
    numbers = der[4:first], der[first + 2:]
    return b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in numbers)


def private_jwk(key, **more):
    """The JWK of a P-256 private key file: in SEC 1's DER the private number stands behind the
    first seven bytes, and the public point is the end."""
    der = openssl("ec", "-in", key, "-outform", "DER")
    jwk = {"kty": "EC", "crv": "P-256", "d": base64url(der[7:39]), "x": base64url(der[-64:-32]),
           "y": base64url(der[-32:])}
    return json.dumps(jwk | more)


def encrypted_key(key, target, *, passphrase, form="pkcs8"):
    """The same key under a passphrase: PKCS #8, or the older form with its own headers."""
    how = {"pkcs8": ("pkcs8", "-topk8", "-in", key, "-passout", f"pass:{passphrase}"),
           "sec1": ("ec", "-in", key, "-aes256", "-passout", f"pass:{passphrase}")}[form]
    openssl(*how, "-out", target)
    return pathlib.Path(target)
