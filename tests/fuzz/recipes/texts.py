"""Text that is deep, long, wide or in another encoding, and what it asks for."""

import json
import struct
from pathlib import Path

from .places import edit, target, weights


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
    path = weights(tree)
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")


def safetensors_of_absurd_shape(tree: Path) -> None:
    head = json.dumps({"a": {"dtype": "F32", "shape": [2**31, 2**31],
                             "data_offsets": [0, 8]}}).encode()
    weights(tree).write_bytes(struct.pack("<Q", len(head)) + head + bytes(8))


def safetensors_deep(tree: Path) -> None:
    head = b"[" * 10**6 + b"]" * 10**6
    weights(tree).write_bytes(struct.pack("<Q", len(head)) + head)


def network_of_absurd_size(tree: Path) -> None:
    """A card that asks for layers of a billion channels."""
    card = next(p for p in sorted(tree.rglob("model.json")) if "keep" not in p.parts)
    text = card.read_text()
    for old in ('"widths": [\n  4,', '"size_px": [\n   24,'):
        text = text.replace(old, old[: old.rindex("\n")] + "\n  1000000000,")
    card.write_text(text)


def config_of_absurd_size(tree: Path) -> None:
    edit(tree / "m" / "config.json", lambda v: v.update(
        unet_n_filter_base=10**6, unet_n_depth=30, n_rays=10**6))


def config_of_a_grid_that_never_ends(tree: Path) -> None:
    edit(tree / "m" / "config.json", lambda v: v.update(grid=[3, 3]))

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
    target(tree, "f.csv").write_text(",".join(f"c{i}" for i in range(100_000)) + "\n")
