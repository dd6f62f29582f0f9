"""Parts of the table from the workers, put together; what the user should know is said once."""

from typing import Any

from libcell.data import tables
from libcell.data.output import write_file
from libcell.data.weights import Weights
from libcell.errors import OutputExists
from libcell.feat.embedding.rows import Recipe, embed_block
from libcell.run.blocks import Block
from libcell.run.job import Job

KIND = "embeddings"


def require_same_weights(job: Job, weights: Weights) -> None:
    """A run that is continued must go on with the weights that it began with."""
    note = job.parts / "weights.sha256"
    if note.exists() and note.read_text() != weights.digest:
        assert job.output
        raise OutputExists(f"{job.output.path}: the unfinished run there had other weights; "
                           "use --force to start over")
    write_file(note, weights.digest.encode())


def write(job: Job, blocks: list[Block], recipe: Recipe, weights: Weights | None) -> None:
    """Embed `blocks`, and publish their rows as one table (or stream them to standard output)."""
    provenance = provenance_of(job, recipe, weights)
    parts, undefined, total, schema = [], 0, 0, None
    pictures = recipe.pictures
    for _, done in job.map("embed", embed_block, blocks):
        parts.append(job.parts / done["part"])
        undefined, total = undefined + done["undefined"], total + done["rows"]
        if done["pictures"] < pictures:
            pictures = done["pictures"]
            job.reporter.warn(f"out of memory on {recipe.device}: {pictures} pictures go through "
                              "the network at once")
        if job.sink:
            table = tables.read_part(parts[-1])
            schema = schema or tables.stamp(table.slice(0, 0), KIND, provenance).schema
            job.sink(tables.conform(table, schema))
            parts.pop().unlink()
    job.settle()
    if undefined:
        job.reporter.warn(f"{undefined} of {total} crops hold NaN or infinite pixels; their "
                          "embeddings are NaN")
    if not job.sink:
        _publish(job, [tables.read_part(p) for p in parts], provenance, recipe)


def _publish(job: Job, parts: list[Any], provenance: dict[str, Any], recipe: Recipe) -> None:
    rows = tables.write_parts(job.root, parts, tables.unify(parts), KIND, provenance)
    dimensions = sum(name.startswith("emb_") for name in parts[0].column_names)
    job.publish(KIND, rows, dimensions=dimensions, network=recipe.network.backbone,
                weights=recipe.network.origin)


def provenance_of(job: Job, recipe: Recipe, weights: Weights | None) -> dict[str, Any]:
    """As of every table, and what the network was and saw."""
    made = job.provenance()
    if weights:
        made["inputs"].append(weights.mark | {"role": "weights"})
    sees = recipe.sight
    return made | {"network": {
        "backbone": recipe.network.backbone, "weights": recipe.network.origin,
        "channels": list(sees.channels), "channels_as": "separate" if sees.separate else "stacked",
        "region": sees.region, "normalisation": sees.normalisation["kind"],
        "window_px": list(sees.window_px), "size_px": list(sees.size_px)}}
