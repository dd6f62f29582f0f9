"""Connectome heads: a wiring diagram of neurons between a backbone and its classes.

`graph` holds the diagram, `random_graphs` its rivals with as many neurons and connections,
`schedule` which connection acts when, `rules` the three ways to run it, `head` the network.
"""
