"""What each model was tested on, and whether anything of that was on the other side, too."""

from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import matrix
from libcell.explain.gather.material import Material
from libcell.explain.page.sections import Section, Table

PARTS = ("train", "validation", "test")
# what may be on both sides of a split, the widest first, and what that means
LEVELS = {
    "plate": (("Metadata_Plate",), "the same staining and day on both sides"),
    "batch": (("Metadata_Batch",), "the same batch on both sides"),
    "donor": (("Metadata_Donor",), "the same donor on both sides"),
    "well": (("Metadata_Plate", "Metadata_Well"), "neighbours on both sides"),
    "field of view": (("Metadata_Plate", "Metadata_Well", "Metadata_Image"),
                      "the same picture on both sides"),
    "track": (("Metadata_Image", "track_id"), "the same cell on both sides"),
}
SHOWN = 8  # groups that a row names


def sections(material: Material) -> list[Section]:
    """Parts of each model's split, and an audit of the objects that are here."""
    found: list[Section] = []
    table = _objects(material)
    for title, model in material.titles("model"):
        split = model.content["split"]
        found.append(_parts(title, split))
        audit = _audit(title, table, split) if table is not None else None
        found += [audit] if audit else []
    return found


def _objects(material: Material) -> pa.Table | None:
    table = material.objects()
    return material.crops.index() if table is None and material.crops else table


def _parts(title: str, split: dict[str, Any]) -> Section:
    leaks = "none found" if not split["leaks"] else f"{split['leaks']} found"
    about = (f"Split by {' and '.join(split['by'])}, whole groups only. Leaks that training found "
             f"(a group or identical rows in two parts): {leaks}.")
    members = split.get("members")
    if members:
        rows = [[name, str(len(groups)), _first_few(groups)] for name, groups in members.items()]
        return Table(f"What was held out{title}", f"{about} Each fold was tested by a model that "
                     "never saw it, so that every object counts as tested.",
                     ["tested by", "groups", "which"], rows)
    rows = [[part, f"{split['rows'][part]:,}", str(len(split["groups"][part])),
             _first_few(split["groups"][part])] for part in PARTS]
    return Table(f"What was held out{title}", about, ["part", "objects", "groups", "which"], rows)


def _first_few(groups: list[str]) -> str:
    return ", ".join(groups[:SHOWN]) + (" …" if len(groups) > SHOWN else "")


def _audit(title: str, table: pa.Table, split: dict[str, Any]) -> Section | None:
    """Which plates, wells, ... of the objects are on two sides; None where sides are unknown."""
    sides = _sides(table, split)
    known = np.array([s != "new" for s in sides], bool)
    if len(set(sides[known])) < 2:
        return None
    rows = []
    for level, (columns, meaning) in LEVELS.items():
        if not set(columns) <= set(table.column_names):
            continue
        values = [table.column(c).to_pylist() for c in columns]
        by_value: dict[tuple[Any, ...], set[str]] = {}
        for key, side, told in zip(zip(*values), sides, known):
            if told and key[-1] is not None:
                by_value.setdefault(key, set()).add(side)
        if len(by_value) > 1:
            both = sum(len(found) > 1 for found in by_value.values())
            rows.append([level, f"{len(by_value):,}", f"{both:,}", meaning if both else "whole"])
    return Table(f"Is anything on both sides{title}", "Counted anew from the objects that were "
                 "given: what is part of the training and of the test (or of two folds) can be "
                 "recognised instead of understood.",
                 ["what", "number", "on both sides", "what that means"], rows) if rows else None


def _sides(table: pa.Table, split: dict[str, Any]) -> np.ndarray:
    """Text (n,): train or test, or the fold; `new` for what the model does not know.

    Validation counts as training: the model was chosen on it.
    """
    if split.get("members"):
        parts = matrix.parts_of(table, split | {"groups": split["members"]})
    else:
        parts = matrix.parts_of(table, split)
    return np.array(["train" if p == "validation" else p for p in parts], dtype=object)
