"""The compiled kernels run here and give what brute force gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

import graphcut_ext as gx
from dgcn.doctor.finding import Finding

_REINSTALL = (
    "the compiled core does not suit this machine: build it here, "
    "pip install --force-reinstall --no-deps --no-binary graphcut-ext graphcut-ext"
)


def check_kernels() -> Iterator[Finding]:
    """Neighbours, minimum cuts by every solver, and the CRF, each on a problem of a few nodes."""
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for device in devices:
        yield _tried(f"neighbours on {device} against brute force", _knn, device)
    for solver in gx.SOLVERS:
        yield _tried(f"minimum cut by {solver!r} against all labellings", _maxflow, solver)
    yield _tried("dense CRF", _crf)


def _tried(what: str, check: Callable[..., bool], *arguments: str) -> Finding:
    try:
        right = check(*arguments)
    except Exception as error:  # whatever is wrong here is the finding
        reason = " ".join(str(error).split())[:200]
        return Finding("error", f"{what}: {type(error).__name__}: {reason}", _REINSTALL)
    if not right:
        return Finding("error", f"{what}: wrong result", _REINSTALL)
    return Finding("ok", what)


def _knn(device: str) -> bool:
    # Small integers: distances are exact, ties are many and go to the lower index.
    x = torch.randint(0, 4, (2, 30, 3), generator=torch.Generator().manual_seed(0)).float()
    distances = (x[:, :, None] - x[:, None]).square().sum(3)
    distances.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    order = torch.sort(distances, dim=2, stable=True)
    found = gx.knn(x.to(device), 5)
    return torch.equal(found.indices.cpu(), order.indices[..., :5]) and torch.equal(
        found.distances.cpu(), order.values[..., :5]
    )


def _maxflow(solver: gx.Solver) -> bool:
    generator = np.random.default_rng(0)
    nodes = 8
    pairs = np.array(list(itertools.combinations(range(nodes), 2)))
    edges = pairs[generator.permutation(len(pairs))[:14]].T
    capacity, reverse = generator.integers(0, 6, (2, 14))
    source, sink = generator.integers(0, 9, (2, nodes))
    value, side = _brute_force(edges, capacity, reverse, source, sink)
    cut = gx.maxflow(
        torch.from_numpy(np.ascontiguousarray(edges)),
        torch.from_numpy(capacity),
        torch.from_numpy(source),
        torch.from_numpy(sink),
        reverse_capacity=torch.from_numpy(reverse),
        solver=solver,
    )
    return int(cut.value) == value and torch.equal(cut.source_side, side)


def _brute_force(
    edges: np.ndarray,
    capacity: np.ndarray,
    reverse: np.ndarray,
    source: np.ndarray,
    sink: np.ndarray,
) -> tuple[int, Tensor]:
    """Smallest value over all labellings, and the common part of the source sides that have it."""
    best, side = None, np.ones(len(source), dtype=bool)
    for bits in itertools.product((False, True), repeat=len(source)):
        s = np.array(bits)
        a, b = s[edges[0]], s[edges[1]]
        value = source[~s].sum() + sink[s].sum()
        value += capacity[a & ~b].sum() + reverse[~a & b].sum()
        if best is None or value < best:
            best, side = value, s
        elif value == best:
            side = side & s
    assert best is not None
    return int(best), torch.from_numpy(side)


def _crf() -> bool:
    from dgcn.crf import dense_crf

    image = np.zeros((12, 12, 3), dtype=np.uint8)
    image[:, 6:] = 255
    probabilities = np.full((2, 12, 12), 0.5, dtype=np.float32)
    probabilities[:, 4:8, 2] = [[0.9], [0.1]]
    probabilities[:, 4:8, 9] = [[0.1], [0.9]]
    labels = dense_crf(probabilities, image).argmax(0)
    # Two hints, one on either side of an edge, spread to the edge and no further.
    return bool((labels[:, :6] == 0).all() and (labels[:, 6:] == 1).all())
