"""Checkpoints: whole or not at all, and nothing in them is run."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dgcn.atomic import atomic_file, remove_partials
from dgcn.models.weights import WeightsError, load_weights
from dgcn.training.checkpoint import Checkpoint, load_checkpoint, load_network, save_checkpoint


def example(value: float = 1.0) -> Checkpoint:
    layer = torch.nn.Linear(3, 2)
    torch.nn.init.constant_(layer.weight, value)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return Checkpoint(
        model=layer.state_dict(),
        optimizer=optimizer.state_dict(),
        epoch=3,
        fingerprint={"train": {"lr": 0.1, "scales": [0.75, 1.0]}, "root": "here"},
        history=[{"epoch": 1, "loss": 0.5}],
    )


def test_round_trip(tmp_path: Path) -> None:
    before = example()
    save_checkpoint(tmp_path / "deep" / "last.pt", before)
    after = load_checkpoint(tmp_path / "deep" / "last.pt")
    assert (after.epoch, after.fingerprint, after.history) == (
        3,
        before.fingerprint,
        before.history,
    )
    for name, tensor in before.model.items():
        assert torch.equal(after.model[name], tensor)
    momentum = after.optimizer["state"][0]["momentum_buffer"]
    assert torch.equal(momentum, before.optimizer["state"][0]["momentum_buffer"])
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["last.pt"]


DISK_FULL = """
import resource, sys
from pathlib import Path
import torch
from dgcn.models.weights import WeightsError, load_weights
from dgcn.training.checkpoint import load_checkpoint, save_checkpoint

path = Path(sys.argv[1])
checkpoint = load_checkpoint(path)
checkpoint.model["weight"] = torch.full((500, 500), 2.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
save_checkpoint(path, checkpoint)
"""


def test_failure_while_writing_leaves_the_former_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, example(1.0))
    former = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", DISK_FULL, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "File too large" in done.stderr or "PytorchStreamWriter" in done.stderr
    assert path.read_bytes() == former
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.pt"]


def test_content_is_on_the_disk_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a power cut may leave an empty file in place of both checkpoints."""
    path, events = tmp_path / "last.pt", list[tuple[str, int, int]]()
    fsync, replace = os.fsync, os.replace

    def watched_fsync(file: int) -> None:
        fsync(file)
        events.append(("fsync", os.fstat(file).st_ino, os.fstat(file).st_size))

    def watched_replace(before: Path, after: Path) -> None:
        events.append(("replace", before.stat().st_ino, before.stat().st_size))
        replace(before, after)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    save_checkpoint(path, example())
    inode, size = path.stat().st_ino, path.stat().st_size
    assert events == [("fsync", inode, size), ("replace", inode, size)]


KILLED = """
import os, signal, sys
from pathlib import Path
from dgcn.atomic import atomic_file

with atomic_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_killed_runs_leave_is_removed_when_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "last.pt"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    kept = [path.with_name("last.pt"), path.with_name(".last.pt.partial")]
    for file in kept:
        file.write_bytes(b"mine")
    old, young = sorted(set(path.parent.iterdir()) - set(kept))
    os.utime(old, (0, 0))
    for file in kept:
        os.utime(file, (0, 0))
    remove_partials(tmp_path)
    assert set(path.parent.iterdir()) == {young, *kept}


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    """Processes of two hosts that share a folder may have the same number."""
    path = tmp_path / "last.pt"
    with atomic_file(path) as first, atomic_file(path) as second:
        assert first.name != second.name
        first.write(b"of the first")
        second.write(b"of the second")
    assert path.read_bytes() == b"of the first"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such checkpoint: .*last\.pt"):
        load_checkpoint(tmp_path / "last.pt")


@pytest.mark.parametrize("kept", [0, 10, 500])
def test_truncated_file_is_named(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, example())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"damaged or foreign checkpoint .*last\.pt"):
        load_checkpoint(path)


def test_foreign_content_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ValueError, match=r"last\.pt is not a dgcn checkpoint of format 1"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "it has no model"),
        ({"sums": None}, "it has no sums"),
        ({"scheduler": {}}, "it has the unknown part 'scheduler'"),
        ({3: {}}, "it has the unknown part 3"),
        ({"epoch": "3"}, "it has epoch of type str"),
        ({"history": {}}, "it has history of type dict"),
        ({"model": {0.5: torch.zeros(2)}}, "it has 0.5 among the names of its model"),
        ({"teacher": {None: torch.zeros(2)}}, "it has None among the names of its teacher"),
    ],
)
def test_parts_that_are_missing_unknown_or_of_another_type_are_named(
    tmp_path: Path, change: dict[Any, Any], message: str
) -> None:
    path = tmp_path / "last.pt"
    content: dict[Any, Any] = {"format": 1, **vars(example()), **change}
    torch.save({key: value for key, value in content.items() if value is not None}, path)
    # A checkpoint without a score has None there.
    if "score" not in change:
        content = torch.load(path, weights_only=True)
        torch.save({**content, "score": None}, path)
    with pytest.raises(ValueError, match=rf"last\.pt is not a dgcn checkpoint .*{message}"):
        load_checkpoint(path)


def test_tensor_that_spans_terabytes_is_refused_by_its_shape(tmp_path: Path) -> None:
    """Strides of 0 make a shape of any size from one number."""
    path, checkpoint = tmp_path / "last.pt", example()
    huge = torch.zeros(1).expand(1 << 21, 1 << 21)
    checkpoint.model = {**checkpoint.model, "weight": huge}
    save_checkpoint(path, checkpoint)
    assert path.stat().st_size < 1 << 14
    with pytest.raises(ValueError, match=r"last\.pt does not fit the network .*2097152"):
        load_network(path, torch.nn.Linear(3, 2))
    weights: dict[str, Tensor] = {"weight": huge, "bias": torch.zeros(2)}
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=r"wrong shape \(1\): weight \(2097152, 2097152\)"):
        load_weights(torch.nn.Linear(3, 2), tmp_path / "weights.pth")


def test_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, example())
    load_network(path, torch.nn.Linear(3, 2))
    with pytest.raises(ValueError, match=r"last\.pt does not fit the network .*weight"):
        load_network(path, torch.nn.Linear(4, 2))


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.target),))


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    path, target = tmp_path / "last.pt", tmp_path / "ran"
    torch.save({"format": 1, "model": Bomb(target)}, path)
    with pytest.raises(ValueError, match="damaged or foreign checkpoint"):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps(Bomb(target), protocol=2))
    with pytest.raises(ValueError, match="damaged or foreign checkpoint"):
        load_checkpoint(path)
    assert not target.exists()


def test_flipped_byte_is_found(tmp_path: Path) -> None:
    """Everywhere in the file: it is refused, or nothing that counts has changed."""
    path, before = tmp_path / "last.pt", example()
    save_checkpoint(path, before)
    content = path.read_bytes()
    refused = 0
    for at in range(0, len(content), 41):
        damaged = bytearray(content)
        damaged[at] ^= 0x10
        path.write_bytes(damaged)
        try:
            after = load_checkpoint(path)
        except ValueError:
            refused += 1
        else:
            assert after.history == before.history
            for name, tensor in before.model.items():
                assert torch.equal(after.model[name], tensor)
    assert refused > 20
