"""Rivals of a connectome: random graphs with its neurons, roles and number of connections.

Published code compared the connectome with random graphs of another size (an undirected graph
with half of the connections, and a ring of about 15 neurons for 279). Here all have as many
neurons of each role and exactly as many directed connections, so that only the wiring differs.
"""

from collections.abc import Callable

import networkx as nx
import numpy as np

from libcell.nn.connectome.graph import Graph

REWIRED = 0.5  # part of a ring's connections that Watts and Strogatz's model moves


def erdos_renyi(like: Graph, seed: int) -> Graph:
    """Every set of m ordered pairs is as likely as any other (Erdős & Rényi 1959)."""
    made = nx.gnm_random_graph(len(like), len(like.edges), seed=seed, directed=True)
    return _dressed(like, np.array(made.edges, np.int64).reshape(-1, 2), seed)


def barabasi_albert(like: Graph, seed: int) -> Graph:
    """Neurons join one by one and prefer those with many connections (Barabási & Albert 1999)."""
    n = len(like)
    return _from_undirected(like, lambda k: nx.barabasi_albert_graph(n, k, seed=seed), seed)


def watts_strogatz(like: Graph, seed: int) -> Graph:
    """A ring of neighbours, half of its connections moved (Watts & Strogatz 1998)."""
    n = len(like)
    return _from_undirected(
        like, lambda k: nx.watts_strogatz_graph(n, 2 * k, REWIRED, seed=seed), seed)


def _from_undirected(like: Graph, make: Callable[[int], nx.Graph], seed: int) -> Graph:
    """The sparsest graph of a model with enough connections, each pointing one way by chance,
    and what is too many left out by chance."""
    m = len(like.edges)
    graphs = (make(k) for k in range(1, len(like) // 2))
    found = next((g for g in graphs if g.number_of_edges() >= m), None)
    if found is None:
        raise ValueError(f"{len(like)} neurons are too few for {m} connections of one direction")
    chance = np.random.default_rng([seed, 1])
    edges = np.array(found.edges, np.int64)
    turned = chance.random(len(edges)) < 0.5
    edges[turned] = edges[turned][:, ::-1]
    return _dressed(like, chance.permutation(edges)[:m], seed)


def _dressed(like: Graph, edges: np.ndarray, seed: int) -> Graph:
    """Roles in the numbers of `like`, dealt out by chance."""
    roles = np.random.default_rng([seed, 2]).permutation(like.roles)
    names = tuple(f"n{i:03d}" for i in range(len(like)))
    return Graph(names, roles, np.unique(edges, axis=0).reshape(-1, 2))


MODELS = {"er": erdos_renyi, "ba": barabasi_albert, "ws": watts_strogatz}
