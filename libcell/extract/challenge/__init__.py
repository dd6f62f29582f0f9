"""Cell Tracking Challenge folders: which files are where, how they are read and written."""
