"""The stores: what stands in the attributes of a zarr root, in a model card, in a bundle."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from libcell.schema.records import Provenance

DIGEST = r"^[a-z0-9-]+:[0-9a-f]{16,}$"


class Store(BaseModel):
    """What every root carries."""

    model_config = ConfigDict(extra="allow")

    schema_: str = Field(alias="schema", pattern=r"^[a-z]+/\d+$")
    provenance: Provenance


class GroupedStore(Store):
    """A store with one group per field of view."""

    groups: list[str] = Field(
        description="every field of view, in order; '' is the root itself"
    )
    digest: str = Field(pattern=DIGEST, description="seals the pixels: sha256 over all groups")


class Image(GroupedStore):
    """Image store: OME-Zarr 0.5, axes t,c,z,y,x, native dtype."""

    schema_: Literal["image/1"] = Field(alias="schema")
    ome: dict[str, Any] = Field(description="OME-NGFF 0.5: multiscales, plate or collection")


class Labels(GroupedStore):
    """Label store: the groups of its image, uint32, 0 background, one image per compartment.

    The label image of group `B/03/0` and compartment `nuclei` is `B/03/0/labels/nuclei`.
    """

    schema_: Literal["labels/1"] = Field(alias="schema")
    ome: dict[str, Any] = Field(description="OME-NGFF 0.5: a `labels` group that lists them all")
    compartments: list[str] = Field(min_length=1)


class Crops(Store):
    """Crop store: `crops` (N,C,H,W) native dtype, `masks` (N,H,W) bool, `index.parquet`.

    `masks` show the object that a crop was cut around. The masks of a further compartment (the
    cell around a nucleus) are an array of the same shape, `masks_NAME`.
    """

    schema_: Literal["crops/1"] = Field(alias="schema")
    n: int = Field(ge=0)
    channels: list[str] = Field(min_length=1)
    compartment: str = Field(description="what the crops are centred on, and `masks` show")
    further_masks: list[str] = Field(
        default_factory=list, description="further compartments: `masks_NAME` for each"
    )
    size_px: tuple[int, int] = Field(description="height, width")
    pixel_size_um: tuple[float, float] | None = Field(None, description="y, x")


class Explain(Store):
    """Explanation store: `maps` (N,H,W) float16 and `index.parquet` (explanations/1), in one order.

    A map has the pixels of its crop, is 0 where the network did not look, and lies within -1 and
    1; times `peak` of its row it is what the method gave.
    """

    schema_: Literal["explain/1"] = Field(alias="schema")
    n: int = Field(ge=0)
    method: str = Field(min_length=1, description="gradcam, ig, ...")
    options: dict[str, Any] = Field(description="the method's own, all of them")
    layer: str | None = Field(description="layer of the network whose maps were taken, if any")
    grid: tuple[int, int] | None = Field(
        None, description="rows and columns of that layer's map: how fine it can be")
    size_px: tuple[int, int] = Field(description="height, width")
    classes: list[str] = Field(min_length=2, description="the model's")


class Tracks(Store):
    """Track store: `tracks.parquet` (links/1) and `graph.geff`, the same as a graph."""

    schema_: Literal["tracks/1"] = Field(alias="schema")
    n_tracks: int = Field(ge=0)
    n_divisions: int = Field(ge=0)
    images: list[str] = Field(description="fields of view that were tracked")


# px; strict, for a card is used as it was read
Edge = Annotated[int, Field(gt=0, le=65_536, strict=True)]


class InputContract(BaseModel):
    """What a model wants to be fed."""

    model_config = ConfigDict(extra="allow")

    kind: Literal["features", "crops", "images", "embeddings", "sequences", "bags"]
    columns: list[str] | None = Field(None, description="feature columns, in order")
    channels: list[str] | None = None
    window_px: tuple[Edge, Edge] | None = Field(None, description="of a crop: height, width")
    size_px: tuple[Edge, Edge] | None = Field(
        None, description="what the window is scaled to: height, width")
    mask_channel: Annotated[bool, Field(strict=True)] | None = Field(
        None, description="the object's mask is one more channel")


class Model(Store):
    """Model card, `model.json` beside `model.safetensors`."""

    schema_: Literal["model/1"] = Field(alias="schema")
    architecture: str = Field(description="e.g. random-forest")
    classes: Annotated[list[str], Field(min_length=2)] | Annotated[
        list[str], Field(max_length=0)] = Field(description="none: a backbone alone was learnt")
    target: str = Field(description="column the model learned; empty where there was none")
    input: InputContract
    training_data: str = Field(pattern=DIGEST, description="digest of the table or store")
    split: dict[str, Any] = Field(description="group column, groups per part, audit")
    metrics: dict[str, Any] = Field(description="figures on the held-out parts")
    seed: int


STORES: dict[str, type[Store]] = {
    "image": Image,
    "labels": Labels,
    "crops": Crops,
    "explain": Explain,
    "tracks": Tracks,
    "model": Model,
}

BUNDLE: dict[str, tuple[str, ...]] = {
    # fixed names inside a bundle, and what may lie there
    "image.ome.zarr": ("image",),
    "labels.ome.zarr": ("labels",),
    "crops.crops.zarr": ("crops",),
    "true.tracks": ("tracks",),
    "predicted.tracks": ("tracks",),
    "layout.parquet": ("layout",),
    "objects.parquet": ("objects",),
    "features.parquet": ("features",),
    "gates.parquet": ("gates",),
    "scores.parquet": ("scores",),
    "predictions.parquet": ("predictions",),
    "attention.parquet": ("bags",),
    "planes.parquet": ("planes",),
    "importances.parquet": ("importances",),
    "contributions.parquet": ("contributions",),
    "transforms.parquet": ("transforms",),
}
