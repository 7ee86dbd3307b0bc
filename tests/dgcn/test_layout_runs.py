"""The whole chain on small data sets in the layouts of VOC and COCO."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from layouts import VOC_IDS, drawn, write_coco, write_voc
from PIL import Image
from torch import nn

from dgcn.cli import main
from dgcn.cues import load_cues, save_cues
from dgcn.data import FolderDataset, mask_to_grid, read_mask
from dgcn.pipeline.portable import load_portable
from dgcn.training.checkpoint import load_checkpoint

TINY = (
    "--data.size=41",
    "--classify.epochs=1",
    "--classify.batch_size=4",
    "--train.epochs=1",
    "--train.batch_size=4",
    "--supervision.graph_cut.theta=0.1",
    "--evaluate.pictures=1",
    "--evaluate.scales=[1.0]",
    "--runtime.device=cpu",
)


FROZEN = "--model.batch_norm=frozen"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FolderDataset:
    return drawn(tmp_path_factory.mktemp("source") / "set", 4, 2)


def miou(truth: list[Path], guess: list[Path], classes: int) -> float:
    t, p = (
        np.concatenate([np.asarray(Image.open(path)).ravel() for path in paths])
        for paths in (truth, guess)
    )
    unions = {c: ((t == c) | (p == c)).sum() for c in range(classes)}
    return float(np.mean([((t == c) & (p == c)).sum() / n for c, n in unions.items() if n]))


def test_voc_from_annotations_to_the_servers_archive(source: FolderDataset, tmp_path: Path) -> None:
    ids = write_voc(tmp_path / "VOC2012", source)
    listing = tmp_path / "train_aug.txt"
    listing.write_text("".join(f"{ids[r.name]}\n" for r in source.split("train")[:3]))
    out = tmp_path / "run"
    options = ["--data.root", str(tmp_path), "--data.train_list", str(listing), "--out", str(out)]
    assert main(["run", *TINY, "--model.backbone=small", *options]) == 0
    assert set(load_cues(out / "cues" / "cues.npz")) == {ids[f"train_{n:05}"] for n in range(3)}
    scores = json.loads((out / "graph_cut" / "metrics.json").read_text())["val"]
    assert len(scores["classes"]) == 21
    predictions = sorted((out / "graph_cut" / "predictions" / "val").glob("*.png"))
    truth = [tmp_path / "VOC2012" / "SegmentationClass" / path.name for path in predictions]
    assert scores["miou"] == pytest.approx(miou(truth, predictions, 21))
    archive = tmp_path / "results.tgz"
    assert main(["predict", "--out", str(out), "--archive", str(archive)]) == 0
    pictures = str(tmp_path / "VOC2012" / "JPEGImages")
    others = tmp_path / "others.tgz"
    given = ["--images", pictures, "--overlays=false", "--archive", str(others)]
    assert main(["predict", "--out", str(out), *given]) == 0
    with tarfile.open(others) as packed:
        assert {Path(name).stem for name in packed.getnames()} == set(ids.values())
    with tarfile.open(archive) as packed:
        names = sorted(Path(name).name for name in packed.getnames())
        assert all(name.startswith("results/VOC2012/Segmentation/") for name in packed.getnames())
    assert names == [path.name for path in predictions]


def test_coco_with_masks_painted_in_the_run_folder(source: FolderDataset, tmp_path: Path) -> None:
    write_coco(tmp_path / "coco", source)
    out = tmp_path / "run"
    options = ["--data.root", str(tmp_path / "coco"), "--out", str(out)]
    network = ["--model.backbone=small", "--model.head=aspp", "--model.dilation=2", FROZEN]
    again = ["--retrain.enabled=true", "--retrain.epochs=1", "--retrain.batch_size=4"]
    assert main(["run", *TINY, *network, *options, *again]) == 0
    scores = json.loads((out / "graph_cut" / "metrics.json").read_text())["val"]
    assert list(scores["classes"])[3] == "traffic_light"
    predictions = sorted((out / "graph_cut" / "predictions" / "val").glob("*.png"))
    assert [path.stem[:13] for path in predictions] == ["COCO_val2014_"] * 2
    truth = [record.mask for record in source.split("val") if record.mask is not None]
    assert scores["miou"] == pytest.approx(miou(truth, predictions, 6))
    assert (out / "graph_cut" / "retrained" / "metrics.json").is_file()
    head = load_portable(out / "graph_cut" / "last.pt").model.head
    dilations = [m.dilation[0] for m in head.modules() if isinstance(m, nn.Conv2d)]
    assert dilations == [1, 2, 3, 4]
    for path in (out / "data" / "masks").iterdir():
        path.unlink()
    assert main(["evaluate", "--out", str(out)]) == 0  # they are painted anew
    assert json.loads((out / "graph_cut" / "metrics.json").read_text())["val"] == scores
    for folder in ("classifier", "graph_cut", "graph_cut/retrained"):
        model = load_checkpoint(out / folder / "last.pt").model
        means = [v for k, v in model.items() if "backbone" in k and k.endswith("running_mean")]
        assert len(means) == 8
        assert not any(mean.any() for mean in means)


def test_cues_of_the_field_in_place_of_activation_maps(
    source: FolderDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = write_voc(tmp_path / "VOC2012", source)
    cues = {}
    for record in source.split("train"):
        assert record.mask is not None
        labels = mask_to_grid(VOC_IDS[read_mask(record.mask)], 6, 6)
        grid = labels == np.arange(21)[:, None, None]
        grid[:, ::2] = False
        cues[ids[record.name]] = grid
    save_cues(tmp_path / "cues.pickle", cues, listing=tmp_path / "input_list.txt")
    out = tmp_path / "run"
    given = ["--cues.path", str(tmp_path / "cues.pickle"), "--data.root", str(tmp_path)]
    command = ["run", *TINY, "--model.backbone=small", *given, "--out", str(out)]
    assert main(command) == 0
    kept = load_cues(out / "cues" / "cues.npz")
    assert all(np.array_equal(kept[name], grid) for name, grid in cues.items())
    assert not (out / "classifier").exists()
    assert (out / "graph_cut" / "contact_sheet.png").is_file()
    # The masks are where the cues are from.
    assert json.loads((out / "cues" / "quality.json").read_text())["precision"] == 1
    capsys.readouterr()
    assert main(command) == 0
    assert "cues: finished before" in capsys.readouterr().out
    first = next(iter(cues))
    cues[first] = np.zeros_like(cues[first])
    save_cues(tmp_path / "cues.pickle", cues, listing=tmp_path / "input_list.txt")
    assert main(["cues", "--out", str(out)]) == 2
    assert "cues.path: other content" in capsys.readouterr().err
    assert main(["cues", "--out", str(out), "--overwrite"]) == 0
    assert not load_cues(out / "cues" / "cues.npz")[first].any()


def test_a_list_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *TINY, "--data.root", str(tmp_path), "--data.val_list=none.txt"]) == 2
    assert "data.val_list: no such file: none.txt" in capsys.readouterr().err
