"""The conditions on costs of pairs of labels, under which moves are minimum cuts."""

from __future__ import annotations

from torch import Tensor

from graphcut_ext._moves.labelling import first_true

# Round-off that the conditions allow, relative to the sizes of the entries.
ROUND_OFF_UNITS = 4


def check_expansions(pairwise: Tensor, round_off: float) -> None:
    """Refuse costs (L, L) for which some expansion is no minimum cut."""
    for alpha, (row, column) in enumerate(zip(pairwise, pairwise.T, strict=True)):
        kept = pairwise + row[alpha]
        moved = column[:, None] + row
        size = pairwise.abs() + column.abs()[:, None] + row.abs() + row[alpha].abs()
        first = first_true((kept - moved).double() > ROUND_OFF_UNITS * round_off * size)
        if first:
            b, c = first
            raise ValueError(
                f"pairwise is not a metric at (alpha, b, c) = {(alpha, b, c)}: "
                f"V[b, c] + V[alpha, alpha] = {kept[b, c]} exceeds "
                f"V[b, alpha] + V[alpha, c] = {moved[b, c]}; alpha_beta_swap asks for less"
            )


def check_swaps(pairwise: Tensor, round_off: float) -> None:
    """Refuse costs (L, L) for which some swap is no minimum cut."""
    diagonal = pairwise.diagonal()
    equal = diagonal[:, None] + diagonal
    different = pairwise + pairwise.T
    size = pairwise.abs() + pairwise.T.abs() + diagonal.abs()[:, None] + diagonal.abs()
    first = first_true((equal - different).double() > ROUND_OFF_UNITS * round_off * size)
    if first:
        a, b = first
        raise ValueError(
            f"pairwise is not a semi-metric at (alpha, beta) = {(a, b)}: "
            f"V[alpha, alpha] + V[beta, beta] = {equal[a, b]} exceeds "
            f"V[alpha, beta] + V[beta, alpha] = {different[a, b]}"
        )
