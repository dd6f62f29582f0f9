"""Three ways to run a connectome: what Elegans-AI's code does, what its text says, and fast.

One unit per neuron: Linear, LayerNorm, hardtanh. Sensory neurons hold the input x itself. When i
acts on j for the first time, h_j = hardtanh(LN_j(W_j h_i + b_j)); each later time

    published    h_j = LN_j(hardtanh(LN_j(h_i)) + h_j)          (the code took LN_j for the unit)
    documented   h_j = LN_j(hardtanh(W_j h_i + b_j) + h_j)
    fast         as published, but all connections of a phase act at once, through the mean of
                 their sources' states at its beginning: a few large matrix products

Source: Elegans-AI, github.com/lodeguns/Elegans-AI-Artificial-Connectomic-Networks. The first two
give what its loop over connections gives, connection by connection in its order, and merely
compute once what it computes again: in S->O all sources hold the same x.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from libcell.nn.connectome.schedule import Schedule, fan_in, mixing, synchronous


class Unit(nn.Module):
    """What a neuron does to what reaches it: Linear, LayerNorm, hardtanh, at width E."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, h: Tensor) -> Tensor:
        """State (B,E) after the first touch by a neuron of state h (B,E)."""
        return functional.hardtanh(self.norm(self.linear(h)))


class Units(nn.Module):
    """The units of all neurons that a schedule reaches, in its order of first touch."""

    def __init__(self, plan: Schedule, width: int) -> None:
        super().__init__()
        self.plan = plan
        # one weight per unit: a gradient of 150 MB in one piece is mapped anew at every step,
        # which takes longer than computing it
        self.units = nn.ModuleDict({str(j): Unit(width) for j in plan.units})

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """States (B,E) by neuron number of every neuron reached, for an input x (B,E)."""
        raise NotImplementedError

    def unit(self, neuron: int) -> Unit:
        """The unit of a neuron."""
        found = self.units[str(neuron)]
        assert isinstance(found, Unit)
        return found


class Sequential(Units):
    """Connections act one after the other, in the graph's order: what the rule says."""

    def later(self, unit: Unit, h: Tensor) -> Tensor:
        """What a neuron of state h adds on a later touch, before hardtanh; (B,E)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """States (B,E) by neuron number of every neuron reached, for an input x (B,E)."""
        states: dict[int, Tensor] = {}
        for j, sources in fan_in(self.plan.sensory).items():
            unit = self.unit(j)
            states[j] = unit(x)
            if len(sources) > 1:
                added = functional.hardtanh(self.later(unit, x))
                for _ in sources[1:]:
                    states[j] = unit.norm(added + states[j])
        for i, j in self.plan.inter + self.plan.motor:
            states[j] = self._touched(self.unit(j), states[i], states.get(j))
        return states

    def _touched(self, unit: Unit, h: Tensor, own: Tensor | None) -> Tensor:
        if own is None:
            made: Tensor = unit(h)
        else:
            made = unit.norm(functional.hardtanh(self.later(unit, h)) + own)
        return made


class Published(Sequential):
    """As Elegans-AI's code runs: a later touch goes through the neuron's LayerNorm."""

    def later(self, unit: Unit, h: Tensor) -> Tensor:
        """LN_j(h) (B,E)."""
        normed: Tensor = unit.norm(h)
        return normed


class Documented(Sequential):
    """As Elegans-AI's text says: a later touch goes through the neuron's Linear."""

    def later(self, unit: Unit, h: Tensor) -> Tensor:
        """W_j h + b_j (B,E)."""
        made: Tensor = unit.linear(h)
        return made


class Fast(Units):
    """All connections of a phase at once; every unit's Linear is used once."""

    def __init__(self, plan: Schedule, width: int) -> None:
        super().__init__(plan, width)
        self._phases = synchronous(plan)
        is_motor = set(plan.motors)
        self._inter = [j for j in self._phases[0].fresh if j not in is_motor]
        self._start = [j for j in self._phases[0].fresh if j in is_motor]
        motors = list(self._start)
        self._hears_inter = [False]
        for number, phase in enumerate(self._phases[1:], 1):
            self._hears_inter.append(phase.into[phase.targets[0]][0] not in is_motor)
            sources = self._inter if self._hears_inter[number] else motors
            mixed = mixing([phase.into[j] for j in phase.targets], sources)
            self.register_buffer(f"mix{number}", torch.from_numpy(mixed), persistent=False)
            places = torch.tensor([motors.index(j) for j in phase.again], dtype=torch.int64)
            self.register_buffer(f"again{number}", places, persistent=False)
            motors += phase.fresh
        self._motors = motors

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """States (B,E) by neuron number of every neuron reached, for an input x (B,E)."""
        inter = self._first(self._inter, x.expand(len(self._inter), *x.shape))
        motors = self._first(self._start, x.expand(len(self._start), *x.shape))
        for number, phase in enumerate(self._phases[1:], 1):
            mix, again = self.get_buffer(f"mix{number}"), self.get_buffer(f"again{number}")
            sources = inter if self._hears_inter[number] else motors
            means = (mix.to(x.dtype) @ sources.flatten(1)).unflatten(1, sources.shape[1:])
            new, old = means.split([len(phase.fresh), len(phase.again)])
            if phase.again:
                scale, shift = self._norms(phase.again)
                added = functional.hardtanh(_normed(old, scale, shift))
                touched = _normed(added + motors[again], scale, shift)
                motors = motors.index_copy(0, again, touched.to(motors.dtype))
            if phase.fresh:
                motors = torch.cat([motors, self._first(phase.fresh, new)])
        return dict(zip(self._inter + self._motors, [*inter.unbind(0), *motors.unbind(0)]))

    def _first(self, neurons: list[int], inputs: Tensor) -> Tensor:
        """States (n,B,E) of n neurons after their first touch by inputs (n,B,E)."""
        if not neurons:
            return inputs
        made = torch.stack([self.unit(j).linear(h) for j, h in zip(neurons, inputs.unbind(0))])
        return functional.hardtanh(_normed(made, *self._norms(neurons)))

    def _norms(self, neurons: list[int]) -> tuple[Tensor, Tensor]:
        """Scale and shift (n,1,E) of neurons' LayerNorms."""
        norms = [self.unit(j).norm for j in neurons]
        return (torch.stack([n.weight for n in norms])[:, None],
                torch.stack([n.bias for n in norms])[:, None])


def _normed(h: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """LayerNorm of (n,B,E), each of the n with its own scale and shift (n,1,E)."""
    return torch.addcmul(shift, functional.layer_norm(h, h.shape[-1:]), scale)


RULES = {"published": Published, "documented": Documented, "fast": Fast}
