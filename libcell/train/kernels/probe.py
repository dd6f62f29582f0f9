"""A linear model on features: what they hold that lies open (Alain & Bengio 2016)."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from libcell.train.kernels.scores import balanced_accuracy

PENALTY = 0.1  # C of scikit-learn; weaker ones overfit a few hundred rows of 512 features
ITERATIONS = 300
FOLDS = 3
ROWS = 4000  # more rows change little and cost a lot
GROUPS = 100  # of thousands of wells, 4000 rows hold one or two each


@dataclass(frozen=True)
class Probe:
    """Scores are ((features - mean) / sd) @ weight + bias; (p,), (p,), (p,k), (k,)."""

    mean: np.ndarray
    sd: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """int64 (n,): the class with the highest score, for features (n,p)."""
        return np.asarray(((features - self.mean) / self.sd @ self.weight + self.bias).argmax(1))


def fit_probe(features: np.ndarray, y: np.ndarray, classes: int) -> Probe:
    """Logistic regression, classes balanced; a class without a row in `y` is never predicted."""
    mean, sd = features.mean(axis=0), features.std(axis=0)
    sd = np.where(sd > 0, sd, 1.0)
    model = LogisticRegression(C=PENALTY, max_iter=ITERATIONS, class_weight="balanced", tol=1e-3)
    model.fit((features - mean) / sd, y)
    weight, bias = np.zeros((features.shape[1], classes)), np.full(classes, -np.inf)
    if len(model.classes_) == 2:  # scikit-learn keeps one score for two classes
        weight[:, model.classes_[1]] = model.coef_[0]
        bias[model.classes_] = 0, model.intercept_[0]
    else:
        weight[:, model.classes_], bias[model.classes_] = model.coef_.T, model.intercept_
    return Probe(mean, sd, weight, bias)


def batch_probe(
    features: np.ndarray, groups: np.ndarray, y: np.ndarray, seed: int
) -> dict[str, float | int] | None:
    """How well a probe tells the group (plate, batch, donor) of rows from their features (n,p).

    Cross-validated balanced accuracy beside chance, over groups with at least six rows, of many
    groups a hundred that are drawn. Each
    class of `y` (n,) is centred first: groups hold classes in different shares, and that alone is
    no fault of the features. None where there are not two such groups. Near 1, the features hold
    the batch as much as biology.
    """
    _, label = np.unique(y, return_inverse=True)
    sums = np.zeros((label.max(initial=0) + 1, features.shape[1]))
    np.add.at(sums, label, features)
    features = features - (sums / np.maximum(np.bincount(label), 1)[:, None])[label]
    _, code, counts = np.unique(groups.astype(str), return_inverse=True, return_counts=True)
    random = np.random.default_rng(seed)
    told = np.flatnonzero(counts >= 2 * FOLDS)
    if len(told) > GROUPS:
        told = random.choice(told, GROUPS, replace=False)
    kept = np.flatnonzero(np.isin(code, told))
    if len(kept) > ROWS:
        kept = np.sort(random.choice(kept, ROWS, replace=False))
        kept = kept[np.bincount(code[kept])[code[kept]] >= FOLDS]
    used = np.unique(code[kept])
    if len(used) < 2:
        return None
    truth = np.searchsorted(used, code[kept])
    some = features[kept]
    found = np.empty(len(truth), np.int64)
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(some, truth):
        found[test] = fit_probe(some[train], truth[train], len(used)).predict(some[test])
    return {"balanced_accuracy": balanced_accuracy(truth, found), "chance": 1 / len(used),
            "groups": len(used), "rows": len(truth)}
