"""What an installed wheel has to do, with nothing but its dependencies and SciPy beside it.

    python tests/wheel_smoke.py

Run by `make wheel-check` and by cibuildwheel, outside the source tree.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_flow

import graphcut_ext as gx
from graphcut_ext._demo.scene import drawing


def check_cuts() -> None:
    """Every solver against SciPy, on a random graph with whole capacities."""
    rng = np.random.default_rng(0)
    nodes, edges = 60, 240
    ends = rng.integers(nodes, size=(2, edges))
    capacity = rng.integers(1, 20, size=edges)
    source, sink = rng.integers(30, size=(2, nodes))
    table = np.zeros((nodes + 2, nodes + 2), dtype=np.int32)
    loops = ends[0] == ends[1]
    np.add.at(table, tuple(ends[:, ~loops]), capacity[~loops])
    np.add.at(table, tuple(ends[::-1, ~loops]), capacity[~loops])
    table[nodes, :nodes], table[:nodes, nodes + 1] = source, sink
    expected = maximum_flow(csr_matrix(table), nodes, nodes + 1).flow_value
    arguments = [torch.from_numpy(array) for array in (ends, capacity, source, sink)]
    for solver in gx.SOLVERS:
        found = gx.maxflow(*arguments, solver=solver).value.item()
        assert found == expected, f"{solver}: {found}, SciPy {expected}"


def check_neighbours() -> None:
    """Neighbours of points against all distances, and a gradient through the cut."""
    points = torch.randn(2, 50, 8, dtype=torch.float64)
    found = gx.knn(points, 4)
    distances = torch.cdist(points, points).square() + torch.eye(50) * 1e9
    assert torch.equal(found.indices, distances.topk(4, largest=False).indices)
    weights = torch.ones(found.indices.shape, requires_grad=True)
    terminals = torch.rand(2, 2, 1, 50)
    cut = gx.knn_maxflow(found.indices, weights, *terminals)
    cut.value.sum().backward()
    assert weights.grad is not None
    crossing = cut.source_side[:, 0, :, None] != cut.source_side.expand(-1, 50, -1).gather(
        2, found.indices
    )
    assert torch.equal(weights.grad.bool(), crossing)


def check_segment() -> None:
    """The demo's drawing, with an update; its photograph is in the wheel."""
    assert (files("graphcut_ext") / "_demo" / "photograph.jpg").is_file()
    drawn = drawing()
    found = gx.segment(drawn.image, drawn.first).update(drawn.more)
    assert found.mask[drawn.more == 1].all()
    assert 0.15 < found.mask.mean() < 0.25


def check_crf() -> None:
    """The lattice, which is compiled, near the sum over all pairs."""
    p = torch.rand(1, 3, 20, 24).softmax(1)
    image = torch.full((1, 3, 20, 24), 128.0)
    lattice, exact = (gx.dense_crf(p, image, method=method) for method in ("lattice", "exact"))
    assert (lattice - exact).abs().mean() < 0.01


if __name__ == "__main__":
    torch.manual_seed(0)
    check_cuts()
    check_neighbours()
    check_segment()
    check_crf()
    print("graphcut_ext", gx.__version__, gx.__file__, "works")
