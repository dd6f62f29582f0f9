"""Whether an explanation is more than a pretty picture: arrays and networks in, figures out."""
