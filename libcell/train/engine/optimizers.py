"""Optimisers by name, and their state as plain tensors and numbers."""

from typing import Any

import torch

from libcell.train.engine.recipe import Recipe
from libcell.train.engine.task import Task

KINDS = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "adagrad": torch.optim.Adagrad,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
}


def build(task: Task, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser of a task's parameters; a group's `lr_scale` stays beside its `lr`."""
    groups = [{"lr_scale": 1.0} | g for g in task.parameter_groups(task.network)]
    shared: dict[str, Any] = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum,
                               nesterov=recipe.momentum > 0, **shared)
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, momentum=recipe.momentum, **shared)
    return KINDS[recipe.optimizer](groups, **shared)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of the next step, for all groups."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_scale"]


def state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Its tensors by `parameter.name`, and its plain numbers."""
    tensors: dict[str, torch.Tensor] = {}
    numbers: dict[str, Any] = {}
    for index, entry in optimizer.state_dict()["state"].items():
        for name, value in entry.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}.{name}"] = value
            elif value is not None:
                numbers[f"{index}.{name}"] = value
    return tensors, numbers


def restore(
    optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]
) -> None:
    """Take up what `state` gave; groups and rates are the recipe's."""
    entries: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **numbers}.items():
        index, _, name = key.partition(".")
        entries.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": entries})
