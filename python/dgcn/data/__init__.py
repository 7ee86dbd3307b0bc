"""Data sets: folders of labelled images, pictures and masks, training samples."""

from dgcn.data.batches import Sample, TrainingSet
from dgcn.data.errors import DataError
from dgcn.data.folder import FolderDataset, Progress, Record
from dgcn.data.images import (
    VOID,
    mask_to_grid,
    normalise,
    read_image,
    read_mask,
    resize_image,
    to_tensor,
    write_mask,
)
from dgcn.data.palette import voc_palette
from dgcn.data.synthetic import write_synthetic

__all__ = [
    "VOID",
    "DataError",
    "FolderDataset",
    "Progress",
    "Record",
    "Sample",
    "TrainingSet",
    "mask_to_grid",
    "normalise",
    "read_image",
    "read_mask",
    "resize_image",
    "to_tensor",
    "voc_palette",
    "write_mask",
    "write_synthetic",
]
