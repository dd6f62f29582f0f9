"""Confusion matrices of predictions, whose cells open to example crops."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from libcell.explain.gather.examples import Examples
from libcell.explain.gather.material import Material
from libcell.explain.page import figures
from libcell.explain.page.sections import Chart, Section


def sections(material: Material, crops: Examples) -> list[Section]:
    """One per table of predictions that knows the truth of some held-out objects."""
    found = []
    for i, (title, one) in enumerate(material.titles("predictions")):
        made = _confusion(title, f"confusion{i or ''}", one.content, crops)
        found += [made] if made else []
    return found


def held_out(table: pa.Table) -> pa.Table:
    """The rows to show: with a known class, of what was tested on, else what is new, else all."""
    there = set(table.column("split").unique().to_pylist())
    parts = ["test"] if "test" in there else sorted(there - {"train"}) or ["train"]
    return table.filter(pc.and_(table.column("target").is_valid(),
                                pc.is_in(table.column("split"), pa.array(parts))))


def _confusion(title: str, name: str, table: pa.Table, crops: Examples) -> Section | None:
    held = held_out(table)
    truth = held.column("target").to_numpy(zero_copy_only=False).astype(str)
    predicted = held.column("predicted").to_numpy(zero_copy_only=False).astype(str)
    answers = sorted(n.removeprefix("p_") for n in held.column_names if n.startswith("p_"))
    known = np.isin(truth, answers) & np.isin(predicted, answers)
    truth, predicted = truth[known], predicted[known]
    if not len(truth):
        return None
    names, row = np.unique(truth, return_inverse=True)
    column = np.searchsorted(answers, predicted)
    cell = row * len(answers) + column
    counts = np.bincount(cell, minlength=len(names) * len(answers)).reshape(-1, len(answers))
    ids = held.column("object_id").to_numpy(zero_copy_only=False)[known]
    order = np.argsort(cell, kind="stable")
    cells, first = np.unique(cell[order], return_index=True)
    pictures: dict[str, list[str]] = {}
    for here, some in zip(cells.tolist(), np.split(ids[order], first[1:])):
        shown = crops.of(some)
        key = f"{names[here // len(answers)]}|{answers[here % len(answers)]}"
        pictures |= {key: shown} if shown else {}
    right = float((truth == predicted).mean())
    about = (
        "Choose a cell to see examples (true → predicted)." if pictures
        else "The crop store that was given has no crop of them." if crops.known
        else "Give the crop store, too, to see examples.")
    return Chart(f"What is confused with what{title}",
                 f"Held-out objects by true and predicted class. {about}", name,
                 figures.confusion(counts, names.tolist(), answers),
                 f"Confusion matrix of {len(names)} classes; {right:.0%} on the diagonal.",
                 pictures)
