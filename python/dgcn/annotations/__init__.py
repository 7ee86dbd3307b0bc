"""Masks as annotations that other programs correct: instances, polygons, run lengths."""

from dgcn.annotations.formats import FORMATS, Format, Sheet, coco, geojson, labelme, writer_of
from dgcn.annotations.instances import Instance, instances_of
from dgcn.annotations.outlines import Polygon, polygons_of

__all__ = [
    "FORMATS",
    "Format",
    "Instance",
    "Polygon",
    "Sheet",
    "coco",
    "geojson",
    "instances_of",
    "labelme",
    "polygons_of",
    "writer_of",
]
