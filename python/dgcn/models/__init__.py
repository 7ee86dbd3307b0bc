"""Networks: backbones, the classifier that makes activation maps, the segmentation network."""

from dgcn.models.backbone import Backbone
from dgcn.models.build import BACKBONES, build_backbone
from dgcn.models.classifier import Classifier
from dgcn.models.features import aggregate
from dgcn.models.groups import param_groups
from dgcn.models.segmenter import Segmenter, SegmenterOutput
from dgcn.models.small import SmallNet
from dgcn.models.squeezenet import SqueezeNet
from dgcn.models.weights import WeightsError, load_weights

__all__ = [
    "BACKBONES",
    "Backbone",
    "Classifier",
    "Segmenter",
    "SegmenterOutput",
    "SmallNet",
    "SqueezeNet",
    "WeightsError",
    "aggregate",
    "build_backbone",
    "load_weights",
    "param_groups",
]
