"""cell-explain: why the model said so. One file per subcommand; array code in the sub-packages."""
