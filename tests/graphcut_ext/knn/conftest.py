"""Small clouds stand for large ones here: they are searched as these are."""

from __future__ import annotations

import pytest

from graphcut_ext._knn import direct


@pytest.fixture(autouse=True)
def as_large_ones(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.path.name != "test_knn_direct.py":
        monkeypatch.setattr(direct, "MAX_WORK", -1)
