"""The forest's own walk equals scikit-learn's; a corrupt file is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from sklearn.ensemble import RandomForestClassifier

from libcell.errors import DataError, UsageFault
from libcell.train.kernels.forest import ForestArrays, fit_forest, forest_arrays, predict_proba


def data(n: int = 400, p: int = 6, k: int = 3, missing: float = 0.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = (X[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(int) + (X[:, 1] > 0.7) * (k - 2)
    X[rng.random(X.shape) < missing] = np.nan
    return X, y


def sklearn_forest(X, y, **options):
    model = RandomForestClassifier(20, random_state=3, n_jobs=1, **options)
    return model.fit(X.astype(np.float32), y)


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("depth", [None, 2])
def test_probabilities_are_sklearns_bit_for_bit(missing, depth):
    X, y = data(missing=missing)
    model = sklearn_forest(X, y, max_depth=depth, class_weight="balanced")
    forest = forest_arrays(model, model.classes_)
    new, _ = data(n=700, missing=0.3, seed=1)  # NaN also in columns that had none in training
    assert np.array_equal(predict_proba(forest, new), model.predict_proba(new))


def test_fit_is_sklearns_with_the_same_seed():
    X, y = data(missing=0.1)
    model = sklearn_forest(X, y, class_weight="balanced", max_features="sqrt")
    forest = fit_forest(X, y, n_trees=20, seed=3)
    assert np.array_equal(predict_proba(forest, X), model.predict_proba(X))


def test_a_column_missing_throughout_and_one_split_on_missing_only():
    X, y = data()
    X[:, 2] = np.nan
    X[:, 3] = np.where(y == 1, np.nan, 0.0)  # the threshold of that split is infinite
    model = sklearn_forest(X, y)
    forest = forest_arrays(model, model.classes_)
    assert np.isinf(forest.threshold).any()
    again = ForestArrays.from_tensors(forest.to_tensors())
    assert np.array_equal(predict_proba(again, X), model.predict_proba(X))


def test_float32_ties_are_decided_as_in_sklearn():
    X, y = data(n=200)
    X = np.round(X, 1) + 1e-9
    model = sklearn_forest(X, y)
    assert np.array_equal(
        predict_proba(forest_arrays(model, model.classes_), X), model.predict_proba(X)
    )


def test_workers_and_chunks_do_not_matter():
    X, y = data(missing=0.1)
    one, two = (fit_forest(X, y, n_trees=15, seed=5, workers=w) for w in (1, 2))
    for name, tensor in one.to_tensors().items():
        assert np.array_equal(tensor, two.to_tensors()[name]), name
    whole = predict_proba(one, X)
    assert np.array_equal(whole, predict_proba(one, X, chunk_rows=7))
    assert not np.array_equal(whole, predict_proba(fit_forest(X, y, n_trees=15, seed=6), X))


def test_through_safetensors_and_back():
    X, y = data()
    forest = fit_forest(X, y * 10 - 5, n_trees=5, seed=0)
    again = ForestArrays.from_tensors(load(save(forest.to_tensors())))
    assert again.classes.tolist() == sorted({*(y * 10 - 5).tolist()})
    assert again.n_trees == 5
    assert np.array_equal(predict_proba(forest, X), predict_proba(again, X))
    assert predict_proba(again, X[:0]).shape == (0, len(forest.classes))


def test_a_tree_that_is_one_leaf():
    X, y = data()
    forest = fit_forest(X, y, n_trees=2, min_samples_leaf=390, seed=0)
    assert len(forest.feature) == 2
    assert predict_proba(ForestArrays.from_tensors(forest.to_tensors()), X).shape == (400, 3)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda X, y: (X, y[:-1]), "399 rows"),
        (lambda X, y: (X, y * 0), "at least 2"),
        (lambda X, y: (X, y.astype(float)), "integer"),
        (lambda X, y: (np.where(X[3, 1] == X, np.inf, X), y), "row 3, column 1"),
        (lambda X, y: (X * 1e300, y), "beyond float32"),
        (lambda X, y: (X.astype(str), y), "numbers"),
    ],
)
def test_bad_training_data(spoil, says):
    with pytest.raises(DataError, match=says):
        fit_forest(*spoil(*data()), n_trees=2, seed=0)


def test_bad_options_and_bad_rows_to_predict():
    X, y = data()
    with pytest.raises(UsageFault, match="workers is 0"):
        fit_forest(X, y, seed=0, workers=0)
    forest = fit_forest(X, y, n_trees=2, seed=0)
    with pytest.raises(DataError, match="6 columns"):
        predict_proba(forest, X[:, :5])
    X[300, 2] = -np.inf
    with pytest.raises(DataError, match="row 300, column 2"):
        predict_proba(forest, X, chunk_rows=64)


def tensors():
    X, y = data(n=60)
    return fit_forest(X, y, n_trees=3, seed=0).to_tensors()


def put(name, index, value):
    def change(t):
        t[name][index] = value

    return change


def drop(name):
    return lambda t: t.pop(name)


def replace(name, make):
    return lambda t: t.update({name: make(t[name])})


@pytest.mark.parametrize(
    ("corrupt", "says"),
    [
        (put("children_left", 0, 0), "out of range, or before its parent"),
        (put("children_left", 2, 1), "before its parent|exactly one"),
        (put("children_right", 0, 10**6), "out of range"),
        (put("children_right", 0, -1), "out of range"),
        (put("children_left", 0, 2), "exactly one"),
        (put("feature", 0, 6), "feature index outside 0..5"),
        (put("feature", 0, -2), "feature index"),
        (put("threshold", 0, np.nan), "threshold"),
        (put("missing_go_to_left", 1, 7), "neither 0 nor 1"),
        (put("probability", (0, 0), np.nan), "shares of 1"),
        (put("probability", (1, 0), 5.0), "shares of 1"),
        (put("probability", (1, 0), np.inf), "shares of 1"),
        (put("tree_offsets", 1, -4), "do not ascend"),
        (put("tree_offsets", -1, 4), "do not run"),
        (put("n_features", 0, 0), "n_features"),
        (put("classes", 0, 99), "ascending"),
        (drop("feature"), "'feature' is missing"),
        (lambda t: t.update(extra=np.zeros(3)), "'extra' is not known"),
        (replace("threshold", lambda a: a[:-1]), "threshold has"),
        (replace("threshold", lambda a: a.astype(np.float32)), "threshold is float32"),
        (replace("probability", lambda a: a[:, :2]), "2 columns, there are 3 classes"),
        (replace("n_features", lambda a: np.array([6, 6])), "one positive number"),
        (replace("tree_offsets", lambda a: a[:1]), "do not run"),
    ],
)
def test_corrupt_files_are_refused(corrupt, says):
    t = tensors()
    corrupt(t)
    with pytest.raises(ValueError, match=says):
        ForestArrays.from_tensors(t)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_passes_the_check_can_be_walked(draw):
    t = {name: array.copy() for name, array in TENSORS.items()}
    name = draw.draw(st.sampled_from(["children_left", "children_right", "feature", "threshold"]))
    index = draw.draw(st.integers(0, len(t[name]) - 1))
    t[name][index] = draw.draw(st.integers(-5, 40))
    try:
        forest = ForestArrays.from_tensors(t)
    except DataError:
        return
    assert np.allclose(predict_proba(forest, np.ones((3, 6))).sum(axis=1), 1)


TENSORS = tensors()
