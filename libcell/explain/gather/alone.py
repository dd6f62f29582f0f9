"""Pages of one thing by itself, as `embed` and `importance` put them into their bundles."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from libcell.explain.gather import looks, separability
from libcell.explain.gather.planes import plane
from libcell.explain.page.render import render
from libcell.explain.page.sections import Report

DRAWN = 5_000


def plane_page(
    table: pa.Table, scores: pa.Table, method: str, colour: Sequence[str],
    provenance: dict[str, Any],
) -> str:
    """HTML of the points, coloured by the columns `colour`, and of their figures."""
    shown = plane("plane", f"On a plane: {method}", table, set(), DRAWN, colour)
    figures = separability.section("", scores)
    sections = [shown, *([figures] if figures else [])]
    return render(Report("Objects on a plane",
                         f"{provenance['command']} {provenance['version']}", sections))


def importance_page(
    importances: pa.Table, contributions: pa.Table | None, provenance: dict[str, Any]
) -> str:
    """HTML of the bars, and of the swarm where there are contributions."""
    sections = looks.bars("", "importance", importances)
    if contributions is not None:
        sections += looks.swarm("", "contributions", contributions)
    return render(Report("What the model looks at",
                         f"{provenance['command']} {provenance['version']}", sections))
