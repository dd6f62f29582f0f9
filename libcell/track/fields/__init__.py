"""From stores and tables to the objects that the kernels link, and from tracks to tables."""
