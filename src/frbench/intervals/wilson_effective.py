"""Wilson's interval with the number of comparisons that independent persons are worth."""

from __future__ import annotations

import numpy as np

from frbench.intervals import Bounds, CellErrors
from frbench.intervals.wilson import modify_endpoints, score_interval
from frbench.values import Float64s


class WilsonEffective:
    """The default: closed form, deterministic, and about right from ten errors up.

    The plug-in variance V of the rate p, in which only persons are independent, gives the
    effective number of comparisons n* = p (1 - p) / V; Wilson's interval is taken with it.

    With no error (or no success) there is no V, and the raw number of comparisons would claim
    far too much: then n* is the number of units that share nobody (disjoint pairs of persons for
    a false-match rate, persons for a rate of one person's own comparisons), which is a rule of
    three on persons and holds however strongly one person's comparisons depend on each other.

    Source: Fogliato, Patil and Perona, IJCV 2024, except for the case without errors.

    Args:
        level: confidence level.
    """

    name = "wilson_effective"

    def __init__(self, *, level: float = 0.95) -> None:
        self.level = level

    def bounds(self, cells: CellErrors, *, rng: np.random.Generator) -> Bounds:
        """The interval of every cell; draws nothing."""
        n = cells.comparisons.astype(np.float64)
        rate = cells.errors / np.maximum(n, 1.0)
        found = score_interval(rate, effective_number(cells), level=self.level)
        return modify_endpoints(found, cells.errors, cells.comparisons, self.level)


def effective_number(cells: CellErrors) -> Float64s:
    """float64 [C]: p (1 - p) / V, at most the comparisons made; the units that share nobody
    where all comparisons, or none, are errors; 0 where there are none."""
    n = cells.comparisons.astype(np.float64)
    rate = cells.errors / np.maximum(n, 1.0)
    uniform = (cells.errors == 0) | (cells.errors == cells.comparisons)
    with np.errstate(divide="ignore", invalid="ignore"):
        number = rate * (1 - rate) / cells.variance
    number = np.where(uniform, cells.independent.astype(np.float64), number)
    number = np.where(np.isfinite(number), number, cells.independent.astype(np.float64))
    return np.minimum(number, n)
