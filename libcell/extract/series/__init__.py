"""Center-cell sequences: folders of small pictures that follow one cell, frame by frame."""
