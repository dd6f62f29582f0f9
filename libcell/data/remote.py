"""Inputs in object storage: `s3://bucket/plate.ome.zarr`, or any URL that fsspec knows.

A URL is stood for by a path in a temporary folder of this run. A file is fetched whole, and so is
what lies at the root of a store (metadata, tables); pixels stay where they are and are read chunk
by chunk. So all that reads a store finds a folder, and `libcell.data.images.open_root` alone knows
that its chunks are elsewhere.
"""

import contextlib
import functools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from libcell.errors import CellError, MissingInput, PartlyDone, Unavailable, UsageFault, short

FOLDER = "libcell-remote-"  # how the temporary folder's name begins: by it a stand-in is known
NOTE = ".remote.json"  # in the stand-in of a store
UPLOADING = ".uploading"  # object of a store that `libcell.data.upload` has not finished
ROOTS = ("zarr.json", ".zgroup", "model.json")
LAZY = ("image", "labels", "crops")  # stores whose chunks are read where they are
# a record in a pipe may name a URL, and must not have this machine ask any other (http://)
SCHEMES = ("s3", "gs", "gcs", "az", "abfs", "abfss", "file")
PATIENT = {"connect_timeout": 10, "read_timeout": 30,
           "retries": {"mode": "standard", "max_attempts": 3}}
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_STAND_IN = re.compile(rf"[^\s'\"]*/{FOLDER}[^/\s]+/([a-z0-9+.-]+)/")

_folder: Path | None = None


def is_url(text: object) -> bool:
    return bool(_URL.match(str(text)))


def local(text: str) -> Path:
    """The path that stands for `text`, fetched if it is a URL.

    MissingInput if nothing is there; Unavailable if it cannot be reached.
    """
    return _fetched(text.rstrip("/")) if is_url(text) else Path(text)


def matches(text: str) -> list[str]:
    """The URLs that a pattern with * or ? stands for."""
    system, key = filesystem(text)
    with reaching(text):
        return [system.unstrip_protocol(found) for found in system.glob(key)]


def forget() -> None:
    """Remove what was fetched."""
    global _folder
    if _folder:
        shutil.rmtree(_folder, ignore_errors=True)
        _fetched.cache_clear()
        _folder = None


def told(text: str) -> str:
    """A message with URLs where it names their stand-ins."""
    return _STAND_IN.sub(r"\1://", text) if FOLDER in text else text


def store(path: Path) -> Any:
    """The zarr store whose chunks are elsewhere, None if a path stands for none."""
    return _opened(url) if (url := _note(path)) else None


def is_elsewhere(path: Path) -> bool:
    """Whether a store's chunks are not below its path."""
    return _note(path) is not None


def listing(path: Path) -> list[tuple[str, int]] | None:
    """Names and sizes of all files of a store that is elsewhere."""
    url = _note(path)
    if url is None:
        return None
    system, key = filesystem(url)
    with reaching(url):
        return sorted((_below(name, key), int(about["size"]))
                      for name, about in system.find(key, detail=True).items())


def seal(path: Path) -> str | None:
    """What tells whether a store that is elsewhere is still the same: its root's own mark."""
    url = _note(path)
    if url is None:
        return None
    system, key = filesystem(url)
    with reaching(url, PartlyDone):
        known = {Path(about["name"]).name: about for about in system.ls(key, detail=True)}
    found = [known[name] for name in ROOTS if name in known]
    return _mark(found[0]) if found else "missing"


def relative(place: str, other: str) -> str | None:
    """The way from the store `other` to the store at `place`, both URLs; None across buckets."""
    one, two = (text.split("/", 3) for text in (place, other))
    same = len(one) == len(two) == 4 and one[:3] == two[:3]
    return os.path.relpath(f"/{one[3]}", f"/{two[3]}") if same else None


# -- reaching it ------------------------------------------------------------------------------


def filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the key there."""
    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise UsageFault(f"{url}: {scheme}:// is no object storage that libcell reads "
                         f"({', '.join(SCHEMES)}); a file is given by its path")
    try:
        from fsspec.core import url_to_fs

        system, key = url_to_fs(url, **_options(url))
    except ImportError as error:
        raise Unavailable(f"{url}: {scheme}:// needs another package ({short(error)}); for s3://: "
                          "pip install 'libcell[s3]'") from error
    except ValueError as error:
        raise UsageFault(f"{url}: {short(error)}") from error
    return system, str(key).rstrip("/")


def _options(url: str) -> dict[str, Any]:
    """Times and tries with bounds; what the user says in fsspec's configuration goes before."""
    if not url.lower().startswith("s3://"):
        return {}
    return {"config_kwargs": PATIENT, "use_listings_cache": False}


@contextlib.contextmanager
def reaching(url: str, lost: type[CellError] = Unavailable) -> Iterator[None]:
    """What goes wrong on the way to `url`, in one line: as MissingInput, or as `lost`."""
    try:
        yield
    except CellError:
        raise
    except FileNotFoundError as error:
        raise MissingInput(f"{url}: not found") from error
    except PermissionError as error:
        raise MissingInput(f"{url}: permission denied (see the credentials)") from error
    except Exception as error:
        more = ", then --resume" if lost is PartlyDone else ""
        raise lost(f"{url}: cannot be reached ({short(error)}); see to it{more}") from error


# -- stand-ins --------------------------------------------------------------------------------


@functools.cache
def _fetched(url: str) -> Path:
    global _folder
    system, key = filesystem(url)
    if _folder is None:
        _folder = Path(tempfile.mkdtemp(prefix=FOLDER))
    scheme, _, rest = url.partition("://")
    with reaching(url):
        target = _inside(_folder / scheme.lower(), rest.lstrip("/"))
        if system.isdir(key):
            _fetch_folder(system, key, url, target)
        else:
            _fetch(system, system.info(key), key, target)
    return target


def _fetch_folder(system: Any, key: str, url: str, target: Path) -> None:
    """The root of a store whose chunks can be read elsewhere; of any other folder, all."""
    files = {_below(about["name"], key): about for about in system.ls(key, detail=True)
             if about["type"] == "file"}
    if UPLOADING in files and not any(name in files for name in ROOTS):
        raise MissingInput(f"{url}: its upload was not finished")
    for name, about in files.items():
        if name not in ("", UPLOADING):
            _fetch(system, about, f"{key}/{name}", _inside(target, name))
    if _is_lazy(target):
        (target / NOTE).write_text(json.dumps(url))
        return
    for name, about in system.find(key, detail=True).items():
        if _below(name, key) not in files:
            _fetch(system, about, name, _inside(target, _below(name, key)))


def _is_lazy(target: Path) -> bool:
    """Whether what is at the root says that the rest is chunks of images."""
    if (target / ".zgroup").exists():
        return True
    try:
        attributes = json.loads((target / "zarr.json").read_bytes())["attributes"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    kind = str(attributes.get("schema", "image")).partition("/")[0]
    return kind in LAZY


def _fetch(system: Any, about: dict[str, Any], key: str, target: Path) -> None:
    """One file, with the time of its last change there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    system.get_file(key, str(target))
    if target.stat().st_size != about["size"]:
        raise OSError(f"{target.stat().st_size} bytes came of {about['size']}")
    changed = about.get("LastModified") or about.get("mtime") or 0
    seconds = changed.timestamp() if hasattr(changed, "timestamp") else float(changed)
    os.utime(target, (seconds, seconds))


def _below(name: str, key: str) -> str:
    return name.removeprefix(key).lstrip("/")


def _inside(folder: Path, name: str) -> Path:
    """A key may hold `..`, a folder must not."""
    if ".." in PurePosixPath(name).parts:
        raise UsageFault(f"{name}: a name with .. is not read")
    return folder / name


def _note(path: Path) -> str | None:
    """The URL of a store that a path stands for."""
    if FOLDER not in str(path):
        return None
    try:
        return str(json.loads((path / NOTE).read_text()))
    except OSError:
        return None


def _mark(about: dict[str, Any]) -> str:
    known = (about.get(k) for k in ("ETag", "size", "LastModified", "mtime"))
    return "remote:" + " ".join(str(k) for k in known if k is not None)


@functools.lru_cache(maxsize=16)
def _opened(url: str) -> Any:
    from zarr.storage import FsspecStore

    class Store(FsspecStore):
        """A chunk that cannot be had ends the run; one that is not there is the fill value."""

        async def get(self, key: str, *args: Any, **more: Any) -> Any:
            with reaching(f"{url}/{key}", PartlyDone):
                return await super().get(key, *args, **more)

    return Store.from_url(url, storage_options=_options(url), read_only=True)
