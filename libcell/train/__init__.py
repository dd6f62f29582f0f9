"""cell-train: train, predict, evaluate. One file per subcommand."""
