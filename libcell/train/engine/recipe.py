"""How a network is trained, whatever it is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from libcell.errors import UsageFault
from libcell.train.engine.options import OPTIMIZERS, SCHEDULES


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes the weights beside the task and the seed.

    `warmup` in epochs. `accumulate` cuts each batch into that many pieces, whose gradients add
    up to the whole batch's. `patience` (early stopping) in epochs, None: never. `last` keeps the
    last epoch's weights instead of the best.
    """

    epochs: int = 30
    optimizer: str = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.05
    momentum: float = 0.9
    schedule: str = "cosine"
    warmup: float = 0.0
    plateau_factor: float = 0.1
    plateau_patience: int = 10
    accumulate: int = 1
    clip: float | None = None
    ema: float | None = None
    precision: str = "fp32"
    patience: int | None = None
    min_epochs: int = 0
    last: bool = False
    checkpoint_seconds: float = 60.0
    tensorboard: str | None = None

    def __post_init__(self) -> None:
        for name, value, known in (("optimizer", self.optimizer, OPTIMIZERS),
                                   ("schedule", self.schedule, SCHEDULES),
                                   ("precision", self.precision, ("fp32", "bf16"))):
            if value not in known:
                raise UsageFault(f"--{name} {value}: expected {', '.join(known)}")

    @classmethod
    def of(cls, options: Any, **changes: Any) -> Recipe:
        """From an options class that inherits `TrainingOptions`; `changes` win."""
        there = {f.name: getattr(options, f.name) for f in dataclasses.fields(cls)
                 if hasattr(options, f.name)}
        return cls(**(there | changes))
