"""Mean field and its derivatives by torch's operators, for any filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Filter(NamedTuple):
    """A kernel: its matrix K, and what it costs that labels meet.

    Attributes
    ----------
    apply, transposed
        Take values (B, L, N) to those times K and its transpose, along the points.
    weight
        Of the kernel.
    matrix
        Costs of two labels, (L, L), symmetric; None is Potts, that is -1 for the same label.
    """

    apply: Callable[[Tensor], Tensor]
    transposed: Callable[[Tensor], Tensor]
    weight: float
    matrix: Tensor | None = None

    def message(self, filtered: Tensor) -> Tensor:
        """What filtered marginals add to the logits; or filtered gradients to the gradient."""
        if self.matrix is None:
            return self.weight * filtered
        return -self.weight * (self.matrix @ filtered)


Parts = Iterable[tuple[slice, Sequence[Filter]]]  # of a batch


def infer(energy: Tensor, compatibility: Tensor | None, iterations: int, parts: Parts) -> Tensor:
    """Marginals, of the shape of ``energy``, (B, L, ...).

    ``compatibility`` (L, L) is of all kernels' messages together, after their own.
    """
    marginals = torch.empty_like(energy, memory_format=torch.contiguous_format)
    for part, filters in parts:
        own = energy[part].flatten(2)
        for q in _iterates(own, compatibility, iterations, filters):
            last = q
        marginals[part] = last.view(marginals[part].shape)
    return marginals


def differentiate(
    gradient: Tensor,
    energy: Tensor,
    compatibility: Tensor | None,
    iterations: int,
    parts: Parts,
    kernels: int,
) -> tuple[Tensor, Tensor]:
    """From a loss's gradient in the marginals to those in the energies and in the kernels.

    The second, (B, kernels, L, L), are the sums over iterations and points of
    ``(K' s)[label] q[other]``, with q the marginals that an iteration began with, s the gradient in
    its logits, and K' the transpose. All marginals of a part are in memory.
    """
    labels = energy.shape[1]
    found = torch.empty_like(energy, memory_format=torch.contiguous_format)
    pairs = energy.new_zeros(len(energy), kernels, labels, labels)
    for part, filters in parts:
        own = energy[part].flatten(2)
        iterates = list(_iterates(own, compatibility, iterations, filters))
        g = gradient[part].flatten(2)
        total = torch.zeros_like(own)
        while True:
            q = iterates.pop()
            s = q * (g - (q * g).sum(1, keepdim=True))  # in the logits
            total += s
            if not iterates:
                break
            g = torch.zeros_like(s)
            for index, kernel in enumerate(filters):
                filtered = kernel.transposed(s)
                if kernels:
                    pairs[part, index] += filtered @ iterates[-1].mT
                g += kernel.message(filtered)
            if compatibility is not None:
                g = -(compatibility @ g)
        found[part] = -total.view(found[part].shape)
    return found, pairs


def _iterates(
    energy: Tensor, compatibility: Tensor | None, iterations: int, filters: Sequence[Filter]
) -> Iterable[Tensor]:
    """The marginals (B, L, N) before the first iteration and after each."""
    q = torch.softmax(-energy, 1)
    yield q
    for _ in range(iterations if filters else 0):
        field = filters[0].message(filters[0].apply(q))
        for kernel in filters[1:]:
            field += kernel.message(kernel.apply(q))
        # Potts is -1 on the diagonal, up to a constant that the softmax removes.
        q = torch.softmax(
            (field if compatibility is None else -(compatibility @ field)) - energy, 1
        )
        yield q


def factors(sums: Tensor, normalization: str) -> tuple[Tensor, Tensor]:
    """Factors before and after a kernel matrix with these row sums."""
    if normalization == "symmetric":
        root = sums.rsqrt()
        return root, root
    one = torch.ones_like(sums)
    if normalization == "before":
        return sums.reciprocal(), one
    if normalization == "after":
        return one, sums.reciprocal()
    return one, one
