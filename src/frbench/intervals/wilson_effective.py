"""Wilson's interval with the number of comparisons that independent persons are worth."""

from __future__ import annotations

import numpy as np
from scipy import stats

from frbench.intervals import Bounds, CellErrors
from frbench.intervals.wilson import modify_endpoints, score_interval
from frbench.values import Float64s


class WilsonEffective:
    """The default: closed form, deterministic, and about right from ten errors up.

    The plug-in variance V of the rate p, in which only persons are independent, gives the
    effective number of comparisons n* = p (1 - p) / V; Wilson's interval is taken with it.

    V is itself estimated, and from few persons where few are mistaken for many others. With
    ``student`` the normal quantile gives way to Student's with as many degrees of freedom as
    persons carry the variance, (sum r_i^2)^2 / sum r_i^4, r_i being a person's errors less the
    expected ones: in simulated populations coverage at 95 % rises from 84-95 % to 90-98 %
    (``tests/statistics``).

    With no error (or no success) there is no V, and the raw number of comparisons would claim
    far too much: then n* is the number of units that share nobody (disjoint pairs of persons for
    a false-match rate, persons for a rate of one person's own comparisons), which is a rule of
    three on persons and holds however strongly one person's comparisons depend on each other.

    Source: Fogliato, Patil and Perona, IJCV 2024, except for Student's quantile and the case
    without errors.

    Args:
        level: confidence level.
        student: use Student's quantile; False gives the source's interval.
    """

    name = "wilson_effective"

    def __init__(self, *, level: float = 0.95, student: bool = True) -> None:
        self.level = level
        self.student = student

    def bounds(self, cells: CellErrors, *, rng: np.random.Generator) -> Bounds:
        """The interval of every cell; draws nothing."""
        n = cells.comparisons.astype(np.float64)
        rate = cells.errors / np.maximum(n, 1.0)
        z = self._quantiles(cells) if self.student else None
        found = score_interval(rate, effective_number(cells), level=self.level, z=z)
        return modify_endpoints(found, cells.errors, cells.comparisons, self.level)

    def _quantiles(self, cells: CellErrors) -> Float64s:
        """Student's quantile per cell; the normal one where no variance was estimated."""
        uniform = (cells.errors == 0) | (cells.errors == cells.comparisons)
        degrees = np.where(uniform, np.inf, np.nan_to_num(cells.carriers, nan=np.inf))
        return np.asarray(stats.t.ppf((1.0 + self.level) / 2.0, np.maximum(degrees, 1.0)))


def effective_number(cells: CellErrors) -> Float64s:
    """float64 [C]: p (1 - p) / V, at most the comparisons made; the units that share nobody
    where all comparisons, or none, are errors; 0 where there are none."""
    n = cells.comparisons.astype(np.float64)
    rate = cells.errors / np.maximum(n, 1.0)
    uniform = (cells.errors == 0) | (cells.errors == cells.comparisons)
    spread = rate * (1 - rate)
    # where all persons err at one rate V is 0, or what rounding leaves of it
    known = ~uniform & (cells.variance > 1e-9 * spread / np.maximum(n, 1.0))
    number = spread / np.where(known, cells.variance, np.inf)
    return np.minimum(np.where(known, number, cells.independent.astype(np.float64)), n)
