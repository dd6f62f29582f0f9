"""cell-train sweep: a grid of networks on one split; what is finished is not done again."""

import pyarrow.parquet as pq
import pytest
from hand_made import call, files_of
from test_train_cnn import store

from libcell.data import models

GRID = ("--target", "Metadata_Class", "--backbones", "resnet10t,lcnet_050", "--heads",
        "linear,mlp", "--head-options", "dropout=0.1", "--epochs", 1, "--batch", 24, "--size", 24,
        "--no-baselines")
NAMES = ["resnet10t-linear-0", "resnet10t-mlp-0", "lcnet_050-linear-0", "lcnet_050-mlp-0"]


@pytest.mark.slow
def test_a_grid_in_one_table_and_after_a_kill(tmp_path, monkeypatch):
    from libcell.train.pictures.training import Training

    store(tmp_path / "a.crops.zarr", n=180)
    done = call("train", "sweep", tmp_path / "a.crops.zarr", *GRID, "-o", tmp_path / "whole")
    assert done.records[-1]["n"] == 4
    assert sorted(done.records[-1]["balanced_accuracy"]) == sorted(NAMES)
    rows = pq.read_table(tmp_path / "whole" / "scores.parquet").to_pylist()
    assert [n for i, n in enumerate(r["model"] for r in rows) if i % 16 == 0] == NAMES
    for name in NAMES:
        card = models.load_card(tmp_path / "whole" / f"{name}.model")
        told = {r["split"]: r["value"] for r in rows
                if r["model"] == name and r["metric"] == "macro_f1"}
        assert told == {p: f["macro_f1"] for p, f in card["metrics"].items()}
        assert card["training"]["parameters"] > 100_000
    splits = [models.load_card(tmp_path / "whole" / f"{n}.model")["split"] for n in NAMES]
    assert all(s == splits[0] for s in splits)

    real, seen = Training.fit, []

    class Killed(BaseException):
        pass

    def dying(self, options, seed, phase):
        seen.append(phase)
        if len(seen) == 3:
            raise Killed
        return real(self, options, seed, phase)

    monkeypatch.setattr(Training, "fit", dying)
    with pytest.raises(Killed):
        call("train", "sweep", tmp_path / "a.crops.zarr", *GRID, "-o", tmp_path / "killed")
    call("train", "sweep", tmp_path / "a.crops.zarr", *GRID, "-o", tmp_path / "killed", "--resume")
    assert seen == [*NAMES[:3], *NAMES[2:]]
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")
    call("train", "predict", tmp_path / "whole" / f"{NAMES[0]}.model", tmp_path / "a.crops.zarr",
         "-o", tmp_path / "p.parquet")
