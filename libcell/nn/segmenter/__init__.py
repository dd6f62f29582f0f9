"""Our own segmentation network: cell probability and directions towards each cell's centre."""
