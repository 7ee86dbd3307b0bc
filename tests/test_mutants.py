"""The lists of mutants fit the sources, and their last outcome is that of these lists."""

from __future__ import annotations

from collections import Counter

import pytest
from mutant import Mutant, mutated
from mutants import KILLED, MUTANTS, RESULT, SURVIVED, outcomes, report
from mutants_copy import ROOT


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


def test_last_outcomes_are_those_expected() -> None:
    found = outcomes()
    assert RESULT.read_text() == report(found)
    expected = {m.name: SURVIVED if m.equivalent else KILLED for m in MUTANTS}
    assert found == {name: expected[name] for name in found}
