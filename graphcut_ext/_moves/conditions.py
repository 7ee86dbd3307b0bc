"""The conditions on costs of pairs of labels, under which moves are minimum cuts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

# Round-off that the conditions allow, relative to the sizes of the entries.
ROUND_OFF_UNITS = 4
# Numbers of a table that are looked at in one go.
CHUNK = 1 << 22


def check_expansions(pairwise: Tensor, round_off: float, numbered: bool = False) -> None:
    """Refuse costs (K, L, L) for which some expansion is no minimum cut."""
    bad = _first_bad(pairwise, round_off, _expansions)
    if bad is not None:
        table, alpha, b, c = bad
        costs = pairwise[table]
        kept, moved = costs[b, c] + costs[alpha, alpha], costs[b, alpha] + costs[alpha, c]
        raise ValueError(
            f"{_named(table, numbered)} is not a metric at (alpha, b, c) = {(alpha, b, c)}: "
            f"V[b, c] + V[alpha, alpha] = {kept} exceeds "
            f"V[b, alpha] + V[alpha, c] = {moved}; alpha_beta_swap asks for less"
        )


def check_swaps(pairwise: Tensor, round_off: float, numbered: bool = False) -> None:
    """Refuse costs (K, L, L) for which some swap is no minimum cut."""
    bad = _first_bad(pairwise, round_off, _swaps)
    if bad is not None:
        table, _, a, b = bad
        costs = pairwise[table]
        equal, different = costs[a, a] + costs[b, b], costs[a, b] + costs[b, a]
        raise ValueError(
            f"{_named(table, numbered)} is not a semi-metric at (alpha, beta) = {(a, b)}: "
            f"V[alpha, alpha] + V[beta, beta] = {equal} exceeds "
            f"V[alpha, beta] + V[beta, alpha] = {different}"
        )


Excess = Iterator[tuple[Tensor, Tensor]]


def _expansions(pairwise: Tensor) -> Excess:
    """Yield for every alpha what must not be above 0, (K, L, L), and the size of its terms."""
    for alpha in range(pairwise.shape[1]):
        row, column = pairwise[:, alpha], pairwise[:, :, alpha]
        kept = pairwise + row[:, alpha, None, None]
        moved = column[:, :, None] + row[:, None]
        size = pairwise.abs() + column.abs()[:, :, None] + row.abs()[:, None]
        yield kept - moved, size + row[:, alpha, None, None].abs()


def _swaps(pairwise: Tensor) -> Excess:
    """Yield the same for swaps, once."""
    diagonal = pairwise.diagonal(dim1=1, dim2=2)
    other = pairwise.transpose(1, 2)
    equal = diagonal[:, :, None] + diagonal[:, None]
    size = pairwise.abs() + other.abs() + diagonal.abs()[:, :, None] + diagonal.abs()[:, None]
    yield equal - (pairwise + other), size


def _first_bad(
    pairwise: Tensor, round_off: float, excesses: Callable[[Tensor], Excess]
) -> list[int] | None:
    """Return the first table that breaks a condition: its number, the yield's, and two labels."""
    tables = max(1, CHUNK // max(1, pairwise.shape[1] ** 2))
    for start in range(0, len(pairwise), tables):
        chunk = pairwise[start : start + tables]
        found = []
        for turn, (excess, size) in enumerate(excesses(chunk)):
            bad = excess.double() > ROUND_OFF_UNITS * round_off * size
            if bad.any():
                table, *labels = bad.nonzero()[0].tolist()
                found.append([start + table, turn, *labels])
        if found:
            return min(found)
    return None


def _named(table: int, numbered: bool) -> str:
    return f"pairwise[{table}]" if numbered else "pairwise"


def is_metric(pairwise: Tensor, round_off: float) -> bool:
    """Whether all expansions are minimum cuts, of costs (L, L)."""
    return _first_bad(pairwise[None], round_off, _expansions) is None


def is_semi_metric(pairwise: Tensor, round_off: float) -> bool:
    """Whether all swaps are minimum cuts, of costs (L, L)."""
    return _first_bad(pairwise[None], round_off, _swaps) is None
