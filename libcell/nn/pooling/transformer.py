"""A small transformer on the set of instances: each sees all others before they are put together.

Instances come without their place or time, so that their order does not matter (Lee et al. 2019,
arXiv:1810.00825); one learnt query gathers them. Blocks have the normalisation first (Xiong et
al. 2020, arXiv:2002.04745).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from libcell.errors import UsageFault
from libcell.nn.pooling import Said

SUMMARY = "A small transformer on the set of instances."


@dataclass(frozen=True)
class Options:
    """width, heads and depth of the transformer; dropout, before it as well."""

    width: int = 64
    heads: int = 4
    depth: int = 1
    dropout: float = 0.5


class Transformer(nn.Module):
    """Instances (B,N,P) to `Said`; attention is the gathering query's, averaged over heads."""

    def __init__(self, features: int, classes: int, options: Options):
        super().__init__()
        self.before = nn.Sequential(nn.Dropout(options.dropout),
                                    nn.Linear(features, options.width))
        block = nn.TransformerEncoderLayer(
            options.width, options.heads, 4 * options.width, options.dropout, "gelu",
            batch_first=True, norm_first=True)
        self.among = nn.TransformerEncoder(block, options.depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(options.width)
        self.query = nn.Parameter(torch.randn(1, 1, options.width) * 0.02)
        self.gather = nn.MultiheadAttention(options.width, options.heads, batch_first=True)
        self.classifier = nn.Sequential(nn.LayerNorm(options.width),
                                        nn.Linear(options.width, classes))

    def forward(self, instances: Tensor, there: Tensor) -> Said:
        seen = self.among(self.before(instances), src_key_padding_mask=~there)
        # torch's fast path leaves rows that are not there undefined
        seen = self.norm(seen.masked_fill(~there[..., None], 0.0))
        query = self.query.expand(len(seen), -1, -1)
        made, attention = self.gather(query, seen, seen, key_padding_mask=~there)
        return Said(self.classifier(made[:, 0]), attention[:, 0])


def build(features: int, classes: int, options: Options) -> nn.Module:
    """(B,N,features) to scores (B,classes). UsageFault where heads do not share the width."""
    if options.width < 1 or options.heads < 1 or options.width % options.heads:
        raise UsageFault(f"--pooling transformer: width={options.width} is no multiple of "
                         f"heads={options.heads}")
    return Transformer(features, classes, options)
