"""Custody images are no longer trained on: a fresh sample takes their place."""

from __future__ import annotations

import numpy as np

from frbench.policies import target_shares
from frbench.policies.as_is import AsIs
from frbench.values import Float64s


class FreshSample(AsIs):
    """New data for every training.

    Args:
        first: the round from which it is done.
        persons: drawn for each training, one image each.
        target: ``equal`` for as many of each group, ``population`` for a sample of the residents.
    """

    name = "fresh sample"

    def __init__(self, *, first: int = 5, persons: int = 10_000, target: str = "equal") -> None:
        if persons < 1:
            raise ValueError(f"persons={persons} must be at least 1")
        self.first, self.persons = first, persons
        self._target = target_shares(target)

    def trains_on(
        self, at: int, held: Float64s, population: Float64s, rng: np.random.Generator
    ) -> Float64s:
        """Shares of a multinomial sample."""
        if at < self.first:
            return held
        wanted = self._target(population)
        return np.asarray(rng.multinomial(self.persons, wanted, size=len(held)) / self.persons)
