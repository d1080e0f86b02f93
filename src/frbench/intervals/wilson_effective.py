"""Wilson's interval with the number of comparisons that independent persons are worth."""

from __future__ import annotations

import numpy as np
from scipy import stats

from frbench.intervals import Bounds, CellErrors
from frbench.intervals.wilson import modify_endpoints, score_interval
from frbench.values import Bools, Float64s


class WilsonEffective:
    """The default: closed form, deterministic, its coverage in ``docs/methodology/coverage.md``.

    The plug-in variance V of the rate p, in which only persons are independent, gives the
    effective number of comparisons n* = p (1 - p) / V; Wilson's interval is taken with it.

    V is itself estimated, and from few persons where few are mistaken for many others. With
    ``student`` V is the guarded one: each person's residual is taken from the
    rate of the others (``guarded_variance``), and the normal quantile gives way to Student's with
    as many degrees of freedom as persons carry the variance, (sum r_i^2)^2 / sum r_i^4.

    From none to four errors V says little or nothing of how persons depend on each other, and the
    raw number of comparisons would claim far too much: then n* is at most the number of units
    that share nobody (disjoint pairs of persons for a false-match rate, persons for a rate of one
    person's own comparisons). That is a rule of three on persons; it holds however strongly one
    person's comparisons depend on each other, and no first error makes an interval narrower.
    The same for none to four non-errors.

    Source: Fogliato, Patil and Perona, IJCV 2024, except for these three.

    Args:
        level: confidence level.
        student: the source's interval where False, without these three changes.
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
        number = effective_number(cells, guarded=self.student)
        if self.student:
            number = np.where(scarce(cells), np.minimum(number, cells.independent), number)
        found = score_interval(rate, number, level=self.level, z=z)
        return modify_endpoints(found, cells.errors, cells.comparisons, self.level)

    def _quantiles(self, cells: CellErrors) -> Float64s:
        """Student's quantile per cell; the normal one where no estimated variance is used."""
        degrees = np.where(scarce(cells), np.inf, np.nan_to_num(cells.carriers, nan=np.inf))
        return np.asarray(stats.t.ppf((1.0 + self.level) / 2.0, np.maximum(degrees, 1.0)))


SCARCE = 5
"""Fewer errors (or non-errors) than this do not show how persons depend on each other."""


def scarce(cells: CellErrors) -> Bools:
    """bool [C]: whether there are fewer than ``SCARCE`` errors, or non-errors."""
    return np.asarray(np.minimum(cells.errors, cells.comparisons - cells.errors) < SCARCE)


def effective_number(cells: CellErrors, *, guarded: bool = False) -> Float64s:
    """float64 [C]: p (1 - p) / V, at most the comparisons made; the units that share nobody
    where all comparisons, or none, are errors; 0 where there are none. V is the plug-in variance,
    or the ``guarded`` one."""
    n = cells.comparisons.astype(np.float64)
    rate = cells.errors / np.maximum(n, 1.0)
    uniform = (cells.errors == 0) | (cells.errors == cells.comparisons)
    spread = rate * (1 - rate)
    variance = cells.guarded_variance if guarded else cells.variance
    # where all persons err at one rate V is 0, or what rounding leaves of it
    known = ~uniform & (variance > 1e-9 * spread / np.maximum(n, 1.0))
    number = spread / np.where(known, variance, np.inf)
    return np.minimum(np.where(known, number, cells.independent.astype(np.float64)), n)
