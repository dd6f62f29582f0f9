"""Rows of the table that `make faults` prints, and whether all are as they must be."""

from dataclasses import dataclass, field

SHOWN = 3


@dataclass
class Row:
    """What was tried on one case: how often, what went wrong, and what is worth a word."""

    fault: str
    case: str
    tries: int = 0
    problems: list[str] = field(default_factory=list)
    note: str = ""
    impossible: bool = False

    def add(self, problem: str | None) -> None:
        """Count a try."""
        self.tries += 1
        if problem:
            self.problems.append(problem)

    def text(self) -> str:
        """One line, and one for each of the first problems."""
        state = "not possible here" if self.impossible else \
            f"{self.tries - len(self.problems)} of {self.tries}"
        lines = [f"{self.fault:<22} {self.case:<22} {state:>17}  {self.note}".rstrip()]
        lines += [f"    {p}" for p in self.problems[:SHOWN]]
        return "\n".join(lines)


def summary(rows: list[Row]) -> tuple[str, int]:
    """The closing line and the exit code."""
    tries, bad = sum(r.tries for r in rows), sum(len(r.problems) for r in rows)
    left = sum(r.impossible for r in rows)
    text = f"{tries} faults, {tries - bad} as promised, {bad} not"
    text += f"; {left} rows not possible here" if left else ""
    return text, int(bad > 0)
