"""Writes an input for each documented answer of each profile: `seeds.py DIRECTORY`.

The layout is ProfileProperties.check's: profile, kind, the texts of the request (none), then of each
answer its status, Retry-After, Date, cut, and the body.
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATUSES = [200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503]


def body_bytes(body: object) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    names = sorted(p.stem for p in (ROOT / "Sources/TokenCore/Profiles").glob("*.json"))
    for index, name in enumerate(names):
        profile = json.loads((ROOT / f"Sources/TokenCore/Profiles/{name}.json").read_text())
        fixture = json.loads((ROOT / f"Tests/Fixtures/Profiles/{name}.json").read_text())
        texts = 2 + len(profile.get("variables", {})) + 2
        head = bytes([index, 0]) + bytes(texts)
        answers = [exchange["answer"] for exchange in fixture["exchanges"]] + fixture["errors"]
        for number, answer in enumerate(answers):
            status = answer["status"] if answer["status"] in STATUSES else 400
            tail = bytes([STATUSES.index(status), 0, 0, 1]) + body_bytes(answer["body"])
            (folder / f"{name}-{number}").write_bytes(head + tail)


main()
