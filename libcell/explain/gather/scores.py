"""Sections about figures of merit: of classes, and of label images against the truth."""

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
WORST, WORST_SHOWN = ("AP50", "PQ", "SEG"), 5


def sections(table: pa.Table | None) -> list[Section]:
    """What there is to say of a table `scores`, which may hold either kind of figures or both."""
    rows = table.to_pylist() if table is not None else []
    overall = {r["metric"]: r for r in rows if r["label"] is None and r["group"] is None}
    found = [_classes(overall), _objects(overall), _worst(rows)]
    return [s for s in found if s is not None]


def _classes(overall: dict[str, dict[str, Any]]) -> Section | None:
    shown = []
    for metric, name in CLASSES.items():
        row, base = overall.get(metric), overall.get(f"majority_{metric}")
        if row and row["value"] is not None:
            shown.append([name, _number(row["value"]), _interval(row),
                          _number(base["value"]) if base else ""])
    if not shown:
        return None
    some = next(overall[m] for m in CLASSES if m in overall)
    return Table("How good it is", f"On {some['n']:,} objects of the part '{some['split']}', whole "
                 "groups held out; intervals (95 %) drawn over groups. The last column is what "
                 "always answering the most frequent class would score.",
                 ["figure", "value", "95 % interval", "majority"], shown)


def _objects(overall: dict[str, dict[str, Any]]) -> Section | None:
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
    return Table("How good the objects are", f"Found objects against {some['n']:,} true ones: of "
                 "all objects together, and as a mean over images, every image alike.",
                 ["figure", "all objects", "mean over images"], shown)


def _worst(rows: list[dict[str, Any]]) -> Section | None:
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
    return Table("Where it is worst", f"The lowest {WORST[0]} of {len(known)} images.",
                 ["image", *WORST, "true objects"], shown)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _interval(row: dict[str, Any]) -> str:
    return "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
