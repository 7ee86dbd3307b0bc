"""Saliency by a network in a file: small ones whose output NumPy can say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from dgcn.config import CuesConfig
from dgcn.cues import find_saliency
from dgcn.data.images import IMAGENET_MEAN, IMAGENET_STD

Shape = Sequence[int | str]


def write_network(
    path: Path,
    *,
    takes: Shape = (1, 3, 320, 320),
    gives: Shape = (1, 1, 320, 320),
    operator: str = "ReduceMean",
    inputs: int = 1,
    **attributes: object,
) -> Path:
    """A file with one operator on the first input; by default the mean over the channels."""
    attributes = attributes or {"axes": [1], "keepdims": 1}
    names = [f"picture{index}" for index in range(inputs)]
    graph = helper.make_graph(
        [helper.make_node(operator, names[:1], ["found"], **attributes)],
        "saliency",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, takes) for name in names],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, gives)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 200, (height, width, 3)).astype(np.uint8)


def expected(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mean over the channels of what U2-Net is given, from 0 to 1."""
    values = image / image.max()
    mean = ((values - IMAGENET_MEAN) / IMAGENET_STD).mean(2)
    return (mean - mean.min()) / (mean.max() - mean.min())


def test_a_network_counts_twice_and_a_given_weight_stands(tmp_path: Path) -> None:
    path = str(write_network(tmp_path / "mean.onnx"))
    assert CuesConfig(saliency=path).weight == 2
    assert CuesConfig(saliency=path, saliency_weight=0.5).weight == 0.5
    assert CuesConfig().weight == 1
    with pytest.raises(ValueError, match=r"saliency_weight must be .*0.*, got -1"):
        CuesConfig(saliency_weight=-1)


def test_the_network_sees_the_picture_as_u2net_does(tmp_path: Path) -> None:
    prior = find_saliency(str(write_network(tmp_path / "mean.onnx")))
    image = picture(320, 320)
    found = prior(image)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(image), atol=1e-5)


@pytest.mark.parametrize("takes", [(1, 3, 40, 40), ("n", 3, "s", "s")])
def test_maps_have_the_size_of_the_picture(tmp_path: Path, takes: Shape) -> None:
    """A bright left half stays left, whatever the input's side is; open sides are 320."""
    gives = (takes[0], 1, *takes[2:])
    prior = find_saliency(str(write_network(tmp_path / "mean.onnx", takes=takes, gives=gives)))
    image = np.full((60, 90, 3), 20, np.uint8)
    image[:, :45] = 220
    found = prior(image)
    assert found.shape == (60, 90)
    assert found[:, :40].min() > 0.99
    assert found[:, 50:].max() < 0.01


@pytest.mark.parametrize("value", [0, 77])
def test_a_picture_of_one_colour_has_nothing_salient(tmp_path: Path, value: int) -> None:
    prior = find_saliency(str(write_network(tmp_path / "mean.onnx")))
    assert not prior(np.full((30, 40, 3), value, np.uint8)).any()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^saliency: no such file: .*none\.onnx$"):
        CuesConfig(saliency=str(tmp_path / "none.onnx"))


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_network(tmp_path / "mean.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r"needs onnxruntime: pip install 'graphcut-ext\[sal"):
        CuesConfig(saliency=str(path))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"no network")
    assert CuesConfig(saliency=str(path)).saliency == str(path)
    with pytest.raises(ValueError, match=r"bad\.onnx cannot be read as an ONNX network: "):
        find_saliency(str(path))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"takes": (1, 4, 32, 32), "gives": (1, 1, 32, 32)}, r"shape \[1, 4, 32, 32\]"),
        ({"takes": (1, 3, 32, 40), "gives": (1, 1, 32, 40)}, r"shape \[1, 3, 32, 40\]"),
        ({"takes": (3, 32), "gives": (3, 1)}, r"shape \[3, 32\]"),
        ({"inputs": 2}, "it has 2 inputs"),
    ],
)
def test_other_inputs_are_refused(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    path = write_network(tmp_path / "odd.onnx", **changed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        find_saliency(str(path))


def test_other_outputs_are_refused(tmp_path: Path) -> None:
    path = write_network(tmp_path / "odd.onnx", operator="Relu", gives=(1, 3, 320, 320), alpha=None)
    with pytest.raises(ValueError, match=r"first output of .* got \(1, 3, 320, 320\)"):
        find_saliency(str(path))(picture(20, 20))


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = write_network(
        tmp_path / "log.onnx", takes=(1, 3, 8, 8), gives=(1, 8, 8), operator="ReduceLogSum",
        axes=[1], keepdims=0,
    )  # fmt: skip
    with pytest.raises(ValueError, match="is not finite"):
        find_saliency(str(path))(np.zeros((8, 8, 3), np.uint8))
