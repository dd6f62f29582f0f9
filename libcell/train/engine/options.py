"""The options that all methods which train a network share, spelled the same everywhere.

A subclass may state other defaults. Light: method files import it at their top.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from libcell.run.method import Opt

OPTIMIZERS = ("adamw", "adam", "sgd", "adagrad", "rmsprop", "nadam", "radam")
SCHEDULES = ("constant", "cosine", "plateau")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a network is trained."""

    epochs: Annotated[int, Opt("passes over the training part", least=1)] = 30
    batch: Annotated[int, Opt("items of one step", least=1)] = 64
    optimizer: Annotated[str, Opt("how weights are moved", choices=OPTIMIZERS)] = "adamw"
    lr: Annotated[float, Opt("learning rate at its highest", least=0)] = 1e-3
    weight_decay: Annotated[float, Opt("pull of the weights towards zero", least=0)] = 0.05
    momentum: Annotated[float, Opt("of sgd and rmsprop", least=0, most=1)] = 0.9
    schedule: Annotated[str, Opt("how the learning rate falls", choices=SCHEDULES)] = "cosine"
    warmup: Annotated[float, Opt("epochs in which the learning rate rises", least=0)] = 1.0
    plateau_factor: Annotated[float, Opt("what plateau multiplies the rate by", least=0,
                                         most=1)] = 0.1
    plateau_patience: Annotated[int, Opt("epochs that plateau waits for a better figure",
                                         least=0)] = 10
    accumulate: Annotated[int, Opt("pieces a batch is cut into, for memory; the gradient is "
                                   "the whole batch's", least=1)] = 1
    clip: Annotated[float | None, Opt("longest gradient", least=0)] = None
    ema: Annotated[float | None, Opt("average the weights with this decay, e.g. 0.999", least=0,
                                     most=1)] = None
    precision: Annotated[str, Opt("arithmetic of the network", choices=("fp32", "bf16"))] = "fp32"
    patience: Annotated[int | None, Opt("stop after so many epochs without a better figure",
                                        least=1)] = None
    min_epochs: Annotated[int, Opt("never stop before", least=0)] = 0
    last: Annotated[bool, Opt("keep the last epoch's weights, not the best ones'",
                              ("--last",))] = False
    checkpoint_seconds: Annotated[float, Opt("time between checkpoints within an epoch", least=0,
                                             shapes=False)] = 60.0
    tensorboard: Annotated[str | None, Opt("folder for TensorBoard event files",
                                           shapes=False)] = None
