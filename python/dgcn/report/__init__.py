"""What a run shows: tables of scores and sheets of pictures."""

from dgcn.report.colours import class_colours
from dgcn.report.contact_sheet import Row, contact_sheet
from dgcn.report.overlays import drawn_over
from dgcn.report.panels import heat, overlay
from dgcn.report.table import format_table

__all__ = [
    "Row",
    "class_colours",
    "contact_sheet",
    "drawn_over",
    "format_table",
    "heat",
    "overlay",
]
