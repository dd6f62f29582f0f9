"""What `validate` finds: each violation with its place."""

from dataclasses import dataclass

from pydantic import BaseModel, ValidationError


@dataclass(frozen=True)
class Violation:
    """One fault: where it is, and what is wrong there."""

    place: str
    fault: str

    def __str__(self) -> str:
        return f"{self.place}: {self.fault}"


def of_model(model: type[BaseModel], value: object, place: str) -> list[Violation]:
    """Everything in which a JSON value differs from a model."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        return [
            Violation(f"{place}:{'.'.join(map(str, e['loc']))}" if e["loc"] else place, e["msg"])
            for e in error.errors()
        ]
    return []
