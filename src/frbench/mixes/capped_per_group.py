"""``capped_per_group``: no group has more than so many persons."""

from __future__ import annotations

import numpy as np

from frbench.errors import InputError
from frbench.mixes import Candidates, Mixed, counts, evenly, people, some


class CappedPerGroup:
    """Cuts the largest groups down at random and leaves the others as they are."""

    source = "training_set"

    def __init__(self, *, people: int | None = None) -> None:
        """``people``: the most persons of a group; None takes the median over the groups."""
        if people is not None and people < 1:
            raise InputError(f"people={people} must be at least 1")
        self._people = people

    def choose(self, candidates: Candidates, *, rng: np.random.Generator) -> Mixed:
        """All images of the persons who stay."""
        have = counts(candidates)
        cap = self._people or max(int(np.median(have[have > 0])), 1)
        kept = people(candidates, [min(int(each), cap) for each in have], rng)
        return evenly(some(candidates, kept, "capped_per_group"))
