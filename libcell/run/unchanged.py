"""Whether the inputs are still what they were when a run began."""

from collections.abc import Iterable
from pathlib import Path

from libcell.data import digests, remote


class Unchanged:
    """The states of inputs when it is made: an output must be of one state of each."""

    def __init__(self, paths: Iterable[Path]):
        self._seen = {path: digests.glance(path) for path in paths}
        self._known = {path: digests.state(path) for path in self._seen}

    def marks(self) -> list[tuple[str, str]]:
        """Path and state, as `job.json` keeps them."""
        return [(remote.told(str(path)), known.mark) for path, known in self._known.items()]

    def another(self, paths: Iterable[Path]) -> Path | None:
        """The first of some paths that is an input and not what it was; a look, where it is."""
        for path in paths:
            if path in self._known and self._seen[path] != (now := digests.glance(path)):
                if not self._known[path].holds(digests.state(path)):
                    return path
                self._seen[path] = now
        return None

    def changed(self, failed: Iterable[Path] = ()) -> list[Path]:
        """Inputs that changed or went away since, but for those that `failed` (or hold such)."""
        left_out = {place for file in failed for place in (file, *file.parents)}
        return [path for path, known in self._known.items()
                if path not in left_out and not known.holds(digests.state(path))]
