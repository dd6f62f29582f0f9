"""Models shared by train, segment, track and explain: networks, losses, forests. No files."""
