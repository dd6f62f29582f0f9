"""zstd frames of arrays that are boxes in zeros, made from the boxes alone."""
