"""From an object back to the field of view that it was seen in."""
