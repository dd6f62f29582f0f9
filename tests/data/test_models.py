"""A model's card is the last of its files, and whole: a run that goes on trusts it."""

import json
import resource
import signal

import numpy as np
import pytest
from faults import processes
from hand_made import PROVENANCE

from libcell.data import models
from libcell.errors import DataError

CARD = {
    "provenance": PROVENANCE, "architecture": "forest", "classes": ["a", "b"], "target": "kind",
    "input": {"kind": "features", "columns": ["x"]}, "training_data": "sha256:" + "0" * 64,
    "split": {}, "metrics": {}, "seed": 0,
}


def test_a_card_that_could_not_be_written_is_not_there(tmp_path):
    def write():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
        try:
            models.save(tmp_path / "x.model", {"w": np.zeros(2, np.float32)}, CARD)
        except OSError:
            return 75
        return 0

    assert processes.start(write, tmp_path, tmp_path / "log").wait().code == 75
    assert [p.name for p in (tmp_path / "x.model").iterdir()] == [models.WEIGHTS]
    models.save(tmp_path / "x.model", None, CARD)
    assert models.load_card(tmp_path / "x.model")["target"] == "kind"


@pytest.mark.parametrize(("part", "value"), [
    ("size_px", [0, 32]), ("window_px", [48.5, 48]), ("size_px", [10**9, 32]),
    ("mask_channel", "no"),
])
def test_a_card_of_impossible_input_is_none(tmp_path, part, value):
    card = CARD | {"schema": "model/1", "input": {"kind": "crops", part: value}}
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(DataError, match=f"not a valid model card: input.*{part}"):
        models.load_card(tmp_path)
    card["input"] = {"kind": "crops", "size_px": [32, 32], "mask_channel": True}
    (tmp_path / "model.json").write_text(json.dumps(card))
    assert models.load_card(tmp_path)["input"]["size_px"] == [32, 32]
