"""Layers found in every family of networks; maps beside the plainest way to make them."""

import numpy as np
import pytest
import torch
from torch import nn

from libcell.errors import UsageFault
from libcell.nn import backbones, heads, pixels
from libcell.nn.classifier import Classifier
from libcell.nn.connectome.graph import celegans
from libcell.nn.saliency import (
    absent,
    framing,
    gradients,
    layers,
    neurons,
    randomise,
    rollout,
    weighting,
)

FAMILIES = {  # the smallest of each that `cell-train cnn` can make, and the layer to be taken
    "resnet18": ("layer3", "planes"), "densenet121": ("features.denseblock3", "planes"),
    "efficientnet_b0": ("blocks.4", "planes"), "convnext_atto": ("stages.2", "planes"),
    "swin_t": ("layers.2", "pixels"), "vit_tiny_patch16_224": ("blocks.11.norm1", "tokens"),
    "mixer_s16_224": ("blocks.7", "tokens"),
    "resnet18_vit_b1": ("patch_embed.backbone.layer3", "planes"),
}
SIZE = (64, 64)


def network(name, size=SIZE, head="linear", channels=2, **options):
    torch.manual_seed(0)
    backbone = backbones.build(name, channels, size)
    made = Classifier(backbone, heads.build(head, backbone.num_features, 3, options))
    return made.eval().requires_grad_(False)


def choose(scores):
    return torch.arange(len(scores))[:, None] % 3


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_its_layer(name):
    made = network(name)
    layer = layers.find(made.backbone, 2, SIZE)
    assert (layer.name, layer.kind) == FAMILIES[name] and layer.grid == (4, 4)
    fed = torch.rand(2, 2, *SIZE)
    seen = gradients.record(made.backbone, made, layer, fed, choose)
    (slope,) = seen.gradients
    assert seen.planes.shape == slope.shape and slope.shape[2:] == (4, 4)
    assert slope.abs().amax(dim=(1, 2, 3)).min() > 0
    with torch.no_grad():
        torch.testing.assert_close(seen.scores, made(fed))


def test_deep_layers_are_taken_of_large_pictures():
    assert layers.find(network("test_resnet", (160, 160)).backbone, 2, (160, 160)).name == "layer4"


def test_layers_by_name():
    made = network("test_resnet", (48, 48))
    assert layers.find(made.backbone, 2, (48, 48), "layer1").grid == (12, 12)
    for wrong, words in (("fc", "gives no map"), ("nothing", "there is none")):
        with pytest.raises(UsageFault, match=f"{wrong}: {words}; its stages are .*layer2"):
            layers.find(made.backbone, 2, (48, 48), wrong)


def test_maps_are_those_of_the_whole_gradient():
    """Against a hook that keeps what a full backward pass leaves, as Grad-CAM is usually made."""
    made = network("test_resnet", (48, 48))
    layer = layers.find(made.backbone, 2, (48, 48))
    fed = torch.rand(3, 2, 48, 48)
    seen = gradients.record(made.backbone, made, layer, fed, choose)
    (slope,) = seen.gradients
    kept = []
    made.requires_grad_(True)

    def keep(module, given, out):
        out.retain_grad()
        kept.append(out)

    hook = made.backbone.get_submodule(layer.name).register_forward_hook(keep)
    made(fed).gather(1, choose(torch.zeros(3, 3))).sum().backward()
    hook.remove()
    planes, whole = kept[0].detach(), kept[0].grad
    torch.testing.assert_close(seen.planes, planes)
    torch.testing.assert_close(slope, whole)
    expected = torch.zeros(3, *layer.grid)
    for b, c in np.ndindex(*planes.shape[:2]):
        expected[b] += whole[b, c].mean() * planes[b, c]
    torch.testing.assert_close(weighting.gradcam(planes, whole), expected.clamp_min(0))
    assert (weighting.layercam(planes, whole) >= 0).all()


def test_gradcam_plus_plus_is_the_papers():
    planes, slope = torch.rand(1, 4, 3, 3), torch.randn(1, 4, 3, 3)
    alpha = slope**2 / (2 * slope**2 + planes.sum((2, 3), keepdim=True) * slope**3)
    weights = (alpha * slope.relu()).sum((2, 3))
    expected = (weights[:, :, None, None] * planes).sum(1).relu()
    torch.testing.assert_close(weighting.gradcam_plus_plus(planes, slope), expected)


def test_rollout_follows_attention():
    """A network whose blocks all attend to one place gathers from there."""
    made = network("test_vit", (160, 160))
    for block in made.backbone.blocks:
        class Fixed(nn.Module):
            def forward(self, given):
                out = torch.zeros_like(given)
                out[..., 7 + made.backbone.num_prefix_tokens] = 1
                return out

        block.attn.attn_drop = Fixed()
    scores, maps = rollout.rollout(made.backbone, made, torch.rand(2, 2, 160, 160))
    assert scores.shape == (2, 3) and maps.shape == (2, 10, 10)
    assert (maps.flatten(1).argmax(1) == 7).all()
    assert made.backbone.blocks[0].attn.fused_attn in (True, False)
    with pytest.raises(UsageFault, match="use gradcam"):
        rollout.layers_of(network("test_resnet").backbone)


@pytest.mark.parametrize(("window", "seen"), [((40, 40), (40, 40)), ((30, 20), (24, 24)),
                                              ((20, 40), (64, 64))])
def test_maps_lie_where_the_network_looked(window, seen):
    """What is bright in the crop is bright in the picture, and so in the map over it."""
    crop = torch.zeros(1, 1, 40, 40)
    top, left = 20 - window[0] // 2, 20 - window[1] // 2
    crop[..., top + 3 : top + 7, left + 10 : left + 14] = 1
    cut = crop[..., top : top + window[0], left : left + window[1]]
    back = framing.onto_crop(pixels.fit_size(cut, seen)[:, 0], seen, window, (40, 40))
    assert back.shape == (1, 40, 40)
    y, x = np.unravel_index(int(back.argmax()), (40, 40))
    assert top + 3 <= y < top + 7 and left + 10 <= x < left + 14
    outside = torch.ones(40, 40, dtype=torch.bool)
    outside[top : top + window[0], left : left + window[1]] = False
    assert (back[0][outside] == 0).all()


def test_absent_pixels():
    fed = torch.rand(2, 3, 12, 12)
    how = {"normalisation": {"kind": "train", "mean": [2.0, 4.0], "sd": [1.0, 2.0]},
           "mask_channel": True}
    assert (absent.absent(fed, how, "mean") == 0).all()
    assert absent.absent(fed, how, "black")[0, :, 0, 0].tolist() == [-2.0, -2.0, 0.0]
    blurred = absent.absent(fed, how, "blur")
    assert blurred[:, :2].std() < fed[:, :2].std() / 2 and (blurred[:, 2] == 0).all()
    crop = absent.absent(fed, {"normalisation": {"kind": "range"}, "mask_channel": False}, "mean")
    torch.testing.assert_close(crop[0, 0], fed[0, 0].mean().expand(12, 12))


def test_a_network_forgets_from_its_end():
    made = network("test_resnet", (48, 48))
    before = {k: v.clone() for k, v in made.state_dict().items()}
    steps = [(part, {k: v.clone() for k, v in one.state_dict().items()})
             for part, one in randomise.cascade(made, 3, 0)]
    assert [p for p, _ in steps] == sorted(p for p, _ in steps) and steps[-1][0] == 1
    first = steps[0][1]
    assert not torch.equal(first["head.1.weight"], before["head.1.weight"])
    assert torch.equal(first["backbone.conv1.0.weight"], before["backbone.conv1.0.weight"])
    assert not torch.equal(steps[-1][1]["backbone.conv1.0.weight"],
                           before["backbone.conv1.0.weight"])
    for key, value in made.state_dict().items():
        assert torch.equal(value, before[key]), "the network itself must stay"


def test_neurons_of_a_connectome():
    made = network("test_resnet", (48, 48), "elegans", width=8, heads=2)
    graph, head = celegans(), made.head
    features = torch.rand(4, made.backbone.num_features)
    classes = torch.tensor([0, 1, 2, 0])
    found = neurons.active(head, features, classes, len(graph))
    assert found.activity.shape == (4, 279)
    told = ~found.relevance.isnan().all(0)
    assert set(np.flatnonzero(told).tolist()) == set(head.plan.motors)
    states = head.states(features)
    j = head.plan.motors[0]
    expected = states[j].square().mean(1).sqrt()
    torch.testing.assert_close(found.activity[:, j], expected)
    # the mean readout is linear in the states, so that relevance adds up to the score
    linear = network("test_resnet", (48, 48), "elegans", width=8, heads=2, readout="mean")
    whole = neurons.active(linear.head, features, classes, len(graph))
    score = linear.head(features).gather(1, classes[:, None])[:, 0] \
        - linear.head.classify.bias[classes]
    torch.testing.assert_close(whole.relevance.nansum(1), score, atol=1e-5, rtol=1e-4)
