"""Embeddings of crops: which network, what it sees, block by block."""
