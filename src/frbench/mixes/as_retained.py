"""``as_retained``: every image that was kept, as it lies there."""

from __future__ import annotations

import numpy as np

from frbench.mixes import Candidates, Mixed, evenly, some


class AsRetained:
    """All images with equal weight: what a force has that does nothing about its data."""

    source = "training_set"

    def choose(self, candidates: Candidates, *, rng: np.random.Generator) -> Mixed:
        """Every row."""
        kept = np.ones(len(candidates.person), dtype=bool)
        return evenly(some(candidates, kept, "as_retained"))
