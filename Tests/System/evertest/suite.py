"""What a suite declares of itself, as `SUITE = Suite(…)`, and who reads it: Tests/run.

A declaration is read, not imported: its arguments are literals.
"""

from __future__ import annotations

import ast
import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Suite:
    """How a suite is to be run.

    minutes  it takes, beside two others on two processors; the longest suites are begun first
    timed    its tests expect things within seconds of wall-clock time. If one fails, the suite is
             tried once more with no other beside it, because a machine may have stalled; if it
             passes then, it is reported as a flake. What proves that no token is lost is not timed
    alone    it takes the processors for itself, or looks at all that /tmp holds: it runs when no
             other suite does
    """

    minutes: float = 0.5
    timed: bool = False
    alone: bool = False


class Undeclared(Exception):
    """A suite that declares nothing, or nothing that can be read."""


@dataclasses.dataclass(frozen=True)
class Declared:
    """A suite's file and its declaration."""

    name: str
    path: pathlib.Path
    suite: Suite


def declaration(path: pathlib.Path) -> Suite:
    """Reads what a suite's file declares."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="SUITE")],
                            value=ast.Call(func=ast.Name(id="Suite"), args=[], keywords=keywords)):
                try:
                    return Suite(**{str(word.arg): ast.literal_eval(word.value)
                                    for word in keywords})
                except (TypeError, ValueError) as error:
                    raise Undeclared("%s: SUITE cannot be read: %s" % (path, error)) from None
    raise Undeclared("%s: declares no SUITE (see evertest/suite.py)" % path)


def declared(folder: pathlib.Path) -> list[Declared]:
    """All suites below a folder, the longest first. A folder that is no package is an error, for
    unittest would find nothing in it; so are two suites of one name."""
    found: dict[str, Declared] = {}
    for path in sorted(folder.rglob("test_*.py")):
        name = path.stem.removeprefix("test_")
        if not (path.parent / "__init__.py").exists():
            raise Undeclared("%s: its folder has no __init__.py" % path)
        if name in found:
            raise Undeclared("%s: %s has the same name" % (path, found[name].path))
        found[name] = Declared(name, path, declaration(path))
    return sorted(found.values(), key=lambda one: (-one.suite.minutes, one.name))
