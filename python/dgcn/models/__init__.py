"""Networks: backbones, the classifier that makes activation maps, the segmentation network."""

from dgcn.models.backbone import Backbone, HeadKind
from dgcn.models.build import BACKBONES, build_backbone, find_backbone
from dgcn.models.classifier import Classifier
from dgcn.models.efficientnet_lite import EfficientNetLite0
from dgcn.models.features import aggregate
from dgcn.models.groups import param_groups
from dgcn.models.heads import make_head
from dgcn.models.recognise import recognise
from dgcn.models.resnet import ResNet18, ResNet50, ResNet101
from dgcn.models.resnet38 import ResNet38
from dgcn.models.segmenter import Segmenter, SegmenterOutput
from dgcn.models.small import SmallNet
from dgcn.models.squeezenet import SqueezeNet
from dgcn.models.timm_networks import TIMM
from dgcn.models.vgg16 import VGG16
from dgcn.models.weights import WeightsError, load_weights

__all__ = [
    "BACKBONES",
    "TIMM",
    "VGG16",
    "Backbone",
    "Classifier",
    "EfficientNetLite0",
    "HeadKind",
    "ResNet18",
    "ResNet38",
    "ResNet50",
    "ResNet101",
    "Segmenter",
    "SegmenterOutput",
    "SmallNet",
    "SqueezeNet",
    "WeightsError",
    "aggregate",
    "build_backbone",
    "find_backbone",
    "load_weights",
    "make_head",
    "param_groups",
    "recognise",
]
