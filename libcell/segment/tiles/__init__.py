"""A field of view larger than a tile, segmented in passes over its tiles."""
