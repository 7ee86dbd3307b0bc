"""A run that several modules look at: made once, never changed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_run import OPTIONS

from dgcn.cli import main


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c() -> Iterator[None]:
    """Ctrl-C as in a terminal: a shell has what it starts in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True, scope="session")
def _empty_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No weights that this machine may have in its caches."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TORCH_HOME", "HF_HOME", "HF_HUB_CACHE"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name)))
        yield


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run by graph cuts of two epochs: 81 x 81, 6 + 3 images."""
    out = tmp_path_factory.mktemp("tiny") / "run"
    assert main(["run", *OPTIONS, "--out", str(out)]) == 0
    return out
