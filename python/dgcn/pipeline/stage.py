"""A stage of a run: what it depends on, whether it is finished, and how it comes to be."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dgcn.atomic import write_text
from dgcn.options import as_plain
from dgcn.pipeline.opening import digest
from dgcn.pipeline.run import Run

RECORD = "stage.json"
"""In a stage's folder: whether the stage is finished, and its fingerprint."""

STAGES: dict[str, Stage] = {}
"""Every stage by name; those that are needed come first."""


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    A stage's **fingerprint** is what its result depends on: its own options, and the fingerprints
    of the stages that it needs. Equal fingerprints, equal results. Devices, worker processes and
    the place of the run's folder are no part of it.

    Attributes
    ----------
    name : str
        What it makes.
    verb : str
        Command that makes it.
    folder : callable
        From a run to the folder of the result. What is built on it lies in it or elsewhere.
    options : callable
        From a run to the stage's own part of the fingerprint. The key "epochs", if there, may grow.
    needs : callable
        From a run to the names of the stages that it is built on.
    make : callable
        Does the work, given the run and the fingerprint.
    derived : bool
        Whether the result is quickly made again: it may be replaced without being asked for.
    """

    name: str
    verb: str
    folder: Callable[[Run], Path]
    options: Callable[[Run], dict[str, Any]]
    needs: Callable[[Run], tuple[str, ...]]
    make: Callable[[Run, dict[str, Any]], object]
    derived: bool = False

    def __post_init__(self) -> None:
        STAGES[self.name] = self

    def ensure(self, run: Run) -> None:
        """Make the stage, unless it is finished with the fingerprint that it would have now."""
        known, now = self.record(run), self.fingerprint(run)
        # Every process must have looked before the first one begins again.
        run.fabric.barrier()
        if known == (True, now):
            run.console.line(f"{self.name}: finished before, kept ({self.folder(run)})")
        else:
            self.perform(run)

    def perform(self, run: Run) -> None:
        """Make the stage on what is there of the stages that it needs.

        Raises
        ------
        ValueError
            A stage that it needs is not finished, or the stage was made with other settings and
            may not be replaced.
        """
        now = self.fingerprint(run, as_made=True)
        known = self.record(run)
        run.fabric.barrier()
        self._refuse_or_say(run, known, now)
        if run.is_rank_zero:
            folder = self.folder(run)
            if known != (True, now):
                forget(folder)
            self._write(folder, False, now)
        run.fabric.barrier()
        run.console.begin(self.name)
        self.make(run, now)
        run.fabric.barrier()
        if run.is_rank_zero:
            self._write(self.folder(run), True, now)
        run.fabric.barrier()

    def fingerprint(self, run: Run, *, as_made: bool = False) -> dict[str, Any]:
        """What the result depends on, in plain types.

        Parameters
        ----------
        run : Run
        as_made : bool, default False
            Take the stages that it needs as they were made, not as they would be made now.

        Raises
        ------
        ValueError
            With `as_made`: one of them is not finished.
        """
        needed = {}
        for name in self.needs(run):
            stage = STAGES[name]
            needed[name] = stage.as_made(run) if as_made else stage.fingerprint(run)
        found: dict[str, Any] = as_plain({**self.options(run), **needed})
        return found

    def as_made(self, run: Run) -> dict[str, Any]:
        """The fingerprint that the stage was made with.

        Raises
        ------
        ValueError
            The stage is not finished.
        """
        finished, known = self.record(run)
        if not finished:
            raise ValueError(f"{self.folder(run)} is not finished: run 'dgcn {self.verb}' first")
        return known

    def record(self, run: Run) -> tuple[bool, dict[str, Any]]:
        """Whether the stage is finished, and its fingerprint; empty where it was never begun."""
        return read_record(self.folder(run))

    def _refuse_or_say(
        self, run: Run, known: tuple[bool, dict[str, Any]], now: dict[str, Any]
    ) -> None:
        """Raise where a result with other settings would be lost; otherwise say what is done."""
        _, former = known
        if not former or former == now:
            return
        changed = list(dict.fromkeys(differences(former, now)))
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        listed = "; ".join(changed[:3]) + more
        if self.derived or run.overwrite or _only_longer(former, now):
            run.console.line(f"{self.name}: made again, settings changed: {listed}")
            return
        beside = "--supervision.name NAME trains beside it, " if self.name == "segmenter" else ""
        raise ValueError(
            f"{self.folder(run)} was made with other settings ({listed}); another --out keeps "
            f"both, {beside}--overwrite replaces it and what is built on it"
        )

    @staticmethod
    def _write(folder: Path, finished: bool, fingerprint: dict[str, Any]) -> None:
        content = {"finished": finished, "fingerprint": fingerprint}
        write_text(folder / RECORD, json.dumps(content, indent=2) + "\n")


def read_record(folder: Path) -> tuple[bool, dict[str, Any]]:
    """Whether the stage in a folder is finished, and its fingerprint; empty where there is none."""
    path = folder / RECORD
    if not path.is_file():
        return False, {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return content["finished"], content["fingerprint"]


def forget(folder: Path) -> None:
    """Let everything in a folder that is built on it count as not made: it is made again."""
    for name in (RECORD, "metrics.json"):
        for path in list(folder.rglob(name)):
            path.unlink()


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Settings that differ, as ``train.lr: 0.001 -> 0.01``; of files and lists, only that."""
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            # The innermost section names a setting, whichever stages it is a part of.
            yield from differences(before, after, f"{key}.")
        elif before != after and (_is_digest(before) or _is_digest(after)):
            yield f"{prefix}{key}: other content"
        elif isinstance(before, dict) or isinstance(after, dict):
            yield f"{prefix}{key}: {_there(before)} -> {_there(after)}"
        elif before != after:
            yield f"{prefix}{key}: {before} -> {after}"


def _there(value: Any) -> str:
    return "none" if value is None else "given"


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_DIGEST)


def _only_longer(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether a training is only prolonged; its learning rate must not depend on its length."""
    before, after = dict(old), dict(new)
    epochs = before.pop("epochs", 0), after.pop("epochs", 0)
    sections = [value for value in after.values() if isinstance(value, dict)]
    steps = any(section.get("schedule") == "step" for section in sections)
    return before == after and epochs[0] < epochs[1] and steps


_DIGEST = "digest "


def dataset_fingerprint(run: Run) -> dict[str, Any]:
    """The images and labels: classes and a digest of the training list."""
    root, out = run.dataset.root.resolve(), run.config.out.resolve()
    return {
        # Data inside the run folder move with it.
        "root": str(root.relative_to(out) if root.is_relative_to(out) else root),
        "size": run.config.data.size,
        "classes": list(run.dataset.classes),
        "train": split_fingerprint(run, "train"),
    }


def split_fingerprint(run: Run, split: str) -> str:
    """Digest of the names and labels of a split."""
    return _DIGEST + digest(run.dataset.split(split))


def file_fingerprint(path: Path) -> str:
    """Digest of a file's content, or of the names, sizes and times of a folder's files."""
    if path.is_file():
        return _DIGEST + hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    files = sorted((entry.name, entry.stat()) for entry in os.scandir(path))
    lines = [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in files]
    return _DIGEST + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def training_fingerprint(run: Run, options: Any, section: str) -> dict[str, Any]:
    """What every training depends on: the images, the backbone, the seed, its own options.

    Options that name a backbone of their own stand in place of the model's.
    """
    config = run.config
    data = config.data
    changes = {"mirror": data.mirror, "scale": list(data.scale), "colour": data.colour}
    model: dict[str, Any] = as_plain(config.model)
    own: dict[str, Any] = as_plain(options)
    shared = ["backbone", "weights", "batch_norm"]
    if own.get("backbone") is None:
        own = {name: value for name, value in own.items() if name not in shared}
    else:
        shared = ["batch_norm"]
    return {
        "epochs": own.pop("epochs"),
        "data": {**dataset_fingerprint(run), **changes},
        "model": {key: model[key] for key in shared},
        section: own,
        "runtime": {"seed": config.runtime.seed, "precision": config.runtime.precision},
    }


def method_fingerprint(method: Any) -> dict[str, Any]:
    """Parameters of a supervision that its result depends on."""
    return {
        field.name: as_plain(getattr(method, field.name))
        for field in fields(method)
        if not field.metadata.get("same_result")
    }


def protocol_fingerprint(run: Run) -> dict[str, Any]:
    """How a network predicts: its checkpoint, the scales, the CRF."""
    options = run.config.evaluate
    return {
        "evaluate": {"checkpoint": options.checkpoint, "scales": list(options.scales)},
        "crf": as_plain(run.config.crf) if options.crf else None,
    }
