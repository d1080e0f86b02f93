"""``fresh_sample``: other people, taken in the proportions of the population."""

from __future__ import annotations

import numpy as np

from frbench.mixes import Candidates, Mixed, counts, evenly, people, some
from frbench.mixes.population_matched import largest_quota


class FreshSample:
    """Nobody who was in custody: "new data that is free from bias", as the guidance puts it."""

    source = "fresh_set"

    def __init__(self, *, match: bool = True) -> None:
        """``match``: whether persons are left out until shares are the population's."""
        self._match = match

    def choose(self, candidates: Candidates, *, rng: np.random.Generator) -> Mixed:
        """All images of the persons drawn from the fresh set."""
        kept = np.ones(len(candidates.person), dtype=bool)
        if self._match:
            quota = largest_quota(counts(candidates), candidates.shares())
            kept = people(candidates, list(quota), rng)
        return evenly(some(candidates, kept, "fresh_sample"))
