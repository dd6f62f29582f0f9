"""How active the neurons of a connectome head are on the crops of each class."""

from typing import Any

import numpy as np
import pyarrow as pa
import torch

from libcell.data import tables
from libcell.explain.asking import crops, model
from libcell.explain.asking.block import Question
from libcell.nn.connectome.graph import ROLES, Graph
from libcell.nn.saliency import neurons


def table(question: Question, asked: pa.Table, card: dict[str, Any]
          ) -> tuple[pa.Table, Graph] | None:
    """Table `neurons` and the head's graph; None where the model's head has no neurons.

    Crops count for the class that they are explained by: the first of several.
    """
    network = model.network(question.model, question.device)
    if not neurons.is_connectome(network.head) or not asked.num_rows:
        return None
    head: Any = network.head
    graph: Graph = head.graph
    classes, activity, relevance = [], [], []
    sums = np.zeros((len(card["classes"]), len(graph), head.classify.in_features))
    numbers, truth = (asked.column(c).to_numpy() for c in ("crop", "truth"))
    for some, fed in crops.fed(question.store, card["input"], numbers, question.device):
        with torch.no_grad():
            features = network.backbone(fed)
            chosen = crops.choice(question.wanted, truth[some])(network.head(features))[:, 0]
        found = neurons.active(head, features, chosen, len(graph))
        classes.append(chosen.cpu().numpy())
        np.add.at(sums, classes[-1], found.states.cpu().numpy())
        activity.append(found.activity.cpu().numpy().astype(np.float64))
        relevance.append(found.relevance.cpu().numpy().astype(np.float64))
    return _per_class(np.concatenate(classes), np.concatenate(activity),
                      np.concatenate(relevance), sums, card["classes"], graph), graph


def _per_class(of: np.ndarray, activity: np.ndarray, relevance: np.ndarray, sums: np.ndarray,
               names: list[str], graph: Graph) -> pa.Table:
    parts = []
    whole = sums.sum(0) / len(of)  # mean state of each neuron (n,E) over all crops
    level = np.sqrt((activity**2).mean(0) * whole.shape[1])
    for k in np.unique(of):
        rows = of == k
        n = len(graph)
        apart = np.linalg.norm(sums[k] / rows.sum() - whole, axis=1) / np.maximum(level, 1e-12)
        parts.append(tables.from_columns("neurons", {
            "explained": [names[k]] * n, "neuron": list(graph.names),
            "role": [ROLES[r] for r in graph.roles],
            "activity": _or_null(activity[rows].mean(0)), "sd": _or_null(activity[rows].std(0)),
            "selectivity": _or_null(apart),
            "relevance": _or_null(relevance[rows].mean(0)), "n": [int(rows.sum())] * n}))
    return pa.concat_tables(parts)


def _or_null(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(v) else float(v) for v in values]
