"""What a stage depends on, and when a finished one counts as finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dgcn.config import Config, CRFConfig, DataConfig, SupervisionConfig, TrainConfig
from dgcn.data import write_synthetic
from dgcn.engine.run import dataset_of
from dgcn.engine.settings import cue_digests, segmenter_settings
from dgcn.engine.stages import differences, is_finished, mark_finished, unmark


def test_stage_is_finished_with_its_own_settings_only(tmp_path: Path) -> None:
    old = {"train": {"lr": 0.1, "scales": (1, 2)}, "seed": 0}
    mark_finished(tmp_path, old)
    assert is_finished(tmp_path, old)
    new = {"train": {"lr": 0.2, "scales": (1, 2)}, "seed": 0, "crf": None}
    assert not is_finished(tmp_path, new)
    assert differences(old, new) == ["train.lr: 0.1 -> 0.2"]
    unmark(tmp_path)
    assert not is_finished(tmp_path, old)


def test_stage_that_knew_no_such_option_is_finished_at_the_options_default(tmp_path: Path) -> None:
    def now(**options: Any) -> dict[str, Any]:
        return {"segmenter": {"supervision": {"kind": "graph_cut", **options}}}

    mark_finished(tmp_path, now())
    assert is_finished(tmp_path, now(unary="network"))
    assert not is_finished(tmp_path, now(unary="crf"))
    name = "segmenter.supervision"
    assert differences(now(), now(unary="crf")) == [f"{name}.unary: network -> crf"]
    assert differences(now(), now(strange=1)) == [f"{name}.strange: None -> 1"]
    assert differences(now(gone=1), now()) == [f"{name}.gone: 1 -> None"]


@pytest.mark.parametrize(
    ("supervision", "boundary_weight", "depends"),
    [
        (SupervisionConfig(kind="graph_cut", unary="crf"), 0, True),
        (SupervisionConfig(kind="region_growing"), 0, True),
        (SupervisionConfig(kind="static", unary="crf"), 0, False),
        (SupervisionConfig(kind="graph_cut"), 0, False),
        (SupervisionConfig(kind="graph_cut"), 1, True),
    ],
)
def test_training_depends_on_the_crf_where_something_asks_for_it(
    tmp_path: Path, supervision: SupervisionConfig, boundary_weight: float, depends: bool
) -> None:
    root = tmp_path / "shapes"
    write_synthetic(root, images=2, val_images=1, size=41)

    def settings(weight: float) -> dict[str, Any]:
        config = Config(
            out=tmp_path / "run",
            data=DataConfig(root=root, size=41),
            supervision=supervision,
            train=TrainConfig(boundary_weight=boundary_weight),
            crf=CRFConfig(gaussian_weight=weight),
        )
        return segmenter_settings(config, dataset_of(config, root))

    assert (settings(3) != settings(4)) == depends


def test_cues_of_a_pickle_depend_on_the_list_beside_it(tmp_path: Path) -> None:
    pickle, other, listing = (tmp_path / n for n in ("cues.pickle", "cues.npz", "input_list.txt"))
    for path in (pickle, other):
        path.write_bytes(b"cues")
    found = []
    for text in ("a.jpg 0\nb.jpg 1\n", "b.jpg 0\na.jpg 1\n"):
        listing.write_text(text)
        found.append((cue_digests(pickle), cue_digests(other)))
    assert found[0][0] != found[1][0]
    assert found[0][1] == found[1][1]
