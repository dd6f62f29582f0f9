"""The pipeline as a user types it, step by step, in a folder of its own for each size."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One command: its `line`, what it `makes`, and the `fewest` fields that it makes sense for.

    Memory of a command that `holds` its whole table grows with the rows; of all others it must
    not grow with the number of fields. `files` is how many files and folders a field may cost.
    """

    name: str
    line: str
    makes: str
    fewest: int = 1
    holds: bool = False
    files: float = 0.1

    @property
    def command(self) -> str:
        """e.g. cell-feat measure."""
        return " ".join(self.line.split()[:2])


LEARNABLE = 10  # wells of which two conditions can be parted into training and test

PLATE = (
    Step("images", "cell-extract images 'raw/*/*.tif' --pattern {plate}/{well}_{channel}.tif "
         "--layout raw/layout.csv -o x.ome.zarr", "x.ome.zarr", files=18),
    Step("nuclei", "cell-segment threshold x.ome.zarr -c DNA -o n.labels.ome.zarr",
         "n.labels.ome.zarr", files=18),
    Step("features", "cell-feat measure n.labels.ome.zarr --images x.ome.zarr -o f.parquet",
         "f.parquet"),
    Step("crops", "cell-crop cells n.labels.ome.zarr --images x.ome.zarr --size 32 "
         "--table f.parquet -o c.crops.zarr", "c.crops.zarr", holds=True),
    Step("embeddings", "cell-feat embed c.crops.zarr --backbone lcnet_050 --untrained --size 32 "
         "--device cpu -o e.parquet", "e.parquet"),
    Step("network", "cell-train cnn c.crops.zarr --target Metadata_Compound --backbone lcnet_050 "
         "--size 32 --epochs 1 --no-baselines --device cpu -o net.model", "net.model", LEARNABLE,
         holds=True, files=1),
    Step("asked", "cell-train predict c.crops.zarr -m net.model --device cpu -o pn.parquet",
         "pn.parquet", LEARNABLE, holds=True),
)

FILM = (
    Step("films", "cell-extract images 'raw/*/*.tif' --pattern {plate}/{well}_t{t}_{channel}.tif "
         "-o x.ome.zarr", "x.ome.zarr", files=25),
    Step("film nuclei", "cell-segment threshold x.ome.zarr -o n.labels.ome.zarr",
         "n.labels.ome.zarr", files=28),
    Step("tracks", "cell-track lap n.labels.ome.zarr -o t.tracks", "t.tracks", holds=True),
    Step("sequences", "cell-crop sequences t.tracks --labels n.labels.ome.zarr --images x.ome.zarr "
         "--size 32 -o s.crops.zarr", "s.crops.zarr", holds=True),
    Step("by track", "cell-track relabel t.tracks --labels n.labels.ome.zarr "
         "-o r.labels.ome.zarr", "r.labels.ome.zarr", files=28, holds=True),
    Step("compared", "cell-track score t.tracks --truth t.tracks -o ts.parquet", "ts.parquet",
         holds=True),
)

TABLE = (
    Step("scaled", "cell-feat normalize f.parquet --scale robust-z -o z.parquet", "z.parquet",
         LEARNABLE, holds=True),
    Step("chosen", "cell-feat select z.parquet -o s.parquet", "s.parquet", LEARNABLE, holds=True),
    Step("profiles", "cell-feat aggregate s.parquet -o w.parquet", "w.parquet", LEARNABLE,
         holds=True),
    Step("forest", "cell-train forest s.parquet --target Metadata_Compound --trees 30 -o c.model",
         "c.model", LEARNABLE, holds=True),
    Step("answers", "cell-train predict s.parquet -m c.model -o p.parquet", "p.parquet", LEARNABLE,
         holds=True),
    Step("scores", "cell-train score p.parquet -o score", "score", LEARNABLE, holds=True),
    Step("importance", "cell-explain importance s.parquet -m c.model -o i.parquet", "i.parquet",
         LEARNABLE, holds=True),
    Step("plane", "cell-explain embed s.parquet --colour Metadata_Compound -o plane.bundle",
         "plane.bundle", LEARNABLE, holds=True),
    Step("report", "cell-explain report s.parquet c.model p.parquet score i.parquet plane.bundle "
         "-o r.html", "r.html", LEARNABLE, holds=True),
)

STORES = (
    Step("whole report", "cell-explain report x.ome.zarr n.labels.ome.zarr c.crops.zarr s.parquet "
         "c.model p.parquet score i.parquet plane.bundle -o all.html", "all.html", LEARNABLE,
         holds=True),
)
