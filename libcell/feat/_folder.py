"""Which modules a package of families has: its own files, and those that other packages add."""

import functools
import importlib
import pkgutil
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any


class Folder:
    """The modules of a package without a leading underscore, and an entry-point group's.

    Listing imports none of them. Our own cannot be replaced.
    """

    def __init__(self, package: str, path: Iterable[str]) -> None:
        self.package = package
        self._path = list(path)

    def names(self) -> list[str]:
        """All modules, our own first."""
        return self._own + sorted(set(self._added) - set(self._own))

    def load(self, name: str) -> Any:
        """One of `names`, imported."""
        if name in self._own:
            return importlib.import_module(f"{self.package}.{name}")
        return self._added[name].load()

    @functools.cached_property
    def _own(self) -> list[str]:
        found = (m.name for m in pkgutil.iter_modules(self._path))
        return sorted(n for n in found if not n.startswith("_"))

    @functools.cached_property
    def _added(self) -> dict[str, EntryPoint]:
        """Asked for every field of view, so looked up once."""
        return {e.name: e for e in entry_points(group=self.package)}
