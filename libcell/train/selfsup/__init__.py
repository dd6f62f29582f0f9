"""Backbones taught without labels: which crops, which views of them, how it is watched."""
