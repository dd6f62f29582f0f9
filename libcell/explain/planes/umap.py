"""UMAP (McInnes et al. 2018), of the extra `umap`: like t-SNE, faster, groups drawn apart more."""

import warnings
from importlib.util import find_spec

import numpy as np

from libcell.errors import Unavailable, UsageFault
from libcell.explain.kernels.components import components
from libcell.explain.planes import Settings

MOST = 50_000
WIDEST = 50
RANGE = 10.0  # of the positions at the start, as umap-learn has it


def place(X: np.ndarray, settings: Settings) -> np.ndarray:
    """See `libcell.explain.planes`. Unavailable without umap-learn."""
    if find_spec("umap") is None:
        raise Unavailable("--method umap needs umap-learn (pip install 'libcell[umap]'); "
                          "pca and tsne need nothing")
    if not 2 <= settings.neighbours < len(X):
        raise UsageFault(f"--neighbours {settings.neighbours}: {len(X)} rows have 2 to "
                         f"{len(X) - 1}")
    with warnings.catch_warnings():  # on TensorFlow, which it can do without, and on one thread
        warnings.simplefilter("ignore")
        import umap

        made = umap.UMAP(n_neighbors=settings.neighbours, min_dist=settings.min_dist,
                         random_state=settings.seed, n_jobs=1, init=_start(X))
        return np.asarray(made.fit_transform(X.astype(np.float32)), np.float64)


def _start(X: np.ndarray) -> np.ndarray:
    """Principal components float32 (n, 2): umap-learn's spectral start fails on few rows."""
    found = components(X, 2)
    found = np.pad(found, ((0, 0), (0, 2 - found.shape[1])))
    return (RANGE * found / max(float(np.abs(found).max()), 1e-12)).astype(np.float32)
