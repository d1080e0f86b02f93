"""Bootstrap that draws as many persons as there are, with replacement."""

from __future__ import annotations

import numpy as np

from frbench.intervals import Bounds, CellErrors, Weights
from frbench.intervals._percentile import percentile_bounds


class VertexBootstrap:
    """Percentiles of the rate over persons drawn with replacement.

    Two copies of one person were never compared; their comparisons enter at the cell's own rate,
    or the denominator would lack them. Source: Snijders and Borgatti, Connections 1999;
    Fogliato, Patil and Perona, IJCV 2024.

    Args:
        replicates: how many draws.
        level: confidence level.
    """

    name = "vertex_bootstrap"
    self_pairs = True

    def __init__(self, *, replicates: int = 2000, level: float = 0.95) -> None:
        self.replicates = replicates
        self.level = level

    def weights(self, persons: int, *, rng: np.random.Generator) -> Weights:
        """uint8 [R, S]; each row sums to the number of persons."""
        drawn = rng.integers(0, persons, size=(self.replicates, persons), dtype=np.int64)
        drawn += np.arange(self.replicates)[:, None] * persons
        counts = np.bincount(drawn.reshape(-1), minlength=self.replicates * persons)
        return counts.reshape(self.replicates, persons).astype(np.uint8)

    def bounds(self, cells: CellErrors, *, rng: np.random.Generator) -> Bounds:
        """Percentile interval; without errors, the closed form's."""
        return percentile_bounds(self, cells, rng=rng)
