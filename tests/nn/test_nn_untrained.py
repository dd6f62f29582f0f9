"""Untrained networks in which every layer has a say."""

import pytest
import torch

from libcell.nn import backbones, untrained

SIZE = (32, 32)


def built(name):
    torch.manual_seed(0)
    return backbones.build(name, 3, SIZE).eval()


def changes(network, part):
    """Whether the output depends on the weights whose name holds `part`."""
    picture = torch.rand(1, 3, *SIZE)
    with torch.no_grad():
        before = network(picture)
        for name, value in network.named_parameters():
            if part in name and value.ndim > 1:
                value.add_(torch.randn_like(value))
        after = network(picture)
    return not torch.allclose(before, after, rtol=0.01, atol=0.01)


@pytest.mark.parametrize(("name", "branch"), [("test_resnet", "layer3.0.conv1"),
                                              ("test_convnext", "blocks.0.mlp.fc1")])
def test_branches_that_training_starts_from_nothing_have_a_say(name, branch):
    assert not changes(built(name), branch), "if it has one from the start, this test shows nothing"
    awake = built(name)
    untrained.wake(awake)
    assert changes(awake, branch)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_efficientnet"])
def test_biases_and_everything_else_stay(name):
    before, awake = built(name), built(name)
    untrained.wake(awake)
    for (key, old), new in zip(before.named_parameters(), awake.parameters()):
        scale = old.ndim <= 1 and not key.endswith("bias")
        assert torch.equal(old, new) or (scale and old.abs().max() < 1e-3 and (new == 1).all()), key
