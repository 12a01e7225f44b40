"""The mutants: what is removed from the programs, one at a time, and which test must fail.

An edit is a text that occurs once in a source file, and its replacement; `$M` in it is true for
this mutant and false for all others, so that one build contains all of them. A test is
`Suite/function` (a unit test), `scenario:name` (of Tests/Simulation) or `module:word` (the system
tests of module.py, in a folder of Tests/System, whose names have that word in them). The cheapest
test that fails comes first.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mutant:
    number: int
    file: str  # below Sources
    removed: str
    edits: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]


def mutant(number: int, file: str, removed: str, original: str, instead: str, *tests: str,
           also: tuple[tuple[str, str], ...] = ()) -> Mutant:
    return Mutant(number, file, removed, ((original, instead), *also), tests)


def without(number: int, file: str, removed: str, condition: str, *tests: str,
            to: str = "$M || ") -> Mutant:
    """A condition that always holds; with another `to`, that never does."""
    return mutant(number, file, removed, condition, to + condition, *tests)


def all_mutants() -> list[Mutant]:
    import mutants_answers
    import mutants_causes
    import mutants_check
    import mutants_disk
    import mutants_field
    import mutants_isolation
    import mutants_operator
    import mutants_order
    import mutants_process
    import mutants_scenarios
    import mutants_sign_in
    import mutants_state
    found = [*mutants_disk.MUTANTS, *mutants_order.MUTANTS, *mutants_answers.MUTANTS,
             *mutants_process.MUTANTS, *mutants_isolation.MUTANTS, *mutants_field.MUTANTS,
             *mutants_operator.MUTANTS, *mutants_sign_in.MUTANTS, *mutants_check.MUTANTS,
             *mutants_state.MUTANTS, *mutants_causes.MUTANTS, *mutants_scenarios.MUTANTS]
    numbers = [each.number for each in found]
    assert len(numbers) == len(set(numbers)), "a number is given twice"
    return found
