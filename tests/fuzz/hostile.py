"""Inputs that someone made on purpose: pickles, bombs, paths that lead out. Recipes, no files."""

import gzip
import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MANY = 10_000_000  # characters
HUGE = 3_900_000_000  # bytes, more than a case may have


@dataclass(frozen=True)
class Recipe:
    """What is done to a seed (the door's first, or the one that is named)."""

    make: Callable[[Path], None]
    seed: str = ""


class Code:
    """Unpickling it makes a folder that the sandbox looks for."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("MARK",)


def _edit(path: Path, change: Callable[[Any], Any]) -> None:
    value = json.loads(path.read_text())
    made = change(value)
    path.write_text(json.dumps(value if made is None else made))


def _array(tree: Path) -> Path:
    """The metadata of some array below a tree, in either format."""
    found = [p for p in sorted(tree.rglob("zarr.json")) if '"array"' in p.read_text()]
    return (found or sorted(tree.rglob(".zarray")))[0]


def _chunks(tree: Path) -> list[Path]:
    folder = _array(tree).parent
    return [p for p in sorted(folder.rglob("*")) if p.is_file()
            and not p.name.startswith((".", "zarr.json"))]


# -- pickles -----------------------------------------------------------------------------------


def pickle_bare(tree: Path) -> None:
    _first(tree).write_bytes(pickle.dumps({"a": Code()}))


def pickle_of_torch(tree: Path) -> None:
    import torch

    torch.save({"a": Code()}, _first(tree))


def pickle_of_torch_old(tree: Path) -> None:
    import torch

    torch.save({"a": Code()}, _first(tree), _use_new_zipfile_serialization=False)


def pickle_of_joblib(tree: Path) -> None:
    import joblib

    joblib.dump({"a": Code()}, _first(tree))


def pickle_of_numpy(tree: Path) -> None:
    sink = io.BytesIO()
    np.save(sink, np.array([Code()], object), allow_pickle=True)
    _first(tree).write_bytes(sink.getvalue())


def pickle_in_model_folder(tree: Path) -> None:
    """Under every name that a program might look for."""
    folder = next(p for p in tree.iterdir() if p.is_dir() and p.name != "keep")
    for name in ("model.safetensors", "model.pkl", "model.joblib", "model.txt", "model.pt",
                 "calibration.safetensors"):
        if name.endswith((".pkl", ".joblib", ".pt")) or (folder / name).exists():
            (folder / name).write_bytes(pickle.dumps(Code()))


def pickle_in_old_zarr(tree: Path) -> None:
    """A filter of numcodecs that unpickles what a chunk holds."""
    path = sorted(tree.rglob(".zarray"))[0]
    _edit(path, lambda v: v | {"dtype": "|O", "filters": [{"id": "pickle", "protocol": 5}],
                               "fill_value": 0})
    about = json.loads(path.read_text())
    import numcodecs

    packed = pickle.dumps([Code()])
    if about["compressor"]:
        packed = numcodecs.get_codec(about["compressor"]).encode(packed)
    for chunk in _chunks_old(path):
        chunk.write_bytes(packed)


def pickle_as_old_compressor(tree: Path) -> None:
    path = sorted(tree.rglob(".zarray"))[0]
    _edit(path, lambda v: v | {"compressor": {"id": "pickle", "protocol": 5}})
    for chunk in _chunks_old(path):
        chunk.write_bytes(pickle.dumps(Code()))


def _chunks_old(path: Path) -> list[Path]:
    return [p for p in path.parent.rglob("*") if p.is_file() and not p.name.startswith(".")]


def pickle_as_arrow_type(tree: Path) -> None:
    """An extension type of pyarrow's that old versions unpickled."""
    import pyarrow as pa
    import pyarrow.ipc
    import pyarrow.parquet as pq

    path = next(p for p in tree.rglob("*") if p.is_file())
    table = pq.read_table(io.BytesIO(path.read_bytes()))
    name = table.column_names[-1]
    told = {"ARROW:extension:name": "arrow.py_extension_type",
            "ARROW:extension:metadata": pickle.dumps(Code())}
    at = len(table.schema) - 1
    schema = table.schema.set(at, pa.field(name, table.schema.field(at).type, metadata=told))
    table = table.cast(schema)
    if path.name == "stdin":
        with pyarrow.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    else:
        pq.write_table(table, path)


def yaml_of_objects(tree: Path) -> None:
    for path in tree.rglob("*.yaml"):
        path.write_text("a: !!python/object/apply:os.mkdir [MARK]\n")


def yaml_that_unfolds(tree: Path) -> None:
    """References to references: ten to the ninth items."""
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    for path in tree.rglob("*.yaml"):
        path.write_text("\n".join(rows) + "\n")


def _first(tree: Path) -> Path:
    return next(p for p in sorted(tree.iterdir()) if p.is_file())


# -- paths that lead out -----------------------------------------------------------------------


def zip_members_lead_out(tree: Path) -> None:
    path = next(p for p in tree.iterdir() if p.is_file())
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("../MARK", "../../MARK", "/MARK", "a/../../../MARK", "..\\MARK"):
            archive.writestr(name, b"x")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "../MARK")


def groups_lead_out(tree: Path) -> None:
    root = next(p for p in tree.iterdir() if p.is_dir() and p.name != "keep") / "zarr.json"
    _edit(root, lambda v: v["attributes"].update(groups=["../../out/MARK", "../MARK", "/MARK"]))


def wells_lead_out(tree: Path) -> None:
    def change(value: Any) -> None:
        value["attributes"].pop("groups")
        value["attributes"].pop("schema")
        value["attributes"]["ome"]["plate"]["wells"] = [
            {"path": "../../../MARK", "rowIndex": 0, "columnIndex": 0}]

    _edit(tree / "p.ome.zarr" / "zarr.json", change)


def compartments_lead_out(tree: Path) -> None:
    _edit(tree / "n.labels.ome.zarr" / "zarr.json",
          lambda v: v["attributes"].update(compartments=["../../../MARK"]))


def levels_lead_out(tree: Path) -> None:
    for path in sorted(tree.rglob("zarr.json")):
        def change(value: Any) -> None:
            for scale in value.get("attributes", {}).get("ome", {}).get("multiscales", []):
                scale["datasets"][0]["path"] = "../../../../keep/p.ome.zarr/A/01/0/0"

        _edit(path, change)


def record_leads_out(tree: Path) -> None:
    said = [{"schema": "image/1", "path": "in/keep/p.ome.zarr", "group": g, "n": 1}
            for g in ("../../MARK", "/MARK", "A/01/0")]
    (tree / "stdin").write_text("".join(f"{json.dumps(s)}\n" for s in said))


def record_of_another_place(tree: Path) -> None:
    (tree / "stdin").write_text(json.dumps({
        "schema": "image/1", "path": "/nowhere", "group": "A/01/0", "n": 1,
        "partial": "in/keep/p.ome.zarr"}) + "\n")


def group_that_is_no_text(tree: Path) -> None:
    (tree / "stdin").write_text("".join(json.dumps(
        {"schema": "image/1", "path": "in/keep/p.ome.zarr", "group": g, "n": 1}) + "\n"
        for g in (7, None, ["A/01/0"], {"a": 1}, True)))


def line_without_end(tree: Path) -> None:
    (tree / "stdin").write_text('{"schema": "' + "x" * MANY)


def names_lead_out(tree: Path) -> None:
    def change(value: Any) -> None:
        for image, name in zip(value["images"], ("../../MARK.png", "/etc/hostname")):
            image["file_name"] = name

    _edit(tree / "coco.json", change)


def name_leads_to_a_picture_outside(tree: Path) -> None:
    """A picture that is there, but not where pictures of this file may be."""
    (tree / "a.png").rename(tree.parent / "out" / "a.png")
    _edit(tree / "coco.json",
          lambda v: v["images"][0].update(file_name="../out/a.png"))


def index_leads_out(tree: Path) -> None:
    (tree / "index.csv").write_text("file,plate\n../../MARK,p\n/etc/hostname,p\na/1.png,p\n")


def compartment_in_names(tree: Path) -> None:
    """Track names of a graph of ours that would be folders elsewhere."""
    path = next(p for p in tree.rglob("*") if p.name in ("zarr.json", ".zattrs")
                and '"geff"' in p.read_text())
    text = path.read_text()
    path.write_text(text.replace('"Metadata_Image": "b"', '"Metadata_Image": "../../MARK"'))


# -- bombs -------------------------------------------------------------------------------------


def bomb_png(tree: Path) -> None:
    """60,000 px square and black: 4 MB, 4 GB unpacked."""
    edge = 60_000
    _png(_target(tree, "x.png"), edge, edge, zlib_zeros(edge * (edge + 1)))


def png_that_claims(tree: Path) -> None:
    _png(_target(tree, "x.png"), 46_000, 46_000, zlib.compress(b"\0" * 100))


def png_that_claims_colours(tree: Path) -> None:
    _png(_target(tree, "x.png"), 40_000, 40_000, zlib.compress(b"\0" * 100), kind=6)


def _png(path: Path, width: int, height: int, data: bytes, kind: int = 0) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (struct.pack(">I", len(body)) + name + body
                + struct.pack(">I", zlib.crc32(name + body)))

    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data)
                     + chunk(b"IEND", b""))


def png_of_long_text(tree: Path) -> None:
    """A text beside the pixels that unpacks to a gigabyte."""
    path = _target(tree, "x.png")
    _png(path, 4, 4, zlib.compress(b"\0" * 20))
    body = b"k\0\0" + zlib_zeros(HUGE)
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(
        ">I", zlib.crc32(b"zTXt" + body))
    content = path.read_bytes()
    path.write_bytes(content[:33] + chunk + content[33:])


def jpeg_that_claims(tree: Path) -> None:
    path = _first(tree)
    content = bytearray(path.read_bytes())
    at = content.find(b"\xff\xc0")
    content[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    path.write_bytes(content)


def bmp_that_claims(tree: Path) -> None:
    path = _first(tree)
    content = bytearray(path.read_bytes())
    content[18:26] = struct.pack("<ii", 46_000, 46_000)
    path.write_bytes(content)


def _target(tree: Path, name: str) -> Path:
    for path in tree.iterdir():
        if path.is_file():
            path.unlink()
    return tree / name


def tiff_that_claims(tree: Path) -> None:
    """One strip of nothing for 2^31 x 2^31 pixels."""
    _tiff(_target(tree, "x.tif"), 2**31 - 1, 2**31 - 1, zlib.compress(b"\0" * 1000), 8)


def tiff_that_claims_less(tree: Path) -> None:
    _tiff(_target(tree, "x.tif"), 60_000, 60_000, zlib.compress(b"\0" * 1000), 8)


def tiff_unpacked_that_claims(tree: Path) -> None:
    _tiff(_target(tree, "x.tif"), 60_000, 60_000, b"\0" * 1000, 1)


def bomb_tiff(tree: Path) -> None:
    _tiff(_target(tree, "x.tif"), 100, 100, zlib_zeros(HUGE), 8)


def _tiff(path: Path, width: int, height: int, data: bytes, packing: int) -> None:
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, packing),
            (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height),
            (279, 4, 1, len(data))]
    body = b"".join(struct.pack("<HHII", *t) for t in tags)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data
                     + struct.pack("<H", len(tags)) + body + bytes(4))


def tiff_of_a_loop(tree: Path) -> None:
    """Its list of pages leads back to its beginning."""
    path = _first(tree)
    content = bytearray(path.read_bytes())
    start = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, start)[0]
    struct.pack_into("<I", content, start + 2 + 12 * count, start)
    path.write_bytes(content)


def chunk_zstd_bomb(tree: Path) -> None:
    """Four megabytes of the file are thirty gigabytes of zeros."""
    for chunk in _chunks(tree):
        chunk.write_bytes(zstd_zeros(30 * 2**30))
    _edit(_array(tree), lambda v: _unsharded(v, {"name": "zstd", "configuration": {
        "level": 1, "checksum": False}}))


def raw_zeros(size: int) -> bytes:
    """About `size` zeros, deflated, in no time: one part that stands for itself, many times."""
    part = 2**24
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = packer.compress(bytes(part)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = zlib.compressobj(9, zlib.DEFLATED, -15)
    return one * (size // part) + end.compress(bytes(size % part)) + end.flush()


def zlib_zeros(size: int) -> bytes:
    """The same with zlib's head and sum (Adler-32 of zeros)."""
    return b"\x78\xda" + raw_zeros(size) + struct.pack(">I", (size % 65521) << 16 | 1)


def zstd_zeros(size: int) -> bytes:
    """A zstd frame of `size` zeros in blocks of one repeated byte (RFC 8878)."""
    block, count = 2**17, size // 2**17
    head = b"\x28\xb5\x2f\xfd" + bytes([0b11000000]) + b"\x38" + struct.pack("<Q", size)
    one = ((block << 3) | 2).to_bytes(3, "little") + b"\0"
    last = ((block << 3) | 3).to_bytes(3, "little") + b"\0"
    return head + one * (count - 1) + last


def chunk_gzip_bomb(tree: Path) -> None:
    packed = gzip.compress(b"")[:10] + raw_zeros(HUGE) + bytes(8)  # a wrong sum at its very end
    for chunk in _chunks(tree):
        chunk.write_bytes(packed)
    _edit(_array(tree), lambda v: _unsharded(v, {"name": "gzip", "configuration": {"level": 5}}))


def chunk_zlib_bomb_old(tree: Path) -> None:
    path = sorted(tree.rglob(".zarray"))[0]
    _edit(path, lambda v: v | {"compressor": {"id": "zlib", "level": 1}})
    for chunk in _chunks_old(path):
        chunk.write_bytes(zlib_zeros(HUGE))


def chunk_zstd_bomb_old(tree: Path) -> None:
    path = sorted(tree.rglob(".zarray"))[0]
    _edit(path, lambda v: v | {"compressor": {"id": "zstd", "level": 1}})
    for chunk in _chunks_old(path):
        chunk.write_bytes(zstd_zeros(30 * 2**30))


def _unsharded(value: Any, codec: dict[str, Any]) -> None:
    """The array's shards are plain chunks of another codec."""
    value["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}, codec]


def frame_zstd_bomb(tree: Path) -> None:
    """A shard of one chunk whose frame says thirty gigabytes, its index right."""
    from google_crc32c import value as crc32c

    about = json.loads(_array(tree).read_text())
    sharding = about["codecs"][0]["configuration"]
    inner = np.prod([s // c for s, c in zip(about["chunk_grid"]["configuration"]["chunk_shape"],
                                           sharding["chunk_shape"])])
    packed = zstd_zeros(30 * 2**30)
    index = np.full((int(inner), 2), 2**64 - 1, "<u8")
    index[0] = 0, len(packed)
    raw = index.tobytes()
    for shard in _chunks(tree):
        shard.write_bytes(packed + raw + struct.pack("<I", crc32c(raw)))


def absurd_shape(tree: Path) -> None:
    _edit(_array(tree), lambda v: v.update(shape=[1] * (len(v["shape"]) - 2) + [2**40, 2**40]))


def absurd_frames(tree: Path) -> None:
    _edit(_array(tree), lambda v: v.update(shape=[2**40, *v["shape"][1:]]))


def absurd_chunks(tree: Path) -> None:
    """One chunk of a terabyte, which is not even there."""
    def change(value: Any) -> None:
        n = len(value["shape"])
        value["shape"] = [1] * (n - 2) + [2**20, 2**20]
        if "chunk_grid" in value:
            value["chunk_grid"]["configuration"]["chunk_shape"] = value["shape"]
            _unsharded(value, {"name": "zstd", "configuration": {"level": 1, "checksum": False}})
        else:
            value["chunks"] = value["shape"]

    _edit(_array(tree), change)


def zip_bomb(tree: Path) -> None:
    """Members of four gigabytes in four megabytes each, under the names that are read."""
    path = next(p for p in tree.iterdir() if p.is_file())
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/")]
    packed, body, central = raw_zeros(HUGE), b"", b""
    for name in map(str.encode, names):
        about = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(packed), HUGE, len(name), 0)
        central += (b"PK\x01\x02" + struct.pack("<H", 20) + about
                    + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name)
        body += b"PK\x03\x04" + about + name + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(names), len(names), len(central), len(body), 0)
    path.write_bytes(body + central + b"PK\x05\x06" + end)


def xml_that_unfolds(tree: Path) -> None:
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    text = f'<?xml version="1.0"?><!DOCTYPE t [<!ENTITY a0 "ha">{entities}]>'
    (tree / "t.xml").write_text(f"{text}<TrackMate><Model><AllSpots>&a9;</AllSpots></Model>"
                                "</TrackMate>")


def xml_of_a_file(tree: Path) -> None:
    (tree / "t.xml").write_text(
        '<?xml version="1.0"?><!DOCTYPE t [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
        "<TrackMate><Model><AllSpots>&a;</AllSpots></Model></TrackMate>")


def xml_deep(tree: Path) -> None:
    (tree / "t.xml").write_text("<a>" * 200_000 + "</a>" * 200_000)


def safetensors_that_claims(tree: Path) -> None:
    path = _weights(tree)
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")


def safetensors_of_absurd_shape(tree: Path) -> None:
    head = json.dumps({"a": {"dtype": "F32", "shape": [2**31, 2**31],
                             "data_offsets": [0, 8]}}).encode()
    _weights(tree).write_bytes(struct.pack("<Q", len(head)) + head + bytes(8))


def safetensors_deep(tree: Path) -> None:
    head = b"[" * 10**6 + b"]" * 10**6
    _weights(tree).write_bytes(struct.pack("<Q", len(head)) + head)


def _weights(tree: Path) -> Path:
    return next(p for p in sorted(tree.rglob("*.safetensors")) if "keep" not in p.parts)


def network_of_absurd_size(tree: Path) -> None:
    """A card that asks for layers of a billion channels."""
    card = next(p for p in sorted(tree.rglob("model.json")) if "keep" not in p.parts)
    text = card.read_text()
    for old in ('"widths": [\n  4,', '"size_px": [\n   24,'):
        text = text.replace(old, old[: old.rindex("\n")] + "\n  1000000000,")
    card.write_text(text)


def config_of_absurd_size(tree: Path) -> None:
    _edit(tree / "m" / "config.json", lambda v: v.update(
        unet_n_filter_base=10**6, unet_n_depth=30, n_rays=10**6))


def config_of_a_grid_that_never_ends(tree: Path) -> None:
    _edit(tree / "m" / "config.json", lambda v: v.update(grid=[3, 3]))


# -- text --------------------------------------------------------------------------------------


def json_deep(tree: Path) -> None:
    for path in [*tree.rglob("*.json"), *tree.rglob(".z*")]:
        if "keep" not in path.parts:
            path.write_text('{"a":' * 100_000 + "1" + "}" * 100_000)


def json_of_a_long_number(tree: Path) -> None:
    for path in [*tree.rglob("*.json"), *tree.rglob(".z*")]:
        if "keep" not in path.parts:
            path.write_text('{"schema": ' + "9" * 100_000 + "}")


def json_of_another_encoding(tree: Path) -> None:
    for path in [*tree.rglob("*.json"), *tree.rglob(".z*")]:
        if "keep" not in path.parts:
            path.write_bytes(path.read_text().encode("utf-16"))


def toml_deep(tree: Path) -> None:
    (tree / "c.toml").write_text("a = " + "[" * 100_000 + "]" * 100_000)


def toml_of_another_encoding(tree: Path) -> None:
    (tree / "c.toml").write_bytes('seed = "é"\n'.encode("latin-1"))


def csv_wide(tree: Path) -> None:
    _target(tree, "f.csv").write_text(",".join(f"c{i}" for i in range(100_000)) + "\n")


def _all(*makes: Callable[[Path], None], seed: str = "") -> tuple[Recipe, ...]:
    return tuple(Recipe(m, seed) for m in makes)


_JSON = (json_deep, json_of_a_long_number, json_of_another_encoding)
_BOMBS = (chunk_zstd_bomb, chunk_gzip_bomb, frame_zstd_bomb, absurd_shape, absurd_frames,
          absurd_chunks)
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "tiff": _all(tiff_that_claims, tiff_that_claims_less, tiff_unpacked_that_claims, bomb_tiff,
                 tiff_of_a_loop),
    "picture": _all(bomb_png, png_that_claims, png_that_claims_colours, png_of_long_text)
    + _all(jpeg_that_claims, seed="picture_jpeg") + _all(bmp_that_claims, seed="picture_bmp"),
    "image-store": _all(*_BOMBS, groups_lead_out, wells_lead_out, levels_lead_out, *_JSON)
    + _all(pickle_in_old_zarr, pickle_as_old_compressor, chunk_zlib_bomb_old, chunk_zstd_bomb_old,
           absurd_shape, absurd_chunks, *_JSON, seed="image_old"),
    "image-zip": _all(zip_members_lead_out, zip_bomb),
    "labels": _all(groups_lead_out, compartments_lead_out, levels_lead_out, *_BOMBS, *_JSON),
    "crops": _all(*_BOMBS, *_JSON) + _all(zip_members_lead_out, zip_bomb, seed="crop_zip"),
    "table": _all(pickle_as_arrow_type) + _all(csv_wide, seed="features_csv"),
    "stream": _all(pickle_as_arrow_type, line_without_end),
    "records": _all(record_leads_out, record_of_another_place, group_that_is_no_text,
                    line_without_end),
    "layout": _all(zip_bomb, zip_members_lead_out, seed="layout_grid"),
    "settings": _all(toml_deep, toml_of_another_encoding),
    "coco": _all(names_lead_out, name_leads_to_a_picture_outside, *_JSON),
    "rois": _all(zip_members_lead_out, zip_bomb),
    "classes": _all(index_leads_out),
    "geff": _all(compartment_in_names, *_JSON) + _all(
        pickle_in_old_zarr, pickle_as_old_compressor, chunk_zlib_bomb_old, chunk_zstd_bomb_old,
        absurd_frames, seed="geff_theirs"),
    "tracks": _all(*_JSON),
    "trackmate": _all(xml_that_unfolds, xml_of_a_file, xml_deep),
    "model": _all(pickle_in_model_folder, safetensors_that_claims, safetensors_of_absurd_shape,
                  safetensors_deep, network_of_absurd_size, *_JSON),
    "forest": _all(pickle_in_model_folder, safetensors_that_claims, safetensors_of_absurd_shape)
    + _all(pickle_in_model_folder, seed="model_boosting"),
    "segmenter": _all(pickle_in_model_folder, safetensors_that_claims, network_of_absurd_size,
                      *_JSON),
    "checkpoint": _all(pickle_bare, pickle_of_torch, pickle_of_torch_old, pickle_of_joblib,
                       pickle_of_numpy) + _all(
        safetensors_that_claims, safetensors_of_absurd_shape, safetensors_deep,
        seed="safetensors"),
    "stardist": _all(config_of_absurd_size, config_of_a_grid_that_never_ends, *_JSON)
    + _all(zip_bomb, zip_members_lead_out, seed="stardist_zip"),
    "trackastra": _all(yaml_of_objects, yaml_that_unfolds),
    "validator": _all(*_JSON),
}
