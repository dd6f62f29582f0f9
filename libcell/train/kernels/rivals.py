"""Answers of several models to the same questions: figures side by side, differences paired."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from libcell.train.kernels.codes import codes
from libcell.train.kernels.confusion import OVERALL, bootstrap, count_confusion, figures, interval

Interval = tuple[float, float]


@dataclass(frozen=True)
class Rival:
    """A rival's figures by name, value and 95 % interval; and by how much the judged model is
    better, from the same draws of groups: an interval beyond 0 is a real difference. `chance` is
    the two-sided p value of that bootstrap, NaN without draws; objects of one group are alike, so
    a test over single objects (McNemar's) would find differences where there are none."""

    figures: dict[str, tuple[float, Interval]]
    ahead: dict[str, tuple[float, Interval]]
    chance: dict[str, float]


def rivals(
    truth: np.ndarray, predicted: np.ndarray, others: Mapping[str, np.ndarray],
    classes: np.ndarray, groups: np.ndarray, *, draws: int, seed: int,
) -> dict[str, Rival]:
    """Each of `others` beside `predicted`; all (n,) of text, `classes` (k,), `groups` (n,).

    With one group only there are no intervals: NaN.
    """
    unseen = np.setdiff1d(truth, classes)
    labels = np.concatenate([classes, unseen])
    place = {label: i for i, label in enumerate(labels.tolist())}
    row = np.array([place[t] for t in truth.tolist()])
    names, group = codes(groups, "group")
    shape = (len(labels), len(classes))

    def judged(answers: np.ndarray) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        column = np.array([place[a] for a in answers.tolist()])
        whole = figures(count_confusion(row, column, *shape))
        sampled = (figures(bootstrap(row, column, group, shape, n_boot=draws, seed=seed))
                   if len(names) > 1 else None)
        return ({m: float(getattr(whole, m)) for m in OVERALL},
                {m: getattr(sampled, m) if sampled else np.full(1, np.nan) for m in OVERALL})

    own, own_draws = judged(predicted)
    made = {}
    for name, answers in others.items():
        theirs, their_draws = judged(answers)
        made[name] = Rival(
            {m: (theirs[m], interval(their_draws[m])) for m in OVERALL},
            {m: (own[m] - theirs[m], interval(own_draws[m] - their_draws[m])) for m in OVERALL},
            {m: _two_sided(own_draws[m] - their_draws[m]) for m in OVERALL})
    return made


def _two_sided(differences: np.ndarray) -> float:
    """Twice the share of draws on the rarer side of 0, at most 1, at least one draw's worth."""
    if np.isnan(differences).all():
        return float("nan")
    rarer = min((differences <= 0).mean(), (differences >= 0).mean())
    return float(min(1.0, 2 * max(rarer, 1 / len(differences))))


def per_group(
    truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray
) -> list[tuple[str, int, float, float]]:
    """Of each group: its name, rows, accuracy, and mean recall over the classes it holds."""
    made = []
    for name in np.unique(groups.astype(str)):
        inside = groups == name
        right = truth[inside] == predicted[inside]
        recalls = [right[truth[inside] == label].mean() for label in np.unique(truth[inside])]
        made.append((str(name), int(inside.sum()), float(right.mean()), float(np.mean(recalls))))
    return made
