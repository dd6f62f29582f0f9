"""TrackMate's XML (Ershov et al., Nature Methods 19, 2022): spots by frame, edges by track.

A track there is a whole lineage. Positions are pixels and frames, unless the file says how
large a pixel is.
"""

from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pyarrow as pa

from libcell.data import tracks
from libcell.errors import DataError, reading
from libcell.track.foreign.nodes import table_of_edges

VERSION = "7.13.2"
SPOTS = (("QUALITY", "Quality", "QUALITY", "false"), ("POSITION_X", "X", "POSITION", "false"),
         ("POSITION_Y", "Y", "POSITION", "false"), ("POSITION_Z", "Z", "POSITION", "false"),
         ("POSITION_T", "T", "TIME", "false"), ("FRAME", "Frame", "NONE", "true"),
         ("RADIUS", "Radius", "LENGTH", "false"), ("VISIBILITY", "Visibility", "NONE", "true"),
         ("LABEL", "Label", "NONE", "true"))
EDGES = (("SPOT_SOURCE_ID", "Source spot ID", "NONE", "true"),
         ("SPOT_TARGET_ID", "Target spot ID", "NONE", "true"),
         ("LINK_COST", "Link cost", "COST", "false"))
TRACKS = (("TRACK_ID", "Track ID", "NONE", "true"),)
RADIUS = 5.0  # px, of the circles that TrackMate draws


def write(table: pa.Table) -> bytes:
    """A file with one field of view (table `links`)."""
    root = Xml.Element("TrackMate", version=VERSION)
    model = Xml.SubElement(root, "Model", spatialunits="pixel", timeunits="frame")
    declared = Xml.SubElement(model, "FeatureDeclarations")
    for name, known in (("SpotFeatures", SPOTS), ("EdgeFeatures", EDGES),
                        ("TrackFeatures", TRACKS)):
        part = Xml.SubElement(declared, name)
        for feature, text, dimension, whole in known:
            Xml.SubElement(part, "Feature", feature=feature, name=text, shortname=text,
                           dimension=dimension, isint=whole)
    _write_spots(model, table)
    _write_tracks(model, table)
    Xml.indent(root)
    return bytes(Xml.tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"


def _write_spots(model: Xml.Element, table: pa.Table) -> None:
    rows = table.select([n for n in ("Metadata_T", "Metadata_Label", "y", "x", "z")
                         if n in table.column_names]).to_pylist()
    spots = Xml.SubElement(model, "AllSpots", nspots=str(len(rows)))
    frames: dict[int, Xml.Element] = {}
    for number, row in sorted(enumerate(rows), key=lambda r: (r[1]["Metadata_T"], r[0])):
        t = row["Metadata_T"]
        if t not in frames:
            frames[t] = Xml.SubElement(spots, "SpotsInFrame", frame=str(t))
        Xml.SubElement(
            frames[t], "Spot", ID=str(number), name=f"ID{number}", QUALITY="1.0",
            POSITION_X=repr(row["x"]), POSITION_Y=repr(row["y"]),
            POSITION_Z=repr(row.get("z") or 0.0), POSITION_T=repr(float(t)), FRAME=str(t),
            RADIUS=repr(RADIUS), VISIBILITY="1", LABEL=str(row["Metadata_Label"]))


def _write_tracks(model: Xml.Element, table: pa.Table) -> None:
    graph = tracks.graph_of(table)
    track, parent = (table.column(n).to_pylist() for n in ("track_id", "parent_track_id"))
    mothers = dict(zip(track, parent))
    every = Xml.SubElement(model, "AllTracks")
    made: dict[int, Xml.Element] = {}
    for (a, b), score in zip(graph.edges.tolist(), graph.score.tolist()):
        founder = track[a]
        while mothers.get(founder):
            founder = mothers[founder]
        if founder not in made:
            made[founder] = Xml.SubElement(every, "Track", name=f"Track_{founder}",
                                           TRACK_ID=str(founder))
        edge = Xml.SubElement(made[founder], "Edge", SPOT_SOURCE_ID=str(a), SPOT_TARGET_ID=str(b))
        if not np.isnan(score):
            edge.set("LINK_COST", repr(1 - score))
    shown = Xml.SubElement(model, "FilteredTracks")
    for founder in made:
        Xml.SubElement(shown, "TrackID", TRACK_ID=str(founder))


def read(path: Path) -> pa.Table:
    """Table `links` of a file; spots that TrackMate hides are left out with their links."""
    with reading(path, "not a readable XML file"):
        root = Xml.parse(path).getroot()
    spots = [s for s in root.iter("Spot") if s.get("VISIBILITY", "1") != "0"]
    if root.tag != "TrackMate" or root.find("Model/AllSpots") is None:
        raise DataError(f"{path}: not a file of TrackMate (no TrackMate/Model/AllSpots)")
    ids = {s.get("ID"): row for row, s in enumerate(spots)}
    known = {s.get("ID") for s in root.iter("Spot")}
    pairs = [(e.get("SPOT_SOURCE_ID"), e.get("SPOT_TARGET_ID")) for e in root.iter("Edge")]
    strange = next((k for pair in pairs for k in pair if k not in known), None)
    if pairs and strange is not None:
        raise DataError(f"{path}: a link leads to spot {strange}, which is not there")
    edges = [(ids[a], ids[b]) for a, b in pairs if a in ids and b in ids]
    t = _column(path, spots, "FRAME").astype(np.int64)
    sizes = _pixel(root)
    places = {a: _column(path, spots, f"POSITION_{a.upper()}") / sizes[a] for a in "zyx"}
    if not places["z"].any():
        del places["z"]
    told = spots and all(s.get("LABEL") for s in spots)
    label = _column(path, spots, "LABEL").astype(np.int64) if told else None
    return table_of_edges(t, places, label, np.array(edges, np.int64).reshape(-1, 2),
                          path.name.split(".")[0], str(path))


def _column(path: Path, spots: list[Xml.Element], name: str) -> np.ndarray:
    try:
        return np.array([float(s.attrib[name]) for s in spots], np.float64)
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: a spot has no number for {name} ({error})") from error


def _pixel(root: Xml.Element) -> dict[str, float]:
    """Size of a pixel in the file's unit of length; 1 where it does not tell."""
    image = root.find("Settings/ImageData")
    told = image.attrib if image is not None else {}
    names = {"x": "pixelwidth", "y": "pixelheight", "z": "voxeldepth"}
    return {a: float(told.get(n, 1.0)) or 1.0 for a, n in names.items()}
