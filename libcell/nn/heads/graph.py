"""A connectome of the user's own: `--head graph:FILE`, a GraphML file.

Its nodes need an attribute `role`: sensory, inter or motor, or their first letter, or NA for
inter as in the published file of *C. elegans*.
"""

from dataclasses import dataclass

from torch import nn

from libcell.errors import UsageFault
from libcell.nn.connectome import head
from libcell.nn.connectome.graph import ROLES, Graph

SUMMARY = "A connectome of your own, from a GraphML file."
SHORT = {role[0].upper(): role for role in ROLES} | {"NA": "inter"} | {r: r for r in ROLES}


@dataclass(frozen=True)
class Options(head.Options):
    """As the connectome's, and the GraphML document itself."""

    text: str = ""


def build(in_features: int, classes: int, options: Options) -> nn.Module:
    """(B, in_features) to (B, classes)."""
    return head.build(lambda: read(options.text), in_features, classes, options, "graph")


def read(text: str) -> Graph:
    """The graph in a GraphML document. UsageFault if it is none, or if a node has no known role."""
    from xml.etree.ElementTree import ParseError

    import networkx as nx

    if not text:
        raise UsageFault("--head graph: no file; expected graph:FILE.graphml")
    try:
        found = nx.parse_graphml(text)
    except (ParseError, nx.NetworkXError, KeyError, ValueError) as error:
        raise UsageFault(f"--head graph: not a GraphML document ({error})") from error
    names = [str(n) for n in found.nodes]
    roles = [str(found.nodes[n].get("role", "")) for n in found.nodes]
    odd = [f"{n} ({r or 'none'})" for n, r in zip(names, roles) if r not in SHORT]
    if odd:
        raise UsageFault(f"--head graph: the attribute `role` of {len(odd)} of {len(names)} nodes "
                         f"is missing or unknown: {', '.join(odd[:3])}; expected sensory, inter "
                         "or motor, or S, I, M, NA")
    pairs = [(str(a), str(b)) for a, b in found.edges()]
    if not found.is_directed():
        pairs += [(b, a) for a, b in pairs]
    return Graph.of(names, [SHORT[r] for r in roles], pairs)
