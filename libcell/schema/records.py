"""Provenance, and the JSON lines that travel between commands."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class InputMark(BaseModel):
    """One input of a run, known by its content, never by its path."""

    model_config = ConfigDict(extra="allow")

    role: str = Field(description="what the command used it for: input, images, model, ...")
    schema_: str | None = Field(
        None, alias="schema", description="its schema, or null for foreign files"
    )
    digest: str = Field(
        pattern=r"^[a-z0-9-]+:[0-9a-f]{16,}$",
        description="sha256 of its content (of a store: of the root metadata, which seals it)",
    )


class Provenance(BaseModel):
    """Which command, version and parameters made an output, and from what."""

    model_config = ConfigDict(extra="allow")

    command: str = Field(description="e.g. `cell-segment threshold`")
    version: str = Field(description="libcell's version")
    parameters: dict[str, Any] = Field(
        description="every option that shapes the result; not workers, device or paths"
    )
    inputs: list[InputMark]
    seed: int | None = None
    created: str | None = Field(
        None,
        description="UTC time, only where SOURCE_DATE_EPOCH gives one: "
        "the same input must give the same bytes",
    )


class Record(BaseModel):
    """One line on standard output: a finished output, or a finished part of a growing store."""

    model_config = ConfigDict(extra="allow")

    schema_: str = Field(alias="schema", description="what lies at `path`, e.g. `labels/1`")
    path: str | None = Field(
        description="where the output is, or will be once it is complete; null where only the "
        "record was asked for"
    )
    n: int = Field(ge=0, description="objects, crops, rows or fields in it")
    group: str | None = Field(
        None, description="a part: the finished field of view inside a store that still grows"
    )
    partial: str | None = Field(
        None, description="a part: where the growing store lies until it is complete"
    )
    complete: Literal[True] | None = Field(
        None, description="true in the last record, when `path` is there as a whole"
    )
