"""``importance_weighted``: everybody stays, under-represented groups are shown more often."""

from __future__ import annotations

import numpy as np

from frbench.errors import InputError
from frbench.mixes import Candidates, Mixed, some


class ImportanceWeighted:
    """An image is drawn in proportion to its group's share of the population over its own."""

    source = "training_set"

    def __init__(self, *, largest: float = 20.0) -> None:
        """``largest``: no weight exceeds so many times the smallest; few faces shown over and over
        teach little more."""
        if not largest >= 1:
            raise InputError(f"largest={largest} must be at least 1")
        self._largest = largest

    def choose(self, candidates: Candidates, *, rng: np.random.Generator) -> Mixed:
        """All images with a label."""
        shares = candidates.shares()
        held = np.bincount(candidates.group, minlength=len(candidates.groups))
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = np.where(held > 0, shares / held, 0.0)
        floor = weight[weight > 0].min(initial=np.inf)
        weight = np.minimum(weight, self._largest * floor)
        rows = some(candidates, weight[candidates.group] > 0, "importance_weighted")
        return Mixed(rows, weight[candidates.group[rows]] * len(rows))
