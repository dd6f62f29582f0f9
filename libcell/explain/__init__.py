"""cell-explain: why the model said so. One file per subcommand; array code lives in the sub-packages."""
