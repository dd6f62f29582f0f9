"""Lines and words of plain text: tables, settings, XML."""

import random
import re

from tests.fuzz.values import INTEGERS, REALS, TEXTS

WORD = re.compile(r"[A-Za-z0-9_.+-]+")


def mutate(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """One change to a text."""
    text = content.decode("utf-8", "surrogateescape")
    kind = rng.choice(("word", "word", "word", "line", "double", "swap", "long", "byte", "many"))
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines)) if lines else 0
    if kind == "word" or not lines:
        found = list(WORD.finditer(text))
        if found:
            one = rng.choice(found)
            new = str(rng.choice(rng.choice((INTEGERS, REALS, TEXTS))))
            return _encoded(text[: one.start()] + new + text[one.end() :]), (
                f"{one[0]:.20} became {new[:20]!r}")
    if kind == "line":
        del lines[at]
    elif kind == "double":
        lines.insert(at, lines[at])
    elif kind == "swap":
        other = rng.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == "long":
        lines.insert(at, "x," * rng.choice((1000, 1_000_000)) + "\n")
    elif kind == "many":
        lines[at:at] = [lines[at]] * 20_000
    else:
        lines.insert(at, rng.choice(TEXTS) + rng.choice((",", " ", "\t", "\n", "=")))
    return _encoded("".join(lines)), f"{kind} at line {at + 1}"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass" if "\ud800" in text else "surrogateescape")
