"""Localisation cues: foreground from class activation maps, background from saliency."""

from dgcn.contrast import colour_spread, local_contrast
from dgcn.cues.cam import active_cells, cam_multiscale, foreground_cues, normalised_cam
from dgcn.cues.cue_files import load_cues, save_cues
from dgcn.cues.cue_images import read_cue_images, write_cue_images
from dgcn.cues.drawings import Drawings, find_drawings
from dgcn.cues.drawn import drawn_cues, strokes_to_grid
from dgcn.cues.evidence import ClassThreshold, object_maps, thresholds
from dgcn.cues.external import external_cues
from dgcn.cues.field_pickle import FieldCues, read_field_cues, write_field_cues
from dgcn.cues.make import make_cues
from dgcn.cues.novelty import FEWEST, Novelty, early_features, learn_novelty
from dgcn.cues.rarity import log_rarity
from dgcn.cues.saliency import (
    ACTIVATION,
    NOVELTY,
    border_geodesic,
    check_saliency,
    find_saliency,
    read_saliency,
    saliency_to_grid,
)

__all__ = [
    "ACTIVATION",
    "FEWEST",
    "NOVELTY",
    "ClassThreshold",
    "Drawings",
    "FieldCues",
    "Novelty",
    "active_cells",
    "border_geodesic",
    "cam_multiscale",
    "check_saliency",
    "colour_spread",
    "drawn_cues",
    "early_features",
    "external_cues",
    "find_drawings",
    "find_saliency",
    "foreground_cues",
    "learn_novelty",
    "load_cues",
    "local_contrast",
    "log_rarity",
    "make_cues",
    "normalised_cam",
    "object_maps",
    "read_cue_images",
    "read_field_cues",
    "read_saliency",
    "saliency_to_grid",
    "save_cues",
    "strokes_to_grid",
    "thresholds",
    "write_cue_images",
    "write_field_cues",
]
