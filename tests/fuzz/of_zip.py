"""Zip files whose members lie about their names, sizes and contents."""

import io
import random
import struct
import warnings
import zipfile
from collections.abc import Callable

NAMES = ("../MARK", "../../MARK", "/MARK", "..\\MARK", "a/../../MARK", "\u202egnp", "", ".",
         "x" * 300, "zarr.json", "con", "a\x00b")
Inner = Callable[[str, bytes, random.Random], tuple[bytes, str]]


def mutate(content: bytes, rng: random.Random, inner: Inner) -> tuple[bytes, str]:
    """One change to an archive; `inner(name, content, rng)` changes a member. BadZipFile where it
    is none."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(i, archive.read(i)) for i in archive.infolist()]
    kind = rng.choice(("inside", "inside", "inside", "name", "twice", "delete", "link", "packed",
                       "encrypted", "size", "crc", "offset", "comment", "folder"))
    at = rng.randrange(len(members)) if members else 0
    if not members:
        return content, "nothing"
    info, held = members[at]
    said = f"{kind} of {info.filename}"
    if kind == "inside":
        held, what = inner(info.filename, held, rng)
        members[at] = (info, held)
        said = f"{info.filename}: {what}"
    elif kind in ("name", "twice"):
        new = info.filename if kind == "twice" else rng.choice(NAMES)
        extra = [(_named(info, new), held[::-1] if kind == "twice" else held)]
        members = members + extra if kind == "twice" else [
            *members[:at], *extra, *members[at + 1 :]]
    elif kind == "delete":
        del members[at]
    elif kind == "link":
        info.external_attr = 0o120777 << 16
        members[at] = (info, b"../../MARK")
    elif kind == "packed":
        packing = rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        for one, _ in members:
            one.compress_type = packing
    elif kind == "folder":
        members[at] = (_named(info, f"{info.filename}/"), b"")
    made = _write(members)
    return _lied(made, kind, rng), said


def _named(info: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo("x", info.date_time)
    made.filename, made.compress_type, made.external_attr = name, info.compress_type, 0o644 << 16
    return made


def _write(members: list[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    sink = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(sink, "w") as archive:
        warnings.simplefilter("ignore")  # a name twice, on purpose
        for info, held in members:
            archive.writestr(info, held)
    return sink.getvalue()


def _lied(content: bytes, kind: str, rng: random.Random) -> bytes:
    """One field of one central record made a lie."""
    places = {"encrypted": (8, "<H", (1, 9)), "size": (rng.choice((20, 24)), "<I", (
        0, 1, 2**31, 2**32 - 2, 2**32 - 1)), "crc": (16, "<I", (0, 7)),
        "offset": (42, "<I", (0, 5, 2**31, 2**32 - 1)), "comment": (32, "<H", (1, 65535))}
    if kind not in places:
        return content
    at, form, values = places[kind]
    found, start = [], content.find(b"PK\x01\x02")
    while start >= 0:
        found.append(start)
        start = content.find(b"PK\x01\x02", start + 4)
    if not found:
        return content
    made = bytearray(content)
    struct.pack_into(form, made, rng.choice(found) + at, rng.choice(values))
    return bytes(made)
