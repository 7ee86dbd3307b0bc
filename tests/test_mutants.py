"""The lists of mutants fit the sources: what they change is there."""

from __future__ import annotations

from collections import Counter

import pytest
from mutants import ROOT, Mutant, all_mutants, mutated

MUTANTS = all_mutants()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_changes_its_file(mutant: Mutant) -> None:
    source = (ROOT / mutant.file).read_text()
    assert mutated(mutant, source) != source
    for test in mutant.tests.split():
        file, _, name = test.partition("::")
        path = ROOT / (f"tests/core/{test}.cpp" if mutant.core else file)
        assert path.exists()
        assert not name or f"def {name}(" in path.read_text()


def test_mutants_have_names_of_their_own() -> None:
    assert [name for name, count in Counter(m.name for m in MUTANTS).items() if count > 1] == []
