"""A trained network in Python: load it once, predict many images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from dgcn.config import Config
from dgcn.data.images import read_image, rgb_of
from dgcn.models.inference import image_probabilities
from dgcn.models.tiles import Band, require_tile, tiled
from dgcn.options import config_with
from dgcn.pipeline.portable import Portable, load_classifier_beside, load_portable

__all__ = ["Model", "Prediction", "load"]

OneImage: TypeAlias = "str | os.PathLike[str] | Image.Image | NDArray[np.uint8]"
"""What is taken as one image."""


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """What `Model.predict` found in an image of H x W pixels, C classes.

    Attributes
    ----------
    image : numpy.ndarray, shape (H, W, 3), uint8
        The image as the network saw it: RGB, upright.
    probabilities : numpy.ndarray, shape (C, H, W), float32
        Of each class at each pixel, refined by the CRF where the protocol has one; they sum to 1.
    classes : tuple of str
        Names by id, ``background`` first.
    """

    image: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    classes: tuple[str, ...]

    @cached_property
    def mask(self) -> NDArray[np.uint8]:
        """Class ids (H, W), uint8: the most probable class of each pixel."""
        return np.asarray(self.probabilities.argmax(0), dtype=np.uint8)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the foreground classes that the mask holds."""
        return tuple(self.classes[index] for index in np.unique(self.mask) if index)

    def __repr__(self) -> str:
        height, width = self.mask.shape
        areas = np.bincount(self.mask.ravel(), minlength=len(self.classes)) / self.mask.size
        shown = [f"{name} {areas[i]:.1%}" for i, name in enumerate(self.classes) if areas[i]]
        return f"dgcn.Prediction({width} x {height} pixels: {', '.join(shown)})"

    def overlay(self, *, legend: bool = True) -> Image.Image:
        """The mask laid over the image.

        Parameters
        ----------
        legend : bool, default True
            Names the classes below the image, which is reduced to at most 1600 pixels a side.
            False: the image's own size.

        Returns
        -------
        PIL.Image.Image
            RGB.
        """
        from dgcn.report import drawn_over, overlay

        if legend:
            return Image.fromarray(drawn_over(self.image, self.mask, self.classes))
        return Image.fromarray(overlay(self.image, self.mask, self.classes))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the mask as an indexed PNG in PASCAL VOC's colours, as ``dgcn predict`` does.

        Raises
        ------
        ValueError
            ``path`` does not end in ``.png``.
        """
        from dgcn.data.masks import write_mask

        write_mask(path, self.mask)


class Model:
    """A segmentation network with its classes and its protocol; made by `load`.

    Attributes
    ----------
    classes : tuple of str
        Names by id, ``background`` first.
    settings : Config
        What it predicts by: ``settings.data.size``, ``settings.evaluate`` and ``settings.crf``.
    device : torch.device
        Where it predicts.
    network : torch.nn.Module
        In evaluation mode: (B, 3, S, S) standardised to ``.logits`` (B, C, h, w).
    """

    def __init__(self, portable: Portable, settings: Config, device: torch.device) -> None:
        self.classes = portable.classes
        self.settings = settings
        self.device = device
        self.network = portable.model.to(device)
        given = settings.evaluate.logit_adjustment
        own_numbers = portable.settings.get("evaluate", {}).get("logit_adjustment", ())
        self._adjustment = tuple(own_numbers if given == "auto" else given)
        self._classifier = None
        if settings.evaluate.classifier:
            own = settings.classifier_model.backbone
            self._classifier = load_classifier_beside(portable.path, backbone=own).to(device)

    def __repr__(self) -> str:
        return f"dgcn.Model({', '.join(self.classes)}; on {self.device})"

    @overload
    def predict(self, image: OneImage, *, tile: int | None = None) -> Prediction: ...

    @overload
    def predict(
        self, image: list[OneImage] | tuple[OneImage, ...], *, tile: int | None = None
    ) -> list[Prediction]: ...

    def predict(
        self, image: OneImage | list[OneImage] | tuple[OneImage, ...], *, tile: int | None = None
    ) -> Prediction | list[Prediction]:
        """Predict one image, or several.

        The masks are those of ``dgcn predict`` with the same checkpoint and settings.

        Parameters
        ----------
        image : path, PIL.Image.Image, numpy.ndarray (H, W, 3) uint8, or several of these
            RGB. Files and PIL images are converted as ``dgcn predict`` converts them: upright by
            their EXIF orientation, grey and 16 bits to RGB. Several: a list or tuple, or an array
            (N, H, W, 3).
        tile : int or None, default None
            Side in pixels of overlapping tiles, each predicted as an image of its own; at least
            64. None: the image is predicted whole.

        Returns
        -------
        Prediction or list of Prediction
            Masks and probabilities, as many as images.

        Raises
        ------
        TypeError, ValueError
            ``image`` is nothing of these; the message names its type or shape.
        FileNotFoundError
            There is no such file.
        DataError
            The file is damaged or no image.
        """
        require_tile(tile)
        if isinstance(image, (list, tuple)):
            return [
                self._predicted(_pixels(each, f"image[{index}]"), tile)
                for index, each in enumerate(image)
            ]
        if isinstance(image, np.ndarray) and image.ndim == 4:
            return [
                self._predicted(_pixels(each, f"image[{index}]"), tile)
                for index, each in enumerate(image)
            ]
        return self._predicted(_pixels(image, "image"), tile)

    def bands(self, image: NDArray[np.uint8], tile: int | None = None) -> Iterator[Band]:
        """Probabilities of an image, some rows at a time, as `dgcn.models.tiles.tiled`."""
        options = self.settings.evaluate
        crf = self.settings.crf if options.crf else None

        def probabilities_of(part: NDArray[np.uint8]) -> NDArray[np.float32]:
            return image_probabilities(
                self.network,
                part,
                self.settings.data.size,
                scales=options.scales,
                crf=crf,
                classifier=self._classifier,
                contrast=options.contrast,
                logit_adjustment=self._adjustment,
            )

        return tiled(probabilities_of, image, tile)

    def _predicted(self, pixels: NDArray[np.uint8], tile: int | None) -> Prediction:
        parts = [band.probabilities for band in self.bands(pixels, tile)]
        found = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return Prediction(pixels, found, self.classes)


def load(
    checkpoint: str | os.PathLike[str],
    *,
    device: Literal["auto", "cpu", "cuda"] | torch.device = "auto",
    backbone: str | None = None,
    **settings: Any,
) -> Model:
    """Load a trained segmentation network.

    The file alone is needed: it carries the classes, the network, the size, the scales and the
    CRF's settings.

    Parameters
    ----------
    checkpoint : path
        ``last.pt`` or ``best.pt`` of a training, its folder, or a run folder with one training.
    device : {"auto", "cpu", "cuda"} or torch.device, default "auto"
        "auto" takes a GPU where there is one.
    backbone : str or None, default None
        ``package.module:Class`` of a backbone of your own, which the checkpoint names: it is
        imported only when it is named here too.
    **settings
        Settings other than the checkpoint's, nested (``evaluate={"crf": False}``) or by dotted name
        (``**{"evaluate.scales": [1]}``): those of ``data.size``, ``evaluate`` and ``crf``.

    Returns
    -------
    Model
        The network, ready to predict.

    Raises
    ------
    FileNotFoundError
        There is no such checkpoint.
    ValueError
        It is damaged, foreign, or of another network; there is no such setting; ``device`` is
        "cuda" and there is none.
    """
    portable = load_portable(Path(checkpoint), backbone=backbone)
    return Model(portable, protocol_of(portable, settings), _device(device))


def protocol_of(portable: Portable, settings: Mapping[str, Any]) -> Config:
    """Settings of a checkpoint, and others that stand on them."""
    return config_with(settings, portable.settings)


def _device(device: str | torch.device) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device must be 'auto', 'cpu' or 'cuda', got {device!r}") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: 'cuda' was asked for and torch finds no CUDA device")
    return found


def _pixels(image: object, name: str) -> NDArray[np.uint8]:
    """The pixels of one image, checked."""
    if isinstance(image, (str, os.PathLike)):
        return read_image(image)
    if isinstance(image, Image.Image):
        return rgb_of(image)
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f"{name} must be a path, a PIL image or a uint8 array (H, W, 3), got "
            f"{type(image).__module__}.{type(image).__qualname__}"
        )
    if image.dtype != np.uint8:
        raise TypeError(f"{name} must be of dtype uint8 (0..255), got {image.dtype}")
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"{name} must have shape (H, W, 3) with H, W >= 1, got {image.shape}")
    return np.ascontiguousarray(image)
