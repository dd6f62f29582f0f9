"""From images to cells through our own network: patches, paths to centres, tiles."""
