"""Modules for Nextflow as nf-core has them, https://nf-co.re/docs/specifications/components/modules

A folder per subcommand: `main.nf` (the process), `meta.yml` (what it takes and gives) and
`environment.yml` (conda). Files are inputs of the process, `[]` where one is not given; every
other option is text in `ext.args` of the pipeline's configuration, and is told in meta.yml.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from libcell.cli.descriptors import dois, flag, is_file, parameters

PROCESS = '''\
process {name} {{
    tag "${{meta.id}}"
    label 'process_medium'

    conda "${{moduleDir}}/environment.yml"
    container "libcell:{version}"

    input:
    {inputs}

    output:
    tuple val(meta), path("{output}"), emit: output
    tuple val("${{task.process}}"), val('libcell'), eval("{tell}"), topic: versions, \
emit: versions_libcell

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    {names}
    {options}
    """
    {call}
    """

    stub:
    {names}
    """
    {make} {output}
    """
}}
'''


def files(methods: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Path and text of the three files of each subcommand."""
    for method in methods:
        folder = "/".join(_names(method))
        yield f"{folder}/main.nf", _process(method)
        yield f"{folder}/meta.yml", _yaml(_meta(method))
        yield f"{folder}/environment.yml", _yaml(_environment(method))


def _names(method: dict[str, Any]) -> list[str]:
    """`cellsegment`, `threshold`: a module's names have no punctuation."""
    return str(method["command"]).replace("-", "").split()


def _paths(method: dict[str, Any]) -> list[dict[str, Any]]:
    return [p for p in method["parameters"] if p["type"] == "path"]


def _process(method: dict[str, Any]) -> str:
    named = [(p["name"], flag(p), f"[{p['name']}].flatten().join(',')" if p["many"] else p["name"])
             for p in _paths(method)]
    output, suffix = method["output"], method["output"]["suffix"]
    names = ['prefix = task.ext.prefix ?: "${meta.id}"']
    if output["also"]:  # the whole name decides what is made
        names.append(f'prefix2 = task.ext.prefix2 ?: "${{prefix}}{suffix}"')
    words = [method["command"], "${inputs}", *(f"${{{name}_option}}" for name, *_ in named),
             f"--output {_output(method)}", "--workers ${task.cpus}", "${args}"]
    text = PROCESS.format(
        name="_".join(_names(method)).upper(), version=method["version"],
        tell=_tell(method), output=_output(method), call=" \\\\\n        ".join(words),
        inputs=_lines("tuple val(meta), path(inputs, stageAs: 'inputs*/*')",
                      *(f"path({name}, stageAs: '{name}*/*')" for name, *_ in named)),
        names=_lines(*names),
        options=_lines(*(f"def {name}_option = {name} ? \"{long} ${{{value}}}\" : ''"
                         for name, long, value in named)),
        make="touch" if is_file(output) else "mkdir")
    return text.replace("    \n", "")


def _lines(*lines: str) -> str:
    return "\n    ".join(lines)


def _output(method: dict[str, Any]) -> str:
    """What the output is called, as Groovy has it."""
    return "${prefix2}" if method["output"]["also"] else f"${{prefix}}{method['output']['suffix']}"


def _tell(method: dict[str, Any]) -> str:
    return f"{method['command'].split()[0]} --version"


def _meta(method: dict[str, Any]) -> dict[str, Any]:
    """meta.yml: the channels of main.nf, in its order and under its names."""
    sample = {"meta": _element("map", "what is known of the sample, e.g. `[ id:'plate1' ]`")}
    kind = "file" if is_file(method["output"]) else "directory"
    made = {_output(method): _element(kind, f"output, {method['output']['schema']}")}
    version = [{"${task.process}": _element("string", "Name of the process")},
               {"libcell": _element("string", "Name of the tool")},
               {_tell(method): _element("eval", "What says the version of the tool")}]
    about = "Commands from microscope pixels to explained answers about cells"
    return {
        "name": "_".join(_names(method)),
        "description": method["summary"],
        "keywords": list(dict.fromkeys(["microscopy", "cells", *_names(method)])),
        "tools": [{"libcell": {"description": about, "licence": ["BSD-3-Clause"], "identifier": "",
                               "doi": next(iter(dois(method)), "no DOI available")}}],
        "extra_args": [{"description": f"{flag(p)}: {p['help']}"} for p in parameters(method)
                       if p["type"] != "path"],
        "input": [[sample, {"inputs": _element("file", "one of " + ", ".join(method["inputs"]))}],
                  *({p["name"]: _element("file", _about(p))} for p in _paths(method))],
        "output": {"output": [[sample, made]], "versions_libcell": [version]},
        "topics": {"versions": [version]},
        "authors": ["libcell"],
        "maintainers": ["libcell"],
    }


def _element(kind: str, description: str) -> dict[str, str]:
    return {"type": kind, "description": description}


def _about(parameter: dict[str, Any]) -> str:
    return parameter["help"] + ("" if parameter["required"] else "; [] for none")


def _environment(method: dict[str, Any]) -> dict[str, Any]:
    extra = f"[{method['needs']}]" if method["needs"] else ""
    return {"channels": ["conda-forge"],
            "dependencies": ["conda-forge::python=3.12", "conda-forge::pip=25.0",
                             {"pip": [f"libcell{extra}=={method['version']}"]}]}


def _yaml(value: Any, indent: str = "") -> str:
    """Block style; text is quoted as JSON quotes it, which YAML reads."""
    if isinstance(value, dict) and value:
        return "".join(f"{indent}{_key(k)}:{_nested(v, indent)}" for k, v in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{indent}- {_yaml(v, indent + '  ').lstrip(' ')}" for v in value)
    return f"{indent}{json.dumps(value, ensure_ascii=False)}\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"\w+", name) else json.dumps(name)


def _nested(value: Any, indent: str) -> str:
    if value and isinstance(value, dict | list):
        return "\n" + _yaml(value, indent + "  ")
    return " " + _yaml(value)
