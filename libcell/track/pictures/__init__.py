"""Pictures of tracks: families as trees, and the movie with what was found drawn on it."""
