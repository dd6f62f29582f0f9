"""Galaxy tools, https://docs.galaxyproject.org/en/latest/dev/schema.html

A dataset of Galaxy's is one file. A store goes in and out as a tar of its folder, under the name
that the folder had; a table as it is.
"""

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from libcell.cli.descriptors import dois, flag, identifier, parameters

PROFILE = "24.0"
KINDS = {"string": "text", "integer": "integer", "number": "float", "boolean": "boolean"}
FORMATS = "tar,parquet,tabular,csv,json,tiff,txt,data"
# a tar is unpacked; any other file keeps its content and gets a name that tells its format
BRING = (r'bring() { mkdir -p "\$2" && if tar -tf "\$1" > /dev/null 2>&1; then '
         r'tar -xf "\$1" -C "\$2"; else ln -s "\$1" "\$2/data.\$3"; fi; }')


def files(methods: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """A tool per subcommand."""
    for method in methods:
        yield f"{identifier(method)}.xml", _text(method)


def _text(method: dict[str, Any]) -> str:
    tool = Element("tool", id=identifier(method).replace("-", "_"), name=method["command"],
                   version=f"{method['version']}+galaxy0", profile=PROFILE)
    SubElement(tool, "description").text = method["summary"].rstrip(".")
    needed = SubElement(tool, "requirements")
    SubElement(needed, "requirement", type="package", version=method["version"]).text = "libcell"
    SubElement(tool, "version_command").text = f"{method['command'].split()[0]} --version"
    SubElement(tool, "command", detect_errors="exit_code").text = _command(method)
    inputs = SubElement(tool, "inputs")
    SubElement(inputs, "param", name="inputs", type="data", format=FORMATS, multiple="true",
               label="Inputs", help="one of " + ", ".join(method["inputs"]))
    for parameter in parameters(method):
        _input(inputs, parameter)
    outputs = SubElement(tool, "outputs")
    SubElement(outputs, "data", name="output", format=_format(method["output"]),
               label="${tool.name} on ${on_string}")
    example = method["example"].replace("\n", "\n    ")
    SubElement(tool, "help").text = f"{method['summary']}\n\n::\n\n    {example}\n"
    _cite(tool, dois(method))
    ElementTree.indent(tool, "    ")
    return ElementTree.tostring(tool, encoding="unicode") + "\n"


def _cite(tool: Element, found: list[str]) -> None:
    if found:
        citations = SubElement(tool, "citations")
        for doi in found:
            SubElement(citations, "citation", type="doi").text = doi


def _format(output: dict[str, Any]) -> str:
    if output["suffix"] in (".parquet", ".html", ".json", ".png"):
        return str(output["suffix"][1:])
    return "tar"


def _command(method: dict[str, Any]) -> str:
    """Shell, as a Cheetah template: bring the inputs, run, take the output away."""
    name = f"result{method['output']['suffix']}"
    lines = [f"{BRING} &&", "mkdir out &&", "#for $number, $one in enumerate($inputs)",
             "bring '$one' in_$number '$one.ext' &&", "#end for"]
    for p in parameters(method):
        if p["type"] == "path":
            lines += _if(p, f"bring '${p['name']}' at_{p['name']} '${p['name']}.ext' &&")
    lines.append(f"{method['command']} in_*/*")
    for p in parameters(method):
        lines += _option(p)
    whole = _format(method["output"]) != "tar"
    lines += ["--workers \"\\${GALAXY_SLOTS:-1}\"", f"--output out/{name} &&",
              f"mv out/{name} '$output'" if whole else f"tar -cf '$output' -C out {name}"]
    return "\n".join(lines)


def _if(parameter: dict[str, Any], *lines: str) -> list[str]:
    if parameter["required"]:
        return list(lines)
    return [f"#if str(${parameter['name']}) not in ('', 'None')", *lines, "#end if"]


def _option(parameter: dict[str, Any]) -> list[str]:
    name = parameter["name"]
    if parameter["type"] == "boolean":
        return [f"${name}"]
    value = f"at_{name}/*" if parameter["type"] == "path" else f"'${name}'"
    return _if(parameter, f"{flag(parameter)} {value}")


def _input(inputs: Element, parameter: dict[str, Any]) -> None:
    about = {"name": parameter["name"], "label": flag(parameter).lstrip("-").replace("-", " "),
             "help": _help(parameter)}
    optional = {} if parameter["required"] else {"optional": "true"}
    if parameter["type"] == "path":
        SubElement(inputs, "param", about | optional | {"type": "data", "format": FORMATS})
    elif parameter["type"] == "boolean":
        on = bool(parameter["default"])
        SubElement(inputs, "param", about | {
            "type": "boolean", "checked": str(on).lower(),
            "truevalue": "" if on else flag(parameter),
            "falsevalue": flag(parameter, False) if on else ""})
    elif "choices" in parameter and not parameter["many"]:
        select = SubElement(inputs, "param", about | optional | {"type": "select"})
        for choice in parameter["choices"]:
            chosen = {"selected": "true"} if choice == parameter["default"] else {}
            SubElement(select, "option", {"value": choice} | chosen).text = choice
    else:
        _typed(inputs, parameter, about | optional)


def _typed(inputs: Element, parameter: dict[str, Any], about: dict[str, str]) -> None:
    """A number or text; several values are a text with commas."""
    kind = "text" if parameter["many"] else KINDS[parameter["type"]]
    default = parameter["default"]
    if parameter["many"]:
        default = ",".join(map(str, default or ()))
    limits = {k: str(parameter[k]) for k in ("min", "max") if k in parameter and kind != "text"}
    if kind == "integer":
        limits = {k: str(int(float(v))) for k, v in limits.items()}
    value = {} if default in (None, "") else {"value": str(default)}
    if kind != "text" and not value and "optional" not in about:
        value = {"value": ""}
    param = SubElement(inputs, "param", about | {"type": kind} | limits | value)
    if kind == "text":  # what columns and patterns are made of, but nothing that ends a quote
        valid = SubElement(SubElement(param, "sanitizer", invalid_char=""), "valid",
                           initial="string.printable")
        SubElement(valid, "remove", value="'")


def _help(parameter: dict[str, Any]) -> str:
    return str(parameter["help"]) + (" (values with commas)" if parameter["many"] else "")
