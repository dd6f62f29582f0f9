"""Ways to lay many columns on a plane, one file each: the folder is the list.

A module holds `place(X, settings)`: X float64 (n, p), finite, n >= 3, to float64 (n, 2), the same
for the same seed; `MOST`, the rows that it is asked about unless the user says otherwise; and
`WIDEST`, the columns that it takes: wider tables come as so many principal components.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libcell.errors import UsageFault


@dataclass(frozen=True)
class Settings:
    """How far a row's neighbourhood reaches, and the seed of whatever is drawn.

    `perplexity` is t-SNE's, `neighbours` and `min_dist` are UMAP's.
    """

    seed: int
    perplexity: float = 30.0
    neighbours: int = 15
    min_dist: float = 0.1


def names() -> list[str]:
    """All ways, sorted."""
    return sorted(p.stem for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_"))


def load(name: str) -> Any:
    """The module of one way; UsageFault if there is none of that name."""
    if name not in names():
        raise UsageFault(f"--method {name}: expected {', '.join(names())}")
    return importlib.import_module(f"libcell.explain.planes.{name}")
