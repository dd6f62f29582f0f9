"""Several tests at once: the more there are, the more often one of them is right by chance."""

import numpy as np


def holm(chances: np.ndarray) -> np.ndarray:
    """p values (m,) corrected for their number (Holm 1979, Scand. J. Stat. 6, 65-70): the chance
    that even one of those below a bound is there for no reason stays below that bound. NaN is no
    test, and stays."""
    made = np.full(len(chances), np.nan)
    tests = np.flatnonzero(~np.isnan(chances))
    order = tests[np.argsort(chances[tests], kind="stable")]
    steps = chances[order] * np.arange(len(order), 0, -1)
    made[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return made
