"""Connectome heads beside the plain loop over connections, forward and backward, one core."""

import time
from collections.abc import Callable, Iterable

import torch
from torch.nn import functional

from libcell.nn.connectome.graph import celegans
from libcell.nn.connectome.rules import RULES, Units
from libcell.nn.connectome.schedule import schedule
from tests.peers.bench import Place, Row

WIDTH, BATCH, ROUNDS = 512, 32, 5


def bench_connectome_heads(place: Place) -> Iterable[Row]:
    """Each rule beside a loop that does one connection after the other."""
    torch.set_num_threads(1)
    plan = schedule(celegans())
    made = {name: rule(plan, WIDTH) for name, rule in RULES.items()}
    passes = {name: _pass(units, units) for name, units in made.items()}
    loop_published = _pass(made["published"], lambda x: _loop(made["published"], x, False))
    loop_documented = _pass(made["documented"], lambda x: _loop(made["documented"], x, True))
    how = f"C. elegans, width {WIDTH}, batch {BATCH}, one core"
    for what, one, other, most in (
        ("fast head / documented rule, connection by connection", passes["fast"],
         loop_documented, 0.1),
        ("published head / the same rule, connection by connection", passes["published"],
         loop_published, 1.0),
    ):
        mine, theirs = _alternating(one, other)
        yield Row(what, mine / theirs, most, "time", f"{how}: {mine:.3f} s, {theirs:.3f} s")


def _pass(
    units: Units, run: Callable[[torch.Tensor], dict[int, torch.Tensor]]
) -> Callable[[], None]:
    x = torch.randn(BATCH, WIDTH)

    def once() -> None:
        units.zero_grad()
        states = run(x.clone().requires_grad_())
        torch.stack([states[m] for m in units.plan.motors]).sum().backward()

    return once


def _loop(units: Units, x: torch.Tensor, linear: bool) -> dict[int, torch.Tensor]:
    """The rule as it is written: one connection, one update."""
    states: dict[int, torch.Tensor] = {}
    for i, j in units.plan.steps:
        unit, h = units.unit(j), states.get(i, x)
        if j not in states:
            states[j] = unit(h)
        else:
            added = unit.linear(h) if linear else unit.norm(h)
            states[j] = unit.norm(functional.hardtanh(added) + states[j])
    return states


def _alternating(one: Callable[[], None], other: Callable[[], None]) -> tuple[float, float]:
    """Best CPU seconds of each, in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for function, kept in zip((one, other), times):
            start = time.process_time()
            function()
            kept.append(time.process_time() - start)
    return min(times[0]), min(times[1])
