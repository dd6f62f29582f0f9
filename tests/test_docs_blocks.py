"""Every code block of README and docs says what the commands take."""

import json
import re
import shlex
import tomllib

import pytest

from tests.docs_blocks.commands import COMMAND, calls, faults, split
from tests.docs_blocks.pages import PAGES, Block, blocks, inline

REFUSED = "$ echo $?\n2\n"  # a page shows what is wrong, and that it is found
SPOKEN = ("cell-", "make ", "python -m ", "pip install ")


def taught(page):
    """Methods that a page teaches how to add."""
    return {name for block in blocks(page) if block.language == "python"
            for name in re.findall(r'^    name="([\w-]+)"', block.text, re.M)}


@pytest.mark.parametrize("page", PAGES)
def test_blocks_name_commands_and_options_that_there_are(page):
    own = taught(page)
    wrong = [f"{block.where}: {fault}" for block in blocks(page) for words in calls(block)
             if not own & set(words[1:2]) and REFUSED not in block.text
             for fault in faults(words)]
    assert not wrong


@pytest.mark.parametrize("page", PAGES)
def test_code_within_prose_names_what_there_is(page):
    own, wrong = taught(page), []
    for line, text in inline(page):
        if not text.startswith(SPOKEN):
            continue
        for words in split(text):
            if COMMAND.match(words[0]) and own & set(words[1:2]):
                continue
            wrong += [f"{page}:{line}: {fault}" for fault in faults(words, whole=False)]
    assert not wrong


@pytest.mark.parametrize("page", PAGES)
def test_data_and_python_in_blocks_can_be_read(page):
    readers = {"toml": tomllib.loads, "json": json.loads,
               "python": lambda text: compile(text, page, "exec")}
    for block in blocks(page):
        if block.language in readers:
            readers[block.language](block.text)


@pytest.mark.parametrize(("line", "fault"), [
    ("cell-segment threshold p.ome.zarr --sigmas 2 -o n.labels.ome.zarr", "has no --sigmas"),
    ("cell-segment thresholds p.ome.zarr", "has no 'thresholds'"),
    ("find . | cell-feat measure - --image p.ome.zarr -o f.parquet", "has no --image"),
    ("cell-feat measure n.labels.ome.zarr -o f.parquet", "lacks --images"),
    ("cell-extract images 'a/*' --project min -o p.ome.zarr", "--project cannot be 'min'"),
    ("torchrun --nproc-per-node 4 -m cell_train cnn c.crops.zarr --goal x", "has no --goal"),
    ("make tests", "no target 'tests'"),
    ("python -m tests.peers.no_such", "no module tests/peers/no_such"),
    ("pip install 'libcell[trian]'", "no extra 'trian'"),
])
def test_a_slip_is_found(line, fault):
    block = Block("page.md", 1, "console", "", f"$ {line} \\\n    --quiet # said --so\nmade\n", "")
    assert any(fault in f for words in calls(block) for f in faults(words)), list(calls(block))


def test_words_are_those_of_a_shell():
    line = "A=1 cell-feat measure 'a b' --images \"p\" > out 2> err | sort -r && echo done # so"
    words = list(split(line))
    assert words == [["A=1", "cell-feat", "measure", "a b", "--images", "p"], ["sort", "-r"],
                     ["echo", "done"]]
    assert shlex.join(words[1]) == "sort -r"
