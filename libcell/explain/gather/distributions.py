"""The features by which classes differ most."""

import numpy as np
import pyarrow as pa

from libcell.data import matrix
from libcell.explain.gather.material import Material
from libcell.explain.page import figures
from libcell.explain.page.sections import Chart, Section

SHOWN = 3
ROWS = 20_000  # enough for medians and quartiles


def sections(material: Material) -> list[Section]:
    """The features whose class medians lie farthest apart, in units of their spread."""
    table = material.tables.get("features")
    cards = [n.content for n in material.all("model") if n.content["input"]["kind"] == "features"]
    if table is None or not cards or cards[0]["target"] not in table.column_names:
        return []
    if table.num_rows > ROWS:
        rows = np.sort(np.random.default_rng(0).choice(table.num_rows, ROWS, replace=False))
        table = table.take(pa.array(rows))
    labels = matrix.column_text(table, cards[0]["target"], "the model's target")
    masks = {c: labels == c for c in cards[0]["classes"]}
    best = []
    for name in (n for n in cards[0]["input"]["columns"] if n in table.column_names):
        values = matrix.matrix(table, [name])[:, 0]
        by_class = {c: values[mask & np.isfinite(values)] for c, mask in masks.items()}
        if min(map(len, by_class.values())) < 2:
            continue
        middles = [np.median(v) for v in by_class.values()]
        spread = np.mean([np.subtract(*np.percentile(v, (75, 25))) for v in by_class.values()])
        best.append((float(np.ptp(middles) / spread) if spread else 0.0, name, by_class))
    best.sort(key=lambda b: (-b[0], b[1]))
    return [
        Chart(f"Feature: {name.split('_', 1)[-1].replace('_', ' ')}",
              "Median, quartiles, 5th and 95th percentile by class.",
              f"feature{i}", figures.distribution(by_class, name.split("_", 2)[-1]),
              f"{name} by class.")
        for i, (_, name, by_class) in enumerate(best[:SHOWN])
    ]
