"""Poolings of bags: masks, and what attention is."""

import numpy as np
import pytest
import torch

from libcell.errors import DataError, UsageFault
from libcell.nn import pooling

EVERY = pytest.mark.parametrize("name", pooling.names())
SIZES = (1, 3, 7)  # instances of the bags


def network(name, features=5, classes=3):
    torch.manual_seed(0)
    made = pooling.build({"name": name, "features": features, "options": {}}, classes).eval()
    made.mean.copy_(torch.arange(features) / 2)
    made.sd.fill_(2.0)
    return made


def bags(longest, filling):
    """The bags of SIZES, padded to `longest` with `filling`; the same whatever both are."""
    random = np.random.default_rng(0)
    x = np.full((len(SIZES), longest, 5), filling, np.float32)
    there = np.zeros((len(SIZES), longest), bool)
    for i, n in enumerate(SIZES):
        x[i, :n], there[i, :n] = random.normal(size=(n, 5)), True
    return torch.from_numpy(x), torch.from_numpy(there)


@EVERY
@torch.no_grad()
def test_padding_changes_nothing(name):
    made = network(name)
    plain = made(*bags(7, 0.0))
    padded = made(*bags(12, 1000.0))
    torch.testing.assert_close(padded.scores, plain.scores)
    torch.testing.assert_close(padded.attention[:, :7], plain.attention)
    alone = [made(x[None, :n], torch.ones(1, n, dtype=torch.bool)).scores[0]
             for x, n in zip(bags(7, 0.0)[0], SIZES)]
    torch.testing.assert_close(torch.stack(alone), plain.scores)


@EVERY
@torch.no_grad()
def test_attention_adds_up_to_one_and_follows_its_instance(name):
    made = network(name)
    x, there = bags(9, 5.0)
    said = made(x, there)
    torch.testing.assert_close(said.attention.sum(1), torch.ones(3))
    assert (said.attention[~there] == 0).all()
    order = torch.tensor([6, 0, 5, 1, 4, 2, 3])
    turned = made(x[2:, :7][:, order], there[2:, :7])
    torch.testing.assert_close(turned.scores, said.scores[2:])
    torch.testing.assert_close(turned.attention, said.attention[2:, :7][:, order])


@EVERY
@torch.no_grad()
def test_what_is_not_known_counts_as_the_mean(name):
    made = network(name)
    x, there = bags(7, 0.0)
    x[2, 3, 1], filled = torch.nan, x.clone()
    filled[2, 3, 1] = made.mean[1]
    torch.testing.assert_close(made(x, there).scores, made(filled, there).scores)


@EVERY
def test_gradients_reach_all_weights_and_only_instances_that_are_there(name):
    made = network(name).train()
    x, there = bags(9, 3.0)
    x.requires_grad_()
    made(x, there).scores.square().sum().backward()
    assert (x.grad[~there] == 0).all() and (x.grad[there] != 0).any()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in made.parameters())


def test_mean_and_max_are_what_their_names_say():
    x, there = bags(7, 9.0)
    for name, made in (("mean", [b[:n].mean(0) for b, n in zip(x, SIZES)]),
                       ("max", [b[:n].amax(0) for b, n in zip(x, SIZES)])):
        plain = pooling.build({"name": name, "features": 5, "options": {"width": 0}}, 3).eval()
        with torch.no_grad():
            expected = plain.pooling.classifier(torch.stack(made))
            torch.testing.assert_close(plain(x, there).scores, expected)


@pytest.mark.parametrize(("name", "given", "said"), [
    ("sum", {}, "there is none"), ("mean", {"hidden": 3}, "unknown option hidden"),
    ("max", {"width": "wide"}, "expected a number"), ("transformer", {"heads": 5}, "no multiple"),
])
def test_what_is_refused(name, given, said):
    with pytest.raises(UsageFault, match=said):
        pooling.build({"name": name, "features": 5, "options": given}, 3)


def test_weights_of_another_network():
    card = {"network": {"name": "mean", "features": 5, "options": {}}, "classes": ["a", "b"]}
    tensors = {k: v.numpy() for k, v in network("mean").state_dict().items()}
    with pytest.raises(DataError, match="its weights"):
        pooling.restore(card, tensors, "x.model")
