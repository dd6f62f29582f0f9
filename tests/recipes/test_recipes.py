"""The recipes are all run by `make examples`, which fails where one falls short; what their heads
tell to type is right."""

import re
import shlex
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.docs_blocks.commands import faults
from tests.recipes import __main__ as runner
from tests.recipes.figures import Figure, largest_shift_error, score
from tests.recipes.known import RECIPES, Recipe

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
MAKEFILES = sorted(EXAMPLES.glob("*/Makefile"))


def told(makefile):
    """Every `make ...` in the comment at the head of a Makefile, as words; the plain one too."""
    head = re.match(r"(#.*\n)+", makefile.read_text())[0]
    text = re.sub(r"^# ?", "", head, flags=re.M).replace("\\\n", " ")
    asked = [re.split(r"\s{3,}", line.strip())[0] for line in text.splitlines()
             if line.startswith("  ") and line.strip().startswith("make")]
    return [shlex.split(line) for line in asked] or [["make"]]


def dry(makefile, words, cwd):
    """The commands that these words would run; sources that they name are made up, empty."""
    for _ in range(6):
        done = subprocess.run([*words, "-n", "-f", makefile], cwd=cwd, capture_output=True,
                              text=True, check=False)
        lacking = re.search(r"No rule to make target '([^']+)'", done.stderr)
        if not lacking:
            break
        (cwd / lacking[1]).parent.mkdir(parents=True, exist_ok=True)
        (cwd / lacking[1]).touch()
    assert done.returncode == 0, done.stderr
    return [shlex.split(line) for line in done.stdout.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("makefile", MAKEFILES, ids=lambda p: p.parent.name)
def test_what_the_head_tells_to_type_names_options_that_there_are(makefile, tmp_path):
    for i, words in enumerate(told(makefile)):
        (tmp_path / "a" / "b" / str(i)).mkdir(parents=True)
        asked = dry(makefile, words, tmp_path / "a" / "b" / str(i))
        assert any(w[0].startswith("cell-") for w in asked)
        assert not [f for w in asked if w for f in faults(w)]


def test_every_recipe_is_run():
    assert {m.parent.name for m in MAKEFILES} <= {r.folder for r in RECIPES}
    assert len({r.name for r in RECIPES}) == len(RECIPES)
    for recipe in RECIPES:
        assert (EXAMPLES / recipe.folder).is_dir() and recipe.figures


def figure(value, bound):
    return (Figure("so much", lambda out: (value, bound)),)


@pytest.mark.parametrize(("recipe", "code", "says"), [
    (Recipe("fine", "plate", ("true",), figure(2, 1), nothing_left=("true",)), 0, "yes"),
    (Recipe("short", "plate", ("true",), figure(1, 2)), 1, "NO"),
    (Recipe("equal", "plate", ("true",), figure(1, 1)), 1, "NO"),
    (Recipe("broken", "plate", ("false",), figure(2, 1)), 1, "exit code"),
    (Recipe("again", "plate", ("true",), figure(2, 1), nothing_left=("false",)), 1, "something"),
    (Recipe("poor", "plate", ("false",), figure(2, 1), needs=("gold",)), 0, "no shared gold"),
    (Recipe("bare", "plate", ("false",), figure(2, 1), programs=("no-such-one",)), 0,
     "no no-such-one"),
], ids=lambda v: getattr(v, "name", None))
def test_the_table_fails_where_a_line_falls_short(recipe, code, says, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(runner, "RECIPES", [recipe])
    monkeypatch.setattr("sys.argv", ["recipes", "--data", str(tmp_path), "--output", str(tmp_path)])
    assert runner.main() == code
    assert says in capfd.readouterr().out


def test_a_metric_is_held_against_another(tmp_path):
    rows = [("accuracy", 0.7, 0.6, None), ("majority", 0.65, None, None), ("accuracy", 0.1, 0, "a")]
    pq.write_table(pa.table({k: [r[i] for r in rows] for i, k in enumerate(
        ("metric", "value", "low", "group"))}), tmp_path / "s.parquet")
    assert score("s.parquet", "accuracy", "majority").judge(tmp_path) == (0.7, 0.65, True)
    assert score("s.parquet", "accuracy", "majority", end="low").judge(tmp_path) == (
        0.6, 0.65, False)


def test_shifts_are_held_against_those_hidden(tmp_path):
    (tmp_path / "s.csv").write_text("Metadata_Well,Metadata_Site,dy,dx\nB02,1,2.0,-3.0\n")
    pq.write_table(pa.table({"Metadata_Image": ["B/02/1"], "dy": [-2.1], "dx": [3.0]}),
                   tmp_path / "t.parquet")
    value, _, holds = largest_shift_error("t.parquet", "s.csv", 0.2).judge(tmp_path)
    assert value == pytest.approx(0.1) and holds
