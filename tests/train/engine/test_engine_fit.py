"""The training loop: the same weights however it is run, and what it says on its way."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import engine_task
import pyarrow.parquet as pq
import pytest
import torch
from engine_task import RECIPE, Heard, Ring, a_job

from libcell.errors import DataError, Unavailable, UsageFault
from libcell.train.engine import checkpoints, history
from libcell.train.engine.fit import fit
from libcell.train.engine.recipe import Recipe
from libcell.train.engine.step import slow_bf16

SCRIPT = Path(engine_task.__file__)


def train(folder, task=None, recipe=RECIPE, name="x.model", heard=None, **more):
    with a_job(folder / name, reporter=heard, **more) as job:
        return fit(task or Ring(), recipe, job, seed=0)


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.values(), two.values(), strict=True))


def weights(fitted):
    return fitted.network.state_dict()


def changed(**more):
    return dataclasses.replace(RECIPE, **more)


def test_it_learns_and_says_so(tmp_path):
    heard = Heard()
    fitted = train(tmp_path, recipe=changed(epochs=8), heard=heard)
    assert fitted.figures["accuracy"] > 0.85
    assert fitted.epochs == 8 and 1 <= fitted.epoch <= 8
    by_epoch = [r["value"] for r in fitted.history
                if r["part"] == "validation" and r["metric"] == "accuracy"]
    assert max(by_epoch) == fitted.figures["accuracy"] == by_epoch[fitted.epoch - 1]
    assert heard.steps[-1] == ("train", 320, 320)
    assert len(heard.notes) == 8
    assert all("items/s" in n and "left" in n for n in heard.notes)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path):
    one, two = (train(tmp_path, name=f"{n}.model") for n in "ab")
    other = train(tmp_path, Ring(seed=1), name="c.model")
    assert same(weights(one), weights(two)) and one.history == two.history
    assert not same(weights(one), weights(other))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", *(
    pytest.param(name, marks=pytest.mark.slow)
    for name in ("adam", "adagrad", "rmsprop", "nadam", "radam"))])
def test_taking_up_a_checkpoint_of_every_optimizer(tmp_path, optimizer):
    """Stopped in the middle of the second epoch by an error of the task."""
    recipe = changed(optimizer=optimizer, epochs=2, schedule="cosine", lr=0.003)
    whole = train(tmp_path, recipe=recipe)

    class Dies(Ring):
        def loss(self, network, batch):
            if len(self.after) == 60:
                raise KeyError
            return super().loss(network, batch)

    with pytest.raises(KeyError):
        train(tmp_path, Dies(), recipe, "y.model")
    heard = Heard()
    task = Ring()
    taken = train(tmp_path, task, recipe, "y.model", heard, resume=True)
    assert "going on at epoch 2, batch 8" in heard.notes[0]
    assert len(task.after) == 80 - 48
    assert same(weights(whole), weights(taken)) and whole.history == taken.history


def test_kill_9_in_the_middle_of_an_epoch(tmp_path):
    """Whenever it comes: the weights are those of a run that nobody killed."""
    whole = train(tmp_path, name="whole.model")
    folder = tmp_path / ".killed.model.partial" / "parts" / "train"
    process = subprocess.Popen([sys.executable, SCRIPT, tmp_path / "killed.model", "--slow=0.03"],
                               stderr=subprocess.PIPE, text=True)
    wait_for(lambda: newest(folder) >= 48, process)
    time.sleep(0.1)  # into the steps after the checkpoint
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert 48 <= newest(folder) < 120
    task = Ring()
    taken = train(tmp_path, task, name="killed.model", resume=True)
    assert 0 < len(task.after) <= 120 - 48
    assert same(weights(whole), weights(taken)) and whole.history == taken.history


def newest(folder):
    return max((int(f.stem.removeprefix("step-")) for f in folder.glob("step-*.json")), default=0)


def wait_for(condition, process):
    for _ in range(1200):
        if condition():
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    pytest.fail("it did not come that far within a minute")


@pytest.mark.slow
def test_two_processes_agree_with_one(tmp_path):
    """torchrun: each takes half of every batch; the weights move as with one process.

    Not to the last bit: batch normalisation sees half a batch, so the network here has none.
    """
    script = tmp_path / "pair.py"
    script.write_text(PAIR.format(folder=str(SCRIPT.parent), out=str(tmp_path)))
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         script], capture_output=True, text=True, timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    pair = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    assert same(*pair)
    alone = train(tmp_path, plain(), changed(epochs=2, ema=None))
    for name, value in weights(alone).items():
        torch.testing.assert_close(pair[0][name], value, rtol=1e-3, atol=1e-4)


PAIR = """
import sys
sys.path.insert(0, {folder!r})
import os, torch
from test_engine_fit import changed, plain
from engine_task import a_job
from libcell.train.engine.fit import fit
rank = os.environ["RANK"]
with a_job({out!r} + "/pair-" + rank + ".model") as job:
    fitted = fit(plain(), changed(epochs=2, ema=None), job, seed=0)
torch.save(fitted.network.state_dict(), {out!r} + "/" + rank + ".pt")
"""


def plain():
    """Without anything random but the order of the items."""

    class Plain(Ring):
        def loss(self, network, batch):
            return torch.nn.functional.cross_entropy(network(batch["x"]), batch["y"]), {}

    task = Plain(batch=15)  # shares of 8 and 7
    task.network[1], task.network[3] = torch.nn.Identity(), torch.nn.Identity()
    return task


def test_pieces_give_the_gradient_of_the_whole(tmp_path):
    whole = train(tmp_path, plain(), changed(ema=None), "a.model")
    cut = train(tmp_path, plain(), changed(ema=None, accumulate=4), "b.model")
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(cut)[name], value, rtol=1e-3, atol=1e-4)


def test_out_of_memory_cuts_the_batch(tmp_path):
    class Big(Ring):
        def loss(self, network, batch):
            if len(batch["x"]) > 4:
                torch.empty(2**60, dtype=torch.uint8)  # the allocator's own refusal
            return super().loss(network, batch)

    heard = Heard()
    fitted = train(tmp_path, Big(), heard=heard)
    assert [w for w in heard.warnings if "cut into" in w] == heard.warnings
    assert "cut into 4 pieces" in heard.warnings[-1] and len(heard.warnings) == 2
    assert fitted.epochs == 3

    class Huge(Ring):
        def loss(self, network, batch):
            torch.empty(2**60, dtype=torch.uint8)

    with pytest.raises(Unavailable, match="with a single item"):
        train(tmp_path, Huge(), name="y.model")


@pytest.mark.parametrize("how", ["shortened", "flipped", "no card"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, how):
    whole = train(tmp_path, name="whole.model")
    train(tmp_path)
    folder = tmp_path / ".x.model.partial" / "parts" / "train"
    assert sorted(f.name for f in folder.glob("step-*")) == [
        "step-000000112.json", "step-000000112.safetensors",
        "step-000000120.json", "step-000000120.safetensors"]
    damage(folder / "step-000000120.safetensors", how)
    heard = Heard()
    again = train(tmp_path, heard=heard, resume=True)
    assert "step-000000120" in heard.warnings[0] and "damaged" in heard.warnings[0]
    assert "epoch 3, batch 32" in heard.notes[0]
    assert same(weights(whole), weights(again))


def damage(file, how):
    content = bytearray(file.read_bytes())
    if how == "shortened":
        file.write_bytes(content[:-9])
    elif how == "flipped":
        content[-40] ^= 1
        file.write_bytes(content)
    else:
        file.with_suffix(".json").write_text("{")


def test_all_checkpoints_damaged_means_from_the_start(tmp_path):
    whole = train(tmp_path)
    folder = tmp_path / ".x.model.partial" / "parts" / "train"
    for file in folder.glob("*.safetensors"):
        file.write_bytes(b"")
    heard = Heard()
    assert same(weights(train(tmp_path, heard=heard, resume=True)), weights(whole))
    assert len(heard.warnings) == 2


def test_a_finished_training_is_not_done_again(tmp_path):
    first = train(tmp_path)
    task = Ring()
    again = train(tmp_path, task, resume=True)
    assert task.after == [] and same(weights(first), weights(again))
    assert first.figures == again.figures and first.epoch == again.epoch


def test_early_stopping_keeps_the_best(tmp_path):
    fitted = train(tmp_path, recipe=changed(epochs=40, patience=2, lr=0.05, min_epochs=4))
    assert 4 <= fitted.epochs < 40
    assert fitted.epoch <= fitted.epochs
    last = train(tmp_path, recipe=changed(epochs=2, last=True), name="y.model")
    assert last.epoch == 2


def test_bf16(tmp_path):
    heard = Heard()
    fitted = train(tmp_path, recipe=changed(precision="bf16"), heard=heard)
    slow = slow_bf16(torch.device("cpu"))
    assert [("bf16" in w and "fp32 is faster" in w) for w in heard.warnings] == [True] * slow
    assert fitted.figures["accuracy"] > 0.7
    assert {v.dtype for k, v in weights(fitted).items() if "num_batches" not in k} == {
        torch.float32}


def test_a_loss_that_is_no_number(tmp_path):
    task = Ring()
    task.x[5] = float("nan")
    with pytest.raises(DataError, match=r"epoch 1, batch .*: the loss is no number"):
        train(tmp_path, task)


def test_an_error_in_the_batches_reaches_the_caller(tmp_path):
    class Broken(Ring):
        def batches(self, epoch, start):
            yield from list(super().batches(epoch, start))[:3]
            raise DataError("crop 7 cannot be decoded")

    with pytest.raises(DataError, match="crop 7"):
        train(tmp_path, Broken())


def test_curves_are_a_table(tmp_path):
    fitted = train(tmp_path)
    provenance = {"command": "a test", "version": "0", "parameters": {}, "inputs": [], "seed": 0,
                  "created": None}
    history.write(tmp_path / "m", fitted.history, provenance)
    found = pq.read_table(tmp_path / "m" / "curves.parquet")
    assert found.schema.metadata[b"schema"] == b"curves/1"
    assert set(zip(found["part"].to_pylist(), found["metric"].to_pylist())) == {
        ("train", "loss"), ("train", "accuracy"), ("train", "lr"), ("validation", "accuracy")}
    assert found["epoch"].to_pylist() == sorted([1, 2, 3] * 4)


def test_tensorboard_events(tmp_path):
    train(tmp_path, recipe=changed(tensorboard=str(tmp_path / "events")))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert {"train/loss", "validation/accuracy", "speed/items_per_s"} <= set(
        events.Tags()["scalars"])


def test_a_recipe_is_checked():
    with pytest.raises(UsageFault, match="--optimizer lion"):
        Recipe(optimizer="lion")


def test_only_the_last_two_checkpoints_are_kept(tmp_path):
    for step in (1, 2, 3):
        checkpoints.save(tmp_path, step, checkpoints.Checkpoint({"a": torch.ones(step)}, {}))
    found = checkpoints.latest(tmp_path, pytest.fail)
    assert len(found.tensors["a"]) == 3 and len(list(tmp_path.iterdir())) == 4
