"""Elegans-AI's rule as plain loops over neurons, written from its description: the judge."""

import torch
from torch.nn import functional

from libcell.nn.connectome.graph import INTER, MOTOR, SENSORY

PHASES = ((SENSORY, (INTER, MOTOR)), (INTER, (SENSORY, MOTOR)), (MOTOR, (MOTOR,)))


def run(graph, units, x, unit):
    """States by neuron of every neuron that has one; `unit` is "layernorm" or "linear".

    `units` maps a neuron to (linear, norm). Neurons without an entry read nothing that matters:
    the loop gives them a unit of their own, drawn here.
    """
    there = {tuple(edge) for edge in graph.edges.tolist()}
    spare = {}
    states = {i: x for i, role in enumerate(graph.roles) if role == SENSORY}
    for source, targets in PHASES:
        for i in range(len(graph)):
            for j in range(len(graph)):
                if (i, j) not in there or graph.roles[i] != source:
                    continue
                if graph.roles[j] not in targets or i not in states:
                    continue
                if j not in units and j not in spare:
                    width = x.shape[1]
                    spare[j] = torch.nn.Linear(width, width), torch.nn.LayerNorm(width)
                linear, norm = units[j] if j in units else spare[j]
                states[j] = touch(linear, norm, states[i], states.get(j), unit)
    return states


def touch(linear, norm, h, own, unit):
    """A neuron's state after one of state `h` acts on it."""
    if own is None:
        return functional.hardtanh(norm(linear(h)))
    return norm(functional.hardtanh(norm(h) if unit == "layernorm" else linear(h)) + own)
