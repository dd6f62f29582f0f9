"""cell-segment: pixels to instance labels. One file per subcommand; array code lives in the sub-packages."""
