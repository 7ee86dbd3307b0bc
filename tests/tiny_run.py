"""A run of ``dgcn`` that several modules look at; the fixture ``tiny_run`` makes it."""

from __future__ import annotations

OPTIONS = (
    "--data.size=81",
    "--data.synthetic_images=6",
    "--data.synthetic_val_images=3",
    "--data.synthetic_size=72",
    "--model.backbone=small",
    "--classify.epochs=1",
    "--classify.batch_size=4",
    "--train.epochs=2",
    "--train.batch_size=4",
    "--train.init=classifier",
    "--supervision.graph_cut.theta=0.2",
    "--evaluate.pictures=2",
    "--evaluate.scales=[1]",
    "--evaluate.crf=false",
    "--runtime.device=cpu",
)
