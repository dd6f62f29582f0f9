"""Whether a map changes when its network forgets what it learnt."""

from dataclasses import replace

import numpy as np
from torch import Tensor

from libcell.explain.asking import crops
from libcell.explain.checks.likeness import rank_correlation
from libcell.explain.maps import Subject, load, options
from libcell.nn.saliency.randomise import cascade


def likeness(subject: Subject, method: str, given: dict[str, object], fed: Tensor,
             classes: np.ndarray, steps: int, seed: int) -> list[tuple[float, np.ndarray]]:
    """Rank correlation (n,) of each map with what it was, as ever more layers are drawn anew.

    `fed` is (n,C,H,W), `classes` (n,) int64. The part of the layers that were drawn is beside it.
    """
    whole = _maps(subject, method, given, fed, classes)
    return [(part, rank_correlation(whole, _maps(replace(subject, network=network), method, given,
                                                 fed, classes)))
            for part, network in cascade(subject.network, steps, seed)]


def _maps(subject: Subject, method: str, given: dict[str, object], fed: Tensor,
          classes: np.ndarray) -> np.ndarray:
    choose = crops.choice("true", classes)
    answer = load(method).explain(subject, fed, choose, options(method, given))
    return np.asarray(answer.maps[:, 0].cpu().numpy())
