"""From figures to what the user should be warned of."""

from dataclasses import dataclass, field

from libcell.explain.checks.places import BACKGROUND

FORGOTTEN = 0.7  # likeness to the trained network's map above which a map ignores what was learnt
EVEN = 0.9  # strength of a pixel of the background, as a part of the mean pixel's: 1 is even light
Figure = tuple[float, float, float, int]  # mean, 95 % interval, crops; see `likeness`


@dataclass(frozen=True)
class Found:
    """Figures of one explanation: `gain` of deletion and insertion over the control, `forgets`
    likeness after the whole network forgot, `density` and `energy` and `peak` by region."""

    gain: Figure
    forgets: Figure
    density: dict[str, Figure]
    energy: dict[str, Figure]
    peak: dict[str, Figure]
    areas: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Needs:
    """Mean probability of the explained class: as it is, without background, without object."""

    whole: float
    without_background: float
    without_object: float

    @property
    def background(self) -> bool:
        """Whether the model loses more with the background than with the object."""
        return self.whole - self.without_background > self.whole - self.without_object


def warnings(name: str, found: Found) -> list[str]:
    """What speaks against an explanation, or, through it, against the model."""
    said = []
    gain, low, _, _ = found.gain
    if not low > 0:
        said.append(f"{name}: taking away what it points at changes the answer no more than the "
                    f"same area elsewhere (gain {gain:.3f}); do not rely on it")
    likeness = found.forgets[0]
    if likeness > FORGOTTEN:
        said.append(f"{name}: its maps stay alike (rank correlation {likeness:.2f}) when the "
                    "network forgets what it learnt; it shows the picture, not the model")
    energy, area = found.energy[BACKGROUND][0], found.areas[BACKGROUND][0]
    if energy > 0.5 and found.density[BACKGROUND][0] > EVEN:
        said.append(f"{name}: looks at the background: {energy:.0%} of the map's strength is "
                    f"there, on {area:.0%} of the pixels")
    return said


def warnings_of(needs: Needs) -> list[str]:
    """What speaks against the model itself."""
    if not needs.background:
        return []
    return ["the model needs the background: its probability falls from "
            f"{needs.whole:.2f} to {needs.without_background:.2f} without it, and to "
            f"{needs.without_object:.2f} without the object"]
