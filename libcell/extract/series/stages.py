"""Stages of a sequence's frames, as two published data sets write them.

Zhong et al. 2012: `<sequence>_ManualStages.txt`, a comma list of 1..6. LiveCellMiner
(Moreno-Andrés et al. 2022): `<sequence>_Synchronization.csv`, whose first line is a semicolon
list of 1..3; 2 begins where interphase ends, 3 where anaphase begins.
"""

from dataclasses import dataclass
from pathlib import Path

from libcell.errors import DataError


@dataclass(frozen=True)
class Layout:
    """How one data set names things."""

    name: str
    suffix: str  # of the file with the stages
    separator: str
    stages: tuple[str, ...]  # of the numbers from 1
    mask_renamed: bool  # `Raw` becomes `Mask` in the file's name as in the folder's


LAYOUTS = {
    layout.name: layout for layout in (
        Layout("zhong", "_ManualStages.txt", ",",
               ("Interphase", "Prophase", "Prometaphase", "Metaphase", "Anaphase", "Telophase"),
               mask_renamed=False),
        Layout("livecellminer", "_Synchronization.csv", ";",
               ("Interphase", "EarlyMitosis", "LateMitosis"), mask_renamed=True),
    )
}


def read_stages(path: Path, layout: Layout) -> list[int]:
    """Numbers of the stages, from 1, one a frame. DataError where the file holds anything else."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    lines = text.strip().splitlines()
    # a further line of a Synchronization.csv is something else; a comma list may be wrapped
    whole = layout.separator.join(lines if layout.separator == "," else lines[:1])
    words = [w.strip() for w in whole.split(layout.separator) if w.strip()]
    strange = [w for w in words if w not in map(str, range(1, len(layout.stages) + 1))]
    if strange or not words:
        found = f"{len(strange)} of {len(words)} are none, e.g. {strange[0]!r}" if strange else \
            "it is empty"
        raise DataError(f"{path}: expected a {layout.separator!r} list of stages 1 to "
                        f"{len(layout.stages)}; {found}")
    return [int(w) for w in words]


def returned(stages: list[int], after: int | None) -> list[int]:
    """Stages with 1 again from `after` frames past the first of stage 3.

    The published training draws `after` anew from 15..22 for every sequence, so that its labels
    differ from run to run; here it is one number, or the file's stages stay as they are.
    """
    if after is None or 3 not in stages:
        return stages
    cut = stages.index(3) + after
    return [1 if i >= cut else stage for i, stage in enumerate(stages)]
