"""Connectome heads: the facts, the rivals, and the rules beside plain loops."""

import connectome_loop
import networkx as nx
import numpy as np
import pytest
import torch

from libcell.errors import UsageFault
from libcell.nn import heads
from libcell.nn.connectome.graph import INTER, MOTOR, SENSORY, Graph, celegans
from libcell.nn.connectome.head import Connectome, Options
from libcell.nn.connectome.random_graphs import MODELS
from libcell.nn.connectome.rules import RULES
from libcell.nn.connectome.schedule import fan_in, schedule, synchronous

WIDTH, BATCH = 16, 4
UNIT = {"published": "layernorm", "documented": "linear"}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def made(rule, graph):
    """A rule on a graph, its LayerNorms away from the identity, and an input."""
    rule = RULES[rule](schedule(graph), WIDTH)
    for unit in rule.units.values():
        torch.nn.init.normal_(unit.norm.weight, 1, 0.2)
        torch.nn.init.normal_(unit.norm.bias, 0, 0.2)
    return rule, torch.randn(BATCH, WIDTH)


def small():
    """Two sensory, three inter, three motor; one interneuron that nothing reads, one motor neuron
    that only an earlier and only a later one reach, and a neuron that acts on itself."""
    names = list("abcdefgh")
    roles = ["sensory"] * 2 + ["inter"] * 3 + ["motor"] * 3
    pairs = [tuple(p) for p in ("ac", "bc", "ad", "be", "af", "bf", "cf", "cg", "dg", "ca", "fg",
                                "gf", "ff", "gh", "hf", "cd")]
    return Graph.of(names, roles, pairs)


def test_the_worm_has_its_neurons_and_connections():
    graph = celegans()
    assert len(graph) == 279
    assert np.bincount(graph.roles).tolist() == [98, 92, 89]
    assert len(graph.edges) == 2993
    assert (graph.edges[:, 0] == graph.edges[:, 1]).sum() == 3
    kinds = {(a, b): int(((graph.roles[graph.edges[:, 0]] == a)
                          & (graph.roles[graph.edges[:, 1]] == b)).sum())
             for a in range(3) for b in range(3)}
    assert kinds[INTER, INTER] == 690 and kinds[SENSORY, INTER] == 567
    assert kinds[MOTOR, MOTOR] == 363 and kinds[INTER, MOTOR] == 329


def test_the_worm_is_the_shared_table(shared):
    import csv

    folder = shared("celegans_connectome")
    with (folder / "synapses.csv").open() as file:
        pairs = [(r["pre"], r["post"]) for r in csv.DictReader(file)]
    with (folder / "neurons.csv").open() as file:
        rows = list(csv.DictReader(file))
    theirs = Graph.of([r["neuron"] for r in rows], [r["role"] for r in rows], pairs)
    ours = celegans()
    assert ours.names == theirs.names
    assert np.array_equal(ours.roles, theirs.roles) and np.array_equal(ours.edges, theirs.edges)


@pytest.mark.parametrize("model", MODELS)
def test_rivals_match_in_neurons_roles_and_connections(model):
    like = celegans()
    one, again, other = (MODELS[model](like, seed) for seed in (3, 3, 4))
    assert np.array_equal(one.edges, again.edges) and np.array_equal(one.roles, again.roles)
    assert not np.array_equal(one.edges, other.edges)
    assert len(one) == len(like) and len(one.edges) == len(like.edges)
    assert np.array_equal(np.bincount(one.roles), np.bincount(like.roles))


def test_hubs_belong_to_barabasi_and_albert():
    degrees = {name: np.bincount(make(celegans(), 0).edges.ravel(), minlength=279)
               for name, make in MODELS.items()}
    assert degrees["ba"].max() > 1.5 * max(degrees["er"].max(), degrees["ws"].max())


@pytest.mark.parametrize("rule", UNIT)
@pytest.mark.parametrize("graph", [small, celegans, lambda: MODELS["ba"](celegans(), 0)],
                         ids=["small", "celegans", "ba"])
def test_rules_give_what_the_plain_loop_gives(rule, graph):
    graph = graph()
    network, x = made(rule, graph)
    units = {int(j): (u.linear, u.norm) for j, u in network.units.items()}
    x.requires_grad_()
    ours, theirs = network(x), connectome_loop.run(graph, units, x, UNIT[rule])
    motors = {i for i in theirs if graph.roles[i] == MOTOR}
    assert set(network.plan.motors) == motors
    for neuron in network.plan.units:
        torch.testing.assert_close(ours[neuron], theirs[neuron], rtol=1e-5, atol=1e-6)
    gradients = [torch.autograd.grad(sum(states[m].square().sum() for m in motors), x)[0]
                 for states in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


def test_the_rules_differ():
    results = []
    for rule in RULES:
        torch.manual_seed(1)
        network, x = made(rule, celegans())
        results.append(torch.stack([network(x)[m] for m in network.plan.motors]))
    for a in range(3):
        for b in range(a):
            assert (results[a] - results[b]).abs().max() > 0.1


@pytest.mark.parametrize("graph", [small, celegans], ids=["small", "celegans"])
def test_fast_is_the_published_rule_phase_by_phase(graph):
    graph = graph()
    network, x = made("fast", graph)
    states = {}
    for phase in synchronous(network.plan):
        before = dict(states)
        for j in phase.targets:
            sources = phase.into[j]
            h = torch.stack([before.get(i, x) for i in sources]).mean(0)
            unit = network.units[str(j)]
            states[j] = connectome_loop.touch(unit.linear, unit.norm, h, before.get(j),
                                              "layernorm")
    ours = network(x)
    assert set(ours) == set(states) == set(network.plan.units)
    for neuron, state in states.items():
        torch.testing.assert_close(ours[neuron], state, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pairs", [["am", "mn"], ["ai", "im", "mn"], ["am", "ai", "im"]])
@pytest.mark.parametrize("rule", RULES)
def test_a_phase_may_be_missing(rule, pairs):
    roles = ["sensory", "inter", "motor", "motor"]
    graph = Graph.of(list("aimn"), roles, [tuple(p) for p in pairs])
    network, x = made(rule, graph)
    states = network(x)
    assert set(states) == {"aimn".index(p[1]) for p in pairs}
    assert all(s.shape == (BATCH, WIDTH) for s in states.values())


def test_what_nothing_reads_is_left_out():
    plan = schedule(small())
    assert 4 not in plan.units and 4 not in fan_in(plan.sensory)  # e: an interneuron without axon
    assert all(j >= 2 for j in plan.units)
    assert plan.motors == [5, 6, 7]


def test_a_reservoir_does_not_learn_but_lets_the_backbone():
    head = Connectome(small(), 6, 3, Options(width=WIDTH, heads=4, reservoir=True))
    x = torch.randn(BATCH, 6, requires_grad=True)
    head(x).sum().backward()
    assert all(p.grad is None for p in head.neurons.parameters())
    assert x.grad is not None and x.grad.abs().max() > 0
    assert head.query.grad.abs().max() > 0


@pytest.mark.parametrize("readout", ["attention", "mean"])
@pytest.mark.parametrize("name", ["elegans", "er", "ba", "ws"])
def test_heads_are_found_by_name_and_learn(name, readout):
    given = {"rule": "fast", "width": "16", "heads": "4", "readout": readout, "residual": "true"}
    head = heads.build(name, 5, 2, given)
    x = torch.randn(64, 5)
    y = (x[:, 0] > 0).long()
    optimizer = torch.optim.AdamW(head.parameters(), 3e-3)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        losses.append(torch.nn.functional.cross_entropy(head(x), y))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]


def graphml(graph, role=lambda r: "SIM"[r]):
    made = nx.DiGraph()
    for name, kind in zip(graph.names, graph.roles):
        made.add_node(name, role=role(kind))
    made.add_edges_from((graph.names[a], graph.names[b]) for a, b in graph.edges)
    return "\n".join(nx.generate_graphml(made))


def test_a_graph_of_ones_own_is_read_from_graphml():
    from libcell.nn.heads.graph import read

    again = read(graphml(small()))
    assert again.names == small().names
    assert np.array_equal(again.edges, small().edges)
    assert np.array_equal(again.roles, small().roles)


@pytest.mark.parametrize("given, said", [
    ({}, "expected graph:FILE"),
    ({"text": "<graph>"}, "not a GraphML document"),
    ({"text": graphml(small(), lambda r: "muscle")}, r"unknown: \w+ \(muscle\).*sensory, inter"),
    ({"text": graphml(small()).replace("role", "part")}, r"missing or unknown: \w+ \(none\)"),
    ({"text": graphml(small(), lambda r: "S")}, "no motor neuron"),
    ({"rule": "slow", "text": graphml(small())}, "expected published, documented, fast"),
    ({"readout": "max", "text": graphml(small())}, "expected attention, mean"),
    ({"width": "10", "heads": "4", "text": graphml(small())}, "not a multiple"),
    ({"heads": "0", "text": graphml(small())}, "not a multiple"),
])
def test_what_does_not_fit_is_said(given, said):
    with pytest.raises(UsageFault, match=said) as caught:
        heads.build("graph", 5, 2, given)
    assert str(caught.value).count("--head graph") == 1 and "\n" not in str(caught.value)


def test_names_and_connections_must_fit():
    with pytest.raises(ValueError, match="unknown neurons: z"):
        Graph.of(["a"], ["sensory"], [("a", "z")])
    with pytest.raises(ValueError, match="one name"):
        Graph.of(["a", "a"], ["sensory", "motor"], [])
