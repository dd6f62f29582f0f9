"""The code blocks of README and docs: read, checked against the commands, and run."""
