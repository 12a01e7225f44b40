"""What lies where in a state directory, for tests that look below the daemon (StateOnDisk 1).

No other module of the tests knows it, but for commands that a person would type.
"""

from __future__ import annotations

import pathlib

SLOTS = SLOT_A, SLOT_B = "slotA", "slotB"
#: Set aside by `evertoken accept`, behind a slot's name.
DAMAGED = ".damaged"
#: In a credential's folder: where its slots were made.
ORIGIN = ".origin"
#: In the state directory.
LOCK, PROBE = ".lock", ".probe"
#: An extended attribute whose name ends with the sequence of the slot's last record.
MARK = "user.evertoken.sequence."

#: Of the default `slot_size`, in bytes.
SLOT_SIZE, ANSWER_AT, BLOCK = 64 * 1024, 15 * 1024, 512
RECORD_MAGIC, ANSWER_MAGIC = b"EVTKREC1", b"EVTKANS1"


def slot_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Those of a credential's slots that there are."""
    return [folder / name for name in SLOTS if (folder / name).exists()]


def slots_hold(folder: pathlib.Path, text: str) -> bool:
    """Whether a slot of the credential has the text in it."""
    return any(text.encode() in slot.read_bytes() for slot in slot_files(folder))


def spent_file(state: pathlib.Path, name: str) -> pathlib.Path:
    """The traces of a state that was erased."""
    return state / (".%s.spent" % name)
