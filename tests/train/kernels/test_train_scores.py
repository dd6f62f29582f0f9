"""Figures equal scikit-learn's; what is undefined is NaN; what is unseen is wrong."""

import time

import numpy as np
import pytest
from sklearn import metrics

from libcell.errors import DataError, UsageFault
from libcell.train.kernels.scores import balanced_accuracy, classification_scores

CLASSES = ["astro", "neuron", "npc"]


def case(n: int = 500, skill: float = 1.5, seed: int = 0):
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n, p=[0.7, 0.2, 0.1])
    logits = rng.normal(size=(n, 3)) + skill * np.eye(3)[truth]
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return np.array(CLASSES)[truth], proba, rng.integers(0, 20, n)


def entry(scores, label):
    return next(each for each in scores["per_class"] if each["label"] == label)


def test_all_figures_are_sklearns():
    y, proba, groups = case()
    got = classification_scores(y, proba, CLASSES, groups, seed=0)
    pred = np.array(CLASSES)[proba.argmax(axis=1)]
    expected = {
        "accuracy": metrics.accuracy_score(y, pred),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, pred),
        "macro_f1": metrics.f1_score(y, pred, average="macro"),
        "weighted_f1": metrics.f1_score(y, pred, average="weighted"),
        "roc_auc_ovr": metrics.roc_auc_score(y, proba, multi_class="ovr"),
        "log_loss": metrics.log_loss(y, proba),
        "brier": ((proba - (y[:, None] == CLASSES)) ** 2).sum(axis=1).mean(),
    }
    assert {name: got[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert got["confusion"]["counts"] == metrics.confusion_matrix(y, pred).tolist()
    table = metrics.precision_recall_fscore_support(y, pred, labels=CLASSES)
    for i, label in enumerate(CLASSES):
        mine = [entry(got, label)[name] for name in ("precision", "recall", "f1", "support")]
        assert mine == pytest.approx([column[i] for column in table], abs=1e-12)
    assert balanced_accuracy(y, pred) == pytest.approx(got["balanced_accuracy"], abs=1e-12)


def test_two_classes_and_integer_labels():
    y, proba, _ = case()
    y, p = (y == "astro").astype(int), proba[:, 0]
    got = classification_scores(y, np.column_stack([1 - p, p]), [0, 1], seed=0)
    assert got["roc_auc_ovr"] == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-12)
    assert got["brier"] == pytest.approx(2 * metrics.brier_score_loss(y, p), abs=1e-12)
    assert [each["label"] for each in got["per_class"]] == [0, 1]


def test_calibration_error_by_hand():
    proba = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    got = classification_scores(["a", "b", "a", "b"], proba, ["a", "b"], seed=0)
    # bins (.867,.933] conf .9 acc .5; (.533,.6] or (.6,.667] conf .6 acc 1; .8 acc 1
    assert got["ece"] == pytest.approx((2 * 0.4 + 0.4 + 0.2) / 4)
    assert sum(each["n"] for each in got["reliability"]) == 4
    assert len(got["reliability"]) == 15


def test_a_class_absent_from_the_truth_is_nan_and_named():
    y, proba, _ = case()
    keep = y != "npc"
    got = classification_scores(y[keep], proba[keep], CLASSES, seed=0)
    pred = np.array(CLASSES)[proba[keep].argmax(axis=1)]
    assert got["absent"] == ["npc"]
    assert all(np.isnan(entry(got, "npc")[name]) for name in ("recall", "f1", "roc_auc"))
    assert np.isnan(entry(got, "npc")["recall_interval"]).all()
    assert entry(got, "npc")["precision"] == 0 and entry(got, "npc")["predicted"] > 0
    present = CLASSES[:2]
    assert got["macro_f1"] == pytest.approx(
        metrics.f1_score(y[keep], pred, labels=present, average="macro"), abs=1e-12
    )
    recalls = metrics.recall_score(y[keep], pred, labels=present, average="macro")
    assert got["balanced_accuracy"] == pytest.approx(recalls, abs=1e-12)


def test_a_label_never_seen_counts_as_wrong():
    y, proba, groups = case()
    y = y.astype("<U10")
    y[:50] = "microglia"
    got = classification_scores(y, proba, CLASSES, groups, seed=0)
    pred = np.array(CLASSES)[proba.argmax(axis=1)]
    assert got["unseen"] == {"microglia": 50}
    assert got["accuracy"] == pytest.approx(metrics.accuracy_score(y, pred))
    assert got["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, pred))
    assert got["macro_f1"] == pytest.approx(metrics.f1_score(y, pred, average="macro"))
    new = entry(got, "microglia")
    assert (new["recall"], new["f1"], new["support"]) == (0, 0, 50)
    assert np.isnan(new["precision"]) and not new["known"]
    assert np.shape(got["confusion"]["counts"]) == (4, 3)
    without = classification_scores(y[50:], proba[50:], CLASSES, groups[50:], seed=0)
    assert got["brier"] > without["brier"] and got["log_loss"] > without["log_loss"] + 1


def test_intervals_equal_a_slow_bootstrap_over_groups():
    y, proba, groups = case()
    got = classification_scores(y, proba, CLASSES, groups, n_boot=400, seed=0)
    pred = np.array(CLASSES)[proba.argmax(axis=1)]
    rng = np.random.default_rng(0)
    slow = []
    for times in rng.multinomial(20, np.full(20, 1 / 20), size=400):
        rows = np.repeat(np.arange(len(y)), times[groups])
        slow.append(metrics.balanced_accuracy_score(y[rows], pred[rows]))
    assert got["intervals"]["balanced_accuracy"] == pytest.approx(np.percentile(slow, [2.5, 97.5]))
    low, high = got["intervals"]["accuracy"]
    assert low < got["accuracy"] < high
    assert got["n_groups"] == 20 and got["notes"] == []


def test_wells_that_differ_widen_the_interval():
    groups = np.repeat(np.arange(20), 50)
    y = np.arange(1000) % 2
    right = np.where(groups % 2, 0.9, 0.2)  # half of the wells fail as a whole
    proba = np.where(y[:, None] == [0, 1], right[:, None], 1 - right[:, None])
    by_row = classification_scores(y, proba, [0, 1], seed=0)["intervals"]["accuracy"]
    by_well = classification_scores(y, proba, [0, 1], groups, seed=0)["intervals"]["accuracy"]
    assert np.diff(by_well) > 4 * np.diff(by_row)


def test_deterministic_and_quick():
    y, proba, groups = case(n=20_000)
    started = time.perf_counter()
    one, two = (classification_scores(y, proba, CLASSES, groups, seed=7) for _ in range(2))
    assert time.perf_counter() - started < 2
    assert one["intervals"] == two["intervals"]


def test_few_groups_are_said_and_one_gives_no_interval():
    y, proba, groups = case()
    few = classification_scores(y, proba, CLASSES, groups % 3, seed=0)
    assert "3 groups only" in few["notes"][0]
    one = classification_scores(y, proba, CLASSES, groups * 0, seed=0)
    assert np.isnan(one["intervals"]["accuracy"]).all() and "no intervals" in one["notes"][0]
    none = classification_scores(y, proba, CLASSES, seed=0)
    assert "single rows" in none["notes"][0] and none["n_groups"] is None


def test_majority_baseline():
    y, proba, _ = case()
    base = classification_scores(y, proba, CLASSES, seed=0)["majority_baseline"]
    always = np.full(len(y), "astro")
    assert base["label"] == "astro"
    assert base["balanced_accuracy"] == pytest.approx(1 / 3)
    for name, average in (("macro_f1", "macro"), ("weighted_f1", "weighted")):
        assert base[name] == pytest.approx(metrics.f1_score(y, always, average=average))


def test_one_class_in_the_truth_has_no_roc():
    got = classification_scores(["a", "a"], np.array([[0.5, 0.5], [1, 0]]), ["a", "b"], seed=0)
    assert np.isnan(got["roc_auc_ovr"]) and got["accuracy"] == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"proba": np.full((500, 3), 0.5)}, "no distribution"),
        ({"proba": np.full((500, 3), np.nan)}, "500 row"),
        ({"proba": np.full((500, 2), 0.5)}, r"expected \(500, 3\)"),
        ({"classes": ["astro", "astro", "npc"]}, "all different"),
        ({"classes": [0, 1, 2]}, "one kind"),
        ({"groups": [1, 2]}, "different length"),
    ],
)
def test_bad_input(change, says):
    y, proba, groups = case()
    given = {"y_true": y, "proba": proba, "classes": CLASSES, "groups": groups} | change
    with pytest.raises(DataError, match=says):
        classification_scores(**given, seed=0)


def test_nothing_to_score():
    with pytest.raises(DataError, match="no rows"):
        classification_scores(np.array([], str), np.zeros((0, 2)), ["a", "b"], seed=0)
    with pytest.raises(UsageFault, match="n_boot"):
        classification_scores(["a"], np.array([[1, 0]]), ["a", "b"], n_boot=0, seed=0)
