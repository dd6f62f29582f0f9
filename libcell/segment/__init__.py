"""cell-segment: pixels to instance labels. One file per subcommand; array code in the sub-packages."""
