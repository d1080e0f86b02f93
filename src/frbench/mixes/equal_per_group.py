"""``equal_per_group``: as many persons of each group as the smallest has."""

from __future__ import annotations

import numpy as np

from frbench.mixes import Candidates, Mixed, counts, evenly, people, some
from frbench.mixes.population_matched import largest_quota
from frbench.values import UNLABELLED


class EqualPerGroup:
    """Persons of the larger groups are left out at random."""

    source = "training_set"

    def choose(self, candidates: Candidates, *, rng: np.random.Generator) -> Mixed:
        """All images of the persons drawn; persons without a label are left out."""
        labelled = np.array([name != UNLABELLED for name in candidates.groups], dtype=float)
        quota = largest_quota(counts(candidates), labelled)
        kept = people(candidates, list(quota), rng)
        return evenly(some(candidates, kept, "equal_per_group"))
