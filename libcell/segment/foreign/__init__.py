"""Other people's networks behind one door: whole fields, or tiles with a halo that are joined."""
