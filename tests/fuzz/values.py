"""Values that readers do not expect."""

import random
from typing import Any

INTEGERS = (0, 1, 2, 3, 7, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31,
            2**32 - 1, 2**32, 2**48, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30, -1, -2,
            -128, -(2**31), -(2**63), -(10**30))
REALS = (0.0, -0.0, 0.5, -1.5, 1e-320, 1e308, float("inf"), float("-inf"), float("nan"))
TEXTS = ("", " ", "0", "-1", "nan", "null", "true", "x", "../../../MARK", "../MARK", "/MARK", "..",
         ".", "/", "a/b", "a\\b", "..\\..\\MARK", "C:\\MARK", "~", "$HOME", "`id`", "%s%n", "{0}",
         "é", "\u202e", "\ud800", "\x00", "a\x00b", "\n", "\r\n", "'", '"', "<b>", "&amp;", "𝔘",
         "A" * 300, "A" * 70_000, "features/1", "image/1", "labels/2", "image/x", "1e999")
DEEP = "\u0001deep\u0001"  # stands for nesting that no parser of ours would write
HUGE = "\u0001huge\u0001"  # stands for a string of ten million characters


def hostile(rng: random.Random) -> Any:
    """A JSON value of any kind."""
    kind = rng.randrange(12)
    if kind < 3:
        return rng.choice(INTEGERS)
    if kind < 5:
        return rng.choice(REALS)
    if kind < 8:
        return rng.choice(TEXTS)
    return rng.choice(([], {}, None, True, False, [[]], [None], {"": None}, [1] * 1000,
                       [{"a": 1}], {"path": "../MARK"}, DEEP, HUGE))
