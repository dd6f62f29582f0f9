"""Networks and losses shared by train, segment, track and explain. Knows tensors, no files."""
