"""Labels and group names as integers."""

import numpy as np
from numpy.typing import ArrayLike

from libcell.errors import DataError


def codes(values: ArrayLike, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct names (m,) and for each row its place among them, int64 (n,).

    `values` (n,) are strings or integers. A missing one (None, NaN, empty string) is an error:
    rows without a label or a group cannot be placed. `what` names them in the message.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise DataError(f"{what} has shape {array.shape}; expected one value per row, shape (n,)")
    if array.dtype.kind == "O":
        missing = np.array([value is None or value != value for value in array], bool)
    elif array.dtype.kind == "f":
        missing = np.isnan(array)
    else:
        missing = np.zeros(len(array), bool)
    if array.dtype.kind in "OU":
        array = np.where(missing, "", array).astype(str)
        missing |= array == ""
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(
            f"{what} is missing in {int(missing.sum())} row(s), first row {row}; "
            "drop these rows or fill them in"
        )
    names, index = np.unique(array, return_inverse=True)
    return names, index.astype(np.int64)


def same_length(**columns: np.ndarray) -> int:
    """The common length of `columns`; an error where they differ or there are no rows."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"columns of different length: {listed}; expected one value per row each")
    n_rows = next(iter(lengths.values()))
    if n_rows == 0:
        raise DataError(f"no rows in {', '.join(lengths)}; there is nothing to work on")
    return n_rows
