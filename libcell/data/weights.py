"""Weights of other people's networks: by path, or by name from a cache folder. Never fetched here.

A name stands for one file, `FAMILY/FILE` in the cache folder (`LIBCELL_MODELS`). Its digest is
checked before each use: against the published one where that is known, else against the one that
the first use wrote beside it (`FILE.sha256`, as `sha256sum -c` reads it). A file that is not there
is an error with the command that gets it, and no other file takes its place.
"""

import os
import sys
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libcell.data import digests
from libcell.data.output import write_file
from libcell.errors import DataError, Unavailable, reading

VARIABLE = "LIBCELL_MODELS"
LARGEST = 2**33  # bytes of a file of a model
SETTINGS = 2**24  # bytes of one that is JSON or YAML


@dataclass(frozen=True)
class Known:
    """A published file: what users call it, its own name, its address, and its SHA-256 if that is
    known."""

    name: str
    file: str
    url: str
    sha256: str = ""


@dataclass(frozen=True)
class Weights:
    """A file that was found: where it lies, and its digest (`sha256:...`)."""

    path: Path
    digest: str

    @property
    def mark(self) -> dict[str, Any]:
        """What provenance says of it."""
        return {"role": "model", "schema": None, "digest": self.digest}


_CELLPOSE = "https://www.cellpose.org/models"  # as cellpose 3.1 has it
_CELLPOSE_4 = "https://huggingface.co/mouseland/cellpose-sam/resolve/main"  # as cellpose 4 has it
_STARDIST = "https://github.com/stardist/stardist-models/releases/download/v0.1"  # as stardist 0.9
_TRACKASTRA = "https://github.com/weigertlab/trackastra-models/releases/download"  # as 0.5 has it
_INSTANSEG = "https://github.com/instanseg/instanseg/releases/download"  # as instanseg-torch 0.1


def _listed(address: str, *files: tuple[str, ...]) -> dict[str, Known]:
    """By name, from (name, file, SHA-256 where it is known)."""
    return {f[0]: Known(f[0], f[1], f"{address}/{f[1]}", *f[2:]) for f in files}


def _same(*names: str) -> list[tuple[str, str]]:
    return [(name, name) for name in names]


# cellpose states no SHA-256; the ones here are what independent users of these files report
KNOWN: dict[str, dict[str, Known]] = {
    "cellpose": _listed(
        _CELLPOSE,
        ("cyto3", "cyto3", "2dc3087a8abd7da46d1ab0ddd5824639933cc3ff63b382af3fa1939a392db93c"),
        ("nuclei", "nucleitorch_0"), ("cyto2", "cyto2torch_0"), ("cyto", "cytotorch_0"),
        *_same("cyto2_cp3", "tissuenet_cp3", "livecell_cp3", "yeast_PhC_cp3", "yeast_BF_cp3",
               "bact_phase_cp3", "bact_fluor_cp3", "deepbacs_cp3"),
    ) | _listed(
        _CELLPOSE_4,
        ("cpsam", "cpsam", "e1440429eb384f95afe32bcba6510f90d518eaedc917ede549bed6804004abe2"),
        ("cpsam_v2", "cpsam_v2",
         "0f1cc3f7ecdd8a037a57c6c48d9d8921391be4cbce3fa9f13c3e3a2e1253c667"),
    ),
    "stardist": _listed(
        _STARDIST,
        ("2D_versatile_fluo", "python_2D_versatile_fluo.zip",
         "4ad678d0758eed6e55625f1b5ae30771e59adb79f1239e09b9772eac8846c3dd"),
        ("2D_versatile_he", "python_2D_versatile_he.zip",
         "f1696ef0631bd7e1c0e5c0d3017e2b4c6a95e284c6aab9c22fc2f08317817b28"),
        ("2D_paper_dsb2018", "python_2D_paper_dsb2018.zip",
         "4c11cf68512341d9e8ce3d1278c64ceb8ac400582739f85fcab079a2e82840d2"),
        ("2D_demo", "python_2D_demo.zip",
         "a1efaebd7103db6236655bf158b6e21cf5b38d58ec77a509802244a89a260fa4"),
    ),
    "instanseg": _listed(
        f"{_INSTANSEG}/instanseg_models_v0.1.1",
        ("brightfield_nuclei", "brightfield_nuclei.zip"),
        ("fluorescence_nuclei_and_cells", "fluorescence_nuclei_and_cells.zip"),
    ) | _listed(
        f"{_INSTANSEG}/instanseg_models_v0.1.2",
        ("single_channel_nuclei", "single_channel_nuclei.zip"),
    ),
    "trackastra": _listed(
        f"{_TRACKASTRA}/v0.3.0", ("general_2d", "general_2d.zip"), ("ctc", "ctc.zip"),
    ),
}


def cache() -> Path:
    """Where weights are kept by name. Unavailable if nothing says where that could be."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    try:
        home = Path.home()
    except RuntimeError as error:
        raise Unavailable(f"no folder for weights: there is no home; set {VARIABLE}") from error
    if sys.platform == "darwin":
        base = home / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "libcell" / "models"


def find(wanted: str, family: str) -> Weights:
    """The weights that `wanted` means to networks of one family, their digest checked.

    A known name means the cache folder, anything else a path (write `./nuclei` for a file that
    is called like a known name). Unavailable where there is none, DataError where the content is
    not what it was.
    """
    known = KNOWN[family].get(wanted)
    if known:
        return cached(known, family)
    if Path(wanted).exists():
        return given(Path(wanted))
    raise Unavailable(f"{wanted}: there is no such file, nor a known network of that name; "
                      f"known to {family} are {', '.join(KNOWN[family])}")


def given(path: Path) -> Weights:
    """Weights by path; the digest of a folder is that of the names and contents of its files."""
    if path.is_file():
        return Weights(path.absolute(), digests.of_file(path))
    content = [[p.relative_to(path).as_posix(), digests.of_file(p)]
               for p in sorted(path.rglob("*")) if p.is_file()]
    return Weights(path.absolute(), digests.of_json(content))


def command(known: Known, path: Path) -> str:
    """The shell command that gets a file which is not there."""
    return f"mkdir -p '{path.parent}' && curl -fL -o '{path}' {known.url}"


def cached(known: Known, family: str) -> Weights:
    """A published file from the cache folder, its digest checked; Unavailable or DataError."""
    path = cache() / family / known.file
    if not path.is_file():
        raise Unavailable(f"the weights {known.name} are not at {path}; get them with: "
                          f"{command(known, path)}")
    found = digests.of_file(path)
    note = path.with_name(f"{path.name}.sha256")
    expected, source = known.sha256, known.url
    if not expected and note.exists():
        expected, source = note.read_text(errors="replace").partition(" ")[0].strip(), str(note)
    if expected and found != f"sha256:{expected}":
        raise DataError(f"{path}: is not the file that it was: {found}, expected {expected} "
                        f"(of {source}); remove it and get it again")
    if not expected and os.access(path.parent, os.W_OK):
        write_file(note, f"{found.removeprefix('sha256:')}  {path.name}\n".encode())
    return Weights(path, found)


def load_tensors(path: Path, trusted: str | None = None) -> dict[str, Any]:
    """A checkpoint that torch saved: tensors by name, on the CPU.

    Only tensors are unpickled. DataError for a file that needs more, unless `trusted` is its name:
    then its code runs.
    """
    import torch

    content = unpickled(path, trusted == path.name, f"unless you trust whoever made it and say so "
                        f"(--trust {path.name})")
    if not isinstance(content, dict) or not all(
            isinstance(k, str) and torch.is_tensor(v) for k, v in content.items()):
        raise DataError(f"{path}: is no table of tensors by name (a state dict)")
    return dict(content)


def unpickled(path: Path, trusted: bool, remedy: str) -> Any:
    """What torch saved: tensors and plain values, or whatever it is if `trusted`. DataError, for
    code besides tensors with the remedy in it."""
    import torch

    try:
        with warnings.catch_warnings():  # about protocols of pickle that it may refuse next
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=not trusted)
    except MemoryError as error:  # a damaged length, most likely, and never of ours
        raise DataError(f"{path}: asks for more memory than there is; is it whole?") from error
    except Exception as error:
        if "Unsupported" in str(error):  # so torch says that there is more than tensors
            raise DataError(f"{path}: holds code besides tensors, which is not run "
                            f"{remedy}") from error
        raise DataError(f"{path}: not a checkpoint of torch ({type(error).__name__})") from error


def members(path: Path) -> dict[str, str]:
    """The files of a model that is a folder or a zip: where each lies in it, by its bare name."""
    if path.is_dir():
        inside = [p.relative_to(path).as_posix() for p in sorted(path.rglob("*")) if p.is_file()]
    else:
        with _opened(path) as archive:
            inside = sorted(n for n in archive.namelist() if not n.endswith("/"))
        # what leads out of the model is no file of it
        inside = [n for n in inside if ".." not in n.split("/") and not n.startswith("/")]
    return {name.rpartition("/")[2]: name for name in inside}


def read_member(path: Path, name: str, most: int = LARGEST) -> bytes:
    """One file of a model that is a folder or a zip. DataError if it is not there, or is of more
    than `most` bytes."""
    place = members(path).get(name)
    if place is None:
        raise DataError(f"{path}: holds no {name}")
    with reading(f"{path}/{place}"):
        if path.is_dir():
            _require_size(path / place, (path / place).stat().st_size, most)
            return (path / place).read_bytes()
        with _opened(path) as archive:
            _require_size(path / place, archive.getinfo(place).file_size, most)
            return archive.read(place)


def _require_size(place: Path, size: int, most: int) -> None:
    if size > most:
        raise DataError(f"{place}: is of {size} bytes; more than {most} are not read")


def _opened(path: Path) -> zipfile.ZipFile:
    with reading(path, "neither a folder nor a readable zip"):
        return zipfile.ZipFile(path)
