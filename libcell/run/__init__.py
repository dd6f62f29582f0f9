"""How work is carried out: methods and their registry, blocks, workers, journal, devices."""
