"""Schema names: `features/1` is the table `features`, major version 1."""

from libcell.errors import DataError

LONGEST = 9  # digits of a version
FILES = "files"  # what other programs write and read
MAJOR = {
    # tables
    "objects": 1,
    "features": 1,
    "embeddings": 1,
    "profiles": 1,
    "predictions": 1,
    "gates": 1,
    "layout": 1,
    "scores": 1,
    "curves": 1,
    "importances": 1,
    "explanations": 1,
    "neurons": 1,
    "contributions": 1,
    "planes": 1,
    "transforms": 1,
    "links": 1,
    "bags": 1,
    "sequences": 1,
    "omissions": 1,
    # stores, folders, pages
    "image": 1,
    "labels": 1,
    "crops": 1,
    "explain": 1,
    "tracks": 1,
    "model": 1,
    "bundle": 1,
    "report": 1,
    # lines between commands
    "record": 1,
}


def tag(name: str) -> str:
    """The schema string that goes into a file, e.g. `features/1`."""
    return f"{name}/{MAJOR[name]}"


def shown(name: str) -> str:
    """The schema string of one of our kinds; `files` for foreign ones, which have none."""
    return name if name == FILES else tag(name)


def split_tag(text: object) -> tuple[str, int]:
    """Name and major version of a schema string; DataError if it is not one."""
    name, _, major = str(text).partition("/")
    first = major.split(".")[0]
    if not name or not (first.isascii() and first.isdigit()) or len(first) > LONGEST:
        raise DataError(f"{str(text)[:80]!r} is not a schema string such as 'features/1'")
    return name, int(major.split(".")[0])


def require(text: object, *names: str, where: str) -> str:
    """Check that `text` is one of `names` at a major version we read; return the name."""
    wanted = " or ".join(tag(n) for n in names)
    if text is None:
        raise DataError(f"{where}: has no schema mark; expected {wanted}")
    name, major = split_tag(text)
    if name not in names:
        raise DataError(f"{where}: is {name}/{major}; expected {wanted}")
    if major != MAJOR[name]:
        raise DataError(f"{where}: is {name}/{major}; this version of libcell reads {tag(name)}")
    return name
