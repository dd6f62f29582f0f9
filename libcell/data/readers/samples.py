"""Channel names of pictures whose pixels hold several samples, or that tell them."""

from collections.abc import Sequence

LUMA = (0.299, 0.587, 0.114)  # of R, G, B: ITU-R BT.601, what Pillow's mode L is


def sample_names(count: int) -> tuple[str, ...]:
    """Names for 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) samples; alpha is left out."""
    named = {1: ("1",), 2: ("1",), 3: ("R", "G", "B"), 4: ("R", "G", "B")}
    return named.get(count) or tuple(str(i + 1) for i in range(count))


def distinct(names: Sequence[str | None], count: int) -> tuple[str, ...]:
    """A file's own channel names; numbers from 1 if they are not `count` different ones."""
    told = tuple(str(n) for n in names if n)
    return told if len(set(told)) == count == len(names) else tuple(
        str(i + 1) for i in range(count))
