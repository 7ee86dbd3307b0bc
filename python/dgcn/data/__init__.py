"""Data sets: folders of labelled images, images and masks, training samples."""

from dgcn.data.batches import Sample, TrainingSet
from dgcn.data.coco import COCODataset
from dgcn.data.dataset import ImageDataset, Progress, Record
from dgcn.data.errors import DataError
from dgcn.data.folder import FolderDataset
from dgcn.data.images import normalise, read_image, resize_image, to_tensor
from dgcn.data.masks import VOID, mask_to_grid, read_mask, write_mask
from dgcn.data.open import open_dataset
from dgcn.data.palette import voc_palette
from dgcn.data.synthetic import write_synthetic
from dgcn.data.voc import VOC_CLASSES, VOCDataset
from dgcn.data.voc_archive import write_voc_archive

__all__ = [
    "VOC_CLASSES",
    "VOID",
    "COCODataset",
    "DataError",
    "FolderDataset",
    "ImageDataset",
    "Progress",
    "Record",
    "Sample",
    "TrainingSet",
    "VOCDataset",
    "mask_to_grid",
    "normalise",
    "open_dataset",
    "read_image",
    "read_mask",
    "resize_image",
    "to_tensor",
    "voc_palette",
    "write_mask",
    "write_synthetic",
    "write_voc_archive",
]
