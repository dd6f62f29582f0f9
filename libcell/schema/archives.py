"""Zip files: what they may unpack to. A few kilobytes can say that they are gigabytes."""

import zipfile
from pathlib import Path

from libcell.errors import DataError, reading

LARGEST = 2**30  # bytes of one member that is packed


def require_moderate(path: Path, most: int = LARGEST, what: str = "zip") -> None:
    """DataError where a packed member of a zip unpacks to more than `most` bytes, or the file is no
    zip; `what` is the user's word for it. A member that says too little is cut there by Python."""
    with reading(path, f"not a readable {what}"), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED and member.file_size > most:
                raise DataError(f"{path}: {member.filename[:80]} unpacks to {member.file_size} "
                                f"bytes; more than {most} are not read")
