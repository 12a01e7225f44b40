"""Writes the inputs a fuzzer starts from: `seeds.py TARGET DIRECTORY`.

`Tests/Fuzzing/fuzz` runs it with Tests/System as PYTHONPATH, where the tests' library is."""

import json
import pathlib
import sys

from evertest.servers import worst_bodies

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATUSES = [200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503]


def body_bytes(body):
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def profiles():
    """Every documented answer, in the layout of ProfileProperties.check: profile, kind, texts of
    the request (none), then for each answer its status, Retry-After, Date, truncation and body."""
    names = sorted(p.stem for p in (ROOT / "Sources/TokenProviders/Profiles").glob("*.json"))
    for index, name in enumerate(names):
        profile = json.loads((ROOT / f"Sources/TokenProviders/Profiles/{name}.json").read_text())
        fixture = json.loads((ROOT / f"Tests/Fixtures/Profiles/{name}.json").read_text())
        head = bytes([index, 0]) + bytes(4 + len(profile.get("variables", {})))
        for answer in [one["answer"] for one in fixture["exchanges"]] + fixture["errors"]:
            status = answer["status"] if answer["status"] in STATUSES else 400
            yield head + bytes([STATUSES.index(status), 0, 0, 1]) + body_bytes(answer["body"])


def responses():
    """The documented bodies, and the most expensive ones."""
    for name in sorted(p.stem for p in (ROOT / "Tests/Fixtures/Profiles").glob("*.json")):
        fixture = json.loads((ROOT / f"Tests/Fixtures/Profiles/{name}.json").read_text())
        for answer in [one["answer"] for one in fixture["exchanges"]] + fixture["errors"]:
            yield body_bytes(answer["body"])
    yield from worst_bodies.bodies().values()


def configuration():
    """The documents that test loader and schema, and the profiles as part of a configuration."""
    table = json.loads((ROOT / "Tests/Unit/Fixtures/documents.json").read_text())
    for entries in table.values():
        for entry in entries:
            yield json.dumps(entry["document"], ensure_ascii=False).encode()
    for file in (ROOT / "Sources/TokenProviders/Profiles").glob("*.json"):
        yield b'{"providers": {"' + file.stem.encode() + b'": ' + file.read_bytes() + b"}}"


def slots():
    for place in range(0, 60, 4):
        yield bytes([0, place]) + b"\x01"
        yield bytes([1, place]) + b"\x80\x00\x00"


def control():
    body = b'{"refresh_token": "CANARY7", "expires_in": 60}'
    for line in (b"GET /v1/status", b"POST /v1/credentials/a/import", b"POST /v1/reload",
                 b"GET /v1/credentials/a/token?min_ttl=300"):
        yield b"\x10" + line + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        yield b"\x28" + line + b" HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def main():
    folder = pathlib.Path(sys.argv[2])
    makers = {"profiles": profiles, "responses": responses, "configuration": configuration,
              "slots": slots, "control": control}
    for number, seed in enumerate(makers[sys.argv[1]]()):
        (folder / f"{number:04}").write_bytes(seed)


main()
