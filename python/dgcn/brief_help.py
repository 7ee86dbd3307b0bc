"""``--help`` of the commands that take settings: the options that matter, without torch."""

from __future__ import annotations

from argparse import SUPPRESS

from jsonargparse import ArgumentParser

from dgcn.command import Command

__all__ = ["MAIN_OPTIONS", "brief_help"]

MAIN_OPTIONS = {
    "config": ("FILE", "YAML file of settings, as 'dgcn init' writes it."),
    "out": ("DIR", "Run folder (default: runs/dgcn)."),
    "data.root": ("DIR", "Data set: a plain folder, VOC or COCO (default: synthetic shapes)."),
    "data.size": ("PIXELS", "Side that images are warped to, 8 n + 1 (default: 321)."),
    "model.weights": ("FILE", "ImageNet weights, .pth or .safetensors (default: none)."),
    "model.backbone": (
        "NAME",
        "squeezenet, efficientnet_lite0, vgg16, resnet18, resnet50, resnet101, resnet38, small "
        "or timm:NAME (default: squeezenet).",
    ),
    "classify.epochs": ("N", "Epochs of the classifier (default: 8)."),
    "train.epochs": ("N", "Epochs of the segmentation network (default: 7)."),
    "supervision.kind": (
        "NAME",
        "graph_cut, static, region_growing, joint_cut, ... (default: graph_cut).",
    ),
    "runtime.device": ("DEVICE", "auto, cpu or cuda (default: auto)."),
}
"""By name: what stands for the value, and what it means."""


def brief_help(name: str, command: Command) -> str:
    """The text of ``dgcn NAME --help``: ten settings, the command's own options, and where the
    others are.
    """
    parser = ArgumentParser(
        prog=f"dgcn {name}",
        usage=f"dgcn {name} [options]",
        description=command.description,
        add_help=False,
        epilog=f"'dgcn {name} --help-all' lists every setting.",
    )
    if command.add_options is not None:
        command.add_options(parser)
    settings = parser.add_argument_group("settings, which can stand in the YAML file too")
    for option, (value, meaning) in MAIN_OPTIONS.items():
        settings.add_argument(f"--{option}", metavar=value, help=meaning, default=SUPPRESS)
    if command.resumes:
        replaces = "Replace what was made with other settings, and what is built on it."
        settings.add_argument("--overwrite", action="store_true", help=replaces, default=SUPPRESS)
    text: str = parser.format_help()
    return text.rstrip()
