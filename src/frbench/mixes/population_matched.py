"""``population_matched``: as many persons as can be had in the proportions of the population."""

from __future__ import annotations

import numpy as np

from frbench.mixes import Candidates, Mixed, counts, evenly, people, some
from frbench.values import Float64s, Int64s


class PopulationMatched:
    """Persons are left out at random until every group's share is the population's."""

    source = "training_set"

    def choose(self, candidates: Candidates, *, rng: np.random.Generator) -> Mixed:
        """All images of the persons drawn; persons without a label are left out."""
        quota = largest_quota(counts(candidates), candidates.shares())
        kept = people(candidates, list(quota), rng)
        return evenly(some(candidates, kept, "population_matched"))


def largest_quota(have: Int64s, shares: Float64s) -> Int64s:
    """int64 [G]: the most persons per group in these proportions, each rounded down.

    Groups with a share but nobody in the manifest cannot be matched and are passed over.

    >>> largest_quota(np.array([90, 10]), np.array([0.5, 0.5])).tolist()
    [10, 10]
    """
    possible = (shares > 0) & (have > 0)
    if not possible.any():
        return np.zeros_like(have)
    size = (have[possible] / shares[possible]).min()
    return np.where(possible, np.floor(size * shares + 1e-9), 0).astype(np.int64)
