"""What operators return can be saved and loaded without running code."""

from __future__ import annotations

import io

import pytest
import torch

import graphcut_ext as gx

ENDS, ONE = torch.tensor([[0, 1], [1, 2]]), torch.ones(3)
RESULTS = {
    "MinCut": lambda: gx.maxflow(ENDS, torch.ones(2), ONE, ONE),
    "MinCutFlow": lambda: gx.maxflow(ENDS, torch.ones(2), ONE, ONE, return_flow=True),
    "KNN": lambda: gx.knn(torch.randn(5, 2), 2),
    "KNNMeasured": lambda: gx.knn(torch.randn(5, 2), 2, return_measured=True),
    "Labelling": lambda: gx.alpha_expansion(ENDS, torch.rand(3, 2)),
    "FlowProblem": lambda: gx.FlowProblem(ENDS, ONE[:2], ONE[:2], ONE, ONE, 3, (1, 5)),
}


@pytest.mark.parametrize("name", RESULTS)
def test_loaded_with_weights_only(name):
    result, file = RESULTS[name](), io.BytesIO()
    torch.save(result, file)
    file.seek(0)
    again = torch.load(file, weights_only=True)
    assert type(again) is type(result) is getattr(gx, name)
    for field, expected in zip(again, result, strict=True):
        assert torch.equal(field, expected) if torch.is_tensor(field) else field == expected
