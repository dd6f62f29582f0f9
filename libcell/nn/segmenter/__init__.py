"""Our own segmentation network: cell probability and directions towards each cell's centre."""

ARCHITECTURE = "folded-unet"  # what a model card calls it
