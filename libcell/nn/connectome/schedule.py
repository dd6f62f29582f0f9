"""Which connection of a graph acts when: the phases S->O, I->O, M->M of Elegans-AI.

S->O: sensory neurons act on inter- and motor neurons; I->O: interneurons on motor neurons;
M->M: motor neurons on each other. A connection from a neuron that nothing has reached yet does
nothing. What no later connection reads is left out, which changes no result: interneurons that act
on no motor neuron, and interneurons' connections to sensory ones, which Elegans-AI carries out.
"""

from dataclasses import dataclass

import numpy as np

from libcell.nn.connectome.graph import INTER, MOTOR, SENSORY, Graph


@dataclass(frozen=True, eq=False)
class Schedule:
    """Connections in the order in which they act, per phase, between neurons' numbers.

    sensory, inter, motor: lists of (from, to). `units` are the neurons that something reaches, in
    the order of their first touch; `motors` those of them that the readout sees, ascending.
    """

    sensory: list[tuple[int, int]]
    inter: list[tuple[int, int]]
    motor: list[tuple[int, int]]
    units: list[int]
    motors: list[int]

    @property
    def steps(self) -> list[tuple[int, int]]:
        """All of them in order."""
        return self.sensory + self.inter + self.motor


def schedule(graph: Graph) -> Schedule:
    """The connections of `graph` that act. ValueError if no motor neuron is reached."""
    roles = graph.roles
    reached: dict[int, None] = {}
    phases = []
    for source, targets in ((SENSORY, (INTER, MOTOR)), (INTER, (MOTOR,)), (MOTOR, (MOTOR,))):
        acting = []
        for i, j in graph.edges.tolist():
            there = roles[i] == SENSORY or i in reached
            if roles[i] == source and roles[j] in targets and there:
                acting.append((i, j))
                reached.setdefault(j)
        phases.append(acting)
    read = {i for i, _ in phases[1]}
    phases[0] = [(i, j) for i, j in phases[0] if roles[j] == MOTOR or j in read]
    reached = {j: None for phase in phases for _, j in phase}
    motors = sorted(j for j in reached if roles[j] == MOTOR)
    if not motors:
        raise ValueError("no motor neuron is reached from a sensory one")
    sensory, inter, motor = phases
    return Schedule(sensory, inter, motor, list(reached), motors)


def fan_in(edges: list[tuple[int, int]]) -> dict[int, list[int]]:
    """Target to its sources, both in the order in which they act."""
    into: dict[int, list[int]] = {}
    for i, j in edges:
        into.setdefault(j, []).append(i)
    return into


@dataclass(frozen=True, eq=False)
class Phase:
    """Connections that act at once: targets touched for the first time, those touched again, and
    the sources of each among the neurons known before."""

    fresh: list[int]
    again: list[int]
    into: dict[int, list[int]]

    @property
    def targets(self) -> list[int]:
        return self.fresh + self.again


def synchronous(plan: Schedule) -> list[Phase]:
    """The phases of a plan with all connections of one at once.

    A motor neuron that only motor neurons reach which were themselves unknown before M->M gets
    a phase of its own after it.
    """
    known: list[int] = []
    phases = []
    for edges in (plan.sensory, plan.inter, plan.motor):
        into = fan_in(edges)
        heard = into if not known else {
            j: some for j, of in into.items() if (some := [i for i in of if i in known])}
        while heard:
            fresh = [j for j in heard if j not in known]
            phases.append(Phase(fresh, [j for j in heard if j in known], heard))
            known += fresh
            heard = {j: some for j, of in into.items()
                     if j not in known and (some := [i for i in of if i in known])}
    return phases


def mixing(into: list[list[int]], sources: list[int]) -> np.ndarray:
    """Matrix (targets, sources) float32 that takes the mean of each target's sources."""
    place = {s: k for k, s in enumerate(sources)}
    made = np.zeros((len(into), len(sources)), np.float32)
    for row, froms in enumerate(into):
        made[row, [place[s] for s in froms]] = 1 / len(froms)
    return made
