"""The learning rate, against torch's own schedulers where torch has one."""

import itertools
import math

import torch

from libcell.train.engine.recipe import Recipe
from libcell.train.engine.schedule import Schedule, improved


def test_warm_up_rises_evenly_and_cosine_ends_at_nothing():
    schedule = Schedule(Recipe(epochs=5, schedule="cosine", warmup=1.0), steps=10)
    rates = [schedule.factor(s) for s in range(50)]
    assert rates[:10] == [(s + 1) / 11 for s in range(10)]
    assert rates[10] == 1.0 and all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert 0 < rates[-1] < 0.01


def test_cosine_is_torchs():
    schedule = Schedule(Recipe(epochs=4, schedule="cosine", warmup=0.0), steps=10)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
    for step in range(40):
        assert math.isclose(schedule.factor(step), optimizer.param_groups[0]["lr"], abs_tol=1e-9)
        optimizer.step()
        theirs.step()


def test_plateau_is_torchs():
    figures = [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86]
    recipe = Recipe(schedule="plateau", warmup=0.0, plateau_factor=0.5, plateau_patience=2)
    schedule = Schedule(recipe, steps=1)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    for figure in figures:
        schedule.after_epoch(figure)
        theirs.step(figure)
        assert schedule.factor(0) == optimizer.param_groups[0]["lr"]
    assert schedule.factor(0) < 1


def test_better_is_better_and_nan_never_is():
    assert improved(0.5, None, True) and improved(0.6, 0.5, True) and improved(0.4, 0.5, False)
    assert not improved(float("nan"), None, True) and not improved(0.5, 0.5, True)
