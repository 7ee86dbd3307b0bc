"""The first call of an operator sets up nothing that takes long: torch's compiler stays out."""

from __future__ import annotations

import subprocess
import sys

CALLS = """
import sys
import torch
import graphcut_ext as gx

ends, one = torch.tensor([[0, 1], [1, 2]]), torch.ones(3)
edges = torch.ones(2, requires_grad=True)
gx.maxflow(ends, edges, one, one, return_flow=True).value.backward()
points = torch.randn(1, 9, 4, requires_grad=True)
found = gx.knn(points, 3)
found.distances.sum().backward()
weights = gx.knn_weights(found.indices, found.distances.detach(), weighting="gaussian")
cut = gx.knn_maxflow(found.indices, weights.requires_grad_(), *torch.rand(2, 1, 2, 9))
cut.value.sum().backward()
gx.dense_crf(torch.rand(2, 4, 5), torch.zeros(3, 4, 5))
gx.alpha_expansion(ends, torch.rand(3, 2))
torch.vmap(lambda c: gx.maxflow(ends, c, one, one).value)(torch.ones(2, 2))
print("torch._dynamo" in sys.modules)
"""


BATCH = """
import sys
import torch
import graphcut_ext as gx

before = set(sys.modules)
gx.maxflow(torch.tensor([[0, 1], [1, 2]]), torch.ones(2), torch.rand(4, 3), torch.rand(4, 3))
print(len(set(sys.modules) - before) < 20)
"""


def test_many_cuts_over_one_graph_import_nothing_large():
    result = subprocess.run(
        [sys.executable, "-c", BATCH], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "True"


def test_compiler_is_not_imported():
    result = subprocess.run(
        [sys.executable, "-c", CALLS], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
