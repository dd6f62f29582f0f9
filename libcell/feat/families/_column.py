"""What a family says about a column it gives."""

from typing import NamedTuple


class Column(NamedTuple):
    """A feature: CellProfiler's name without compartment and channel, its unit, its meaning."""

    name: str
    unit: str
    meaning: str

    @property
    def axis(self) -> str | None:
        """x or y for a place in the image, which moves with a window's origin; else None."""
        return self.unit[-1] if self.unit in ("px along x", "px along y") else None
