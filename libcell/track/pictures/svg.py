"""A family's tree as SVG, for papers."""

from collections.abc import Mapping
from xml.etree import ElementTree as Xml

import numpy as np

from libcell.track.pictures import colours as colouring
from libcell.track.pictures.colours import Colours
from libcell.track.pictures.tree import Branch, strokes

FRAME, LINE, MARGIN, LEGEND = 12, 18, 40, 22  # px
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def draw(family: list[Branch], found: Colours, rgb: np.ndarray) -> bytes:
    """One tree; `rgb` is the palette that the colours are places of."""
    begin = min(int(b.t[0]) for b in family)
    end = max(int(b.t[-1]) for b in family)
    lines = max(b.place for b in family)
    width = 2 * MARGIN + FRAME * (end - begin + 1)
    height = 2 * MARGIN + LINE * lines + (LEGEND if found.names else 0)
    root = Xml.Element("svg", xmlns="http://www.w3.org/2000/svg", width=f"{width:g}",
                       height=f"{height:g}", viewBox=f"0 0 {width:g} {height:g}")
    Xml.SubElement(root, "rect", width="100%", height="100%", fill="white")
    for s in strokes(family, found.index):
        (x0, x1), (y0, y1) = ([MARGIN + FRAME * (v - begin) for v in s.x],
                              [MARGIN + LINE * v for v in s.y])
        Xml.SubElement(root, "line", {
            "x1": f"{x0:g}", "y1": f"{y0:g}", "x2": f"{x1:g}", "y2": f"{y1:g}",
            "stroke-width": "3", "stroke-linecap": "round",
            "stroke": dark(rgb[found.index[s.row]])})
    for b in family:
        _text(root, MARGIN + FRAME * (float(b.t[-1]) - begin) + 5, MARGIN + LINE * b.place + 3,
              str(b.track), "start", "9")
    _axis(root, begin, end, MARGIN + LINE * lines)
    _legend(root, found.names, height)
    Xml.indent(root)
    return bytes(Xml.tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"


def dark(rgb: np.ndarray) -> str:
    """The colour for white paper: what shines on black is too light there."""
    light = float(np.dot(rgb, (0.299, 0.587, 0.114))) / 255
    return colouring.code(rgb * min(1.0, 0.62 / max(light, 0.01)))


def _axis(root: Xml.Element, begin: int, end: int, y: float) -> None:
    step = next((s for s in STEPS if (end - begin) / s <= 10), STEPS[-1])
    for t in range(-(-begin // step) * step, end + 1, step):
        x = MARGIN + FRAME * (t - begin)
        Xml.SubElement(root, "line", x1=f"{x}", x2=f"{x}", y1=f"{y + 12:g}", y2=f"{y + 17:g}",
                       stroke="#444")
        _text(root, x, y + 28, str(t), "middle", "10")


def _legend(root: Xml.Element, names: Mapping[str, str], height: float) -> None:
    x = float(MARGIN)
    for name, colour in names.items():
        rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
        Xml.SubElement(root, "rect", x=f"{x:g}", y=f"{height - 18:g}", width="10", height="10",
                       fill=dark(rgb))
        _text(root, x + 14, height - 9, name, "start", "10")
        x += 30 + 6.5 * len(name)


def _text(root: Xml.Element, x: float, y: float, text: str, anchor: str, size: str) -> None:
    Xml.SubElement(root, "text", {"x": f"{x:g}", "y": f"{y:g}", "text-anchor": anchor,
                                  "font-size": size, "font-family": "sans-serif",
                                  "fill": "#444"}).text = text
