"""Options of what is chosen by name, from text."""

from dataclasses import dataclass

import pytest

from libcell.errors import UsageFault
from libcell.nn import choice


@dataclass(frozen=True)
class Options:
    deep: bool = True
    width: int = 8
    rate: float = 0.1
    kind: str = "a"


def test_text_becomes_the_type_of_the_default():
    given = choice.pairs("--head-options", ("deep=false", "width=3", " rate = 1e-3", "kind=b=c"))
    assert choice.filled("--head x", Options, given) == Options(False, 3, 1e-3, "b=c")
    assert choice.filled("--head x", Options, {}) == Options()


@pytest.mark.parametrize(("given", "said"), [
    ({"depth": "1"}, "--head x: unknown option depth; it has deep, width, rate, kind"),
    ({"deep": "maybe"}, "--head x: deep=maybe: expected true or false"),
    ({"width": "1.5"}, "--head x: width=1.5: expected a number without a fraction"),
    ({"rate": "fast"}, "--head x: rate=fast: expected a number"),
])
def test_what_is_refused(given, said):
    with pytest.raises(UsageFault, match=said):
        choice.filled("--head x", Options, given)


def test_a_text_without_a_value():
    with pytest.raises(UsageFault, match="--head-options wide: expected name=value"):
        choice.pairs("--head-options", ["wide"])
