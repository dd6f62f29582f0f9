"""A classifier of crops, asked about the crops of a store."""
