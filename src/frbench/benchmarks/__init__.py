"""The shelf of benchmark sets: one file turns one distributor's layout into a FaceSet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from frbench.values import FaceSet

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


def silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


class Benchmark(Protocol):
    """A labelled set. Constructors take keywords only; nothing is read before ``load``."""

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set. Raises InputError naming every bad row at once."""
        ...
