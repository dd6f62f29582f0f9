"""The solver below all linkers: hypotheses about links in, the best set that fits together out."""
