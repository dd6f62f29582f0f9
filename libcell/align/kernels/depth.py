"""Which planes of two stacks show the same depth."""

import numpy as np


def plane_offset(still: np.ndarray, moving: np.ndarray) -> int:
    """The dz at which plane z of `moving` (Z',Y,X) shows what plane z + dz of `still` (Z,Y,X) does.

    Both are aligned in y and x already. The best correlation of all pixels that have a partner,
    times the root of their number, decides; at least half the planes of the thinner stack must
    have one.
    """
    a, b = (stack.reshape(len(stack), -1).astype(np.float64) for stack in (still, moving))
    a, b = a - a.mean(), b - b.mean()  # else the products of large means drown the contrast
    products, pixels = a @ b.T, a.shape[1]
    sums = [(s.sum(axis=1), np.einsum("zp,zp->z", s, s)) for s in (a, b)]
    least = (min(len(a), len(b)) + 1) // 2
    best, offset = 0.0, 0
    for dz in sorted(range(least - len(b), len(a) - least + 1), key=abs):
        ours, theirs = shared_planes(len(a), len(b), dz)
        n = pixels * (ours.stop - ours.start)
        (sa, qa), (sb, qb) = ([part[at].sum() for part in of]
                              for of, at in zip(sums, (ours, theirs)))
        energy = (qa - sa**2 / n) * (qb - sb**2 / n)
        covariance = np.trace(products[ours, theirs]) - sa * sb / n
        height = covariance * np.sqrt(n / energy) if energy > 0 else 0.0
        if height > best:
            best, offset = height, dz
    return offset


def shared_planes(n_still: int, n_moving: int, dz: int) -> tuple[slice, slice]:
    """The planes of the reference, and of the moving stack, that both have seen."""
    start, stop = max(0, dz), max(0, dz, min(n_still, n_moving + dz))
    return slice(start, stop), slice(start - dz, stop - dz)
