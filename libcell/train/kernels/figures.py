"""Scores as plain JSON values."""

import math
from typing import Any

BRIEF = ("n", "n_groups", "balanced_accuracy", "accuracy", "macro_f1", "weighted_f1",
         "roc_auc_ovr", "ece", "brier", "log_loss", "intervals", "majority_baseline", "notes")


def plain(value: Any) -> Any:
    """NaN as None, numpy scalars as Python's, all the way down."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def brief(scores: dict[str, Any]) -> dict[str, Any]:
    """The overall figures, for a model card."""
    return {k: plain(scores[k]) for k in BRIEF}
