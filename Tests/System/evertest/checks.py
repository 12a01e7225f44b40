"""`evertoken check` on configurations in which each mistake is marked."""

import json
import os
import re

from evertest.programs import ProgramCase, evertoken, write_private

MARK = "\N{PILCROW SIGN}"


def unmarked(text):
    """The text without its marks, and where they stood: (line, column), both from 1, in bytes."""
    lines, places = [], []
    for number, line in enumerate(text.split("\n"), 1):
        while MARK in line:
            before, _, after = line.partition(MARK)
            places.append((number, len(before.encode()) + 1))
            line = before + after
        lines.append(line)
    return "\n".join(lines), places


class CheckCase(ProgramCase):
    def setUp(self):
        super().setUp()
        self.file = self.directory / "evertoken.json"

    def write(self, config, mode=0o600):
        text = config if isinstance(config, str) else json.dumps(config, indent=2)
        write_private(self.file, text).chmod(mode)

    def drop_in(self, name, text):
        folder = self.directory / "conf.d"
        folder.mkdir(exist_ok=True)
        return write_private(folder / name, text)

    def check(self):
        return evertoken("check", "--config", str(self.file))

    def messages(self, done):
        """(file, line, column, rest) of each line of the standard error."""
        found = []
        for line in done.stderr.splitlines():
            match = re.fullmatch(r"(/[^:]*):([0-9]+):([0-9]+): (.+)", line)
            self.assertIsNotNone(match, "no FILE:LINE:COLUMN: MESSAGE: " + line)
            found.append((match[1], int(match[2]), int(match[3]), match[4]))
        return found

    def places(self, done):
        return sorted((file, line, column) for file, line, column, _ in self.messages(done))

    def assert_refused_at(self, text, *words):
        """Refused with 78, in exactly the marked places; the messages hold these words."""
        plain, places = unmarked(text)
        self.write(plain)
        done = self.check()
        self.assert_exit(done, os.EX_CONFIG, *words)
        self.assertEqual(self.places(done),
                         sorted((str(self.file), *place) for place in places), done.stderr)
        return done
