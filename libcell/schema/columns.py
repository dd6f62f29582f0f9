"""Which columns of a feature table a classifier may look at.

Names are CellProfiler's: `Compartment_Family_Feature[_Channel...]`. Position in the field is no
biology, and where conditions are laid out in space it gives the answer away; so location is left
out unless asked for.
"""

import re
from collections.abc import Iterable, Sequence

from libcell.errors import DataError, UsageFault

# keys, and what other tables of ours would bring along in a join
NOT_FEATURES = re.compile(
    r"Metadata_.*|object_id|track_id|parent_track_id|target|predicted|split|p_.+"
)
LOCATION = re.compile(
    r"[^_]+_Location_.*"
    r"|[^_]+_AreaShape_Center_.*"
    r"|.*_BoundingBox(Minimum|Maximum)_.*"
    # objects' numbers run in raster order: position again
    r"|[^_]+_(Number_Object_Number|Parent_.*|Neighbors_.*ObjectNumber_.*)"
    r"|[yxz][01]?|touches_border"  # from the objects table
)
ORIENTATION = re.compile(r".*_Orientation")
INTENSITY = re.compile(r"[^_]+_Intensity_[^_]+_(?P<channel>.+)")


def choose_columns(
    names: Sequence[str],
    *,
    compartments: Sequence[str] | None = None,
    families: Sequence[str] | None = None,
    channels: Sequence[str] | None = None,
    all_channels: Sequence[str] | None = None,
    location: bool = False,
    orientation: bool = False,
) -> list[str]:
    """The feature columns among `names`, in their order; the caller passes numeric columns.

    `compartments` and `families` keep names with that first and second part. `channels` drops
    every name that mentions another channel, so `Correlation_DNA_RNA` is not in a selection of
    DNA; names without a channel (shape) stay, choose families to drop them. Channels are those
    of `all_channels`, by default `channels_in(names)`. `location` and `orientation` keep what
    is otherwise left out. Asking for something that no column has is an error.
    """
    features = [name for name in names if not NOT_FEATURES.fullmatch(name)]
    known = list(all_channels) if all_channels is not None else channels_in(features)
    _check_known("compartment", compartments, _parts(features, 0))
    _check_known("family", families, _parts(features, 1))
    _check_known("channel", channels, known)
    kept = []
    for name in features:
        part = [*name.split("_", 2), "", ""]
        if (
            (location or not LOCATION.fullmatch(name))
            and (orientation or not ORIENTATION.fullmatch(name))
            and (compartments is None or part[0] in compartments)
            and (families is None or part[1] in families)
            and (channels is None or mentioned_channels(name, known) <= set(channels))
        ):
            kept.append(name)
    if not kept:
        raise DataError(
            f"none of {len(names)} columns is left as a feature ({len(features)} before the "
            "filters on compartment, family, channel and location); choose less narrowly"
        )
    return kept


def channels_in(names: Iterable[str]) -> list[str]:
    """Channel names, sorted, read off the intensity columns (`Nuclei_Intensity_Mean_<DNA>`)."""
    found = (INTENSITY.fullmatch(name) for name in names)
    return sorted({match["channel"] for match in found if match})


def mentioned_channels(name: str, channels: Iterable[str]) -> set[str]:
    """Those of `channels` that `name` speaks of; the longest wins (`DNA_2` is not also `DNA`)."""
    rest = "_" + "_".join(name.split("_")[2:]) + "_"
    found = set()
    for channel in sorted(channels, key=len, reverse=True):
        if f"_{channel}_" in rest:
            found.add(channel)
            rest = rest.replace(f"_{channel}_", "__")
            rest = rest.replace(f"_{channel}_", "__")  # neighbours share an underscore
    return found


def column_groups(names: Sequence[str], by: str) -> dict[str, list[int]]:
    """Positions in `names` grouped by "compartment", "family" or "channel", for importance.

    A column that mentions two channels is in both groups; one without is in "no channel".
    """
    if by not in ("compartment", "family", "channel"):
        raise UsageFault(f"columns cannot be grouped by {by!r}; use compartment, family or channel")
    known = channels_in(names)
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        parts = [*name.split("_", 2), ""]
        keys = {"compartment": [parts[0]], "family": [parts[1] or parts[0]]}.get(by)
        for key in keys or sorted(mentioned_channels(name, known)) or ["no channel"]:
            groups.setdefault(key, []).append(index)
    return dict(sorted(groups.items()))


def _parts(names: Iterable[str], place: int) -> list[str]:
    """The distinct compartments (place 0) or families (1) among names of three parts or more."""
    split = (name.split("_", 2) for name in names)
    return sorted({parts[place] for parts in split if len(parts) == 3})


def _check_known(what: str, asked: Sequence[str] | None, known: Sequence[str]) -> None:
    unknown = sorted(set(asked or ()) - set(known))
    if unknown:
        listed = ", ".join(known) or "none"
        raise UsageFault(f"no column has {what} {', '.join(unknown)}; there is {listed}")
