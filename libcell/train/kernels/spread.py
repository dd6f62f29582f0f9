"""How much of their space embeddings fill: a network that collapsed gives all pictures one."""

import numpy as np

EPSILON = 1e-12


def spread(features: np.ndarray) -> dict[str, float]:
    """Of embeddings (n,p), each brought to length 1: `spread`, the mean standard deviation of a
    dimension times the root of p (1: every direction alike, 0: one place), and `rank`, how many
    directions they differ in: exp of the entropy of the shares of the singular values of what
    is left without the mean (Roy & Vetterli 2007).
    """
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(length, EPSILON)
    centred = unit - unit.mean(axis=0)
    found = float(centred.std(axis=0).mean() * np.sqrt(features.shape[1]))
    values = np.linalg.svd(centred, compute_uv=False)
    total = values.sum()
    if total <= EPSILON * len(features):
        return {"spread": found, "rank": 1.0}
    share = values[values > 0] / total
    return {"spread": found, "rank": float(np.exp(-(share * np.log(share)).sum()))}
