"""How fast a cost grows with the number of fields, apart from what is paid once."""

from collections.abc import Sequence

STEEPEST = 4.0
TIME_NOISE = (0.25, 0.05)  # s, and part of a time: two runs of one command differ by so much


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """k of `a + b * n**k` through the last three points; None where nothing grows.

    `a` is what is paid once (to start, to import), and cancels in the differences.
    """
    (n1, n2, n3), (v1, v2, v3) = sizes[-3:], values[-3:]
    if v3 <= v2:
        return None
    if v2 <= v1:
        return STEEPEST
    wanted = (v3 - v2) / (v2 - v1)
    low, high = 0.0, STEEPEST
    for _ in range(50):
        middle = (low + high) / 2
        if _steps(n1, n2, n3, middle or 1e-9) < wanted:
            low = middle
        else:
            high = middle
    return high


def _steps(n1: float, n2: float, n3: float, k: float) -> float:
    return float((n3**k - n2**k) / (n2**k - n1**k))


def surely(sizes: Sequence[float], times: Sequence[float]) -> float:
    """The exponent that is left when the noise of timing is taken in the command's favour."""
    t1, t2, t3 = times[-3:]
    least, part = TIME_NOISE
    grown = t3 - t2 - least - part * t3
    if grown <= 0:
        return 0.0
    before = max(t2 - t1, 0.0) + least + part * t2
    return exponent(sizes, (0.0, before, before + grown)) or 0.0


def per_field(sizes: Sequence[float], values: Sequence[float]) -> float:
    """What one more field costs, between the last two sizes."""
    return (values[-1] - values[-2]) / (sizes[-1] - sizes[-2])


def at(n: float, sizes: Sequence[float], values: Sequence[float], k: float | None) -> float:
    """The value at `n` fields if it goes on as between the last two sizes, with exponent `k`, or 1
    where it grows more slowly."""
    power = max(k or 1.0, 1.0)
    scale = (values[-1] - values[-2]) / (sizes[-1] ** power - sizes[-2] ** power)
    return float(values[-1] + max(scale, 0.0) * (n**power - sizes[-1] ** power))
