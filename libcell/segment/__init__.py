"""cell-segment: pixels to instance labels. One file per subcommand."""
