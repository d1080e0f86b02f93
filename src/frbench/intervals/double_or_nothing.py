"""Bootstrap that keeps each person twice or not at all."""

from __future__ import annotations

import numpy as np

from frbench.intervals import Bounds, CellErrors, Weights
from frbench.intervals._percentile import percentile_bounds


class DoubleOrNothing:
    """Percentiles of the rate under weights that are 0 or 2 with equal chance per person.

    A comparison weighs the product of its two persons' weights. Source: Fogliato, Patil and
    Perona, IJCV 2024; Owen and Eckles, Annals of Applied Statistics 2012.

    Args:
        replicates: how many draws.
        level: confidence level.
    """

    name = "double_or_nothing"
    self_pairs = False

    def __init__(self, *, replicates: int = 2000, level: float = 0.95) -> None:
        self.replicates = replicates
        self.level = level

    def weights(self, persons: int, *, rng: np.random.Generator) -> Weights:
        """uint8 [R, S], 0 or 2."""
        drawn = rng.integers(0, 2, size=(self.replicates, persons), dtype=np.uint8)
        return (2 * drawn).astype(np.uint8)

    def bounds(self, cells: CellErrors, *, rng: np.random.Generator) -> Bounds:
        """Percentile interval; without errors, the closed form's."""
        return percentile_bounds(self, cells, rng=rng)
