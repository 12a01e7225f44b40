"""Common parts of the tests of units that need tokens: writing units, and reading their results."""

import pathlib

from evertest.sandbox import InSystemdCase

UNITS = pathlib.Path("/etc/systemd/system")


class UnitCase(InSystemdCase):
    """Units beside the daemon's own."""

    GOT = pathlib.Path("/run/got")

    def arrange(self):
        super().arrange()
        self.GOT.mkdir(mode=0o777)
        self.GOT.chmod(0o777)

    def unit(self, name, *lines):
        """A unit file of these lines."""
        (UNITS / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.systemctl("daemon-reload")

    def result(self, unit, name="Result"):
        """A property of any unit."""
        return self.systemctl("show", "-P", name, unit).strip()

    def said(self, unit=None, **fields):
        """Entries of the daemon's journal with these EVERTOKEN_ fields."""
        more = [f"EVERTOKEN_{name}={value}" for name, value in fields.items()]
        return self.journal("-u", unit or "evertoken", *more)
