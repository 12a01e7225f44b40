#!/usr/bin/python3
"""Bodies of a token endpoint that cost their reader as much as bytes can, of a given size.

Each aims at work that grows faster than the body: sorting of combining marks, splitting of text
into characters, comparison of names, conversion of numbers, search with a pattern. All are made
the same way every time, and none is longer than the size that was asked for.

    bodies()["marks_in_error"]                   # in Python
    worst_bodies.py DIRECTORY [--size BYTES]     # one file for each, as a corpus for other tools
"""

import argparse
import pathlib

#: Just below what the daemon keeps of a body.
SIZE = 47_000
JSON, FORM = "application/json", "application/x-www-form-urlencoded"

# Combining marks by their canonical class: 232, 230, 220 and 10.
PAIR = "\u0315\u0300"
LADDER = ("\u0315", "\u0300", "\u0323", "\u05b0")
MIXED = "\u0315\u0300\u0323\u05b0\u0307\u0301"
HANGUL = "\u1100\u1161\u11a8"
FLAGS = "\U0001f1e9\U0001f1ea"
SELECTORS = "\u2708\ufe0f\ufe0e"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d"
EMOJI_ESCAPES = "\\ud83d\\ude00"
LONE_ESCAPES = "\\ude00\\ud83d"


def filled(head, unit, tail, size):
    """`head`, as many `unit` as there is room for, `tail`; in UTF-8."""
    head, unit, tail = head.encode(), unit.encode(), tail.encode()
    return head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


def laddered(head, tail, size):
    """The same with the marks of each class together, the highest class first."""
    room = (size - len(head.encode()) - len(tail.encode())) // len(LADDER)
    return b"".join([head.encode(), *(filled("", mark, "", room) for mark in LADDER),
                     tail.encode()])


def numbered(head, pieces, tail, size):
    """`head`, the pieces for 0, 1, 2 … with commas between them, `tail`."""
    parts, room = [], size - len(head.encode()) - len(tail.encode())
    for number in range(size):
        piece = pieces(number).encode()
        room -= len(piece) + 1
        if room < 0:
            break
        parts.append(piece)
    return head.encode() + b",".join(parts) + tail.encode()


def pairs(number):
    """Two names that are one text where texts are compared by canonical equivalence."""
    return f'"{number}a\u0315\u0300":{number},"{number}a\u0300\u0315":{number}'


GRANT = '"access_token":"at-worst","token_type":"Bearer","expires_in":2'
REFUSAL = '{"error":"invalid_request","error_description":"'


def texts(size):
    """A hostile text at each place where one can stand."""
    return {
        "marks_in_error": filled('{"error":"a', PAIR, '"}', size),
        "ladder_in_error": laddered('{"error":"a', '"}', size),
        "mixed_marks_in_error": filled('{"error":"a', MIXED, '"}', size),
        "marks_in_scope": filled("{" + GRANT + ',"scope":"a', PAIR, '"}', size),
        "marks_in_key": filled('{"a', PAIR, '":1,' + GRANT + "}", size),
        "marks_in_access_token": filled('{"access_token":"a', PAIR, '"}', size),
        "marks_in_token_type": filled(
            '{"access_token":"at-worst","expires_in":2,"token_type":"a', PAIR, '"}', size),
        "marks_in_refresh_token": filled("{" + GRANT + ',"refresh_token":"a', PAIR, '"}', size),
        "marks_in_description": filled(REFUSAL + "a", PAIR, '"}', size),
        "ladder_in_description": laddered(REFUSAL + "a", '"}', size),
        "marks_in_lifetime": filled(
            '{"access_token":"at-worst","expires_in":"2', PAIR, '"}', size),
        "hangul_in_error": filled('{"error":"', HANGUL, '"}', size),
        "flags_in_description": filled(REFUSAL, FLAGS, '"}', size),
        "selectors_in_description": filled(REFUSAL, SELECTORS, '"}', size),
        "families_in_description": filled(REFUSAL, FAMILY, '"}', size),
        "emoji_escapes_in_description": filled(REFUSAL, EMOJI_ESCAPES, '"}', size),
        "lone_surrogates_in_description": filled(REFUSAL, LONE_ESCAPES, '"}', size),
        "backslashes_in_description": filled(REFUSAL, "\\\\", '"}', size),
        "pattern_bait_in_description": filled(REFUSAL, "too man", '"}', size),
        "pattern_bait_with_marks": filled(REFUSAL, "too man\u0315\u0300", '"}', size),
    }


def structures(size):
    """Hostile as a whole: names, nesting, numbers, and what is no JSON."""
    long = "7" * min(40_000, size - 200)
    return {
        "keys_equal_but_for_marks": numbered("{", pairs, "," + GRANT + "}", size),
        "keys_distinct": numbered("{", lambda n: f'"{n:x}":0', "," + GRANT + "}", size),
        "key_twice_at_the_end": numbered("{", lambda n: f'"{n:x}":0', ',"0":1}', size),
        "nested_to_the_limit": numbered(
            "[", lambda _: "[" * 31 + "]" * 31, "]", size),
        "nested_past_the_limit": b"[" * (size // 2) + b"]" * (size // 2),
        "nested_objects": filled("", '{"a":', "", size),
        "long_lifetime": (
            f'{{"access_token":"at-worst","expires_in":{long}}}').encode(),
        "long_number_with_exponent": (
            f'{{"access_token":"at-worst","expires_in":{long}e-39990}}').encode(),
        "huge_exponent": (
            f'{{"access_token":"at-worst","expires_in":1e{long}}}').encode(),
        "long_lifetime_text": (
            f'{{"access_token":"at-worst","expires_in":"{long}"}}').encode(),
        "salvage_bait": filled("{", '"refresh_token":', "", size),
        "salvage_bait_of_numbers": filled("{", '"refresh_token":7,', "", size),
        "salvage_bait_unreadable": filled("{", '"refresh_token":"\\x",', "", size),
        "salvage_bait_unended": filled("{", '"refresh_token":"\\', "", size),
        "salvage_bait_spaced": filled('{"refresh_token"', " ", "", size),
        "spaces": filled("", " ", "{" + GRANT + "}", size),
        "bytes_that_are_no_text": (
            b'{"error":"' + b"\xff\xcc" * ((size - 12) // 2) + b'"}'),
    }


def forms(size):
    """The same in the other encoding."""
    marks = "".join(f"%{byte:02X}" for byte in PAIR.encode())
    return {
        "form_of_many_pairs": numbered(
            "a=b&", lambda n: f"{n:x}=0", "", size).replace(b",", b"&"),
        "form_with_marks": filled("error=a", marks, "", size),
        "form_with_marks_in_key": filled("a", marks, "=1&access_token=at-worst", size),
        "form_of_ampersands": filled("a=b", "&", "", size),
    }


def bodies(size=SIZE):
    """All of them by name."""
    made = texts(size) | structures(size) | forms(size)
    for name, body in made.items():
        if not size // 2 < len(body) <= size:
            raise AssertionError(f"{name} has {len(body)} bytes")
    return made


def content_type(name):
    """What the body of this name is sent as."""
    return FORM if name.startswith("form_") else JSON


def main():
    parser = argparse.ArgumentParser(description="writes worst-case answers, one file for each")
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=SIZE)
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    for name, body in bodies(options.size).items():
        (options.directory / name).write_bytes(body)


if __name__ == "__main__":
    main()
