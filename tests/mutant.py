"""An error that is put into the program; see mutants.py."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """An error in one place.

    Attributes
    ----------
    name : str
        What is wrong then.
    file : str
        Below the root of the repository.
    text : str
        Occurs once in the file.
    replacement : str
    tests : str
        Those that should fail: paths for pytest, or names of the core's test programs.
    equivalent : str
        Why no test can fail, where that is so; "" for all others.
    """

    name: str
    file: str
    text: str
    replacement: str
    tests: str
    equivalent: str = ""

    @property
    def core(self) -> bool:
        """Whether it is in the compiled core."""
        return self.file.startswith("csrc/")


def mutated(mutant: Mutant, source: str) -> str:
    """The file's content with the error."""
    count = source.count(mutant.text)
    if count != 1:
        raise ValueError(f"{mutant.name}: its text occurs {count} times in {mutant.file}")
    return source.replace(mutant.text, mutant.replacement)
