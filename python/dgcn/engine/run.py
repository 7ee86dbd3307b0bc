"""A run: its settings, its folder, its data set, and what it computes with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from lightning_fabric import Fabric

from dgcn.config import Config
from dgcn.data.dataset import ImageDataset, Record
from dgcn.data.open import open_dataset
from dgcn.data.synthetic import write_synthetic
from dgcn.engine.fabric import make_fabric
from dgcn.engine.progress import Screen
from dgcn.engine.settings import digest
from dgcn.engine.stages import is_finished, mark_finished
from dgcn.metrics import Confusion
from dgcn.options import save_config

Item = TypeVar("Item")


@dataclass(frozen=True)
class Run:
    """Everything a stage is given.

    The folder of a run::

        config.yaml, versions.yaml
        data/                     the synthetic set, where no data.root is given; COCO's masks
        classifier/               last.pt, best.pt, history.json
        cues/                     cues.npz, quality.json
        graph_cut/, static/       one training each, sharing the classifier and the cues:
          config.yaml, versions.yaml, last.pt, best.pt, history.json
          supervision.json, supervision/epoch_N.json
          supervision/            a few images' supervision after every epoch
          predictions/val/        one palette PNG an image
          metrics.json, confusion_val.csv, contact_sheet.png
          retrain/                masks/ of the training images, and all of the above once more

    Attributes
    ----------
    config : Config
    fabric : Fabric
    dataset : ImageDataset
    screen : Screen
    """

    config: Config
    fabric: Fabric
    dataset: ImageDataset
    screen: Screen

    def total(self, confusion: Confusion) -> Confusion:
        """The sum of every process's counts."""
        counts = torch.from_numpy(confusion.counts)
        summed = torch.as_tensor(self.fabric.all_reduce(counts, reduce_op="sum"))
        result = Confusion(confusion.classes)
        result.add_counts(summed.cpu().numpy())
        return result

    @property
    def classifier(self) -> Path:
        """Folder of the classifier."""
        return self.config.out / "classifier"

    @property
    def cues(self) -> Path:
        """Folder of the cues."""
        return self.config.out / "cues"

    @property
    def training(self) -> Path:
        """Folder of the segmentation network, named after its supervision."""
        return self.config.out / self.config.supervision.folder

    @property
    def retraining(self) -> Path:
        """Folder of the network that is retrained on the trained one's masks."""
        return self.training / "retrain"

    @property
    def network(self) -> Path:
        """Folder of the network to predict with: the trained or the retrained one."""
        return self.training if self.config.evaluate.network == "trained" else self.retraining

    @property
    def classes(self) -> int:
        """Number of classes with the background."""
        return len(self.dataset.classes)

    @property
    def grid(self) -> int:
        """Cells a side of the network's output at the training size."""
        return (self.config.data.size - 1) // 8 + 1

    @property
    def uses_classifier(self) -> bool:
        """Whether the run has a classifier: for the cues, or as the start of a training."""
        config = self.config
        retrained = config.retrain.enabled and config.retrain.init == "classifier"
        return config.seeds.cues is None or config.train.init == "classifier" or retrained

    @property
    def leads(self) -> bool:
        """Whether this process writes files: the first of a parallel run, or the only one."""
        return bool(self.fabric.is_global_zero)

    def records(self, split: str) -> list[Record]:
        """Images of a split, at least one.

        Raises
        ------
        ValueError
            The split is empty.
        """
        records = self.dataset.split(split)
        if not records:
            raise ValueError(f"{self.dataset.root}: the split '{split}' has no images")
        return records

    def mine(self, items: list[Item]) -> list[Item]:
        """Every n-th of the items for this process, n the number of processes."""
        return items[self.fabric.global_rank :: self.fabric.world_size]

    def with_supervision(self, **options: Any) -> Run:
        """The same run with other options of the supervision: same classifier, cues and data."""
        supervision = replace(self.config.supervision, **options)
        return replace(self, config=replace(self.config, supervision=supervision))

    def with_network(self, network: Literal["trained", "retrained"]) -> Run:
        """The same run, predicting with the trained or with the retrained network."""
        evaluate = replace(self.config.evaluate, network=network)
        return replace(self, config=replace(self.config, evaluate=evaluate))


def open_run(
    config: Config,
    *,
    screen: Screen | None = None,
    fabric: Fabric | None = None,
    reads_only: bool = False,
) -> Run:
    """Make the run's folder, open its data set and check every image of it once.

    Parameters
    ----------
    config : Config
    screen : Screen or None, default None
        None: standard output, on the first process only.
    fabric : Fabric or None, default None
        None: made from ``config.runtime``.
    reads_only : bool, default False
        Leave the folder's config.yaml and versions.yaml as they are and do not read the images.

    Raises
    ------
    ValueError
        A file of the data set is damaged or contradicts another; the message names it.
    FileNotFoundError
        The data set, or a part of it, is not there.
    """
    fabric = fabric or make_fabric(config.runtime)
    screen = screen or Screen(quiet=not fabric.is_global_zero)
    data = config.data
    root = data.root
    if root is None:
        counts = f"{data.synthetic_images}-{data.synthetic_val_images}-{data.synthetic_size}"
        root = config.out / "data" / f"shapes-{counts}-{config.runtime.seed}"
        if fabric.is_global_zero and not root.is_dir():
            write_synthetic(
                root,
                images=data.synthetic_images,
                val_images=data.synthetic_val_images,
                size=data.synthetic_size,
                seed=config.runtime.seed,
            )
            screen.line(
                f"data: no data.root is given (--config or --data.root for pictures of your own): "
                f"wrote a synthetic set to {root}"
            )
        fabric.barrier()
    run = Run(config, fabric, dataset_of(config, root), screen)
    run.records("train")
    if run.leads and not reads_only:
        save_config(config, config.out)
        _check_once(run)
    fabric.barrier()
    return run


def dataset_of(config: Config, root: Path) -> ImageDataset:
    """The data set in a folder, opened as ``config.data`` says.

    Raises
    ------
    FileNotFoundError, DataError
        As `dgcn.data.open_dataset`.
    """
    data = config.data
    return open_dataset(
        root,
        kind=data.kind,
        train_list=data.train_list,
        val_list=data.val_list,
        labels=data.labels,
        masks=data.masks or config.out / "data" / "masks",
        saliency=data.saliency,
    )


def _check_once(run: Run) -> None:
    folder = run.config.out / "data"
    records = run.dataset.split("all")
    settings = {
        "root": str(run.dataset.root.resolve()),
        "images": digest(records),
        "masks": str(run.config.data.masks),
    }
    if is_finished(folder, settings):
        run.dataset.prepare(records)  # what was prepared may be gone
        return
    with run.screen.bar("data: reading every image", len(records)) as advance:
        run.dataset.check(records, progress=lambda done, total: advance(""))
    mark_finished(folder, settings)
