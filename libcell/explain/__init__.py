"""cell-explain: why the model said so. One file per subcommand."""
