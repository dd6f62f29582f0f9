"""Sections about figures of merit: of classes, and of label images against the truth."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from libcell.explain.page.sections import Section, Table

CLASSES = {
    "balanced_accuracy": "balanced accuracy", "accuracy": "accuracy", "macro_f1": "macro F1",
    "weighted_f1": "weighted F1", "roc_auc_ovr": "ROC AUC", "ece": "calibration error (ECE)",
}
OBJECTS = {
    "AP50": "AP at IoU 0.5", "AP75": "AP at IoU 0.75", "AP": "AP, mean of IoU 0.5 to 0.95",
    "precision_50": "precision at 0.5", "recall_50": "recall at 0.5", "F1_50": "F1 at 0.5",
    "PQ": "panoptic quality (PQ)", "SEG": "SEG (Cell Tracking Challenge)",
}
COUNTS = {
    "truth": "true objects", "found": "found objects", "TP_50": "matched at 0.5",
    "over_segmented": "true objects in pieces",
    "under_segmented": "found objects that merge several",
}
PER_CLASS = {"recall": "recall", "precision": "precision", "f1": "F1", "roc_auc": "ROC AUC",
             "average_precision": "average precision"}
WORST, WORST_SHOWN = ("AP50", "PQ", "SEG"), 5

Rows = list[dict[str, Any]]


def sections(several: Sequence[tuple[str, pa.Table]]) -> list[Section]:
    """What there is to say of tables `scores` by title, each of which may hold figures of classes,
    of label images, or both."""
    found: list[Section | None] = [_side_by_side(several)]
    for title, table in several:
        rows = table.to_pylist()
        overall = _overall(rows)
        found += [_classes(title, overall), _per_class(title, rows), _beside(title, overall),
                  _objects(title, overall), _worst(title, rows)]
    return [s for s in found if s is not None]


def _overall(rows: Rows) -> dict[str, dict[str, Any]]:
    return {r["metric"]: r for r in rows if r["label"] is None and r["group"] is None}


def _side_by_side(several: Sequence[tuple[str, pa.Table]]) -> Section | None:
    """One row per table that judges classes, where there are two or more."""
    shown = []
    for title, table in several:
        overall = _overall(table.to_pylist())
        row = overall.get("balanced_accuracy")
        if row and row["value"] is not None:
            shown.append([title.removeprefix(": "), f"{row['n']:,}", str(row["split"]), *(
                _with_interval(overall.get(m))
                for m in ("balanced_accuracy", "macro_f1", "accuracy"))])
    if len(shown) < 2:
        return None
    return Table("Models side by side", "Intervals (95 %) are drawn over groups; two that overlap "
                 "do not prove that models are alike. Compare only what was tested on the same "
                 "objects.", ["scores", "objects", "part", "balanced accuracy", "macro F1",
                              "accuracy"], shown)


def _per_class(title: str, rows: Rows) -> Section | None:
    """Recall, precision and the like of every class."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["label"] is not None and row["group"] is None and row["metric"] in PER_CLASS:
            found.setdefault(row["label"], {})[row["metric"]] = row
    classes = {c: by for c, by in found.items() if "recall" in by and "precision" in by}
    if not classes:
        return None
    shown = [[c, f"{by['recall']['n']:,}", *(_with_interval(by.get(m)) for m in PER_CLASS)]
             for c, by in classes.items()]
    return Table(f"Class by class{title}", "Objects of the class, how many of them were found "
                 "(recall), how many of those called so were (precision), and both in one (F1).",
                 ["class", "objects", *PER_CLASS.values()], shown)


def _beside(title: str, overall: dict[str, dict[str, Any]]) -> Section | None:
    """Simple models that were asked the same, and what tells the group of an object."""
    shown = []
    for metric, row in overall.items():
        name = metric.removeprefix("balanced_accuracy_over_")
        theirs = overall.get(f"{name}_balanced_accuracy")
        if name != metric and theirs:
            shown.append([name.replace("_", " "), _with_interval(theirs), _with_interval(row)])
    probe = overall.get("batch_probe_balanced_accuracy")
    note = ""
    if probe and probe["value"] is not None:
        chance = overall.get("batch_probe_chance")
        by_chance = f" ({chance['value']:.3f} by chance)" if chance and chance["value"] else ""
        note = (" From the model's answers alone the group (plate, batch) of an object can be "
                f"told with a balanced accuracy of {probe['value']:.3f}{by_chance}.")
    if not shown:
        return None
    return Table(f"Beside baselines{title}", "Balanced accuracy of models that anybody could have "
                 "had, and by how much this one is better: an interval beyond 0 is a real "
                 f"difference.{note}", ["baseline", "its own", "better by"], shown)


def _classes(title: str, overall: dict[str, dict[str, Any]]) -> Section | None:
    shown = []
    for metric, name in CLASSES.items():
        row, base = overall.get(metric), overall.get(f"majority_{metric}")
        if row and row["value"] is not None:
            shown.append([name, _number(row["value"]), _interval(row),
                          _number(base["value"]) if base else ""])
    if not shown:
        return None
    some = next(overall[m] for m in CLASSES if m in overall)
    return Table(f"How good it is{title}",
                 f"On {some['n']:,} objects of the part '{some['split']}', whole groups held "
                 "out; intervals (95 %) drawn over groups. The last column is what always "
                 "answering the most frequent class would score.",
                 ["figure", "value", "95 % interval", "majority"], shown)


def _objects(title: str, overall: dict[str, dict[str, Any]]) -> Section | None:
    if not any(metric in overall for metric in OBJECTS):
        return None
    shown = []
    for metric, name in OBJECTS.items():
        row, mean = overall.get(metric), overall.get(f"{metric}_image_mean")
        if row:
            shown.append([name, _number(row["value"]), _number(mean["value"]) if mean else ""])
    shown += [[name, f"{overall[m]['value']:.0f}", ""] for m, name in COUNTS.items()
              if m in overall]
    some = next(overall[m] for m in OBJECTS if m in overall)
    return Table(f"How good the objects are{title}",
                 f"Found objects against {some['n']:,} true ones: of all objects together, and as "
                 "a mean over images, every image alike.",
                 ["figure", "all objects", "mean over images"], shown)


def _worst(title: str, rows: Rows) -> Section | None:
    """The images that are worth a look, if there is a choice."""
    images: dict[tuple[str, Any], dict[str, float | None]] = {}
    for row in rows:
        if row["group"] is not None and row["metric"] in (*WORST, "truth"):
            of = images.setdefault((row["group"], row.get("Metadata_T")), {})
            of[row["metric"]] = row["value"]
    known = [(k, v) for k, v in images.items() if v.get(WORST[0]) is not None]
    if len(known) <= WORST_SHOWN:
        return None
    known.sort(key=lambda item: item[1][WORST[0]] or 0.0)
    frames = any(t for _, t in images)
    shown = [[f"{image}, frame {t}" if frames else image, *(_number(v.get(m)) for m in WORST),
              f"{v.get('truth') or 0:.0f}"] for (image, t), v in known[:WORST_SHOWN]]
    return Table(f"Where it is worst{title}", f"The lowest {WORST[0]} of {len(known)} images.",
                 ["image", *WORST, "true objects"], shown)


def _with_interval(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    return _number(row["value"]) + (
        "" if row["low"] is None else f" ({row['low']:.3f}–{row['high']:.3f})")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _interval(row: dict[str, Any]) -> str:
    return "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
