"""Hidden layers, then a linear one.

The controls of Elegans-AI: `hidden=2048,layers=6,activation=tanh` ("deep") and
`hidden=4096,layers=2,activation=tanh` ("wide").
"""

from dataclasses import dataclass

from torch import nn

from libcell.errors import UsageFault

SUMMARY = "Hidden layers, then a linear one."
ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


@dataclass(frozen=True)
class Options:
    """`hidden` units in each of `layers`."""

    hidden: int = 512
    layers: int = 1
    activation: str = "relu"
    dropout: float = 0.0


def build(in_features: int, classes: int, options: Options) -> nn.Module:
    """(B, in_features) to (B, classes). UsageFault for an unknown activation or no layer."""
    if options.activation not in ACTIVATIONS:
        raise UsageFault(f"--head mlp: activation={options.activation}: expected "
                         f"{', '.join(ACTIVATIONS)}")
    if min(options.hidden, options.layers) < 1:
        raise UsageFault("--head mlp: expected at least one layer of one unit")
    stack: list[nn.Module] = []
    width = in_features
    for _ in range(options.layers):
        stack += [nn.Linear(width, options.hidden), ACTIVATIONS[options.activation](),
                  nn.Dropout(options.dropout)]
        width = options.hidden
    return nn.Sequential(*stack, nn.Linear(width, classes))
