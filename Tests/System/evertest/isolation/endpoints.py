"""The endpoints of hostile and frequently renewed credentials, in a separate process: one HTTP port
whose paths misbehave, and a name server that never answers.

Prints its port, runs at the lowest priority, and ends when its standard input does. Then it prints
how often each path was asked.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import json
import os
import secrets
import socket
import sys
from typing import Iterator

#: Marks in descending order of their combining class: the worst order for a sort.
MARKS = "\u0315\u0300\u0323"
#: Of one body, in bytes; what is larger is refused unread.
SIZE = 47_000
NAME_SERVER = "127.0.0.78"


def worst_text(size: int) -> str:
    """One letter and marks enough to fill so many bytes."""
    return "a" + MARKS * ((size - 1) // len(MARKS.encode()))


def hostile_bodies() -> dict[str, list[tuple[int, bytes]]]:
    """By path, statuses and bodies; the text stands wherever a client may compare or print it.

    After a refusal a client may rest for long. So `bodies` has what makes it come back at once.
    """
    text = worst_text(SIZE - 200)
    half = worst_text(SIZE // 2 - 200)
    granted = {"access_token": "hostile", "token_type": "Bearer", "expires_in": 2}
    answers: dict[str, list[tuple[int, dict[str, object]]]] = {
        "refusals": [(400, {"error": text}), (200, {"error": text}), (400, {text: "error"}),
                     (400, {"error": half, half: half[:60]}),
                     (400, {"error": "invalid_scope", "error_description": text})],
        "bodies": [(200, granted | {"scope": text}), (200, granted | {text: 1}),
                   (503, {"error": text}), (200, granted | {half: 1, "scope": half}),
                   (429, {"error": half, half: half[:60]}),
                   (400, {"error": "temporarily_unavailable", "error_description": text})]}
    return {path: [(status, json.dumps(body, ensure_ascii=False).encode())
                   for status, body in some] for path, some in answers.items()}


class Endpoints:
    """The paths, and how often each was asked."""

    def __init__(self) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.bodies: dict[str, Iterator[tuple[int, bytes]]] = {
            path: itertools.cycle(answers) for path, answers in hostile_bodies().items()}

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request; the answer of its path."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next((int(line.split(":")[1]) for line in head.lower().split("\r\n")
                           if line.startswith("content-length:")), 0)
            await reader.readexactly(length)
            path = head.split(" ")[1].strip("/")
            self.counts[path] += 1
            await getattr(self, "answer_" + path)(reader, writer)
        writer.close()

    async def answer_bodies(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response(*next(self.bodies["bodies"])))
        await writer.drain()

    async def answer_refusals(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response(*next(self.bodies["refusals"])))
        await writer.drain()

    async def answer_drips(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One byte a second."""
        for byte in response(200, b'{"access_token": "late", "expires_in": 4}'):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)

    async def answer_silence(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        """Nothing for as long as the client stays."""
        while await reader.read(4096):
            pass

    async def answer_short(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A token that must be renewed and published again within seconds."""
        token = {"access_token": secrets.token_urlsafe(32), "expires_in": 4}
        writer.write(response(200, json.dumps(token).encode()))
        await writer.drain()


def response(status: int, body: bytes) -> bytes:
    head = ("HTTP/1.1 %d Status\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
            "Connection: close\r\n\r\n" % (status, len(body)))
    return head.encode() + body


class MuteNameServer(asyncio.DatagramProtocol):
    """Counts its questions and answers none."""

    def __init__(self, counts: collections.Counter[str]) -> None:
        self.counts = counts

    def datagram_received(self, _: bytes, __: object) -> None:
        self.counts["names"] += 1


async def serve(with_names: bool) -> None:
    endpoints = Endpoints()
    server = await asyncio.start_server(endpoints.talk, "127.0.0.1", 0, backlog=512)
    loop = asyncio.get_running_loop()
    if with_names:
        await loop.create_datagram_endpoint(
            lambda: MuteNameServer(endpoints.counts), local_addr=(NAME_SERVER, 53),
            family=socket.AF_INET)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(endpoints.counts), flush=True)


if __name__ == "__main__":
    os.nice(19)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve("names" in sys.argv[1:]))
    os._exit(0)
