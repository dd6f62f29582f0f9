"""timm and torchvision beside a build of torch that torchvision was not compiled for.

torchvision's compiled part does not load beside a CPU build of torch from another index, and its
Python part, which timm imports, then stops at two operators whose schemas it cannot find. Nothing
here calls them (they are for detection), so to declare them is enough.
"""

import importlib
import sys
from typing import Any

MISSING = "operator torchvision::nms does not exist"
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []  # a library's schemas live as long as it does


def load() -> None:
    """Import torchvision; where just the operators above are missing, declare them first."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if MISSING not in str(error):
            raise
        import torch

        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # half imported
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in SCHEMAS:
            library.define(schema)
        _declared.append(library)
        importlib.import_module("torchvision")
