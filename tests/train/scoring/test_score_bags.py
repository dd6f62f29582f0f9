"""Figures of bags and of batches, by hand."""

import numpy as np
import pyarrow as pa

from libcell.train.scoring import bags

CLASSES = np.array(["a", "b", "c", "d"])


def rows(n, compartment="bag"):
    return pa.table({"Metadata_Compartment": [compartment] * n})


def test_batches_average_probabilities_over_bags_of_one_class():
    proba = np.array([[0.9, 0.1, 0, 0], [0.4, 0.6, 0, 0], [0.1, 0.2, 0.3, 0.4],
                      [0.0, 0.4, 0.6, 0], [0.7, 0.3, 0, 0]])
    truth = np.array(["a", "a", "a", "b", "e"])
    groups = np.array(["1", "1", "2", "1", "1"])
    found = bags.figures(rows(5), truth, proba, CLASSES, groups)
    # a in 1 is right on average; a in 2, b in 1 and the unknown e in 1 are wrong
    assert found["batch_accuracy"] == (0.25, 4)
    assert found["top3_accuracy"] == (3 / 5, 5)  # the third bag's a is last; e is not known
    assert "top5_accuracy" not in found
    table = bags.table_rows(found, "test")
    assert {r["metric"] for r in table} == {"batch_accuracy", "batch_macro_f1", "top3_accuracy"}


def test_objects_are_no_bags():
    assert bags.figures(rows(2, "nuclei"), np.array(["a", "b"]), np.eye(4)[:2], CLASSES,
                        np.array(["1", "2"])) == {}
