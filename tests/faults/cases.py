"""One small call of each subcommand, on the inputs that `world` makes.

Cellpose and trackastra are left out: their packages are no part of the test extra.
"""

import shlex
from dataclasses import dataclass

from small_plate import PATTERN

RAW = f"'raw/*.tif' --pattern {PATTERN}"
LESSON = "--epochs 2 --batch 12 --size 24 --backbone test_resnet --no-baselines"
TOLD = "--target Metadata_Class --group Metadata_Plate"

MAIN = f"""
extract images {RAW} -o .ome.zarr
segment threshold p.ome.zarr -c DNA -o .labels.ome.zarr
align rounds p.ome.zarr --moving q.ome.zarr -c DNA -o .ome.zarr
crop cells n.labels.ome.zarr --images p.ome.zarr --size 16 -o .crops.zarr
feat measure n.labels.ome.zarr --images p.ome.zarr -o .parquet
train cnn k.crops.zarr {TOLD} {LESSON} --checkpoint-seconds 0 -o .model
track lap film.labels.ome.zarr -o .tracks
explain report p.ome.zarr n.labels.ome.zarr c.crops.zarr f.parquet f.model y.parquet -o .html
"""

MORE = """
extract classes pictures --index pictures/index.csv -o .crops.zarr
extract coco coco/coco.json --images coco -o .crops.zarr
extract ctc film.ctc -o .bundle
extract geff film.tracks/graph.geff --image '' -o .tracks
extract labels 'masks/*.tif' --like p.ome.zarr --pattern '{well}_mask.tif' -o .labels.ome.zarr
extract sequences series -o .crops.zarr
extract to-coco n.labels.ome.zarr -o .json
extract to-ctc film.tracks --labels film.labels.ome.zarr --as res -o ''
segment foreground p.ome.zarr -c DNA -o .labels.ome.zarr
segment grow n.labels.ome.zarr --distance 6 -o .labels.ome.zarr
segment instanseg p.ome.zarr -m instanseg.pt --trust instanseg.pt -c DNA -o .labels.ome.zarr
segment pair n.labels.ome.zarr --cells g.labels.ome.zarr -o .labels.ome.zarr
segment score n.labels.ome.zarr --truth n.labels.ome.zarr -o .parquet
segment stardist p.ome.zarr -m star -c DNA -o .labels.ome.zarr
segment threshold 'raw/A01_s0_DNA.tif' --tile 64 -o .labels.ome.zarr
segment unet p.ome.zarr -m seg.model -c DNA -o .labels.ome.zarr
align drift film.ome.zarr -o .ome.zarr
align stages stages.parquet -o .parquet
crop clusters n.labels.ome.zarr --images p.ome.zarr --channel DNA --size 16 -o .crops.zarr
crop sequences film.tracks --labels film.labels.ome.zarr --images film.ome.zarr --size 16
  -o .crops.zarr
feat aggregate f.parquet -o .parquet
feat embed k.crops.zarr -m k.model -o .parquet
feat gate f.parquet --gate 'big=Nuclei_AreaShape_Area>otsu' -o .bundle
feat join m.parquet -o .parquet
feat normalize f.parquet -o .parquet
feat select f.parquet -o .parquet
train compare y.parquet z.parquet --split all -o .parquet
train forest f.parquet --target Metadata_Condition --trees 10 -o .model
train mil bags.parquet --embeddings e.parquet --target Metadata_Class --group Metadata_Batch
  --leave-one-out --epochs 1 --passes 1 -o .model
train predict f.model f.parquet -o .parquet
train score y.parquet -o ''
train segmenter film.ome.zarr film.labels.ome.zarr --widths 4,8 --size 64 --epochs 2 --crops 8
  --batch 4 --checkpoint-seconds 0 -o .model
train sequence s.crops.zarr --stages Before,Bar,Two,After --epochs 1 --rotate 0
  --network-options width=4,hidden=8 -o .model
train ssl k.crops.zarr --backbone test_resnet --batch 32 --size 24 --epochs 1 --method dino
  --method-options answers=64,hidden=32,bottleneck=16,warm=1 --local-views 2 -o .model
train sweep k.crops.zarr --target Metadata_Class --backbones test_resnet --heads linear,mlp
  --epochs 1 --batch 24 --size 24 --no-baselines -o ''
train tracker film.ome.zarr film.labels.ome.zarr --tracks film.tracks --widths 4,8 --size 32
  --embedding 4 --epochs 2 --crops 4 --batch 2 --checkpoint-seconds 0 -o .model
track convert film.tracks -o .xml
track embed film.labels.ome.zarr --images film.ome.zarr --model track.model -o .tracks
track lineage film.tracks --images film.ome.zarr --labels film.labels.ome.zarr -o ''
track overlap film.labels.ome.zarr -o .tracks
track relabel film.tracks --labels film.labels.ome.zarr -o .labels.ome.zarr
track score film.tracks film.tracks -o .parquet
explain attention said -c b.crops.zarr --images b.ome.zarr -o .html
explain cam k.model k.crops.zarr --method gradcam --most 8 -o .explain.zarr
explain embed f.parquet --method pca -o .parquet
explain faithfulness k.explain.zarr -m k.model -c k.crops.zarr --steps 2 -o ''
explain importance f.parquet -m f.model -o .parquet
explain open A/01/0:t0:nuclei:1 c.crops.zarr --images p.ome.zarr --labels n.labels.ome.zarr
  -o .png
"""


@dataclass(frozen=True)
class Case:
    """A call: its command, arguments, and the output, below the bench's folder of outputs."""

    room: str
    args: tuple[str, ...]
    output: str
    main: bool

    @property
    def name(self) -> str:
        return f"{self.room} {self.args[0]}"


def _read(text: str, main: bool) -> list[Case]:
    found = []
    for line in text.replace("\n  ", " ").strip().splitlines():
        room, *args, _, suffix = shlex.split(line)
        shared = ("-j", "2", "--quiet")
        name = f"{room}-{args[0]}".replace(".", "")
        found.append(Case(room, (*args, *shared), f"out/{name}{suffix}", main))
    return found


ALL = _read(MAIN, True) + _read(MORE, False)


def chosen(names: list[str], every: bool) -> list[Case]:
    """The cases of `names` (a command, or a command and its method), else the main ones or all."""
    if names:
        return [c for c in ALL if c.room in names or c.name in names]
    return [c for c in ALL if c.main or every]
