"""Our own segmentation network: speed beside Cellpose 3's, memory on an image beyond memory."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image as Pillow

from libcell.nn.turns import TURNS
from libcell.segment.network import patches
from libcell.segment.network.field import NetworkParams, roots_of
from libcell.simulate import simulate_field
from tests.peers.bench import Place, Row
from tests.peers.processes import BIN, peak_gb, remove, seconds

SIDE = 20_000
STEP = 1000
IMAGES = 4
# Cellpose 3 wants another numpy than ours: an environment of its own, with the same torch
CELLPOSE = ("cellpose==3.1.1.3", "torch==2.13.0")
CELLPOSE_RUN = """
import json, sys, time, numpy as np, torch
torch.set_num_threads(1)
from cellpose import dynamics, models
from cellpose.resnet_torch import CPnet
torch.manual_seed(0)
weights = sys.argv[1] + "/drawn_weights"
CPnet([2, 32, 64, 128, 256], 3, 3).save_model(weights)
model = models.CellposeModel(gpu=False, pretrained_model=weights)
network = masks = 0.0
for path in sys.argv[2:]:
    with np.load(path) as saved:
        image, labels = saved["image"], saved["labels"].astype(np.int32)
    # [labels, cell, flow y, flow x]; the network's flows are five times as long
    flows = dynamics.labels_to_flows([labels], device=torch.device("cpu"))[0].astype(np.float32)
    for timed in (False, True):
        start = time.process_time()
        model.eval(image, channels=[0, 0], diameter=30.0, compute_masks=False)
        middle = time.process_time()
        found = dynamics.compute_masks(flows[2:] * 5, np.where(flows[1] > 0, 5.0, -5.0))
        end = time.process_time()
        if timed:
            network, masks = network + middle - start, masks + end - middle
print(json.dumps([network, masks]))
"""


def bench_segment_speed(place: Place) -> Iterator[Row]:
    """The same images, one thread each, processor time: network with any weights, then cells from
    the true directions of both kinds, since drawn weights have no cells."""
    python = _cellpose(place.scratch / "cellpose3")
    folder = place.scratch / "unet-speed"
    folder.mkdir(exist_ok=True)
    pairs = _images(place.data / "dsb2018_nuclei", folder)
    done = subprocess.run([python, "-c", CELLPOSE_RUN, folder, *pairs], check=True, text=True,
                          stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    theirs = json.loads(done.stdout.splitlines()[-1])
    ours = _own_times(pairs, _model(place))
    pixels = sum(np.load(p)["labels"].size for p in pairs) / 1e6
    yield Row("cell-segment unet beside Cellpose 3's network and dynamics", sum(ours) / sum(theirs),
              1 / 3, "times its processor time",
              f"{IMAGES} images of DSB 2018, {pixels:.1f} Mpx; network {ours[0]:.2f} and "
              f"{theirs[0]:.2f} s, cells {ours[1]:.2f} and {theirs[1]:.2f} s")


def bench_segment_memory(place: Place) -> Iterator[Row]:
    """20000 x 20000 px through the network, two workers."""
    store, model = _large(place), _model(place)
    target = place.scratch / "unet-large.labels.ome.zarr"
    remove(target)
    command = [BIN / "cell-segment", "unet", store, "-m", model, "-o", target, "-j", 2, "-q"]
    start = time.perf_counter()
    peak = peak_gb(command)
    took = time.perf_counter() - start
    yield Row("cell-segment unet on 20000 x 20000 px, two workers", peak, 3.0, "GB at most",
              f"{took:.0f} s, {SIDE * SIDE / 1e6 / took:.2f} Mpx/s")
    remove(target)


def _own_times(pairs: list[Path], model: Path) -> tuple[float, float]:
    """Processor seconds of the network and of the cells from true directions."""
    from libcell.train.segmentation.crops import NEAR_PX
    from libcell.train.segmentation.directions import NEAR_STEPS, directions

    params = _params(model)
    network = cells = 0.0
    for path in pairs:
        with np.load(path) as saved:
            image, labels = saved["image"], saved["labels"]
        ways, near = directions(labels)
        slow = np.minimum(near / (NEAR_STEPS * NEAR_PX), 1)
        cell = (labels > 0)[None]
        said = np.concatenate([cell, ways / 127 * slow])[:, None]
        maps = patches.quantised(said.astype(np.float32))
        for timed in (False, True):
            start = time.process_time()
            _network_only(image, params)
            middle = time.process_time()
            _cells(maps, params)
            end = time.process_time()
            if timed:
                network, cells = network + middle - start, cells + end - middle
    return network, cells


def _network_only(image: np.ndarray, params: NetworkParams) -> None:
    """Contrast and network; of drawn weights nothing is made."""
    from libcell.nn.segmenter import contrast
    from libcell.segment.network.model import load_network

    over = contrast.value_range(image)
    levels = contrast.levels(contrast.histogram(image, over), over, params.pmin, params.pmax,
                             params.invert)
    pixels = contrast.stretch(image, *levels)[None, None]
    network = patches.Runner(load_network(params.model, params.device), TURNS["none"])
    shape = (1, *image.shape)
    for y, x in patches.corners(shape):
        network.predict(lambda rows, columns: pixels[:, :, rows, columns], shape, y, x)


def _cells(maps: np.ndarray, params: NetworkParams) -> None:
    from libcell.segment.kernels.counting import count_roots, final_ids, relabel
    from libcell.segment.kernels.window import Box

    roots = roots_of(maps, Box.whole(maps.shape[1:]), params)[0]
    relabel(roots, final_ids(count_roots(roots, (0, 0), roots.shape), params))


def _params(model: Path) -> NetworkParams:
    from libcell.segment.unet import Options, parameters

    return parameters(Options(model=str(model)), "cpu")[0]


def _images(folder: Path, target: Path) -> list[Path]:
    """Grey images with their labels, the largest of the set, as npz files."""
    found = sorted((folder / "images").iterdir(), key=lambda p: (-p.stat().st_size, p.name))
    made = []
    for path in found[:IMAGES]:
        image = np.asarray(Pillow.open(path).convert("L"))
        labels = tifffile.imread(folder / "labels" / f"{path.stem}.tif")
        made.append(target / f"{path.stem}.npz")
        np.savez(made[-1], image=image, labels=labels)
    return made


def _model(place: Place) -> Path:
    """A network of the usual size, trained on simulated nuclei for a minute."""
    path = place.scratch / "unet-bench.model"
    if not path.exists():
        from tests.hand_made import write_images, write_labels

        fields = {f"f{s}": simulate_field(s, shape=(256, 256), n_cells=30) for s in range(4)}
        store, truth = (place.scratch / f"unet-bench{s}" for s in (".ome.zarr", ".labels.ome.zarr"))
        remove(store, truth)
        write_images(store, {g: f.image[:1][None, :, None] for g, f in fields.items()}, ("DNA",))
        write_labels(truth, {g: {"nuclei": f.nuclei[None, None]} for g, f in fields.items()})
        seconds([BIN / "cell-train", "segmenter", store, truth, "-o", path, "--epochs", 5,
                 "--crops", 120, "--batch", 4, "--size", 128, "--validation", 0, "--ema", 0.9,
                 "-q"])
    return path


def _large(place: Place) -> Path:
    """A field of SIDE x SIDE px: the same simulated nuclei over and over."""
    from libcell.data import image_store, images
    from libcell.data.image import About

    store = place.scratch / "unet-large.ome.zarr"
    if (store / "zarr.json").exists():
        return store
    remove(store)
    square = simulate_field(3, shape=(STEP, STEP), n_cells=350).image[0]
    about = About(where="", group="", name="large", shape=(1, 1, 1, SIDE, SIDE),
                  dtype=square.dtype, channels=("DNA",))
    levels = image_store.create(store, about)
    across = -(-images.SHARD // STEP) + 1
    wide = np.tile(square, (across, across))
    for y in range(0, SIDE, images.SHARD):
        for x in range(0, SIDE, images.SHARD):
            part = wide[y % STEP :, x % STEP :][: min(images.SHARD, SIDE - y),
                                               : min(images.SHARD, SIDE - x)]
            images.write_region(levels, 0, 0, y, x, part[None], mean=True)
    image_store.describe(store, about, [(0.0, 1.0)], {})
    image_store.seal(store, "large", [""], ["large"], {
        "command": "bench", "version": "0", "parameters": {}, "inputs": [], "seed": 0,
        "created": None})
    return store


def _cellpose(folder: Path) -> Path:
    """Python of an environment with Cellpose 3 in it, made if it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *CELLPOSE], check=True)
    return python
