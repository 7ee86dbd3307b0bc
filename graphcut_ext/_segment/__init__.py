"""Interactive segmentation of images and volumes."""
