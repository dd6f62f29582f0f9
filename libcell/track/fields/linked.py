"""Tables `links` of tracked fields of view, and the store that they are joined to."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import objects, tables, tracks
from libcell.run.job import Job
from libcell.track.kernels.movie import Linked

ROWS = 65_536


def table_of(
    linked: Linked, keys: dict[str, Any], compartment: str, spacing: Sequence[float]
) -> pa.Table:
    """Table `links` of one field of view; positions in px of each axis.

    The cost of what was found stands in the table's own metadata.
    """
    axes = "zyx"[3 - linked.centres.shape[1] :]
    places = linked.centres / np.array(spacing)[3 - len(axes) :]
    ends = np.searchsorted(linked.t, np.unique(linked.t))
    parts = []
    for begin, end in zip(ends, [*ends[1:], linked.t.size]):
        rows = slice(begin, end)
        columns = objects.key_columns(keys, int(linked.t[begin]), compartment, linked.label[rows])
        columns |= {"track_id": linked.track[rows], "parent_track_id": linked.parent[rows],
                    **{a: places[rows, i] for i, a in reversed(list(enumerate(axes)))},
                    "score": pa.array(linked.score[rows], from_pandas=True),
                    "division": linked.division[rows]}
        parts.append(tables.from_columns("links", columns))
    made = pa.concat_tables(parts, promote_options="permissive") if parts else _empty(keys, axes)
    return made.replace_schema_metadata({"objective": json.dumps(linked.objective),
                                         "merges": json.dumps(linked.merges)})


def _empty(keys: dict[str, Any], axes: str) -> pa.Table:
    nothing = np.zeros(0)
    columns = objects.key_columns(keys, 0, "", np.zeros(0, np.int64)) | {
        "track_id": nothing, "parent_track_id": nothing, **dict.fromkeys(reversed(axes), nothing),
        "score": pa.nulls(0, pa.float64()), "division": np.zeros(0, bool)}
    return tables.from_columns("links", columns)


def publish(job: Job, files: list[Path], inputs: list[dict[str, Any]] | None = None) -> None:
    """Join the fields' tables to the track store that the job makes.

    `inputs` are provenance's marks of what was read, where it is more than the job's own inputs.
    """
    parts = [tables.read_part(f) for f in files]
    costs, merges = ([json.loads((p.schema.metadata or {}).get(n, b"0")) for p in parts]
                     for n in (b"objective", b"merges"))
    schema = tables.unify(parts).remove_metadata()
    table = pa.concat_tables([tables.conform(p, schema) for p in parts])
    graph = tracks.write(job.root, table, job.provenance(inputs))
    more = {"objective": round(sum(costs), 3)} if any(costs) else {}
    more |= {"merges": sum(merges)} if any(merges) else {}
    job.publish("tracks", table.num_rows, tracks=graph.tracks, divisions=graph.divisions, **more)
