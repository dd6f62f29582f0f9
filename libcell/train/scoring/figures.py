"""Table `scores`: overall figures, rivals, classes, groups, the confusion counts."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from libcell.data import tables
from libcell.train.kernels.figures import plain
from libcell.train.kernels.rivals import Rival

OVERALL = ("balanced_accuracy", "accuracy", "macro_f1", "weighted_f1", "roc_auc_ovr", "ece",
           "brier", "log_loss")
PER_CLASS = ("precision", "recall", "f1", "roc_auc")


def score_table(
    found: dict[str, Any], rivals: dict[str, Rival], groups: list[tuple[str, int, float, float]],
    part: str, more: Sequence[dict[str, Any]] = (),
) -> pa.Table:
    """From `classification_scores` (plain), rivals and figures per group.

    Metrics `majority_*`, `NAME_*` are a rival's; `*_over_NAME` says by how much the model is
    better; `more` are further rows. A row of metric `confusion` counts objects of class `label`
    predicted as `group`.
    """
    n = found["n"]
    rows = [_row(m, found[m], found["intervals"].get(m), n, part) for m in OVERALL]
    rows += [_row(f"majority_{m}", v, None, n, part)
             for m, v in found["majority_baseline"].items() if isinstance(v, float)]
    if found["batch_probe"]:
        rows += [_row(f"batch_probe_{m}", float(v), None, found["batch_probe"]["rows"], part)
                 for m, v in found["batch_probe"].items() if m != "rows"]
    for name, rival in rivals.items():
        rows += [_row(f"{name}_{m}", v, i, n, part) for m, (v, i) in rival.figures.items()]
        rows += [_row(f"{m}_over_{name}", v, i, n, part) for m, (v, i) in rival.ahead.items()]
    for one in found["per_class"]:
        rows += [_row(m, one[m], one.get(f"{m}_interval"), one["support"], part, str(one["label"]))
                 for m in (*PER_CLASS, "average_precision")]
    for group, size, accuracy, recall in groups:
        rows += [_row("accuracy", accuracy, None, size, part, group=group),
                 _row("balanced_accuracy", recall, None, size, part, group=group)]
    rows += _confusion(found["confusion"], part)
    rows += [_row("reliability", b["accuracy"], None, b["n"], part,
                  label=f"{b['low']:.3f}-{b['high']:.3f}") for b in found["reliability"]]
    rows += more
    columns = {k: [r[k] for r in rows] for k in rows[0]}
    return tables.from_columns("scores", columns)


def _confusion(table: dict[str, Any], part: str) -> list[dict[str, Any]]:
    return [_row("confusion", float(n), None, int(n), part, str(truth), str(predicted))
            for truth, counts in zip(table["rows"], table["counts"])
            for predicted, n in zip(table["columns"], counts)]


def _row(metric: str, value: Any, interval: Any, n: int, part: str, label: str | None = None,
         group: str | None = None) -> dict[str, Any]:
    low, high = plain(interval or (None, None))  # null where there are no draws
    return {"metric": metric, "value": value, "low": low, "high": high, "n": n, "split": part,
            "label": label, "group": group}
