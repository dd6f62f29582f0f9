"""The table of five systems: every part has a command of ours, whose options there are, or says
that it has none."""

import re
from pathlib import Path

import pytest

from tests.docs_blocks.commands import COMMAND, faults, split

PAGE = (Path(__file__).parent.parent / "docs" / "five-systems.md").read_text()
SYSTEMS = dict(re.findall(r"^## \d\. (.+)\n((?:.*\n)*?)(?=^## )", PAGE, re.M))


def parts(system):
    """Cells of each row: there, here, what differs."""
    lines = [line for line in SYSTEMS[system].splitlines() if line.startswith("|")]
    return [[c.strip() for c in line.strip("|").split(" | ")] for line in lines[2:]]


def test_there_are_five():
    assert len(SYSTEMS) == 5


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_part_has_a_command_or_says_that_it_has_none(system):
    assert len(parts(system)) >= 10
    for there, here, *_ in parts(system):
        named = [words for code in re.findall(r"`([^`]+)`", here) for words in split(code)]
        commands = [words for words in named if COMMAND.match(words[0])]
        assert commands or here == "none", there
        assert not [f for words in commands for f in faults(words, whole=False)], there
