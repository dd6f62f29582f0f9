"""How far training is, how fast it goes, what is left."""

import time
from collections.abc import Mapping

from libcell.run.reporter import Reporter


class Progress:
    """Tells the reporter of steps and epochs; rates are this run's, a resumed part left out."""

    def __init__(self, reporter: Reporter, phase: str, total: int, done: int):
        self._reporter, self._phase, self._total = reporter, phase, total
        self._begun, self._at = time.monotonic(), done
        self._items = 0

    def step(self, done: int, items: int) -> None:
        self._items += items
        self._reporter.progress(self._phase, done, self._total)

    @property
    def speed(self) -> float:
        """Items per second, validation included."""
        return self._items / max(time.monotonic() - self._begun, 1e-9)

    def epoch(self, number: int, epochs: int, figures: Mapping[str, float], done: int) -> None:
        """One line: figures, rate, time left if all epochs are needed."""
        elapsed = time.monotonic() - self._begun
        left = elapsed / max(1, done - self._at) * (self._total - done)
        told = ", ".join(f"{k} {v:.4g}" for k, v in figures.items())
        self._reporter.note(f"{self._phase}: epoch {number} of {epochs}: {told}; "
                            f"{self.speed:.0f} items/s, {_clock(left)} left")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
