"""Every code block of README and docs says what the commands take."""

import json
import re
import shlex
import tomllib

import pytest

from libcell import errors
from tests.docs_blocks.commands import COMMAND, calls, faults, split
from tests.docs_blocks.kitchen import ALSO, DISHES, HERE_ONLY, Kitchen
from tests.docs_blocks.pages import PAGES, ROOT, Block, blocks, inline
from tests.docs_blocks.sandbox import run, run_page

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


# -- blocks are run; those of the other pages by `make blocks` ---------------------------------


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    return Kitchen(tmp_path_factory.mktemp("kitchen"))


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_blocks_do_what_their_page_says(page, tmp_path, kitchen):
    ran = list(run_page(page, tmp_path / "page", kitchen))
    assert len(ran) == sum(not b.not_run for b in blocks(page)) > 5
    assert not [f"{r.block.where}: {r.fault}" for r in ran if r.fault]


def console(text, folder, page="docs/tutorial.md"):
    return run(Block(page, 1, "console", "", text, ""), folder)


def test_what_a_console_shows_is_compared(tmp_path):
    assert not console("$ echo one 100 two; echo more\none 104 two\n", tmp_path)
    assert "and not" in console("$ echo one 100 two\none 150 two\n", tmp_path)
    assert not console("$ echo one 100 two\none 150 two\n", tmp_path, "README.md")
    assert not console("$ printf 'a\\nb\\nc\\n'\na\n...\nc\n", tmp_path)
    assert "and not" in console("$ printf 'a\\nb\\n'\nb\na\n", tmp_path)


def test_a_command_of_a_console_may_fail_only_where_its_code_is_shown(tmp_path):
    assert "ends with 1" in console("$ false\n$ true\n", tmp_path)
    assert not console("$ false\n$ echo $?\n1\n", tmp_path)
    assert "and not" in console("$ false\n$ echo $?\n2\n", tmp_path)
    assert "ends with 127" in run(Block("p.md", 1, "sh", "", "no-such-command\n", ""), tmp_path)


def test_pages_are_served_what_there_is():
    assert {n.partition("/")[0] for n in ALSO.values()} <= DISHES
    for page, names in HERE_ONLY.items():
        assert (ROOT / page).exists()
        assert {n.partition("/")[0] for n in names.values()} <= DISHES


# -- exit codes --------------------------------------------------------------------------------


def codes(page, pattern):
    return {int(n) for line in re.findall(pattern, (ROOT / page).read_text(), re.M)
            for n in re.findall(r"\d+", line)}


def test_every_exit_code_is_in_the_table_and_has_its_section():
    raised = {e.exit_code for e in vars(errors).values()
              if isinstance(e, type) and issubclass(e, errors.CellError)}
    table = codes("docs/exit-codes.md", r"^\| (\d+) \|")
    assert raised < table
    assert codes("docs/troubleshooting.md", r"^## (\d[\d and]*):") == table
