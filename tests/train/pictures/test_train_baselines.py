"""What a network must beat: its baselines get every chance that they can have."""

from types import SimpleNamespace

import pytest
import torch
from hand_made import call

from libcell.data import crops
from libcell.nn import untrained
from libcell.train.kernels.probe import fit_probe
from libcell.train.kernels.scores import balanced_accuracy
from libcell.train.pictures import baselines, contract, judge, plan

OPTIONS = SimpleNamespace(
    target="Metadata_Class", classes=(), group=("Metadata_Plate",), split=None, per_class=20,
    fractions=(0.6, 0.0, 0.4), folds=None, fold=None, leave_one_out=False, hold_out=(),
    channels=(), region="patch", window=None, size=32, mask_channel=False, normalise="train")


@pytest.fixture(scope="module")
def nuclei(shared, tmp_path_factory):
    """Real nuclei in 16 classes, split by plate, 20 of each to learn from."""
    source = shared("mitocheck_nuclei")
    store = tmp_path_factory.mktemp("nuclei") / "m.crops.zarr"
    call("extract", "classes", source, "--index", source / "index.csv", "-o", store)
    return plan.plan(store, crops.open_crops(store).index(), OPTIONS, 0)


def probed(made, seed):
    """Balanced accuracy, on plates that it never saw, of a probe on an untrained network."""
    fed = contract.make(made.path, OPTIONS, made.rows[made.of("train")])
    shape = {"backbone": "resnet18", "channels": 1, "size_px": fed["size_px"],
             "head": {"name": "linear", "options": {}}}
    train, test = made.of("train"), made.of("test")[::3]
    device = torch.device("cpu")
    network = baselines._untrained(made.path, fed, shape, made.rows[train], seed, device)
    seen = [judge.scores(network, made.path, fed, made.rows[some], device, network.num_features)
            for some in (train, test)]
    probe = fit_probe(seen[0], made.y[train], len(made.classes))
    return balanced_accuracy(made.y[test], probe.predict(seen[1]))


@pytest.mark.data
def test_an_untrained_network_whose_branches_are_awake_knows_more(nuclei, monkeypatch):
    woken = probed(nuclei, seed=0)
    monkeypatch.setattr(untrained, "wake", lambda network: None)
    silent = probed(nuclei, seed=0)
    assert woken > 1.5 * silent and woken > 3 / len(nuclei.classes), (woken, silent)
