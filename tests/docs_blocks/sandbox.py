"""Runs the blocks of a page one after the other in a folder that holds what the page names."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs_blocks.commands import COMMAND, calls, lines
from tests.docs_blocks.kitchen import Kitchen
from tests.docs_blocks.pages import Block, blocks

# pages to be copied line by line: they bring all that they use, and show what one sees
COPIED = ("docs/tutorial.md", "docs/own-segmenter.md", "docs/own-method.md",
          "docs/own-features.md", "docs/from-cellprofiler.md", "docs/to-napari.md",
          "docs/troubleshooting.md")
OUTPUTS = ("-o", "--output", "--dir", "-O")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
NEAR = 0.2  # of a number that a page shows: another machine rounds otherwise
LIMIT_S = 600
END = "@@ended@@"
FORCED = "export CELL_FORCE=1\n"  # elsewhere blocks are alternatives, which write to one name


@dataclass(frozen=True)
class Ran:
    """What became of a block: `fault` is empty where it did what the page says."""

    block: Block
    seconds: float
    fault: str


def run_page(page: str, folder: Path, kitchen: Kitchen) -> Iterator[Ran]:
    """Run what a page has that can be run; after a fault the rest of the page is left."""
    folder.mkdir(parents=True)
    for block in blocks(page):
        if block.not_run:
            continue
        serve(block, folder, kitchen)
        start = time.perf_counter()
        fault = run(block, folder)
        yield Ran(block, time.perf_counter() - start, fault)
        if fault:
            return


def serve(block: Block, folder: Path, kitchen: Kitchen) -> None:
    """Bring what the commands of a block read and nothing before it has made."""
    words = list(calls(block)) or [re.findall(r"""["']([\w.-]+)""", block.text)]
    made: set[str] = set()
    for command in words:
        for before, word in zip(["", *command], command):
            name = word.removeprefix("./").partition("/")[0]
            if before in OUTPUTS:
                made.add(name)
            elif COMMAND.match(before):
                continue  # `score` is a subcommand there
            elif name not in made and not (folder / name).exists():
                kitchen.bring(block.page, name, folder)


def run(block: Block, folder: Path) -> str:
    """Run one block; says what went otherwise than the page tells."""
    if block.title:
        path = folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        return ""
    if block.language == "console":
        return _console(block, folder)
    if block.language in ("sh", "bash"):
        return _failed(_bash(block, folder, block.text, "-e"))
    if block.language == "python":
        return _failed(_run(folder, [sys.executable, "-"], block.text))
    if block.language == "make":
        return _failed(_run(folder, ["make", "-B", "-f", "-"], block.text))
    return ""


def _console(block: Block, folder: Path) -> str:
    """Each command by itself in one shell, and what it says beside what the page shows."""
    typed = lines(block)
    script = "\n".join(f"{line}\ncode=$?; echo; echo {END}$code; (exit $code)" for line in typed)
    done = _bash(block, folder, "exec 2>&1\n" + script)
    said = re.split(rf"\n?{END}(\d+)\n", done.stdout)
    told = _shown(block)
    for at, line in enumerate(typed):
        if len(said) < 2 * at + 2:
            return f"{line}\nends the shell: {_end(done.stdout + done.stderr)}"
        output, code = said[2 * at:2 * at + 2]
        asked = at + 1 < len(typed) and typed[at + 1].startswith("echo $?")
        if code != "0" and not asked:
            return f"{line}\nends with {code}: {_end(output)}"
        if told[at] and not _alike(told[at], output, block.page in COPIED):
            return f"{line}\nsays\n{_end(output)}\nand not\n{told[at]}"
    return ""


def _shown(block: Block) -> list[str]:
    """For each command of a console what the page shows after it."""
    told: list[list[str]] = []
    typed = False
    for line in block.text.splitlines():
        if typed or line.startswith("$ "):
            if not typed:
                told.append([])
            typed = line.endswith("\\")
        elif told:
            told[-1].append(line)
    return ["\n".join(t).strip() for t in told]


def _alike(told: str, said: str, near: bool) -> bool:
    """Whether a command says, line by line, what is told (its summary on stderr may be left out).

    `...` stands for anything; numbers differ, those of a page to be copied by little.
    """
    lines = iter(said.splitlines())
    return all(any(_same(line, other, near) for other in lines) for line in told.splitlines())


def _same(told: str, said: str, near: bool) -> bool:
    parts = [re.escape(NUMBER.sub("0", part)) for part in told.split("...")]
    if not re.fullmatch(".*".join(parts).replace("\\ ", " ").replace(" ", r"\s+"),
                        NUMBER.sub("0", said)):
        return False
    if not near or len(parts) > 1:
        return True
    return all(abs(float(a) - float(b)) <= NEAR * max(abs(float(a)), abs(float(b)))
               for a, b in zip(NUMBER.findall(told), NUMBER.findall(said)))


def _failed(done: "subprocess.CompletedProcess[str]") -> str:
    return "" if done.returncode == 0 else f"ends with {done.returncode}: {_end(done.stderr)}"


def _end(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-12:])


def _bash(
    block: Block, folder: Path, script: str, *options: str
) -> "subprocess.CompletedProcess[str]":
    before = "" if block.page in COPIED else FORCED
    return _run(folder, ["bash", *options, "-o", "pipefail", "-s"], before + script)


def _run(folder: Path, command: list[str], text: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, input=text, cwd=folder, env=environment(folder),
                              capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"not done in {LIMIT_S} s")


def environment(folder: Path) -> dict[str, str]:
    """Our commands first, one core, short training, few maps; installs stay in the folder."""
    plugins = folder / ".installed" / "site-packages"
    ours = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(plugins), "OMP_NUM_THREADS": "1", "CELL_WORKERS": "1",
        "CELL_TRAIN_EPOCHS": "1", "CELL_TRAIN_CROPS": "8", "CELL_EXPLAIN_MOST": "4",
        "PIP_TARGET": str(plugins), "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0", "PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    return os.environ | ours

