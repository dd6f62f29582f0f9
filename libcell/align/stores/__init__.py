"""What the methods of cell-align do alike with the stores they read and write."""
