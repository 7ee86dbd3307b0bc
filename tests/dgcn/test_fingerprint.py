"""What a stage depends on, and how what has changed is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dgcn.config import CRF, Config, DataConfig, SupervisionConfig, SupervisionSection, TrainConfig
from dgcn.data import write_synthetic
from dgcn.pipeline.cues import given_fingerprint
from dgcn.pipeline.run import open_run
from dgcn.pipeline.segmenter import SEGMENTER
from dgcn.pipeline.stage import differences, file_fingerprint
from dgcn.training.console import Console


def test_differences_are_named_by_their_section(tmp_path: Path) -> None:
    for name, text in (("a", "1"), ("b", "2")):
        (tmp_path / name).write_text(text)
    first, second = (file_fingerprint(tmp_path / name) for name in ("a", "b"))
    old = {"train": {"lr": 0.1, "scales": [1, 2]}, "cues": {"classify": {"lr": 1}}, "crf": None}
    new = {"train": {"lr": 0.2, "scales": [1, 2]}, "cues": {"classify": {"lr": 2}}, "crf": {"x": 1}}
    assert list(differences(old, old)) == []
    found = ["train.lr: 0.1 -> 0.2", "classify.lr: 1 -> 2", "crf: none -> given"]
    assert list(differences(old, new)) == found
    said = list(differences({"data": {"train": first}}, {"data": {"train": second}}))
    assert said == ["data.train: other content"]


@pytest.mark.parametrize(
    ("supervision", "boundary_weight", "depends"),
    [
        (SupervisionConfig().of("graph_cut", unary="crf"), 0, True),
        (SupervisionConfig().of("region_growing"), 0, True),
        (SupervisionConfig().of("static"), 0, False),
        (SupervisionConfig().of("graph_cut"), 0, False),
        (SupervisionConfig().of("graph_cut"), 1, True),
    ],
)
def test_training_depends_on_the_crf_where_something_asks_for_it(
    tmp_path: Path, supervision: SupervisionSection, boundary_weight: float, depends: bool
) -> None:
    root = tmp_path / "shapes"
    write_synthetic(root, images=2, val_images=1, size=41)

    def fingerprint(weight: float) -> dict[str, Any]:
        config = Config(
            out=tmp_path / "run",
            data=DataConfig(root=root, size=41),
            supervision=supervision,
            train=TrainConfig(boundary_weight=boundary_weight),
            crf=CRF(gaussian_weight=weight),
        )
        run = open_run(config, console=Console(quiet=True), reads_only=True)
        return SEGMENTER.fingerprint(run)

    assert (fingerprint(3) != fingerprint(4)) == depends


def test_solver_changes_nothing_and_every_other_parameter_does(tmp_path: Path) -> None:
    root = tmp_path / "shapes"
    write_synthetic(root, images=2, val_images=1, size=41)

    def fingerprint(**changes: Any) -> dict[str, Any]:
        config = Config(
            out=tmp_path / "run",
            data=DataConfig(root=root, size=41),
            supervision=SupervisionConfig().of("graph_cut", **changes),
        )
        run = open_run(config, console=Console(quiet=True), reads_only=True)
        return SEGMENTER.fingerprint(run)

    assert fingerprint(solver="bk") == fingerprint()
    assert fingerprint(theta=0.5) != fingerprint()
    assert fingerprint(cue_capacity="hard") != fingerprint()


def test_cues_of_a_pickle_depend_on_the_list_beside_it(tmp_path: Path) -> None:
    pickle, other, listing = (tmp_path / n for n in ("cues.pickle", "cues.npz", "input_list.txt"))
    for path in (pickle, other):
        path.write_bytes(b"cues")
    found = []
    for text in ("a.jpg 0\nb.jpg 1\n", "b.jpg 0\na.jpg 1\n"):
        listing.write_text(text)
        found.append((given_fingerprint(pickle), given_fingerprint(other)))
    assert found[0][0] != found[1][0]
    assert found[0][1] == found[1][1]
