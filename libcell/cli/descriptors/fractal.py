"""Tasks for Fractal, https://fractal-analytics-platform.github.io

A package `libcell_tasks` to install where Fractal collects tasks: the manifest, and a script per
subcommand that calls `libcell.cli.fractal_task`. A task takes the stores of its kind among the
images of the dataset, writes one output beside them and adds that to the dataset.
"""

import json
from collections.abc import Iterator
from typing import Any

from libcell.cli.descriptors import identifier, parameters

PACKAGE = "libcell_tasks"
KINDS = {"string": "string", "path": "string", "integer": "integer", "number": "number",
         "boolean": "boolean"}
# Fractal's own words for what a task does
CATEGORIES = {"cell-extract": "Conversion", "cell-segment": "Segmentation",
              "cell-align": "Registration", "cell-feat": "Measurement"}


def files(methods: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The package: project file, manifest, scripts."""
    yield "pyproject.toml", _project(methods)
    yield f"{PACKAGE}/__init__.py", '"""libcell\'s subcommands as tasks of Fractal\'s."""\n'
    manifest = {
        "manifest_version": "2",
        "task_list": [_task(m) for m in methods],
        "has_args_schemas": True,
        "args_schema_version": "fractal_schema_v1",
        "authors": "libcell",
    }
    yield (f"{PACKAGE}/__FRACTAL_MANIFEST__.json",
           json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    for method in methods:
        yield f"{PACKAGE}/{_script(method)}", (
            f'"""{method["command"]}: {method["summary"]}"""\n\n'
            "from libcell.cli.fractal_task import main\n\n"
            f'if __name__ == "__main__":\n    main("{method["command"]}")\n')


def _script(method: dict[str, Any]) -> str:
    return f"{identifier(method).replace('-', '_')}.py"


def _project(methods: list[dict[str, Any]]) -> str:
    version = methods[0]["version"]
    extras = sorted({m["needs"] for m in methods if m["needs"]})
    optional = "\n".join(f'{e} = ["libcell[{e}]=={version}"]' for e in extras)
    return f'''\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "libcell-tasks"
version = "{version}"
description = "libcell's subcommands as tasks of Fractal's"
requires-python = ">=3.11"
dependencies = ["libcell=={version}"]

[project.optional-dependencies]
{optional}

[tool.hatch.build.targets.wheel]
packages = ["{PACKAGE}"]
'''


def _task(method: dict[str, Any]) -> dict[str, Any]:
    kinds = [k.partition("/")[0] for k in method["inputs"]]
    made = method["output"]["schema"].partition("/")[0]
    task = {
        "name": method["command"],
        "executable_non_parallel": _script(method),
        "type": "converter_non_parallel" if kinds == ["files"] else "non_parallel",
        "category": CATEGORIES.get(method["command"].split()[0], "Utilities"),
        "tags": ["libcell", *kinds],
        "docs_info": f"{method['summary']}\n\n```\n{method['example']}\n```\n",
        "args_schema_non_parallel": _arguments(method),
    }
    if len(kinds) == 1 and kinds[0] not in ("files", "image"):  # images may be anybody's
        task["input_types"] = {kinds[0]: True}
    if not method["output"]["also"] and made not in ("files", "image"):
        task["output_types"] = {made: True}
    return task


def _arguments(method: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of a task's arguments: Fractal's own, the inputs and output, the options."""
    converter = method["inputs"] == ["files"]
    own = {"zarr_dir": _text("folder of the dataset; relative paths start here")}
    if not converter:
        own["zarr_urls"] = {"type": "array", "items": {"type": "string"}, "title": "Zarr URLs",
                            "description": "images of the dataset"}
    listed = "paths or globs" + ("" if converter else " [what is of its kind in the dataset]")
    about = ", ".join(method["inputs"])
    properties = own | {
        "inputs": {"type": "array", "items": {"type": "string"}, "title": "Inputs",
                   "description": f"{listed}; one of {about}"},
        "output_name": _text("name of the output") | {
            "default": f"{method['command'].split()[1]}{method['output']['suffix']}"},
        "overwrite": {"type": "boolean", "title": "Overwrite", "default": False,
                      "description": "replace an output that exists"},
        **{p["name"]: _property(p) for p in parameters(method)},
    }
    needed = [*own, *(["inputs"] if converter else []),
              *(p["name"] for p in parameters(method) if p["required"])]
    return {"type": "object", "title": method["command"], "properties": properties,
            "required": needed, "additionalProperties": False}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "title": description.partition(" [")[0], "description": description}


def _property(parameter: dict[str, Any]) -> dict[str, Any]:
    one: dict[str, Any] = {"type": KINDS[parameter["type"]]}
    if "choices" in parameter:
        one["enum"] = parameter["choices"]
    one |= {word: parameter[limit] for limit, word in (("min", "minimum"), ("max", "maximum"))
            if limit in parameter}
    found = {"type": "array", "items": one} if parameter["many"] else one
    default = parameter["default"]
    if parameter["many"]:
        default = list(default or ())
    given = {} if default in (None, "", []) else {"default": default}
    return found | given | {"title": parameter["name"].replace("_", " "),
                            "description": parameter["help"]}
