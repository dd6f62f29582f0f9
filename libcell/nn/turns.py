"""Pictures turned by quarters and mirrored: what a network says of all of them, on average, does
not depend on how a cell lies under the microscope."""

from torch import Tensor

Turn = tuple[int, bool]  # quarter turns, then whether it is mirrored
TURNS: dict[str, tuple[Turn, ...]] = {
    "none": ((0, False),),
    "flips": ((0, False), (2, False), (0, True), (2, True)),
    "all": tuple((k, m) for m in (False, True) for k in range(4)),
}


def turned(image: Tensor, turn: Turn) -> Tensor:
    """(...,Y,X) turned by quarters, then mirrored left to right; (...,X,Y) after odd quarters."""
    quarters, mirrored = turn
    image = image.rot90(quarters, (-2, -1)) if quarters else image  # by nothing it would copy
    return image.flip(-1) if mirrored else image
