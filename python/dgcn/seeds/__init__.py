"""Localisation cues: foreground from class activation maps, background from saliency."""

from dgcn.seeds.cam import cam_multiscale, foreground_seeds, normalised_cam
from dgcn.seeds.cue_files import load_cues, save_cues
from dgcn.seeds.cue_pictures import read_cue_pictures, write_cue_pictures
from dgcn.seeds.cues import make_cues
from dgcn.seeds.external import external_cues
from dgcn.seeds.field_pickle import FieldCues, read_field_cues, write_field_cues
from dgcn.seeds.saliency import border_geodesic, read_saliency, saliency_to_grid

__all__ = [
    "FieldCues",
    "border_geodesic",
    "cam_multiscale",
    "external_cues",
    "foreground_seeds",
    "load_cues",
    "make_cues",
    "normalised_cam",
    "read_cue_pictures",
    "read_field_cues",
    "read_saliency",
    "saliency_to_grid",
    "save_cues",
    "write_cue_pictures",
    "write_field_cues",
]
