"""A run: its settings, its folder, its data set, and what it computes with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from filelock import FileLock
from lightning_fabric import Fabric
from numpy.typing import NDArray

from dgcn.atomic import remove_partials
from dgcn.config import Config
from dgcn.cues.drawings import Drawings, find_drawings
from dgcn.cues.saliency import ACTIVATION, NOVELTY
from dgcn.data.dataset import ImageDataset, Record
from dgcn.data.masks import mask_to_grid
from dgcn.data.open import open_dataset
from dgcn.data.synthetic import write_synthetic
from dgcn.metrics import Confusion, plain_score, score
from dgcn.models import find_backbone
from dgcn.options import save_config
from dgcn.pipeline.opening import check_once, locked, mention_new
from dgcn.training.console import Console
from dgcn.training.fabric import make_fabric
from dgcn.training.loggers import require_logger

Item = TypeVar("Item")

_DRAWINGS: WeakKeyDictionary[ImageDataset, Drawings] = WeakKeyDictionary()  # read once


@dataclass(frozen=True)
class Run:
    """Everything a stage is given; a context manager that holds the lock of the run's folder.

    The folder of a run::

        config.yaml, versions.yaml
        data/                     the synthetic set, where no data.root is given; COCO's masks
        classifier/               last.pt, best.pt, history.json
        cues/                     cues.npz, thresholds.json, verdict.json, quality.json
        graph_cut/, static/       one training each, sharing the classifier and the cues:
          config.yaml, versions.yaml, last.pt, best.pt, history.json, throughput.json
          supervision.json, supervision/epoch_N.json
          supervision/            a few images' supervision after every epoch
          predictions/val/        one palette PNG an image
          metrics.json, confusion_val.csv, contact_sheet.png
          training_masks/         masks of the training images, to retrain on
          retrained/              the retrained network, and all of the above once more

    A finished stage has a stage.json: what it was made with.

    Attributes
    ----------
    config : Config
    fabric : Fabric
    dataset : ImageDataset
    console : Console
    overwrite : bool
        Whether a stage that was made with other settings may be replaced.
    lock : FileLock or None
        Held by the first process of a run that writes.
    """

    config: Config
    fabric: Fabric
    dataset: ImageDataset
    console: Console
    overwrite: bool = False
    lock: FileLock | None = None

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.lock is not None:
            self.lock.release()

    @property
    def classifier_folder(self) -> Path:
        """Folder of the classifier."""
        return self.config.out / "classifier"

    @property
    def cues_folder(self) -> Path:
        """Folder of the cues."""
        return self.config.out / "cues"

    @property
    def trained_folder(self) -> Path:
        """Folder of the segmentation network, named after its supervision."""
        return self.config.out / self.config.supervision.folder

    @property
    def retrained_folder(self) -> Path:
        """Folder of the network that is retrained on the trained one's masks."""
        return self.trained_folder / "retrained"

    @property
    def network_folder(self) -> Path:
        """Folder of the network to predict with: the trained or the retrained one."""
        trained = self.config.evaluate.network == "trained"
        return self.trained_folder if trained else self.retrained_folder

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
        trained = self.cues_need_classifier or config.train.from_classifier
        return trained or retrained or config.evaluate.classifier

    @property
    def drawings(self) -> Drawings | None:
        """What people have drawn on the images; None where nothing is to be used."""
        path = self.config.cues.drawn
        if path is None:
            return None
        known = _DRAWINGS.get(self.dataset)
        if known is None or known.path != path:
            known = find_drawings(path, self.dataset.split("all"))
            _DRAWINGS[self.dataset] = known
        return known

    @property
    def makes_cues(self) -> bool:
        """Whether some training image has cues from the classifier's activation maps."""
        if self.config.cues.path is not None:
            return False
        drawn = self.drawings
        return drawn is None or any(
            record.name not in drawn.found for record in self.dataset.split("train")
        )

    @property
    def cues_need_classifier(self) -> bool:
        """Whether the stage of the cues has a use for it: to make cues, or to add to drawn ones."""
        options = self.config.cues
        spread = options.refine != "none" or self.saliency_by_classifier
        return self.makes_cues or (options.drawn is not None and spread)

    @property
    def by_novelty(self) -> bool:
        """Whether what stands out is what no image without a class has (``cues.saliency``)."""
        return self.dataset.saliency is None and self.config.cues.saliency == NOVELTY

    @property
    def saliency_by_classifier(self) -> bool:
        """Whether the saliency comes from the classifier: its activation, or its features."""
        own = self.config.cues.saliency in (ACTIVATION, NOVELTY)
        return self.dataset.saliency is None and own

    @property
    def is_rank_zero(self) -> bool:
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

    def shown_records(self, most: int | None = None, wanted: int | None = None) -> list[Record]:
        """Training images for people to look at: evenly spread, with a foreground label if any.

        As many as `wanted`, by default as ``evaluate.pictures`` says, and at most `most`.
        """
        records = self.dataset.split("train")
        labelled = [record for record in records if record.labels] or records
        wanted = self.config.evaluate.pictures if wanted is None else wanted
        count = min(wanted if most is None else min(wanted, most), len(labelled))
        return [labelled[index * len(labelled) // count] for index in range(count)]

    def masked(self, split: str) -> list[Record]:
        """Images of a split that have a mask; there may be none."""
        return [record for record in self.dataset.split(split) if record.mask is not None]

    def evaluated_split(self) -> str:
        """The split of the settings, or "train" where the data set has no validation images."""
        split = self.config.evaluate.split
        if split == "val" and not self.dataset.split("val"):
            self.console.line("the data set has no validation images: predicting the training set")
            return "train"
        return split

    def local_shard(self, items: list[Item]) -> list[Item]:
        """Every n-th of the items for this process, n the number of processes."""
        return items[self.fabric.global_rank :: self.fabric.world_size]

    def total(self, confusion: Confusion) -> Confusion:
        """The sum of every process's counts."""
        counts = torch.from_numpy(confusion.counts)
        summed = torch.as_tensor(self.fabric.all_reduce(counts, reduce_op="sum"))
        result = Confusion(confusion.classes)
        result.add_counts(summed.cpu().numpy())
        return result

    def score_grid(self, labels: Mapping[str, NDArray[np.bool_]]) -> dict[str, Any] | None:
        """Scores of labels (L, h, w) of the training images; None where none has a mask.

        "filled_miou" has background where there is no label; "baselines" are the scores of grids
        that are all background, and of the image's label everywhere.
        """
        masked = self.masked("train")
        if not masked:
            return None
        found = {name: Confusion(self.classes) for name in ("all_background", "image_labels")}
        confusion, label = Confusion(self.classes), self.commonest_label()
        for record in masked:
            mask, given = record.truth(), labels[record.name]
            confusion.add_grid(mask, given)
            truth = mask_to_grid(mask, *given.shape[1:])
            found["all_background"].add(truth, np.zeros_like(truth))
            found["image_labels"].add(truth, np.full_like(truth, label(record)))
        return {
            **score(confusion, self.dataset.classes),
            "filled_miou": plain_score(confusion.filled().miou()),
            "baselines": {
                name: {
                    "miou": plain_score(each.miou()),
                    "pixel_accuracy": plain_score(each.pixel_accuracy()),
                }
                for name, each in found.items()
            },
        }

    def commonest_label(self) -> Callable[[Record], int]:
        """The one label of an image: of several the one that most training images have.

        Of equally common ones it is the lower class id; 0, the background, of an image without
        labels.
        """
        images = Counter(label for each in self.dataset.split("train") for label in each.labels)
        return lambda record: max(record.labels, key=lambda c: (images[c], -c), default=0)

    def with_supervision(self, kind: str, name: str | None = None, **changes: Any) -> Run:
        """The same run with another supervision: same classifier, cues and data."""
        supervision = self.config.supervision.of(kind, name, **changes)
        return replace(self, config=replace(self.config, supervision=supervision))

    def with_network(self, network: Literal["trained", "retrained"]) -> Run:
        """The same run, predicting with the trained or with the retrained network."""
        evaluate = replace(self.config.evaluate, network=network)
        return replace(self, config=replace(self.config, evaluate=evaluate))


def open_run(
    config: Config,
    *,
    console: Console | None = None,
    fabric: Fabric | None = None,
    overwrite: bool = False,
    reads_only: bool = False,
) -> Run:
    """Make the run's folder, lock it, open its data set and check every image of it once.

    Parameters
    ----------
    config : Config
    console : Console or None, default None
        None: standard output, on the first process only.
    fabric : Fabric or None, default None
        None: made from ``config.runtime``.
    overwrite : bool, default False
        Whether stages that were made with other settings may be replaced.
    reads_only : bool, default False
        Take no lock, leave the folder's config.yaml and versions.yaml, do not read the images.

    Raises
    ------
    ValueError
        A file of the data set is damaged or contradicts another; the message names it. Or another
        process works in the folder.
    FileNotFoundError
        The data set, or a part of it, is not there.
    """
    if not reads_only:
        require_logger(config.runtime.logger)
    fabric = fabric or make_fabric(config.runtime, [find_backbone(n) for n in config.trained])
    console = console or Console(quiet=not fabric.is_global_zero)
    lock = None if reads_only else locked(config.out, fabric)
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
            console.line(
                f"data: no data.root is given (--config or --data.root for images of your own): "
                f"wrote a synthetic set to {root}"
            )
        fabric.barrier()
    run = Run(config, fabric, dataset_of(config, root), console, overwrite, lock)
    run.records("train")
    if run.is_rank_zero and not reads_only:
        remove_partials(config.out)
        save_config(config, config.out)
        check_once(run)
        mention_new(run)
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
        object_value=data.object_value,
    )
