"""t-SNE (van der Maaten and Hinton 2008), from PCA: neighbours stay together, distances do not."""

import numpy as np
from sklearn.manifold import TSNE

from libcell.errors import UsageFault
from libcell.explain.kernels.components import components
from libcell.explain.planes import Settings

MOST = 10_000  # some three minutes on one core
WIDEST = 50
SPREAD = 1e-4  # of the first axis at the start, as its authors have it


def place(X: np.ndarray, settings: Settings) -> np.ndarray:
    """See `libcell.explain.planes`."""
    if not 0 < settings.perplexity < len(X):
        raise UsageFault(f"--perplexity {settings.perplexity:g}: {len(X)} rows need a smaller one, "
                         "about a third of their number at the most")
    start = components(X, 2)
    start = np.pad(start, ((0, 0), (0, 2 - start.shape[1])))
    start *= SPREAD / max(float(start[:, 0].std()), 1e-12)
    made = TSNE(perplexity=settings.perplexity, init=start.astype(np.float32),
                random_state=settings.seed, n_jobs=1, learning_rate="auto")
    return np.asarray(made.fit_transform(X.astype(np.float32)), np.float64)
