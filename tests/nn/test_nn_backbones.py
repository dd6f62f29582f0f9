"""Backbones and heads: every name builds, takes any number of channels, and gives its width."""

import numpy as np
import pytest
import torch

from libcell.errors import DataError, UsageFault
from libcell.nn import backbones, classifier, heads
from libcell.nn.backbones import pretrained

# of each kind one, and one of timm's whose features are widened last; all in the slow test
SMALL = ("resnet18", "efficientnet_b0", "vit_s", "lcnet_050")


def runs(name, channels, size=(32, 32)):
    made = backbones.build(name, channels, size).eval()
    with torch.no_grad():
        features = made(torch.rand(2, channels, *size))
    assert features.shape == (2, made.num_features)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("channels", [1, 5])
def test_backbones_of_each_kind(name, channels):
    runs(name, channels)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(backbones.NAMES) - set(SMALL)))
def test_every_backbone(name):
    runs(name, 2)


def test_a_hybrid_has_one_token_per_position():
    made = backbones.build("resnet18-vit-b1", 2, (64, 96)).eval()
    assert made.patch_embed.num_patches == 2 * 3
    with torch.no_grad():
        assert made(torch.rand(1, 2, 64, 96)).shape == (1, 768)


def test_names_that_are_none():
    with pytest.raises(UsageFault, match="--backbone resnet19"):
        backbones.build("resnet19", 1, (32, 32))
    with pytest.raises(UsageFault, match=r"--head nope: there is none; there are .*linear, mlp"):
        heads.build("nope", 4, 2, {})


@pytest.mark.parametrize("name", heads.names())
def test_heads_give_a_score_per_class(name):
    if name == "graph":
        pytest.skip("wants a file: tested with the connectome")
    with torch.no_grad():
        made = heads.build(name, 16, 3, {}).eval()
        assert made(torch.rand(4, 16)).shape == (4, 3)


def test_options_of_a_head():
    deep = heads.build("mlp", 8, 2, {"hidden": "16", "layers": "3", "activation": "tanh"})
    assert sum(isinstance(m, torch.nn.Linear) for m in deep.modules()) == 4
    for wrong in ({"hidden": "many"}, {"depth": "3"}, {"layers": "0"}, {"activation": "x"}):
        with pytest.raises(UsageFault, match="--head mlp"):
            heads.build("mlp", 8, 2, wrong)


def test_a_classifier_comes_back_from_its_card():
    network = {"backbone": "resnet18", "channels": 2, "size_px": [32, 32],
               "head": {"name": "mlp", "options": {"hidden": 8}}}
    made = classifier.build(network, 3).eval()
    tensors = {k: v.numpy() for k, v in made.state_dict().items()}
    card = {"network": network, "classes": ["a", "b", "c"]}
    again = classifier.restore(card, tensors, "c.model")
    batch = torch.rand(2, 2, 32, 32)
    with torch.no_grad():
        assert torch.equal(made(batch), again(batch))
    other = card | {"network": network | {"backbone": "efficientnet_b0"}}
    with pytest.raises(DataError, match=r"c\.model"):
        classifier.restore(other, tensors, "c.model")


def test_weights_of_three_channels_for_one():
    """A grey picture gives what it gave as three equal channels; the classifier is left out."""
    torch.manual_seed(0)
    coloured = backbones.build("resnet18", 3, (32, 32)).eval()
    state = {f"module.{k}": v for k, v in coloured.state_dict().items()}
    state |= {"module.fc.weight": torch.zeros(1000, 512), "module.fc.bias": torch.zeros(1000)}
    grey = backbones.build("resnet18", 1, (32, 32)).eval()
    pretrained.take(grey, state, "w.safetensors")
    batch = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(grey(batch), coloured(batch.expand(-1, 3, -1, -1)))
    with pytest.raises(DataError, match=r"w.safetensors: these weights are of another network"):
        pretrained.take(backbones.build("resnet50", 1, (32, 32)), state, "w.safetensors")


def test_what_is_fed_is_what_the_card_says():
    crops = np.random.default_rng(0).integers(0, 4000, (3, 2, 20, 30)).astype(np.uint16)
    masks = np.zeros((3, 20, 30), bool)
    masks[:, 5:15, 5:15] = True
    contract = {"size_px": [30, 30], "mask_channel": True,
                "normalisation": {"kind": "train", "mean": [2000.0, 1000.0], "sd": [10.0, 20.0]}}
    fed = classifier.prepare(crops, masks, contract, torch.device("cpu"))
    assert fed.shape == (3, 3, 30, 30)
    np.testing.assert_allclose(fed[:, 1, 5:25], (crops[:, 1] - 1000.0) / 20, rtol=1e-5)
    assert (fed[:, 0, :5] == -200).all(), "what is added is black"
    assert fed[:, 2].sum() == 3 * 100
    stretched = classifier.prepare(crops, masks, contract | {
        "mask_channel": False, "size_px": [20, 30],
        "normalisation": {"kind": "crop", "percentiles": [0.0, 100.0]}}, torch.device("cpu"))
    np.testing.assert_allclose(stretched.amax((2, 3)), 1)
    np.testing.assert_allclose(stretched.amin((2, 3)), 0)
    flat = classifier.prepare(np.full_like(crops, 7), masks, contract | {
        "mask_channel": False, "normalisation": {"kind": "crop", "percentiles": [0.1, 99.9]}},
        torch.device("cpu"))
    assert (flat == 0).all(), "a dark channel is no division by zero"
