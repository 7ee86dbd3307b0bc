"""Masks as annotations that other programs correct: instances, polygons, run lengths."""

from dgcn.annotations.cvat import cvat, read_cvat
from dgcn.annotations.drawing import Drawing, Shape
from dgcn.annotations.formats import FORMATS, Format, Sheet, coco, geojson, labelme, writer_of
from dgcn.annotations.instances import Instance, instances_of
from dgcn.annotations.outlines import Polygon, polygons_of
from dgcn.annotations.read_coco import read_coco
from dgcn.annotations.read_files import PROGRAMS, read_drawings, written_by
from dgcn.annotations.read_label_studio import read_label_studio
from dgcn.annotations.read_labelme import read_labelme

__all__ = [
    "FORMATS",
    "PROGRAMS",
    "Drawing",
    "Format",
    "Instance",
    "Polygon",
    "Shape",
    "Sheet",
    "coco",
    "cvat",
    "geojson",
    "instances_of",
    "labelme",
    "polygons_of",
    "read_coco",
    "read_cvat",
    "read_drawings",
    "read_label_studio",
    "read_labelme",
    "writer_of",
    "written_by",
]
