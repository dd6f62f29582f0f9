"""Channel names of pictures whose pixels hold several samples."""


def sample_names(count: int) -> tuple[str, ...]:
    """Names for 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) samples; alpha is left out."""
    named = {1: ("1",), 2: ("1",), 3: ("R", "G", "B"), 4: ("R", "G", "B")}
    return named.get(count) or tuple(str(i + 1) for i in range(count))
