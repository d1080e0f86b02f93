"""No group has more training images than a multiple of its share among residents."""

from __future__ import annotations

import numpy as np

from frbench.policies.as_is import AsIs
from frbench.values import Float64s


class Cap(AsIs):
    """Leaves out the images of a group above ``times`` its residents' share of what is held."""

    name = "cap"

    def __init__(self, *, first: int = 5, times: float = 1.0) -> None:
        if times <= 0:
            raise ValueError(f"times={times} must lie above 0")
        self.first, self.times = first, times

    def trains_on(
        self, at: int, held: Float64s, population: Float64s, rng: np.random.Generator
    ) -> Float64s:
        """min(q, times × p), scaled to 1."""
        if at < self.first:
            return held
        kept = np.minimum(held, self.times * population)
        return np.asarray(kept / kept.sum(axis=1, keepdims=True))
