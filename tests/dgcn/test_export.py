"""Networks for other programs: what they compute, and what they say about themselves."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from dgcn.cli import main
from dgcn.data import read_image, to_tensor
from dgcn.pipeline import export as export_module
from dgcn.pipeline.export import ExportError, export
from dgcn.pipeline.portable import load_portable

CLASSES = ["background", "disc", "square", "triangle", "star", "ring"]


def pictures(run: Path) -> torch.Tensor:
    paths = sorted((next((run / "data").glob("shapes-*")) / "images").iterdir())[:5]
    return torch.stack([to_tensor(read_image(path), 81) for path in paths])


def expected(run: Path, x: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return load_portable(run).model(x).logits.numpy()


def said(about: dict[str, object]) -> None:
    assert about["classes"] == CLASSES
    assert about["size"] == 81
    assert about["scales"] == [1.0]
    assert about["epoch"] == 2
    # What `to_tensor` does to an image, from the numbers in the file alone.
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (81, 81, 3), dtype=np.uint8)
    mean, std = np.array(about["mean"]), np.array(about["std"])
    standardised = ((rgb / 255 - mean) / std).transpose(2, 0, 1)
    np.testing.assert_allclose(to_tensor(rgb, 81).numpy(), standardised, atol=1e-5)


def test_onnx_computes_the_same_on_any_batch(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.onnx"
    assert main(["export", str(tiny_run), "--file", str(path)]) == 0
    assert "checked on batches of 1 and 3" in capsys.readouterr().out
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,), (got,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape[1:]) == ("image", [3, 81, 81])
    assert isinstance(given.shape[0], str)
    assert got.name == "logits"
    x = pictures(tiny_run)
    for batch in (x, x[:1]):
        (logits,) = session.run(None, {"image": batch.numpy()})
        np.testing.assert_allclose(logits, expected(tiny_run, batch), atol=1e-4, rtol=1e-4)
    properties = session.get_modelmeta().custom_metadata_map
    said({key: json.loads(value) for key, value in properties.items()})


def test_torch_program_computes_the_same_on_any_batch(tiny_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    options = ["--format", "torch", "--file", str(path)]
    assert main(["export", str(tiny_run / "graph_cut" / "last.pt"), *options]) == 0
    extra = {"metadata.json": ""}
    program = torch.export.load(path, extra_files=extra).module()
    x = pictures(tiny_run)
    for batch in (x, x[:1]):
        logits = program(batch).detach().numpy()
        np.testing.assert_allclose(logits, expected(tiny_run, batch), atol=1e-5)
    said(json.loads(extra["metadata.json"]))


def test_file_lies_beside_the_checkpoint(tiny_run: Path, tmp_path: Path) -> None:
    copied = tmp_path / "net.pt"
    copied.write_bytes((tiny_run / "graph_cut" / "last.pt").read_bytes())
    exported = export(copied, "torch")
    assert exported.path == tmp_path / "net.pt2"
    assert exported.difference < 1e-5
    assert torch.export.load(io.BytesIO(exported.path.read_bytes()))


@pytest.mark.parametrize(
    ("steps", "printed"),
    [
        ([], ""),
        (["crf"], "not in the file, but in dgcn predict: the CRF\n"),
        (
            ["classifier", "contrast", "crf"],
            "not in the file, but in dgcn predict: the image classifier's probabilities, "
            "the contrast of pixels, the CRF\n",
        ),
    ],
)
def test_what_the_file_leaves_to_prediction_is_said(
    steps: list[str],
    printed: str,
    tiny_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    portable = load_portable(tiny_run)
    for step in ("classifier", "contrast", "crf"):
        portable.settings["evaluate"][step] = step in steps
    monkeypatch.setattr(export_module, "load_portable", lambda *_, **__: portable)
    path = tmp_path / "net.pt2"
    assert main(["export", str(tiny_run), "--format", "torch", "--file", str(path)]) == 0
    assert capsys.readouterr().out.endswith("of the largest\n" + printed)
    extra = {"metadata.json": ""}
    torch.export.load(path, extra_files=extra)
    assert json.loads(extra["metadata.json"])["then"] == steps


def test_network_that_differs_is_not_written(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "TOLERANCE", -1.0)
    with pytest.raises(ExportError, match=r"logits differ by .*nothing is written"):
        export(tiny_run, "torch", tmp_path / "net.pt2")
    assert list(tmp_path.iterdir()) == []


def test_missing_package_is_named(
    tiny_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert main(["export", str(tiny_run), "--file", str(tmp_path / "net.onnx")]) == 2
    message = "ONNX needs onnxscript, which is not installed: pip install 'graphcut-ext[export]'"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("/none.pt",), "no such checkpoint: /none.pt"),
        (("{run}/classifier/last.pt",), "is the checkpoint of a classifier"),
        (("{run}", "--format", "tflite"), "tflite"),
    ],
)
def test_wrong_export_is_one_line(
    arguments: tuple[str, ...], expected: str, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *(part.format(run=tiny_run) for part in arguments)]) == 2
    printed = capsys.readouterr().err
    assert expected in printed
    assert printed.count("\n") == 1
