"""The shelf of benchmark sets: one file turns one distributor's layout into a FaceSet."""

from __future__ import annotations

from typing import Protocol

from frbench.values import FaceSet


class Benchmark(Protocol):
    """A labelled set. Constructors take keywords only; nothing is read before ``load``."""

    def load(self) -> FaceSet:
        """The validated set. Raises InputError naming every bad row at once."""
        ...
