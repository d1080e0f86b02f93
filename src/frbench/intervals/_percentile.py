"""What the bootstraps share: percentiles of resampled rates, and when they say nothing."""

from __future__ import annotations

import numpy as np

from frbench.intervals import Bounds, CellErrors, Resampling
from frbench.intervals.wilson_effective import WilsonEffective


def percentile_bounds(part: Resampling, cells: CellErrors, *, rng: np.random.Generator) -> Bounds:
    """The central ``part.level`` of the resampled rates of every cell.

    Where no comparison, or every comparison, is an error, all replicates agree and would claim
    certainty; there the closed form's interval stands instead.
    """
    closed = WilsonEffective(level=part.level).bounds(cells, rng=rng)
    rates = cells.resampled(part.weights(cells.persons, rng=rng), self_pairs=part.self_pairs)
    low, high = closed.low.copy(), closed.high.copy()
    uniform = (cells.errors == 0) | (cells.errors == cells.comparisons)
    drawn = ~np.isnan(rates).all(axis=0) & ~uniform
    tail = (1.0 - part.level) / 2.0
    if drawn.any():
        low[drawn], high[drawn] = np.nanquantile(rates[:, drawn], [tail, 1 - tail], axis=0)
    return Bounds(low, high)
