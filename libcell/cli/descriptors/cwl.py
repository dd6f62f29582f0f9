"""Command line tools of the Common Workflow Language, https://www.commonwl.org/v1.2/.

Stores are folders, tables are files. The lines that a command prints, one JSON record per
output, are the output `records`. As JSON, which is YAML too.
"""

import json
from collections.abc import Iterator
from typing import Any

from libcell.cli.descriptors import flag, identifier, is_file, parameters

KINDS = {"string": "string", "integer": "long", "number": "double", "boolean": "boolean"}
ANYTHING = ["File", "Directory"]


def files(methods: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """A tool per subcommand."""
    for method in methods:
        text = json.dumps(_tool(method), indent=2, ensure_ascii=False) + "\n"
        yield f"{identifier(method)}.cwl", text


def _tool(method: dict[str, Any]) -> dict[str, Any]:
    output = method["output"]
    return {
        "cwlVersion": "v1.2",
        "class": "CommandLineTool",
        "id": identifier(method),
        "label": method["summary"],
        "doc": f"{method['summary']}\n\n    {method['example']}\n",
        "baseCommand": method["command"].split(),
        "requirements": {"ResourceRequirement": {"coresMin": 1}},
        "arguments": [{"prefix": "--workers", "valueFrom": "$(runtime.cores)"}],
        "inputs": {
            "inputs": {"type": {"type": "array", "items": ANYTHING},
                       "doc": "one of " + ", ".join(method["inputs"]),
                       "inputBinding": {"position": 1}},
            "output_name": {"type": "string", "default": f"result{output['suffix']}",
                            "doc": "name of the output", "inputBinding": {"prefix": "--output"}},
            **{_name(p): _input(p) for p in parameters(method)},
        },
        "outputs": {
            "output": {"type": _output(output), "outputBinding": {"glob": "$(inputs.output_name)"}},
            "records": {"type": "stdout"},
        },
        "stdout": "records.jsonl",
        "temporaryFailCodes": [75],
    }


def _output(output: dict[str, Any]) -> Any:
    """A file, a folder, or either where the output's name decides."""
    kinds = [output, *output["also"]]
    if any(k["schema"] == "files" for k in kinds):
        return ANYTHING
    found = sorted({"File" if is_file(k) else "Directory" for k in kinds}, reverse=True)
    return found[0] if len(found) == 1 else found


def _name(parameter: dict[str, Any]) -> str:
    """The option's; of a switch that is on by itself, what turns it off: CWL gives a flag for
    true alone."""
    if parameter["type"] == "boolean" and parameter["default"]:
        return flag(parameter, False).lstrip("-").replace("-", "_")
    return str(parameter["name"])


def _input(parameter: dict[str, Any]) -> dict[str, Any]:
    kinds: list[Any] = [_kind(parameter)] if parameter["type"] != "path" else list(ANYTHING)
    binding: dict[str, Any] = {"prefix": flag(parameter)}
    if parameter["many"]:
        kinds = [{"type": "array", "items": kinds[0] if len(kinds) == 1 else kinds}]
        binding["itemSeparator"] = ","
    if parameter["type"] == "boolean" and parameter["default"]:
        binding["prefix"] = flag(parameter, False)
    optional = [] if parameter["required"] else ["null"]
    return {"type": optional + kinds if optional or len(kinds) > 1 else kinds[0],
            "doc": _doc(parameter), "inputBinding": binding}


def _kind(parameter: dict[str, Any]) -> Any:
    if "choices" in parameter:
        return {"type": "enum", "symbols": parameter["choices"]}
    return KINDS[parameter["type"]]


def _doc(parameter: dict[str, Any]) -> str:
    if parameter["type"] == "boolean" and parameter["default"]:
        return f"not: {parameter['help']}"
    if parameter["required"] or parameter["default"] in (None, False, [], ()):
        return str(parameter["help"])
    return f"{parameter['help']}; {json.dumps(parameter['default'])} if not given"
