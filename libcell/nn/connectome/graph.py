"""A wiring diagram: neurons with roles, and who acts on whom."""

from dataclasses import dataclass
from importlib.resources import files

import numpy as np

ROLES = ("sensory", "inter", "motor")
SENSORY, INTER, MOTOR = range(3)


@dataclass(frozen=True, eq=False)
class Graph:
    """n neurons, m directed connections.

    names (n,) of str; roles (n,) int64, an index into ROLES; edges (m,2) int64 of (from, to),
    each ordered pair once, in ascending order. Neurons are numbered as the rules' loops go.
    ValueError if the parts do not fit together.
    """

    names: tuple[str, ...]
    roles: np.ndarray
    edges: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.names)
        if self.roles.shape != (n,) or not np.isin(self.roles, range(len(ROLES))).all():
            raise ValueError(f"expected a role for each of {n} neurons: {', '.join(ROLES)}")
        if self.edges.ndim != 2 or self.edges.shape[1] != 2:
            raise ValueError(f"expected connections (m, 2), not {self.edges.shape}")
        if self.edges.size and (self.edges.min() < 0 or self.edges.max() >= n):
            raise ValueError(f"a connection names a neuron beyond 0 to {n - 1}")
        if not np.array_equal(self.edges, np.unique(self.edges, axis=0).reshape(-1, 2)):
            raise ValueError("connections must be unique and in ascending order")

    @classmethod
    def of(cls, names: list[str], roles: list[str], pairs: list[tuple[str, str]]) -> "Graph":
        """From names: repeated pairs count once. ValueError for an unknown role or neuron."""
        place = {name: i for i, name in enumerate(names)}
        if len(place) < len(names):
            raise ValueError("two neurons have one name")
        unknown = sorted({p for pair in pairs for p in pair} - set(place))
        if unknown:
            raise ValueError(f"connections of unknown neurons: {', '.join(unknown[:3])}")
        odd = sorted(set(roles) - set(ROLES))
        if odd:
            raise ValueError(f"unknown roles: {', '.join(odd[:3])}; there are {', '.join(ROLES)}")
        edges = np.array([(place[a], place[b]) for a, b in pairs], np.int64).reshape(-1, 2)
        return cls(tuple(names), np.array([ROLES.index(r) for r in roles], np.int64),
                   np.unique(edges, axis=0).reshape(-1, 2))

    def __len__(self) -> int:
        return len(self.names)


def celegans() -> Graph:
    """The hermaphrodite's 279 somatic neurons (98 sensory, 92 inter, 89 motor), 2993 connections.

    Chemical and electrical synapses both count; how many of them join a pair does not.
    """
    names, roles, pairs = [], [], []
    table = files("libcell.nn.connectome").joinpath("celegans.tsv").read_text("utf-8")
    for line in table.splitlines():
        if line.startswith("#"):
            continue
        name, role, targets = line.split("\t")
        names.append(name)
        roles.append(role)
        pairs += [(name, t.split(":")[0]) for t in targets.split()]
    return Graph.of(names, roles, pairs)
