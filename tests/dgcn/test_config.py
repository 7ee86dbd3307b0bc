"""Settings: defaults, validation, YAML and back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import yaml
from docstring_parser import parse as parse_docstring

from dgcn.config import SECTIONS, Config, ModelConfig, SupervisionConfig, TrainConfig
from dgcn.config.supervision import READS, Kind
from dgcn.engine.supervise import make_supervision
from dgcn.models.build import BACKBONES
from dgcn.options import (
    OptionError,
    as_plain,
    config_parser,
    load_config,
    parse,
    save_config,
    versions,
    write_text,
)


def test_defaults_are_those_of_the_paper() -> None:
    config = Config()
    assert (config.supervision.k, config.supervision.theta) == (9, 0.7)
    assert (config.supervision.n_links, config.supervision.seeds) == ("unit", "soft")
    assert config.supervision.seed_weight == 10
    assert (config.train.lr, config.train.new_layers, config.train.batch_size) == (5e-4, 10, 16)
    assert (config.train.momentum, config.train.weight_decay) == (0.9, 5e-4)
    assert (config.train.decay, config.train.decay_every, config.train.dropout) == (0.3, 3, 0.5)
    assert config.evaluate.scales == (0.75, 1.0, 1.25)
    assert (config.crf.iterations, config.crf.train_scale) == (10, 12)
    assert (config.crf.bilateral_xy, config.crf.bilateral_rgb, config.crf.bilateral_weight) == (
        80,
        13,
        10,
    )
    assert (config.seeds.foreground, config.seeds.background) == (0.2, 0.07)
    assert config.data.size == 321


@pytest.mark.parametrize("section", SECTIONS.values(), ids=list(SECTIONS))
def test_every_field_is_documented_with_its_default(section: type) -> None:
    described: dict[str, str] = {}
    for kind in reversed(section.__mro__[:-1]):
        for entry in parse_docstring(kind.__doc__ or "").params:
            described[entry.arg_name] = entry.description or ""
    fields = {field.name for field in dataclasses.fields(section)}
    assert fields == set(described)
    assert all(len(text) > 10 for text in described.values())


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("data", {"size": 320}, r"data\.size must be 8 n \+ 1 and >= 41, got 320"),
        ("data", {"kind": "voc"}, r"data\.kind must be unset without data\.root, got 'voc'"),
        ("data", {"synthetic_images": 0}, r"data\.synthetic_images must be >= 1, got 0"),
        (
            "model",
            {"backbone": "vgg16", "dilation": 5},
            r"model\.dilation must be even for the head 'aspp', got 5",
        ),
        ("train", {"epochs": 0}, r"train\.epochs must be >= 1, got 0"),
        ("train", {"lr": -1.0}, r"train\.lr must be > 0 and finite, got -1\.0"),
        ("train", {"lr": float("nan")}, r"train\.lr must be > 0 and finite, got nan"),
        ("train", {"dropout": 1.0}, r"train\.dropout must be in \[0, 1\), got 1\.0"),
        ("classify", {"momentum": 1.5}, r"classify\.momentum must be in \[0, 1\), got 1\.5"),
        ("classify", {"decay": 0.0}, r"classify\.decay must be in \(0, 1\], got 0\.0"),
        ("seeds", {"foreground": 1.5}, r"seeds\.foreground must be in \[0, 1\), got 1\.5"),
        ("supervision", {"k": 0}, r"supervision\.k must be >= 1, got 0"),
        ("supervision", {"theta": 1.1}, r"supervision\.theta must be in \[0, 1\], got 1\.1"),
        ("supervision", {"sigma2": 0.0}, r"supervision\.sigma2 must be None or > 0 .*got 0\.0"),
        ("supervision", {"seed_weight": float("inf")}, r"supervision\.seed_weight .*got inf"),
        ("supervision", {"name": "../x"}, r"supervision\.name must be None or of .*got '\.\./x'"),
        ("supervision", {"name": "cues"}, r"supervision\.name must be None or of .*got 'cues'"),
        ("supervision", {"spatial_weight": 0.0}, r"supervision\.spatial_weight .*got 0\.0"),
        ("supervision", {"grow_background": 2.0}, r"supervision\.grow_background .*got 2\.0"),
        ("crf", {"bilateral_rgb": 0.0}, r"crf\.bilateral_rgb must be > 0 and finite, got 0\.0"),
        ("evaluate", {"scales": ()}, r"evaluate\.scales must be one or more .*got \(\)"),
        ("runtime", {"seed": -1}, r"runtime\.seed must be in \[0, 2\*\*32\), got -1"),
    ],
)
def test_value_out_of_range_is_named(section: str, values: dict[str, object], message: str) -> None:
    wrong = SECTIONS[section](**values)
    with pytest.raises(ValueError, match=message):
        Config(**{section: wrong})  # type: ignore[arg-type]


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
    with pytest.raises(FileNotFoundError, match=r"data\.labels: no such file: mask$"):
        load_config(tmp_path / "a.yaml", "--data.labels=mask")
    with pytest.raises(FileNotFoundError, match=r"seeds\.cues: no such file or folder: nowhere"):
        load_config(tmp_path / "a.yaml", "--seeds.cues=nowhere")


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
    with pytest.raises(FileNotFoundError, match=r"data\.root: no such folder: .*nowhere"):
        Config(data=SECTIONS["data"](root=tmp_path / "nowhere"))


def test_yaml_round_trip(tmp_path: Path) -> None:
    config = Config(
        out=tmp_path / "run",
        data=SECTIONS["data"](root=tmp_path, size=161),
        supervision=SupervisionConfig(kind="static", sigma2=2.5),
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
    with pytest.raises(OptionError) as caught:
        load_config(tmp_path / "a.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "hint"),
    [("--supervison.k", "; did you mean supervision.k?"), ("--wholly.else", "")],
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


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_of_supervision_is_made(kind: Kind) -> None:
    assert callable(make_supervision(SupervisionConfig(kind=kind)))


def test_kind_without_a_supervision_is_no_graph_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READS, "magic", ("theta",))
    with pytest.raises(NotImplementedError, match="'magic'"):
        make_supervision(SupervisionConfig(kind="magic"))


def test_every_backbone_is_made() -> None:
    assert set(get_args(get_type_hints(ModelConfig)["backbone"])) == set(BACKBONES)
