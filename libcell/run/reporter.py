"""What a running job tells whoever watches; the command line prints it."""

from typing import Any


class Reporter:
    """Hears of progress, warnings, failures and finished outputs; this one stays silent."""

    def record(self, record: dict[str, Any]) -> None:
        """A finished output, or a finished part of a growing store."""

    def warn(self, text: str) -> None:
        """Something the user should know that stops nothing."""

    def fail(self, where: str, error: BaseException) -> None:
        """One block failed; the others go on."""

    def note(self, text: str) -> None:
        """The closing summary, and what a verbose run says on its way."""

    def progress(self, phase: str, done: int, total: int | None) -> None:
        """`done` of `total` blocks of a phase are finished; total None: not known yet."""
