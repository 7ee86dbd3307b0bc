"""Settings: defaults, validation, YAML and back."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from docstring_parser import parse_from_object

from dgcn.atomic import write_text
from dgcn.config import SECTIONS, Config, SupervisionConfig, TrainConfig
from dgcn.cues import find_saliency
from dgcn.models import find_backbone
from dgcn.options import (
    OptionError,
    as_plain,
    config_from,
    config_parser,
    load_config,
    parse,
    save_config,
    versions,
)
from dgcn.pipeline.study import VARIANTS
from dgcn.supervision import KINDS, GraphCut, JointCut


def test_defaults_are_those_of_the_paper() -> None:
    config = Config()
    cut = config.supervision.method
    assert isinstance(cut, GraphCut)
    assert (cut.k, cut.theta) == (9, 0.7)
    assert (cut.edge_weights, cut.cue_capacity) == ("unit", 10)
    assert (cut.image_labels_only, cut.unary, cut.cut_background) == (False, "network", False)
    assert (config.train.lr, config.train.head_lr_factor, config.train.batch_size) == (5e-4, 10, 16)
    assert (config.train.momentum, config.train.weight_decay) == (0.9, 5e-4)
    assert (config.train.gamma, config.train.step_size, config.train.dropout) == (0.3, 3, 0.5)
    assert config.evaluate.scales == (0.75, 1.0, 1.25)
    assert (config.crf.iterations, config.crf.train_scale) == (10, 12)
    assert (config.crf.bilateral_xy, config.crf.bilateral_rgb, config.crf.bilateral_weight) == (
        80,
        13,
        10,
    )
    assert config.cues.background == 0.07
    assert config.data.size == 321
    # Ours: the paper's cues are those of foreground 0.2 and saliency_weight 0.
    assert (config.cues.foreground, config.cues.saliency_weight) == ("auto", "auto")


@pytest.mark.parametrize("section", [*SECTIONS.values(), *KINDS.values()], ids=[*SECTIONS, *KINDS])
def test_every_field_is_documented(section: type) -> None:
    """The text stands below the field, where the command line's help finds it."""
    described: dict[str, str] = {}
    for kind in reversed(section.__mro__):
        if dataclasses.is_dataclass(kind) and kind is not SupervisionConfig:
            for entry in parse_from_object(kind).params:
                described[entry.arg_name] = entry.description or ""
    fields = {field.name for field in dataclasses.fields(section)} - set(KINDS)
    assert fields <= set(described)
    assert all(len(described[name]) > 10 for name in fields)


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("data", {"size": 320}, r"size must be 8 n \+ 1 and >= 41, got 320"),
        ("data", {"kind": "voc"}, r"kind must be unset without data\.root, got 'voc'"),
        ("data", {"synthetic_images": 0}, r"synthetic_images must be >= 1, got 0"),
        (
            "model",
            {"backbone": "vgg16", "dilation": 5},
            r"dilation must be even for the head 'aspp', got 5",
        ),
        ("train", {"epochs": 0}, r"epochs must be >= 1, got 0"),
        ("train", {"lr": -1.0}, r"lr must be > 0 and finite, got -1\.0"),
        ("train", {"lr": float("nan")}, r"lr must be > 0 and finite, got nan"),
        ("train", {"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1\.0"),
        ("classify", {"momentum": 1.5}, r"momentum must be in \[0, 1\), got 1\.5"),
        ("classify", {"gamma": 0.0}, r"gamma must be in \(0, 1\], got 0\.0"),
        ("cues", {"foreground": 1.5}, r"foreground must be 'auto' or in \[0, 1\), got 1\.5"),
        ("supervision", {"name": "../x"}, r"name must be None or of .*got '\.\./x'"),
        ("supervision", {"name": "cues"}, r"name must be None or of .*got 'cues'"),
        ("supervision", {"kind": "magic"}, r"kind must be one of graph_cut, .*got 'magic'"),
        ("supervision", {"options": {"a": 1}}, r"options must be empty for a kind that has"),
        ("supervision", {"kind": "dgcn.supervision:Static", "options": {"a": 1}}, "not suit"),
        ("crf", {"bilateral_rgb": 0.0}, r"bilateral_rgb must be > 0 and finite, got 0\.0"),
        ("evaluate", {"scales": ()}, r"scales must be one or more .*got \(\)"),
        ("runtime", {"seed": -1}, r"seed must be in \[0, 2\*\*32\), got -1"),
    ],
)
def test_value_out_of_range_is_named(section: str, values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SECTIONS[section](**values)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("graph_cut", {"k": 0}, r"k must be >= 1, got 0"),
        ("graph_cut", {"theta": 1.1}, r"theta must be in \[0, 1\], got 1\.1"),
        ("joint_cut", {"sigma2": 0.0}, r"sigma2 must be None or > 0 .*got 0\.0"),
        ("graph_cut", {"cue_capacity": float("inf")}, r"cue_capacity must be 'hard' or .*got inf"),
        ("graph_cut", {"cue_capacity": "soft"}, r"cue_capacity must be 'hard' or .*got 'soft'"),
        ("joint_cut", {"spatial_weight": 0.0}, r"spatial_weight must be > 0 .*got 0\.0"),
        ("region_growing", {"background": 2.0}, r"background must be in \[0, 1\], got 2\.0"),
        ("most_probable", {"theta": -1.0}, r"theta must be in \[0, 1\], got -1\.0"),
        ("graph_cut", {"solver": "best"}, r"solver must be one of auto, .*got 'best'"),
    ],
)
def test_parameter_out_of_range_is_named(
    kind: str, values: dict[str, object], message: str, tmp_path: Path
) -> None:
    """By the class, and with its section by a file."""
    with pytest.raises(ValueError, match=message):
        KINDS[kind](**values)
    write_text(tmp_path / "a.yaml", yaml.safe_dump({"supervision": {kind: values}}))
    with pytest.raises(ValueError, match=rf"supervision\.{kind}\.{next(iter(values))}"):
        load_config(tmp_path / "a.yaml")


def test_labels_are_a_word_or_a_file(tmp_path: Path) -> None:
    listing = tmp_path / "a.yaml"
    write_text(listing, f"data: {{root: {tmp_path}, labels: masks, val_list: {listing}}}\n")
    config = load_config(tmp_path / "a.yaml")
    assert config.data.labels == "masks"
    assert config.data.val_list == listing
    save_config(config, tmp_path)
    assert load_config(tmp_path / "config.yaml") == config
    given = load_config(tmp_path / "a.yaml", f"--data.labels={tmp_path / 'a.yaml'}")
    assert given.data.labels == tmp_path / "a.yaml"
    with pytest.raises(FileNotFoundError, match=r"^data\.labels: no such file: mask$"):
        load_config(tmp_path / "a.yaml", "--data.labels=mask")
    with pytest.raises(FileNotFoundError, match=r"^cues\.path: no such file or folder: nowhere"):
        load_config(tmp_path / "a.yaml", "--cues.path=nowhere")


def test_normalisation_is_frozen_where_weights_are_given(tmp_path: Path) -> None:
    (tmp_path / "w.pth").touch()
    model = SECTIONS["model"]
    assert not model().freezes_norm
    assert model(weights=tmp_path / "w.pth").freezes_norm
    assert not model(weights=tmp_path / "w.pth", batch_norm="train").freezes_norm
    assert model(batch_norm="frozen").freezes_norm


def test_batch_must_divide_among_devices() -> None:
    with pytest.raises(ValueError, match=r"classify\.batch_size must be a multiple of .* got 16"):
        Config(runtime=SECTIONS["runtime"](devices=3))


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"root: no such folder: .*nowhere"):
        Config(data=SECTIONS["data"](root=tmp_path / "nowhere"))


def test_yaml_round_trip(tmp_path: Path) -> None:
    config = Config(
        out=tmp_path / "run",
        data=SECTIONS["data"](root=tmp_path, size=161),
        supervision=SupervisionConfig(kind="static", joint_cut=JointCut(sigma2=2.5)),
        train=TrainConfig(epochs=3, lr=1e-3),
        evaluate=SECTIONS["evaluate"](scales=(1.0, 1.5)),
    )
    save_config(config, tmp_path)
    assert load_config(tmp_path / "config.yaml") == config
    assert set(yaml.safe_load((tmp_path / "versions.yaml").read_text())) == set(versions())


def test_overrides_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    write_text(tmp_path / "a.yaml", "train: {epochs: 3, lr: 5e-3}\n")
    config = load_config(tmp_path / "a.yaml", "--train.lr=2e-3", "--supervision.kind", "static")
    assert (config.train.epochs, config.train.lr, config.train.batch_size) == (3, 2e-3, 16)
    assert config.supervision.kind == "static"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {epochz: 3}\n", "; did you mean train.epochs?"),
        ("supervision: {kind: magic}\n", "magic"),
        ("train: {epochs: soon}\n", "soon"),
        ("train: [\n", "config"),
    ],
)
def test_malformed_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    write_text(tmp_path / "a.yaml", text)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        load_config(tmp_path / "a.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("--supervison.graph_cut.k", "; did you mean supervision.graph_cut.k?"),
        ("--supervision.graph_cut.thet", "; did you mean supervision.graph_cut.theta?"),
        ("--wholly.else", ""),
    ],
)
def test_unknown_option_is_named_with_the_one_that_may_be_meant(option: str, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(config_parser(), [option, "3"])
    assert str(caught.value) == f"unrecognized arguments: {option} 3{hint}"


def test_shipped_configurations_load() -> None:
    import dgcn

    folder = Path(dgcn.__file__).parent / "configs"
    demo = load_config(folder / "demo.yaml")
    assert (demo.model.backbone, demo.data.root) == ("small", None)
    folder_config = load_config(folder / "folder.yaml")
    assert as_plain(folder_config) == as_plain(Config())


def test_versions_name_what_a_result_depends_on() -> None:
    import torch

    found = versions()
    assert found["torch"]["version"] == str(torch.__version__)
    assert found["graphcut_ext"]["version"]


def test_write_text_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "a" / "file.txt"
    write_text(path, "old")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("kind", KINDS)
def test_kind_is_the_same_by_command_line_class_and_study(kind: str) -> None:
    """The defaults of a kind stand once: in its class."""
    by_class = KINDS[kind]()
    by_command_line = config_from(parse(config_parser(), [f"--supervision.kind={kind}"]))
    assert by_command_line.supervision.method == by_class
    variant = VARIANTS[kind]
    assert Config().supervision.of(variant.kind, **variant.changes).method == by_class
    given = {field.name for field in dataclasses.fields(by_class)} - set(variant.changes)
    assert given <= {"cue_capacity", "spatial_weight", "solver", "foreground", "background"}


OWN = """
from dataclasses import dataclass
import numpy as np
from dgcn.models import SmallNet
from dgcn.supervision import MostProbable, Static

class Backbone(SmallNet):
    taps = (1,)

@dataclass(frozen=True)
class Sure(Static):
    margin: float = 0.5

def bright(image):
    return image.mean(2, dtype=np.float32) / 255

class Other:
    pass
"""


def test_own_backbone_supervision_and_saliency_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    options = ["--model.backbone=my_own:Backbone", "--supervision.kind=my_own:Sure"]
    options += ['--supervision.options={"margin": 0.25}', "--cues.saliency=my_own:bright"]
    config = config_from(parse(config_parser(), options))
    assert find_backbone(config.model.backbone).taps == (1,)
    assert dataclasses.asdict(config.supervision.method) == {"margin": 0.25}
    assert config.supervision.folder == "Sure"
    white = np.full((2, 3, 3), 255, dtype=np.uint8)
    assert find_saliency(config.cues.saliency)(white).tolist() == [[1.0] * 3] * 2
    save_config(config, tmp_path)
    assert load_config(tmp_path / "config.yaml") == config
    for option, message in (
        ("--model.backbone=my_own:Other", "model.backbone 'my_own:Other' is not derived from"),
        ("--model.backbone=my_own:Missing", "my_own has no Missing"),
        ("--supervision.kind=nowhere:X", "supervision.kind 'nowhere:X' cannot be imported"),
        (
            "--cues.saliency=magic",
            "cues.saliency must be one of border_geodesic, local_contrast, activation, novelty, or",
        ),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            config_from(parse(config_parser(), [option]))
