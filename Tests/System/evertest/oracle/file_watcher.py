#!/usr/bin/python3
"""Reads files repeatedly as fast as it can, and reports everything that it saw.

    file_watcher.py PATH...  < a pipe that is closed at the end

A separate process, so that it competes only with the writer. Each look is one open, one fstat and
one read of the same descriptor. Once a file has been seen, its absence is recorded too. Prints
JSON: {PATH: [[text or null, mode, uid, gid, looks], ...]}, in the order of the first look; prints
"ready" when it begins.
"""

import json
import os
import select
import sys


def look(path):
    """What a reader gets: the text, and whose file it is with which mode."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None, 0, 0, 0
    try:
        about = os.fstat(descriptor)
        text = os.read(descriptor, 1 << 20).decode()
    finally:
        os.close(descriptor)
    return text, about.st_mode & 0o7777, about.st_uid, about.st_gid


def main():
    sights = {path: {} for path in sys.argv[1:]}
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        for path, seen in sights.items():
            for _ in range(20):
                sight = look(path)
                if sight[0] is None and not seen:
                    continue
                seen[sight] = seen.get(sight, 0) + 1
    print(json.dumps({path: [[*sight, looks] for sight, looks in seen.items()]
                      for path, seen in sights.items()}))


if __name__ == "__main__":
    main()
