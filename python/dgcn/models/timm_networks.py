"""Convolutional networks of the timm package as backbones; timm is imported only when asked for."""

from __future__ import annotations

import functools
import importlib
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from dgcn.models.backbone import Backbone, checked_images
from dgcn.models.inputs import Restandardise

TIMM = "timm:"
"""Before the name of a network of timm, in ``model.backbone``."""

_SIDE, _CELLS = 129, 17
_NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)


class TimmNetwork(Backbone):
    """A network of timm at stride 8; its subclasses are made by `timm_backbone`.

    The stages are those that timm hands out, the last one after the layers that lead to the global
    pooling. Parameters have timm's names with ``network.`` before them.

    Attributes
    ----------
    name : str
        Of the network in timm.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.network = _create(self.name)
        cfg = self.network.pretrained_cfg
        self._input = Restandardise(cfg["mean"], cfg["std"])

    @property
    def published(self) -> nn.Module:
        """The network itself: files of timm have its names."""
        network: nn.Module = self.network
        return network

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the stages; see `Backbone.forward`."""
        return _stages(self.network, self._input(checked_images(x)))


@functools.cache
def timm_backbone(name: str) -> type[Backbone]:
    """The class of a network of timm, as a backbone.

    Parameters
    ----------
    name : str
        As `timm.create_model` takes it, e.g. "resnet50" or "resnet50.a1_in1k". The tag says which
        mean and standard deviation the images are brought to. Nothing is downloaded.

    Raises
    ------
    ValueError
        timm is not installed, or is older than 1.0, has no such network, or the network has no
        maps of stride 8 when asked for them (transformers), or none whose corner cells lie on the
        corner pixels (networks that begin with patches).
    """
    timm = _timm(name)
    if not timm.is_model(name):
        raise ValueError(f"backbone {TIMM}{name}: timm {timm.__version__} has no such network")
    try:
        with torch.device("meta"):
            network = _create(name).eval()
            stages = _stages(network, torch.empty(1, 3, _SIDE, _SIDE))
    except (TypeError, ValueError, RuntimeError, AttributeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"backbone {TIMM}{name} does not do stride 8: {reason}") from error
    sides = [stage.shape[-1] for stage in stages]
    if sides[-1] != _CELLS or any(side < 2 or (_SIDE - 1) % (side - 1) for side in sides):
        raise ValueError(
            f"backbone {TIMM}{name} does not do stride 8, with cells on the pixels 0, 8, 16, ...: "
            f"maps of an image of side {_SIDE} have the sides {sides} instead of {_CELLS} at last"
        )
    classifier = network.pretrained_cfg.get("classifier") or ()
    layers = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    attributes: dict[str, Any] = {
        "__doc__": f"{name} of timm; see `TimmNetwork`.",
        "name": name,
        "channels": tuple(stage.shape[1] for stage in stages),
        "strides": tuple((_SIDE - 1) // (side - 1) for side in sides),
        "taps": tuple(range(len(stages)))[-3:],
        "normalised": any(isinstance(module, _NORMS) for module in network.modules()),
        "left_out": tuple(f"{layer}." for layer in layers),
    }
    return type(f"Timm_{name}", (TimmNetwork,), attributes)


def _timm(name: str) -> Any:
    try:
        timm = importlib.import_module("timm")
    except ImportError as error:
        raise ValueError(
            f"backbone {TIMM}{name} needs timm: pip install 'graphcut-ext[timm]' ({error})"
        ) from error
    if int(timm.__version__.partition(".")[0]) < 1:
        raise ValueError(f"backbone {TIMM}{name} needs timm 1.0 or later, got {timm.__version__}")
    return timm


def _create(name: str) -> Any:
    """The network without its classifier, with random weights, at stride 8."""
    return _timm(name).create_model(
        name, pretrained=False, num_classes=0, global_pool="", output_stride=8
    )


def _stages(network: Any, x: Tensor) -> list[Tensor]:
    """Feature maps (B, C, h, w) from fine to coarse."""
    last, stages = network.forward_intermediates(x)
    if last.dim() != 4 or last.shape[2:] != stages[-1].shape[2:]:
        raise ValueError(f"its last layer gives {tuple(last.shape)} instead of maps")
    return [*stages[:-1], last]
