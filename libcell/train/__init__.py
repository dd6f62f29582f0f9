"""cell-train: train, predict, evaluate. One file per subcommand; array code in the sub-packages."""
