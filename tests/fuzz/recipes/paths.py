"""Names that lead out of where they should stay."""

import json
import zipfile
from pathlib import Path
from typing import Any

from .places import MANY, edit


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
    edit(root, lambda v: v["attributes"].update(groups=["../../out/MARK", "../MARK", "/MARK"]))


def wells_lead_out(tree: Path) -> None:
    def change(value: Any) -> None:
        value["attributes"].pop("groups")
        value["attributes"].pop("schema")
        value["attributes"]["ome"]["plate"]["wells"] = [
            {"path": "../../../MARK", "rowIndex": 0, "columnIndex": 0}]

    edit(tree / "p.ome.zarr" / "zarr.json", change)


def compartments_lead_out(tree: Path) -> None:
    edit(tree / "n.labels.ome.zarr" / "zarr.json",
          lambda v: v["attributes"].update(compartments=["../../../MARK"]))


def levels_lead_out(tree: Path) -> None:
    for path in sorted(tree.rglob("zarr.json")):
        def change(value: Any) -> None:
            for scale in value.get("attributes", {}).get("ome", {}).get("multiscales", []):
                scale["datasets"][0]["path"] = "../../../../keep/p.ome.zarr/A/01/0/0"

        edit(path, change)


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

    edit(tree / "coco.json", change)


def name_leads_to_a_picture_outside(tree: Path) -> None:
    """A picture that is there, but not where pictures of this file may be."""
    (tree / "a.png").rename(tree.parent / "out" / "a.png")
    edit(tree / "coco.json",
          lambda v: v["images"][0].update(file_name="../out/a.png"))


def index_leads_out(tree: Path) -> None:
    (tree / "index.csv").write_text("file,plate\n../../MARK,p\n/etc/hostname,p\na/1.png,p\n")


def compartment_in_names(tree: Path) -> None:
    """Track names of a graph of ours that would be folders elsewhere."""
    path = next(p for p in tree.rglob("*") if p.name in ("zarr.json", ".zattrs")
                and '"geff"' in p.read_text())
    text = path.read_text()
    path.write_text(text.replace('"Metadata_Image": "b"', '"Metadata_Image": "../../MARK"'))
