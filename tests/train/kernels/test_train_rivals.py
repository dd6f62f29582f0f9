"""Rivals, curves, probes and temperature: against scikit-learn and by what they must find."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_curve

from libcell.train.kernels.calibration import log_loss
from libcell.train.kernels.operating import operating
from libcell.train.kernels.probe import batch_probe, fit_probe
from libcell.train.kernels.rivals import per_group, rivals
from libcell.train.kernels.simple_features import simple_features
from libcell.train.kernels.temperature import fit_temperature, probabilities


def answers(n, right, seed):
    """Truth and guesses of three classes, right in that share of cases; in 12 groups."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])
    guess = np.where(rng.random(n) < right, truth, rng.choice(["a", "b", "c"], n))
    return truth, guess, np.array([f"w{i * 12 // n}" for i in range(n)])


def test_rivals_are_judged_like_the_model_itself():
    truth, good, groups = answers(600, 0.9, 0)
    bad = np.where(np.arange(600) % 3 == 0, "a", good)
    found = rivals(truth, good, {"bad": bad, "same": good}, np.array(["a", "b", "c"]), groups,
                   draws=300, seed=0)
    value, (low, high) = found["bad"].figures["balanced_accuracy"]
    assert value == pytest.approx(balanced_accuracy_score(truth, bad))
    assert low < value < high
    ahead, (low, high) = found["bad"].ahead["balanced_accuracy"]
    assert ahead == pytest.approx(balanced_accuracy_score(truth, good) - value) and low > 0
    assert found["bad"].chance["balanced_accuracy"] == 2 / 300
    assert found["same"].chance["accuracy"] == 1
    assert found["same"].ahead["macro_f1"] == (0.0, (0.0, 0.0)), "draws are paired"


def test_rivals_with_a_class_that_nobody_knows_and_one_group():
    truth, guess, groups = answers(60, 0.8, 1)
    truth[:5] = "z"
    found = rivals(truth, guess, {"x": guess}, np.array(["a", "b", "c"]), groups, draws=20, seed=0)
    assert found["x"].figures["accuracy"][0] == (truth == guess).mean()
    alone = rivals(truth, guess, {"x": guess}, np.array(["a", "b", "c"]), np.full(60, "w"),
                   draws=20, seed=0)
    assert np.isnan(alone["x"].figures["accuracy"][1]).all()


def test_groups_one_by_one():
    truth = np.array(["a", "a", "a", "b", "b", "a"])
    guess = np.array(["a", "a", "b", "b", "a", "a"])
    found = per_group(truth, guess, np.array(["p", "p", "p", "p", "q", "q"]))
    assert found == [("p", 4, 0.75, pytest.approx((2 / 3 + 1) / 2)), ("q", 2, 0.5, 0.5)]


@pytest.mark.parametrize("steps", [7, 1000])
def test_curves_are_scikit_learns(steps):
    rng = np.random.default_rng(0)
    positive = rng.random(500) < 0.2
    chance = np.round(np.clip(rng.normal(0.4 + 0.2 * positive, 0.2), 0, 1) * steps) / steps
    found = operating(positive, chance)
    assert found.average_precision == pytest.approx(average_precision_score(positive, chance))
    false, true, _ = roc_curve(positive, chance, drop_intermediate=False)
    theirs = set(zip(false.round(9).tolist(), true.round(9).tolist()))
    ours = set(zip(found.false_positive.round(9).tolist(), found.true_positive.round(9).tolist()))
    assert ours <= theirs and len(ours) > min(steps, 100)
    if steps == 7:
        np.testing.assert_allclose(found.true_positive, true)
        np.testing.assert_allclose(found.false_positive, false)
    assert operating(np.ones(4, bool), np.ones(4)) is None


def test_temperature_mends_overconfidence():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, (4000, 4))
    truth = np.array([rng.choice(4, p=p) for p in probabilities(scores, 1.0)])
    for factor in (0.4, 1.0, 5.0):
        found = fit_temperature(scores * factor, truth)
        assert found == pytest.approx(factor, rel=0.1)
        assert (log_loss(truth, probabilities(scores * factor, found))
                <= log_loss(truth, probabilities(scores * factor, 1.0)) + 1e-12)
    assert fit_temperature(np.empty((0, 4)), np.empty(0, int)) == 1.0


@pytest.mark.parametrize("classes", [2, 4])
def test_a_probe_reads_what_lies_open(classes):
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, 300)
    features = rng.normal(0, 1, (300, 20))
    features[np.arange(300), y] += 4
    features[:, 19] = 7.0
    probe = fit_probe(features, y, classes + 1)
    assert (probe.predict(features) == y).mean() > 0.9
    assert probe.predict(features).max() < classes, "a class without rows is never predicted"


def test_the_batch_probe_finds_a_batch_and_no_more():
    rng = np.random.default_rng(0)
    groups = np.repeat(["p", "q", "r"], 60)
    clean = rng.normal(0, 1, (180, 10))
    shifted = clean + np.repeat([0, 3, 6], 60)[:, None]
    y = rng.integers(0, 2, 180)
    found = batch_probe(shifted, groups, y, 0)
    assert found["balanced_accuracy"] > 0.95
    assert (found["chance"], found["groups"], found["rows"]) == (1 / 3, 3, 180)
    assert batch_probe(clean, groups, y, 0)["balanced_accuracy"] < 0.5
    assert batch_probe(clean, np.full(180, "p"), y, 0) is None
    mix = np.where(rng.random(180) < 0.8, groups, "q")  # a class per group, more or less
    told = clean + 8 * (mix == "p")[:, None]
    assert batch_probe(told, groups, mix, 0)["balanced_accuracy"] < 0.55


def test_of_thousands_of_groups_the_batch_probe_draws_whole_ones():
    groups = np.repeat([f"w{i}" for i in range(3000)], 8)
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(0, 5, (3000, 6)), 8, axis=0) + rng.normal(0, 1, (24_000, 6))
    found = batch_probe(features, groups, np.zeros(24_000, int), 0)
    assert (found["groups"], found["rows"]) == (100, 800)
    assert found["balanced_accuracy"] > 0.5  # rows drawn one by one leave each well one or two


def test_simple_features_see_size_shape_and_light():
    y, x = np.mgrid[:32, :32] - 15.5
    disc = (np.hypot(y, x) < 6).astype(float)
    bar = ((np.abs(y) < 2) & (np.abs(x) < 12)).astype(float)
    crops = np.stack([disc, 3 * disc, bar, bar.T, np.zeros_like(disc)])[:, None]
    found = simple_features(crops, crops[:, 0] > 0)
    assert found.shape == (5, 3 + 16) and np.isfinite(found).all()
    assert found[0, 0] == disc.sum() and found[0, 1] == found[0, 2] == 12
    spread, elongation, even = found[:, -3], found[:, -2], found[:, -1]
    assert spread[0] == pytest.approx(spread[1]) and spread[2] > spread[0]
    assert elongation[2] == pytest.approx(elongation[3])
    assert elongation[2] > 0.8 and elongation[0] < 0.1
    assert even[0] == pytest.approx(disc.mean())
    np.testing.assert_allclose(found[1, 3:5], 3 * found[0, 3:5])
