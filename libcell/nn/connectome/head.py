"""The network around a connectome: backbone features in, scores per class out."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from libcell.errors import UsageFault
from libcell.nn.connectome.graph import Graph
from libcell.nn.connectome.rules import RULES
from libcell.nn.connectome.schedule import schedule

READOUTS = ("attention", "mean")


@dataclass(frozen=True)
class Options:
    """`rule` published, documented or fast; `width` of a neuron's state; attention `heads`;
    `readout` attention (a learnt query over the motor neurons) or mean;
    `residual` adds a linear map of the features to the readout; `reservoir` leaves the neurons as
    they were drawn: only what is around them learns."""

    rule: str = "documented"
    width: int = 512
    heads: int = 8
    readout: str = "attention"
    residual: bool = False
    reservoir: bool = False


class Connectome(nn.Module):
    """Elegans-AI's tensor network with its readout and classifier.

    Features (B,F) go to the width E by a Linear where they differ, then along the graph; an
    attention layer with a learnt query reads the motor neurons (`learn-q-cross-skip` of the
    original, which adds the query to what it found), and a Linear gives the scores (B, classes).
    ValueError if no motor neuron of `graph` is reached.
    """

    def __init__(self, graph: Graph, in_features: int, classes: int, options: Options) -> None:
        super().__init__()
        width = options.width
        self.graph = graph
        self.plan = schedule(graph)
        self.enter = nn.Identity() if in_features == width else nn.Linear(in_features, width)
        self.neurons = RULES[options.rule](self.plan, width)
        self.neurons.requires_grad_(not options.reservoir)
        self.attend: nn.MultiheadAttention | None = None
        if options.readout == "attention":
            self.attend = nn.MultiheadAttention(width, options.heads, batch_first=True)
            self.query = nn.Parameter(torch.randn(width))
        self.around = nn.Linear(in_features, width) if options.residual else None
        self.classify = nn.Linear(width, classes)

    def forward(self, features: Tensor) -> Tensor:
        """(B,F) float to scores (B, classes) before softmax."""
        states = self.states(features)
        return self.read(torch.stack([states[j] for j in self.plan.motors], dim=1), features)

    def read(self, motors: Tensor, features: Tensor) -> Tensor:
        """Scores (B, classes) from the states of the motor neurons (B,M,E) and the features."""
        read = self._read(motors)
        if self.around is not None:
            read = read + self.around(features)
        scores: Tensor = self.classify(read)
        return scores

    def states(self, features: Tensor) -> dict[int, Tensor]:
        """Every reached neuron's state (B,E) by its number in the graph, for features (B,F)."""
        made: dict[int, Tensor] = self.neurons(self.enter(features))
        return made

    def _read(self, motors: Tensor) -> Tensor:
        """(B,M,E) to (B,E)."""
        if self.attend is None:
            return motors.mean(dim=1)
        query = self.query.to(motors.dtype).expand(len(motors), 1, -1)
        read: Tensor = self.attend(query, motors, motors, need_weights=False)[0]
        return (read + query).squeeze(1)


def build(
    graph: Callable[[], Graph], in_features: int, classes: int, options: Options, name: str
) -> Connectome:
    """The head of that name on `graph()`. UsageFault for options that do not fit."""
    for key, known in (("rule", tuple(RULES)), ("readout", READOUTS)):
        if (value := getattr(options, key)) not in known:
            raise UsageFault(f"--head {name}: {key}={value}: expected {', '.join(known)}")
    if min(options.width, options.heads) < 1 or options.width % options.heads:
        raise UsageFault(f"--head {name}: width={options.width} is not a multiple of "
                         f"heads={options.heads}")
    try:
        return Connectome(graph(), in_features, classes, options)
    except UsageFault:
        raise
    except ValueError as error:
        raise UsageFault(f"--head {name}: {error}") from error
