"""Figures of a plane say 1 where classes lie apart, and chance where they do not."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_samples

from libcell.errors import DataError
from libcell.explain.kernels.components import components
from libcell.explain.kernels.plain_columns import narrowed, scaled, without_gaps
from libcell.explain.kernels.separability import batch_figures, class_figures, sample


def overall(figures):
    return {f.metric: f.value for f in figures if f.label is None}


def clusters(far, n=300, p=4):
    rng = np.random.default_rng(0)
    code = np.arange(n) % 3
    return rng.normal(size=(n, p)) + far * np.eye(p)[code], np.array(["a", "b", "c"])[code]


def test_classes_apart_and_classes_by_chance():
    X, labels = clusters(50)
    found = class_figures(X, labels, 10, 0)
    assert overall(found)["knn_purity"] == 1 and overall(found)["silhouette"] > 0.9
    assert {f.label for f in found} == {None, "a", "b", "c"}
    mixed = overall(class_figures(X, np.random.default_rng(1).permutation(labels), 10, 0))
    assert mixed["knn_purity"] == pytest.approx(mixed["knn_purity_chance"], abs=0.05)
    assert abs(mixed["silhouette"]) < 0.05


def test_silhouette_is_scikit_learns():
    X, labels = clusters(2)
    widths = silhouette_samples(X, labels)
    means = [widths[labels == c].mean() for c in "abc"]
    assert overall(class_figures(X, labels, 5, 0))["silhouette"] == pytest.approx(np.mean(means))


def test_chance_is_told_for_rare_classes():
    """With one class of 90 %, nine tenths of all neighbours are of it by chance; a class counts
    by its mean, so chance is one half."""
    rng = np.random.default_rng(0)
    labels = np.where(np.arange(1000) < 900, "a", "b")
    found = overall(class_figures(rng.normal(size=(1000, 2)), labels, 15, 0))
    assert found["knn_purity_chance"] == pytest.approx(0.5)
    assert found["knn_purity"] == pytest.approx(0.5, abs=0.05)


def test_one_class_has_no_figures():
    assert class_figures(np.eye(5), np.full(5, "a"), 3, 0) == []


def test_batches_mixed_and_apart():
    X = np.random.default_rng(0).normal(size=(600, 3))
    batches = np.array(["p", "q"])[np.arange(600) % 2]
    mixed = overall(batch_figures(X, batches, None, 30, 0))
    assert mixed["batch_entropy"] > 0.95 and mixed["batch_lisi"] > 1.85
    assert mixed["batch_lisi_best"] == pytest.approx(2)
    assert 0.85 < mixed["kbet_accepted"] <= 1
    X[batches == "q"] += 100
    apart = overall(batch_figures(X, batches, None, 30, 0))
    assert apart["batch_entropy"] == 0 and apart["batch_lisi"] == 1 and apart["kbet_accepted"] == 0


def test_batches_that_hold_other_classes_are_mixed_within_each():
    """80 % of `p` are of one class, 20 % of `q`: over all classes batches look apart."""
    X, _ = clusters(0, 800)
    rng = np.random.default_rng(2)
    batches = np.where(np.arange(800) % 2, "p", "q")
    labels = np.where(rng.random(800) < np.where(batches == "p", 0.8, 0.2), "a", "b")
    X[labels == "a"] += 50
    found = batch_figures(X, batches, labels, 30, 0)
    within = [f.value for f in found if f.metric == "kbet_accepted" and f.label]
    assert overall(found)["kbet_accepted"] < 0.1 and min(within) > 0.85


def test_a_sample_is_drawn_by_the_seed():
    assert sample(5, 9, 0).tolist() == [0, 1, 2, 3, 4]
    drawn = sample(1000, 50, 3)
    assert len(set(drawn.tolist())) == 50 and (np.diff(drawn) > 0).all()
    assert (sample(1000, 50, 3) == drawn).all() and (sample(1000, 50, 4) != drawn).any()


@pytest.mark.parametrize("shape", [(40, 6), (6, 40)], ids=["tall", "wide"])
def test_components_are_scikit_learns_but_for_the_sign(shape):
    X = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1)
    ours, theirs = components(X, 3), PCA(3, svd_solver="full").fit_transform(X)
    assert np.allclose(np.abs(ours), np.abs(theirs))


def test_components_of_fewer_directions():
    X = np.outer(np.arange(5.0), [1, 2, 3])
    assert components(X, 2).shape == (5, 1)
    assert components(np.ones((5, 3)), 2).shape == (5, 0)


def test_gaps():
    X = np.arange(20.0).reshape(5, 4)
    X[0, 1] = np.nan
    X[4, 1] = np.inf
    with pytest.raises(DataError, match=r"2 of 5 rows hold NaN .*in 1 columns \(b\)"):
        without_gaps(X, list("abcd"), "refuse")
    assert without_gaps(X, list("abcd"), "rows")[1].tolist() == [1, 2, 3]
    assert without_gaps(X, list("abcd"), "columns")[2] == ["a", "c", "d"]
    X[1:3, 0] = np.nan
    with pytest.raises(DataError, match="1 rows without gaps, of 5"):
        without_gaps(X, list("abcd"), "rows")
    with pytest.raises(DataError, match="all 4 columns have gaps"):
        without_gaps(np.full((5, 4), np.nan), list("abcd"), "columns")


def test_columns_weigh_the_same():
    X = np.column_stack([np.arange(5.0), 1000 * np.arange(5.0), np.full(5, 7.1)])
    made = scaled(X)
    assert made.shape == (5, 2) and np.allclose(made.std(axis=0), 1)
    with pytest.raises(DataError, match="all rows are equal"):
        scaled(X[:, 2:])
    assert narrowed(X, 2).shape[1] <= 2
