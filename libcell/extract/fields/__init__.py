"""Fields of view out of files: which belong together, and how they are read as one image."""
