"""trackastra's network trained from nothing on some frames of a challenge folder.

    python trackastra_scratch.py bacteria_trpL 01 26 OUT --minutes 10

Runs in an environment with trackastra (0.5) in it, and needs nothing of libcell: network, features
and augmentations are trackastra's own, the loss is what its training script minimises (cross
entropy of the associations, raw and normalised over the causal dimension). OUT is a folder as
`Trackastra.from_folder` and `cell-track trackastra -m OUT` read it. `--minutes 0`: untrained.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import tifffile
import torch
import yaml
from trackastra.data.wrfeat import (
    WRAugmentationPipeline,
    WRFeatures,
    WRRandomAffine,
    WRRandomBrightness,
    WRRandomFlip,
    WRRandomOffset,
)
from trackastra.model import TrackingTransformer
from trackastra.utils import normalize

WINDOW, REACH = 4, 2  # frames seen together; frames over which associations are learnt
CONFIG = {"coord_dim": 2, "feat_dim": 7, "d_model": 128, "nhead": 4, "num_encoder_layers": 3,
          "num_decoder_layers": 3, "dropout": 0.05, "window": WINDOW, "spatial_pos_cutoff": 256,
          "pos_embed_per_dim": 32, "feat_embed_per_dim": 8}


def features(root: Path, sequence: str, frames: int) -> list[WRFeatures]:
    """One per frame; labels are the truth's track ids."""
    images = sorted((root / sequence).glob("*.tif"))[:frames]
    masks = sorted((root / f"{sequence}_GT" / "TRA").glob("*.tif"))[:frames]
    return [WRFeatures.from_mask_img(tifffile.imread(m)[None].astype(np.int32),
                                     normalize(tifffile.imread(i))[None], t_start=t)
            for t, (i, m) in enumerate(zip(images, masks))]


def ancestors(root: Path, sequence: str) -> dict[int, set[int]]:
    """Every track's own number and those of all before it."""
    rows = np.loadtxt(root / f"{sequence}_GT" / "TRA" / "man_track.txt", dtype=int, ndmin=2)
    parent = {int(r[0]): int(r[3]) for r in rows}
    found = {}
    for track in parent:
        line, k = set(), track
        while k:
            line.add(k)
            k = parent[k]
        found[track] = line
    return found


def associations(window: WRFeatures, lines: dict[int, set[int]]) -> np.ndarray:
    """(n, n) float32: 1 where one object becomes the other, in either order."""
    n = len(window.labels)
    made = np.zeros((n, n), np.float32)
    for i, a in enumerate(window.labels.tolist()):
        for j, b in enumerate(window.labels.tolist()):
            made[i, j] = a in lines[b] or b in lines[a]
    return made


def loss_of(model: TrackingTransformer, window: WRFeatures, truth: torch.Tensor) -> torch.Tensor:
    """As in trackastra's training; links count where they go forward by `REACH` at most."""
    t = torch.from_numpy(window.timepoints).long()[None]
    coords = torch.cat([t[..., None].float(), torch.from_numpy(window.coords)[None].float()], dim=2)
    given = torch.from_numpy(window.features_stacked)[None].float()
    raw = model(coords, features=given)
    later = t[:, None, :] - t[:, :, None]
    counted = (later > 0) & (later <= REACH)
    heavy = 1 + 4 * (truth.sum(dim=1, keepdim=True) > 4)  # rows about divisions
    plain = torch.nn.functional.binary_cross_entropy_with_logits(raw, truth, reduction="none")
    soft = model.normalize_output(raw, t, coords).clamp(1e-6, 1 - 1e-6)
    causal = torch.nn.functional.binary_cross_entropy(soft, truth, reduction="none")
    return ((0.01 * plain + causal) * heavy)[counted].mean()


def main() -> None:
    """Train for so many minutes and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("sequence")
    parser.add_argument("frames", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    given = parser.parse_args()
    torch.manual_seed(0)
    np.random.seed(0)
    torch.set_num_threads(1)
    model = TrackingTransformer(**CONFIG)
    seen = features(given.root, given.sequence, given.frames)
    lines = ancestors(given.root, given.sequence)
    windows = [WRFeatures.concat(seen[t : t + WINDOW]) for t in range(len(seen) - WINDOW + 1)]
    truths = [torch.from_numpy(associations(w, lines))[None] for w in windows]
    change = WRAugmentationPipeline([
        WRRandomFlip(p=0.5), WRRandomAffine(p=0.8, degrees=180, scale=(0.5, 2), shear=(0.1, 0.1)),
        WRRandomBrightness(p=0.8), WRRandomOffset(p=0.8, offset=(-3, 3))])
    learn = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=1e-5)
    start, step, shown, rng = time.time(), 0, [], np.random.default_rng(0)
    while (gone := (time.time() - start) / 60) < given.minutes:
        for group in learn.param_groups:
            group["lr"] = 3e-4 * min(1, (step + 1) / 200) * (1 - gone / given.minutes) ** 0.9
        k = int(rng.integers(len(windows)))
        loss = loss_of(model, change(windows[k]), truths[k])
        learn.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        learn.step()
        shown.append(loss.item())
        step += 1
        if step % 500 == 0:
            print(f"{gone:.1f} min, step {step}, loss {np.mean(shown[-500:]):.5f}", flush=True)
    model.save(given.out)
    (given.out / "train_config.yaml").write_text(yaml.safe_dump({"features": "wrfeat"}))
    print(f"{step} steps, {sum(p.numel() for p in model.parameters())} parameters")


if __name__ == "__main__":
    main()
