"""What blocks say of our commands, held against `--describe`, the Makefile and the extras."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any

from libcell.cli.describe import describe_room
from libcell.run.registry import ROOMS
from tests.docs_blocks.pages import ROOT, Block

COMMAND = re.compile(rf"(?:.*/)?cell[-_]({'|'.join(ROOMS)})$")
ALONE = {"--help", "--version", "--describe", "--install-completion", "--show-completion"}
SHELLS = ("sh", "bash", "console", "make")
SEPARATORS = re.compile(r"[();|&\n]+")
EXTRAS = re.compile(r"(?:libcell|\.)\[([\w,-]+)\]")


def calls(block: Block) -> Iterator[list[str]]:
    """The words of each simple command in a block of shell, console or make."""
    if block.language in SHELLS:
        for line in lines(block):
            yield from split(line)


def lines(block: Block) -> list[str]:
    """What is typed, with continued lines joined; of a console only what follows the prompt."""
    text = block.text
    if block.language == "console":
        typed, goes_on = [], False
        for line in text.splitlines():
            if goes_on or line.startswith("$ "):
                typed.append(line.removeprefix("$ "))
                goes_on = line.endswith("\\")
        text = "\n".join(typed)
    elif block.language == "make":
        text = "\n".join(t[1:].lstrip("@-") for t in text.splitlines() if t.startswith("\t"))
    return _whole(text.replace("\\\n", " "))


def _whole(text: str) -> list[str]:
    """Lines, those within one pair of quotes together."""
    found: list[str] = []
    open_ = ""
    for line in text.splitlines():
        open_ = f"{open_}\n{line}" if open_ else line
        try:
            shlex.split(open_, comments=True)
        except ValueError:
            continue
        found.append(open_)
        open_ = ""
    return [line for line in [*found, open_] if line.strip()]


def split(line: str) -> Iterator[list[str]]:
    """One list of words for each command in a pipe or list; redirections are left out."""
    bare = re.sub(r"(?<=\s)\d(?=[<>])", "", line)  # the 2 of 2>
    lexer = shlex.shlex(bare, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    words: list[str] = []
    skip = False
    for word in lexer:
        if skip or re.fullmatch("[<>]+&?", word):
            skip = not skip
        elif SEPARATORS.fullmatch(word):
            if words:
                yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words


def faults(words: list[str], whole: bool = True) -> list[str]:
    """What is wrong with one command; `whole` asks for everything that is required, too."""
    found = [f"no extra {extra!r}" for told in EXTRAS.findall(" ".join(words))
             for extra in told.split(",") if "pip" in words and extra not in _extras()]
    for at, word in enumerate(words):
        if match := COMMAND.match(word):
            return found + _call(match[1], words[at + 1:], whole)
    if words[0] == "make":
        found += [f"no target {w!r}" for w in words[1:]
                  if re.fullmatch(r"[a-z][\w-]*", w) and w not in _targets()]
    if "-m" in words[:-1]:
        module = words[words.index("-m") + 1].replace(".", "/")
        if module.startswith(("tests/", "libcell/")) and not (
                (ROOT / f"{module}.py").exists() or (ROOT / module / "__main__.py").exists()):
            found.append(f"no module {module}")
    return found


def _call(room: str, words: list[str], whole: bool) -> list[str]:
    """Faults of what follows `cell-ROOM`."""
    if not words or words[0] in ALONE or not re.fullmatch(r"[a-z][a-z-]*", words[0]):
        return []
    methods = _methods(room)
    if words[0] not in methods:
        return [f"cell-{room} has no {words[0]!r}"]
    method = methods[words[0]]
    flags = {f: p for p in [*method["parameters"], *method["common"]] for f in p["flags"]}
    found, given = [], set()
    rest = iter(words[1:])
    for word in rest:
        flag, equals, value = word.partition("=")
        if not re.match(r"-\w|--\w", flag) or flag in ALONE:
            continue
        option = flags.get(flag)
        if option is None:
            found.append(f"cell-{room} {words[0]} has no {flag}")
            continue
        given.add(option["name"])
        if option["type"] != "boolean":
            value = value if equals else next(rest, None)
            found += _value(flag, option, value, whole)
    if whole and not ALONE & set(words):
        found += [f"cell-{room} {words[0]} lacks {p['flags'][-1]}" for p in method["parameters"]
                  if p["required"] and p["name"] not in given
                  and not (p["first_input"] or p["last_input"])]
    return found


def _value(flag: str, option: dict[str, Any], value: str | None, whole: bool) -> list[str]:
    if value is None:
        return [f"{flag} has no value"] if whole else []
    if not value.islower() or "$" in value:  # a placeholder
        return []
    values = value.split(",") if option["many"] else [value]
    return [f"{flag} cannot be {v!r}" for v in values
            if "choices" in option and v not in option["choices"]]


@cache
def _methods(room: str) -> dict[str, dict[str, Any]]:
    return {m["command"].split()[1]: m for m in describe_room(room)["methods"]}


@cache
def _targets() -> set[str]:
    return set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))


@cache
def _extras() -> set[str]:
    return set(tomllib.loads((ROOT / "pyproject.toml").read_text())
               ["project"]["optional-dependencies"])
