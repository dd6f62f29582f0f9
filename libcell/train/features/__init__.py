"""Feature tables as matrices: columns, targets and groups of a classifier."""
