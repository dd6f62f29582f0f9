"""Whether what was learnt is nothing: every crop in one place, or the same said of all."""

from collections.abc import Iterable, Mapping
from typing import Any

from libcell.nn.selfsup import Learner

LEAST_SPREAD = 0.05  # of unit embeddings; networks that learn have 0.2 and more
LEAST_RANK = 2.0  # directions that embeddings differ in; networks that learn have tens


def verdict(learner: Learner, history: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The card's `collapse`: the last epoch's figures, since which epoch it is so, and why;
    `collapsed` is what the last epoch says."""
    epochs: dict[int, dict[str, float]] = {}
    for row in history:
        epochs.setdefault(row["epoch"], {})[row["metric"]] = row["value"]
    reasons = {number: why(learner, figures) for number, figures in epochs.items()}
    last = max(epochs)
    since = last
    while reasons[last] and reasons.get(since - 1):
        since -= 1
    shown = ("spread", "rank", "entropy", "kl", "information")
    return {"collapsed": bool(reasons[last]), "why": reasons[last],
            "since_epoch": since if reasons[last] else None,
            **{k: epochs[last][k] for k in shown if k in epochs[last]}}


def why(learner: Learner, figures: Mapping[str, float]) -> str | None:
    """What an epoch's figures say of a collapse, if there is one."""
    if figures["spread"] < LEAST_SPREAD:
        return f"embeddings of all crops are alike (spread {figures['spread']:.2g})"
    if figures["rank"] < LEAST_RANK:
        return f"embeddings differ in {figures['rank']:.1f} directions"
    return learner.fault(figures)
