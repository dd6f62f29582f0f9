"""Feature families, one file each; the folder is the list.

A family is a module with

    NAME                   its file's name
    PER_CHANNEL            whether it looks at pixels, or at the mask alone
    columns() -> list      every `Column` it gives: name, unit, meaning
    measure(labels, image, index) -> dict of float64 (n,), in the order of `index.labels`

where `labels` is (Y,X) of integers, 0 for background, `image` (Y,X) of any real dtype or None,
and `index` is `ObjectIndex.of(labels)`, made once and shared. Names are CellProfiler's without
the compartment and without the channel; `column_name` puts them together. A value that is not
defined for an object is NaN; no object makes another's value change. Where the channel's name is
not the last part of a column's name, `{channel}` stands for it, as in
`Texture_Contrast_{channel}_3_00_256`.

A family that can be told something has SETTINGS, a dict of names and defaults, and takes them as
keywords: `columns(**settings)` and `measure(labels, image, index, **settings)`. The setting
`scales` of the family `texture` is `texture_scales` among the options of `cell-feat measure`.
Another package adds a family through the entry-point group `libcell.feat.families`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from libcell.errors import UsageFault
from libcell.feat._folder import Folder
from libcell.feat.families._column import Column
from libcell.feat.families._index import ObjectIndex

__all__ = ["Column", "ObjectIndex", "column_name", "load", "names", "require", "settings"]

FOLDER = Folder(__name__, __path__)


def names() -> list[str]:
    """All families, our own first; none is imported."""
    return FOLDER.names()


def require(wanted: Iterable[str]) -> None:
    """UsageFault that names every family which does not exist."""
    known = names()
    unknown = [n for n in wanted if n not in known]
    if unknown:
        listed = ", ".join(repr(n) for n in unknown)
        raise UsageFault(f"--families: no family {listed}; there are {', '.join(known)}")


def load(name: str) -> Any:
    """The module of a family; UsageFault where there is none. Our own cannot be replaced."""
    require([name])
    return FOLDER.load(name)


def column_name(compartment: str, feature: str, channel: str | None = None) -> str:
    """CellProfiler's name: `Nuclei_AreaShape_Area`, `Nuclei_Intensity_MeanIntensity_DNA`.

    The channel comes last, or where the feature's name has `{channel}`.
    """
    if channel is None:
        return f"{compartment}_{feature}"
    if "{channel}" in feature:
        return f"{compartment}_{feature.replace('{channel}', channel)}"
    return f"{compartment}_{feature}_{channel}"


def settings(family: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """What a family is told by options named `FAMILY_SETTING`; its defaults for the rest."""
    defaults: dict[str, Any] = getattr(family, "SETTINGS", {})
    return {k: options.get(f"{family.NAME}_{k}", v) for k, v in defaults.items()}
