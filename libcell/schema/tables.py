"""The tables, one row model each.

A model's fields are the columns that must be there; `open_columns` names, by regular
expression, the further columns that have a meaning. Any other column rides along unread.
Positions are in pixels, y and x at pixel centres from 0; physical units are in the column name.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class Arrow:
    """The Arrow type of a column, where it is narrower than the Python type says."""

    def __init__(self, name: str):
        self.name = name


Label = Annotated[int, Arrow("uint32"), Field(ge=1)]
Frame = Annotated[int, Arrow("int32"), Field(ge=0)]
Count = Annotated[int, Arrow("int64"), Field(ge=0)]
Pixel = Annotated[int, Arrow("int32")]
Probability = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]

OpenColumns = dict[str, tuple[str, str]]
METADATA: OpenColumns = {
    r"^Metadata_\w": ("any", "layout, batch, donor, dose: the user's own, carried along"),
}


class Table(BaseModel):
    """Base of all row models."""

    model_config = ConfigDict(extra="allow")

    open_columns: ClassVar[OpenColumns] = METADATA
    unique: ClassVar[tuple[str, ...]] = ()


class Keyed(Table):
    """Rows about single objects: the keys that lead back to pixels."""

    unique: ClassVar[tuple[str, ...]] = ("object_id",)

    object_id: Text = Field(description="`image:t:compartment:label`, unique in the data set")
    Metadata_Plate: str | None = Field(description="plate name")
    Metadata_Well: str | None = Field(description="well, e.g. B03")
    Metadata_Site: str | None = Field(description="field of view within the well")
    Metadata_Image: Text = Field(description="field of view: its group in the image store")
    Metadata_T: Frame = Field(description="frame, from 0")
    Metadata_Label: Label = Field(description="value in the label image")
    Metadata_Compartment: Text = Field(description="label image's name: nuclei, cells, cytoplasm")


class Objects(Keyed):
    """Where each object is. A crop store's index is this table, in the order of its crops."""

    y: float = Field(description="centroid, px")
    x: float = Field(description="centroid, px")
    y0: Pixel = Field(description="bounding box, first row")
    x0: Pixel = Field(description="bounding box, first column")
    y1: Pixel = Field(description="bounding box, one past the last row")
    x1: Pixel = Field(description="bounding box, one past the last column")
    area_px: Count = Field(description="pixels (voxels) in the mask")
    touches_border: bool = Field(description="cut by the edge of the image")


class Features(Keyed):
    """Measurements per object, named as CellProfiler names them; NaN where undefined."""

    open_columns: ClassVar[OpenColumns] = {
        **METADATA,
        r"^[A-Z][A-Za-z0-9]*_[A-Z][A-Za-z0-9]*_\w": (
            "number",
            "Compartment_Family_Feature[_Channel], e.g. Nuclei_AreaShape_Area",
        ),
    }


class Embeddings(Keyed):
    """A vector per object, one column per dimension."""

    emb_0000: float | None = Field(description="first dimension")
    open_columns: ClassVar[OpenColumns] = {**METADATA, r"^emb_\d{4,}$": ("number", "a dimension")}


class Profiles(Table):
    """A row per well, or whatever else objects were put together by: their median or mean."""

    open_columns: ClassVar[OpenColumns] = {
        **Features.open_columns, r"^emb_\d{4,}$": ("number", "a dimension of an embedding")}

    Metadata_Plate: str | None = Field(description="plate name")
    Metadata_Well: str | None = Field(description="well, null where rows are not wells")
    Metadata_Object_Count: Count = Field(description="objects that the row rests on")


class Predictions(Keyed):
    """A model's class for each object, with a probability per class."""

    target: str | None = Field(description="the known class, null where there is none")
    predicted: Text = Field(description="the class with the highest probability")
    split: Literal["train", "validation", "test", "new"] = Field(
        description="which part of the model's own split the object was in; new: none"
    )
    open_columns: ClassVar[OpenColumns] = {
        **METADATA,
        r"^p_.+": ("probability", "probability of the class named after p_"),
        r"^baseline_\w": ("any", "class that a baseline kept in the model sees"),
    }


class Gates(Table):
    """Thresholds that give an object its ground-truth class; the table can be replayed."""

    gate: Text = Field(description="class that passing this gate speaks for")
    feature: Text = Field(description="column of the feature table")
    operator: Literal[">", "<"]
    threshold: float
    method: Text = Field(description="manual, otsu, mixture or controls")
    group: str | None = Field(description="plate or batch that it holds for; null: all")


class Layout(Table):
    """What is in which well."""

    unique: ClassVar[tuple[str, ...]] = ("Metadata_Plate", "Metadata_Well")

    Metadata_Plate: str | None
    Metadata_Well: Text


class Scores(Table):
    """Figures of merit, one row per metric (and class, group, split)."""

    metric: Text
    value: float | None
    low: float | None = Field(description="lower end of the 95 % interval, null if none")
    high: float | None = Field(description="upper end of the 95 % interval, null if none")
    n: Count = Field(description="objects the figure rests on")
    split: str | None
    label: str | None = Field(description="class, for per-class figures")
    group: str | None = Field(description="group, for per-group figures")


class Curves(Table):
    """What a training went through: one figure of one part after one epoch per row."""

    unique: ClassVar[tuple[str, ...]] = ("epoch", "part", "metric")

    epoch: int = Field(ge=1)
    step: Count = Field(description="steps of the optimiser so far")
    part: Text = Field(description="train or validation")
    metric: Text
    value: float | None


class Importances(Table):
    """What a model's score loses when a group of columns is shuffled."""

    group: Text = Field(description="family and channel, or column")
    importance: float = Field(description="mean loss of the score")
    sd: float | None
    columns: Count = Field(description="columns in the group")
    score: Text = Field(description="the score that is lost, e.g. balanced_accuracy")


class Contributions(Table):
    """What each column adds to a model's score for single objects (SHAP values)."""

    unique: ClassVar[tuple[str, ...]] = ("object_id", "label", "column")

    object_id: Text
    label: Text = Field(description="class whose score it is")
    column: Text = Field(description="column of the table that the model reads")
    value: float | None = Field(description="the object's value there")
    contribution: float = Field(description="added to the class's score, in log-odds")


class Planes(Keyed):
    """Where each object lies on a plane that a table of many columns was laid on."""

    plane_1: float = Field(description="first axis; no unit")
    plane_2: float = Field(description="second axis")
    open_columns: ClassVar[OpenColumns] = {
        **METADATA,
        r"^(target|predicted|split)$": ("any", "as in predictions, to colour by"),
    }


class Explanations(Keyed):
    """What the maps of an explanation store are of, one row each, in their order."""

    unique: ClassVar[tuple[str, ...]] = ("object_id", "explained", "channel")

    crop: Count = Field(description="row of the crop store")
    explained: Text = Field(description="class that the map speaks for")
    channel: str | None = Field(description="channel that the map is of; null: all together")
    probability: Probability = Field(description="of that class, as the model says")
    predicted: Text = Field(description="the class with the highest probability")
    target: str | None = Field(description="the known class, null where there is none")
    method: Text
    layer: str | None = Field(description="layer whose maps were taken, null if none")
    peak: float = Field(description="what 1 in the map stands for")


class Neurons(Table):
    """How active each neuron of a connectome head is, one row per class and neuron."""

    unique: ClassVar[tuple[str, ...]] = ("explained", "neuron")

    explained: Text = Field(description="class of the crops")
    neuron: Text
    role: Literal["sensory", "inter", "motor"]
    activity: float | None = Field(description="root mean square of its state, mean over crops; "
                                   "null where nothing reaches it")
    sd: float | None = Field(description="over crops")
    selectivity: float | None = Field(description="how far its mean state on these crops lies from "
                                      "that on all, as a part of its activity")
    relevance: float | None = Field(description="of neurons that the readout sees: state times "
                                    "the gradient of the class's score, mean over crops")
    n: Count = Field(description="crops")


class Transforms(Table):
    """How one image was moved onto another: (dy, dx) is added to the moving image's positions,
    after the matrix if there is one."""

    unique: ClassVar[tuple[str, ...]] = ("Metadata_Image", "Metadata_T")
    open_columns: ClassVar[OpenColumns] = {
        **METADATA,
        r"^applied_d[yx]$": ("number", "of a film: px by which the frame was moved, also where it "
                             "does not match and stays at the last good shift"),
        r"^matrix_[yx][yx]$": ("number", "of a rotation or affine map: matrix_yx is how much of a "
                               "moving position's x enters the y on the reference"),
        r"^rotation_deg$": ("number", "of such a map, counter-clockwise on the screen"),
        r"^dz$": ("number", "of stacks: whole planes, added to the moving plane's number"),
    }

    Metadata_Image: Text
    Metadata_T: Frame
    dy: float | None = Field(description="px; null where the pair does not match")
    dx: float | None = Field(description="px; null where the pair does not match")
    quality: float | None = Field(description="how far the match stands out; see cell-align")
    correlation_before: float | None
    correlation_after: float | None
    matched: bool
    reason: str | None = Field(description="why a pair does not match")


class Links(Table):
    """Tracks, flat: one row per object and frame."""

    unique: ClassVar[tuple[str, ...]] = ("Metadata_Image", "object_id")
    open_columns: ClassVar[OpenColumns] = {
        **METADATA,
        r"^z$": ("number", "centroid, plane"),
        r"^division$": ("any", "whether the object divides before the next frame"),
    }

    object_id: Text
    Metadata_Image: Text
    Metadata_T: Frame
    Metadata_Label: Label
    track_id: Label = Field(description="from 1, unique within an image")
    parent_track_id: Count = Field(description="track that divided into this one; 0: none")
    y: float = Field(description="centroid, px")
    x: float = Field(description="centroid, px")
    score: float | None = Field(description="of the link to the frame before; null at a start")


class Bags(Table):
    """Which crops form one bag, for multiple-instance learning."""

    unique: ClassVar[tuple[str, ...]] = ("bag_id", "position")
    open_columns: ClassVar[OpenColumns] = {
        **METADATA,
        r"^attention$": ("number", "how much the crop counted for what a model says of the bag; "
                         "1 in all in each bag"),
    }

    bag_id: Text
    object_id: Text
    position: Count = Field(description="order within the bag")


class Sequences(Table):
    """Which crops form one track's sequence, in time order."""

    unique: ClassVar[tuple[str, ...]] = ("sequence_id", "position")
    open_columns: ClassVar[OpenColumns] = {
        **METADATA,
        r"^track_id$": ("number", "track of the object, null in a gap; its mother's track where "
                                  "the sequence begins before the division"),
        r"^parent_sequence_id$": ("any", "sequence of the mother, null where there is none"),
        r"^gap$": ("any", "whether the track has no object in this frame"),
    }

    sequence_id: Text
    object_id: str | None = Field(description="null where the track has a gap")
    Metadata_T: Frame
    position: Count


class Omissions(Table):
    """What a source holds that the output goes without, one row each, and why."""

    source: Text = Field(description="file that holds it")
    item: Text = Field(description="its name there, e.g. the annotation's id")
    Metadata_Image: str | None = Field(description="field of view, null where it has none")
    reason: Text


TABLES: dict[str, type[Table]] = {
    "objects": Objects,
    "features": Features,
    "embeddings": Embeddings,
    "profiles": Profiles,
    "predictions": Predictions,
    "gates": Gates,
    "layout": Layout,
    "scores": Scores,
    "curves": Curves,
    "importances": Importances,
    "explanations": Explanations,
    "neurons": Neurons,
    "contributions": Contributions,
    "planes": Planes,
    "transforms": Transforms,
    "links": Links,
    "bags": Bags,
    "sequences": Sequences,
    "omissions": Omissions,
}
