"""One row per cell: what was measured of its nucleus, cell and cytoplasm side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.run.job import Job

PLACE = ("Metadata_Plate", "Metadata_Image", "Metadata_T", "Metadata_Label")


@dataclass(frozen=True)
class Options:
    """Whose rows stay, and what becomes of those without a partner."""

    to: Annotated[str | None, Opt("compartment whose rows and names stay [the first]")] = None
    lone: Annotated[str, Opt("objects that another compartment lacks; kept, they have missing "
                             "values there", choices=("drop", "keep"))] = "drop"


def run(job: Job, options: Options) -> None:
    """Rows of one compartment with the columns of the others, found by their label."""
    import numpy as np
    import pyarrow.compute as pc

    from libcell.errors import DataError

    table = job.inputs.table("features")
    names = pc.unique(table.column("Metadata_Compartment")).to_pylist()
    home = options.to or (names[0] if names else "")
    if home not in names or len(names) < 2:
        raise DataError(f"the table has rows of {', '.join(names) or 'nothing'}; expected two or "
                        f"more compartments{f', one of them {home}' if home else ''}")
    parts = {n: table.filter(pc.equal(table.column("Metadata_Compartment"), n)) for n in names}
    for name, part in parts.items():
        _require_once(name, part)
    own, others = parts.pop(home), parts
    made = own.select([c for c in own.column_names
                       if not any(c.startswith(_prefix(n)) for n in others)])
    whole = np.ones(own.num_rows, bool)
    for name, part in others.items():
        found = pc.index_in(_places(own), _places(part))
        whole &= np.asarray(found.is_valid())
        for column in part.column_names:
            if column.startswith(_prefix(name)):
                made = made.append_column(column, part.column(column).take(found))
    lone = int((~whole).sum())
    job.write_table("features", made if options.lone == "keep" else made.filter(whole),
                    compartments=names, lone=lone)


def _prefix(compartment: str) -> str:
    """How the columns of a compartment begin."""
    return f"{compartment[:1].upper()}{compartment[1:]}_"


def _places(table: pa.Table) -> pa.Array:
    """Plate, image, frame and label of each row in one text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = [pc.fill_null(pc.cast(table.column(c), pa.string()), "") for c in PLACE]
    return pc.binary_join_element_wise(*texts, ":").combine_chunks()


def _require_once(compartment: str, part: pa.Table) -> None:
    """DataError if a label is there twice in a frame."""
    import pyarrow.compute as pc

    from libcell.errors import DataError

    places = _places(part)
    if len(pc.unique(places)) < len(places):
        counts = pc.value_counts(places)
        twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))[0]
        raise DataError(f"{compartment}: {twice} is there twice (plate:image:frame:label)")


METHOD = Method(
    name="join",
    summary="One row per cell: what was measured of its nucleus, cell and cytoplasm.",
    run=run,
    options=Options,
    reads=("features",),
    writes="features",
    suffix=".parquet",
    example="cell-feat join compartments.parquet --to nuclei -o j.parquet\n"
            "cell-feat measure grown.labels.ome.zarr --images plate.ome.zarr -o - \\\n"
            "  | cell-feat join - -o j.parquet",
    streams=True,
)
