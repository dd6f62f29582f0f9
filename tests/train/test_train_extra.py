"""Where the extra that trains is not installed: one line, before any work."""

import importlib.util

from hand_made import call
from test_train_cnn import store


def test_without_torch(tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec",
                        lambda name, *more: None if name == "timm" else real(name, *more))
    store(tmp_path / "a.crops.zarr", n=60)
    for method, more in (("cnn", ()), ("sweep", ("--backbones", "resnet18"))):
        done = call("train", method, tmp_path / "a.crops.zarr", "--target", "Metadata_Class", *more,
                    "-o", tmp_path / ("x.model" if method == "cnn" else "x"), code=69)
        assert "needs timm (pip install 'libcell[train]')" in done.said
        assert len(done.said.splitlines()) == 1
