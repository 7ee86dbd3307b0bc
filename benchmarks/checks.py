"""Agreement of all contenders, before anything is timed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.contenders import Contender, answers, prepare
from benchmarks.peers import REFERENCE, Answer
from benchmarks.problem import Batch

TOLERANCE = 1e-5  # relative, of values from float32 capacities


def check(batch: Batch, contenders: Sequence[Contender]) -> None:
    """Raise ``AssertionError`` unless all contenders agree.

    With integer capacities: equal values, and every source side is a cut of that value; one source
    side for all of ours, contained in PyMaxflow's, which may add nodes that neither terminal
    reaches. With float32 capacities: values up to TOLERANCE.
    """
    check_integers(batch.to_integers(), contenders)
    if not batch.integral:
        check_floats(batch, contenders)


def solutions(batch: Batch, contenders: Sequence[Contender]) -> dict[Contender, list[Answer]]:
    """Answers of all contenders."""
    work = prepare(contenders, batch)
    return {contender: answers(solve(), batch) for contender, solve in work.items()}


def check_integers(batch: Batch, contenders: Sequence[Contender]) -> None:
    """Compare values, cuts and labels where they are exact."""
    found = solutions(batch, contenders)
    for i, problem in enumerate(batch.problems):
        by_contender = {contender: found[contender][i] for contender in contenders}
        values = {c.label: value for c, (value, _) in by_contender.items()}
        if len(set(values.values())) > 1:
            raise AssertionError(f"problem {i}: values differ: {values}")
        for contender, (value, side) in by_contender.items():
            if problem.cut_value(side) != value:
                raise AssertionError(f"problem {i}: {contender.label}: labels cost more than value")
        check_sides(i, by_contender)


def check_sides(i: int, answer: dict[Contender, Answer]) -> None:
    """Compare the labels of ours with each other, and with PyMaxflow's."""
    ours = {c.label: side for c, (_, side) in answer.items() if c.ours}
    if not ours:
        return
    first, *others = ours
    for label in others:
        if not np.array_equal(ours[first], ours[label]):
            raise AssertionError(f"problem {i}: source sides of {first} and {label} differ")
    for contender, (_, side) in answer.items():
        if contender.operator == REFERENCE and (ours[first] & ~side).any():
            raise AssertionError(f"problem {i}: our source side is not within {contender.label}'s")


def check_floats(batch: Batch, contenders: Sequence[Contender]) -> None:
    """Compare values of the capacities that are timed; integer-only peers had theirs compared."""
    from benchmarks.peers import PEERS

    floating = [c for c in contenders if c.ours or not PEERS[c.operator].integers_only]
    found = solutions(batch, floating)
    values = {c.label: np.array([value for value, _ in found[c]]) for c in floating}
    first = next(iter(values))
    for label, value in values.items():
        if not np.allclose(value, values[first], rtol=TOLERANCE, atol=0):
            gap = np.abs(value / values[first] - 1).max()
            raise AssertionError(f"values of {first} and {label} differ by {gap:.1e}")
