"""Our own tracking network: two frames of a movie in, cells and who became whom out."""

ARCHITECTURE = "pair-unet"  # what a model card calls it
