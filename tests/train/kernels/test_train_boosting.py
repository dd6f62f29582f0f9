"""Boosted trees: LightGBM's own answers without it; damaged or hostile texts are refused."""

import re

import lightgbm
import numpy as np
import pytest

from libcell.errors import DataError
from libcell.nn.forest_boosted import from_text
from libcell.train.kernels.boosting import Growth, fit_boosting
from libcell.train.kernels.correlated import uncorrelated

SMALL = Growth(rounds=60, learning_rate=0.2, leaves=6, min_samples_leaf=5, patience=8)


def data(n=400, k=3, missing=0.1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.7) * (k - 2)
    X[:, :4][rng.random((n, 4)) < missing] = np.nan
    return X, y


def fitted(k=3, growth=SMALL, workers=1, held=True, weights=None):
    X, y = data(k=k)
    part = (X[300:], y[300:]) if held else None
    return fit_boosting(X[:300], y[:300], part, growth, n_classes=k, seed=1, workers=workers,
                        weights=np.ones(k) if weights is None else weights)


@pytest.fixture(scope="module")
def text():
    return fitted()[0]


@pytest.mark.parametrize("k", [2, 3])
def test_chances_are_lightgbms(k):
    made, rounds = fitted(k)
    new, _ = data(n=500, k=k, missing=0.3, seed=2)
    new[::3, 5] = np.nan  # a column that had no gap in training
    theirs = lightgbm.Booster(model_str=made)
    assert theirs.current_iteration() == rounds < SMALL.rounds
    np.testing.assert_allclose(from_text(made).predict_proba(new), theirs.predict(new), atol=1e-12)


def test_it_learns_and_stops_early():
    made, rounds = fitted()
    X, y = data(seed=5)
    assert (from_text(made).predict_proba(X).argmax(axis=1) == y).mean() > 0.85
    assert fitted(held=False)[1] == SMALL.rounds > rounds


def test_workers_leave_no_trace(text):
    assert fitted(workers=2)[0] == text == fitted()[0]
    assert "num_threads" not in text


def test_weights_count():
    X, y = data()
    much = from_text(fitted(weights=np.array([1.0, 1.0, 20.0]))[0]).predict_proba(X)
    plain = from_text(fitted()[0]).predict_proba(X)
    assert (much.argmax(axis=1) == 2).sum() > (plain.argmax(axis=1) == 2).sum()
    assert much[y == 2, 2].mean() > plain[y == 2, 2].mean()


def test_a_tree_that_never_splits():
    X, y = data()
    made, _ = fit_boosting(X, y, None, Growth(rounds=3, min_samples_leaf=300), n_classes=3,
                           weights=np.ones(3), seed=0)
    share = np.bincount(y) / len(y)
    np.testing.assert_allclose(from_text(made).predict_proba(X[:2]), [share, share], atol=1e-6)


def test_a_class_without_rows_is_said():
    X, y = data()
    with pytest.raises(DataError, match="lack 1 of 4 classes"):
        fit_boosting(X, y, None, SMALL, n_classes=4, weights=np.ones(4), seed=0)


@pytest.mark.parametrize(("change", "said"), [
    (lambda t: t[: len(t) // 3], "not a whole boosted model"),
    (lambda t: "", "no usable 'num_class'"),
    (lambda t: t.replace("objective=multiclass", "objective=regression"), "objective"),
    (lambda t: t.replace("split_feature=", "split_feature=9 ", 1), "split_feature holds"),
    (lambda t: re.sub(r"split_feature=\d+", "split_feature=77", t, count=1), "outside 0..5"),
    (lambda t: re.sub(r"left_child=-?\d+", "left_child=0", t, count=1), "leads out of the tree"),
    (lambda t: re.sub(r"left_child=-?\d+", "left_child=-99", t, count=1), "leads out"),
    (lambda t: re.sub(r"left_child=-?\d+", "left_child=1e300", t, count=1), "no number"),
    (lambda t: re.sub(r"leaf_value=\S+", "leaf_value=nan", t, count=1), "no number"),
    (lambda t: re.sub(r"decision_type=\d+", "decision_type=1", t, count=1), "unknown kind"),
    (lambda t: re.sub(r"num_leaves=\d+", "num_leaves=-5", t, count=1), "no leaf"),
    (lambda t: re.sub(r"num_leaves=\d+", "num_leaves=x", t, count=1), "invalid literal"),
])
def test_what_is_no_model(text, change, said):
    with pytest.raises(DataError, match=said):
        from_text(change(text))


def test_columns_that_say_the_same():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 200))
    X = np.column_stack([a, b, -2 * a + 0.01 * b, a + b])
    X[3, 1] = np.nan
    assert uncorrelated(X, 0.95).tolist() == [0, 1, 3]
    assert uncorrelated(X, 0.5).tolist() == [0, 1]
    assert uncorrelated(X, 1.0).tolist() == [0, 1, 2, 3]
