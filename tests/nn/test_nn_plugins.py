"""Heads and backbones that another package brings."""

import sys

import pytest
import torch

from libcell.errors import Unavailable, UsageFault
from libcell.nn import backbones, classifier, heads

HEAD = '''
from dataclasses import dataclass
from torch import nn

SUMMARY = "Twice a linear layer."

@dataclass(frozen=True)
class Options:
    hidden: int = 4

def build(in_features, classes, options):
    return nn.Sequential(nn.Linear(in_features, options.hidden), nn.Linear(options.hidden, classes))
'''
BACKBONE = '''
from torch import nn

def build(channels, size):
    made = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    made.num_features = 4 * channels
    return made
'''


@pytest.fixture
def other_lab(tmp_path, monkeypatch):
    site = tmp_path / "site-packages"
    info = site / "other_lab-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[libcell.nn.heads]\nother-twice = other_lab_head\nother-gone = other_lab_gone\n"
        "linear = other_lab_gone\n[libcell.nn.backbones]\nother-mean = other_lab_backbone\n")
    (site / "other_lab_head.py").write_text(HEAD)
    (site / "other_lab_backbone.py").write_text(BACKBONE)
    monkeypatch.syspath_prepend(site)
    yield
    for name in ("other_lab_head", "other_lab_backbone"):
        sys.modules.pop(name, None)


def test_heads_and_backbones_of_another_package(other_lab):
    assert {"other-twice", "other-gone"} <= set(heads.names())
    assert heads.names().count("linear") == 1
    assert "other_lab_head" not in sys.modules
    shape = {"backbone": "other-mean", "channels": 3, "size_px": [8, 8],
             "head": {"name": "other-twice", "options": {"hidden": "5"}}}
    made = classifier.build(shape, 2)
    assert made(torch.rand(4, 3, 8, 8)).shape == (4, 2)
    assert made.head[0].out_features == 5 and backbones.spelled("other-mean") == "other-mean"
    assert isinstance(heads.build("linear", 3, 2, {})[1], torch.nn.Linear), "our own come first"
    with pytest.raises(Unavailable, match="other_lab_gone"):
        heads.build("other-gone", 3, 2, {})
    with pytest.raises(UsageFault, match="--head other-twice: unknown option width"):
        heads.build("other-twice", 3, 2, {"width": 3})


def test_without_the_package_there_is_none():
    with pytest.raises(UsageFault, match="--backbone other-mean: there is none"):
        backbones.build("other-mean", 3, (8, 8))
    with pytest.raises(UsageFault, match="--head other-twice: there is none"):
        heads.build("other-twice", 3, 2, {})
