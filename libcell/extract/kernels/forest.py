"""Tracks out of a graph's edges: who goes on as whom, who is whose mother."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def merges(edges: np.ndarray, n: int) -> np.ndarray:
    """Of edges (m,2) int64 of n nodes, those that lead to a node with several mothers."""
    return edges[np.bincount(edges[:, 1], minlength=n)[edges[:, 1]] > 1]


def derive(edges: np.ndarray, field: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(track_id, parent_track_id), each (n,) int64, of nodes without merges.

    A node with one edge goes on as its target; with two or more it ends, and the targets are
    its daughters. Tracks of each field (n,) are numbered from 1 by their first frame t (n,),
    then by their first node.
    """
    n = len(t)
    goes_on = np.bincount(edges[:, 0], minlength=n)[edges[:, 0]] == 1
    links = edges[goes_on]
    web = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(n, n))
    part = connected_components(web, directed=False)[1]
    head = np.ones(n, bool)
    head[links[:, 1]] = False
    heads = np.flatnonzero(head)
    heads = heads[np.lexsort((heads, t[heads], field[heads]))]
    start = np.searchsorted(field[heads], field[heads])  # where the field's tracks begin
    number = np.zeros(n, np.int64)
    number[part[heads]] = np.arange(len(heads)) - start + 1
    track = number[part]
    return track, parents_of(edges, track, part)


def parents_of(edges: np.ndarray, track: np.ndarray, part: np.ndarray) -> np.ndarray:
    """parent_track_id (n,) int64 of nodes in tracks; `part` (n,) tells the tracks of all fields
    apart. Edges between tracks lead from parents."""
    between = edges[part[edges[:, 0]] != part[edges[:, 1]]]
    mother = np.zeros(part.max(initial=0) + 1, np.int64)
    mother[part[between[:, 1]]] = track[between[:, 0]]
    return mother[part]
