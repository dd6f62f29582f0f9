"""The learning rate at each step, as a factor of the highest."""

import math
from dataclasses import dataclass

from libcell.train.engine.recipe import Recipe

BETTER = 1e-4  # relative; less is no progress (torch's ReduceLROnPlateau)


def improved(value: float, best: float | None, higher: bool, least: float = 0.0) -> bool:
    """Whether `value` is better than `best` by the fraction `least` of it; NaN never is."""
    if math.isnan(value):
        return False
    if best is None:
        return True
    margin = abs(best) * least
    return value > best + margin if higher else value < best - margin


@dataclass
class Schedule:
    """Warm-up, then constant, a half cosine to zero, or a fall wherever progress stops.

    `plateau` is the fall so far; `best` and `waited` are what it rests on (in epochs).
    """

    recipe: Recipe
    steps: int  # of one epoch
    higher: bool = False
    plateau: float = 1.0
    best: float | None = None
    waited: int = 0

    def factor(self, step: int) -> float:
        """At `step`, counted from 0 over all epochs."""
        warm = self.recipe.warmup * self.steps
        if step < warm:
            return (step + 1) / (warm + 1)
        if self.recipe.schedule == "cosine":
            total = self.recipe.epochs * self.steps
            return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1.0, total - warm)))
        return self.plateau

    def after_epoch(self, figure: float | None) -> None:
        """Hear the monitored figure of an epoch."""
        if self.recipe.schedule != "plateau" or figure is None:
            return
        if improved(figure, self.best, self.higher, BETTER):
            self.best, self.waited = figure, 0
            return
        self.waited += 1
        if self.waited > self.recipe.plateau_patience:
            self.plateau *= self.recipe.plateau_factor
            self.waited = 0

    def state(self) -> dict[str, float | int | None]:
        return {"plateau": self.plateau, "best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, float | int | None]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
