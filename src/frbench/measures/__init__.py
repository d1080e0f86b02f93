"""The shelf of differential measures: from one rate per group to one number.

Every measure is defined for rates that are zero: a ratio over zero is infinite, 0 / 0 is NaN, and
the table of gaps then says ``undefined``. None of them stands alone: read the table per group.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from frbench.values import Float64s


@runtime_checkable
class Measure(Protocol):
    """How unequal the groups' rates of one kind of error are.

    Attributes:
        name: as tables print it.
        unit: ``ratio``, ``log10_ratio``, ``difference`` or ``index``.
        fair: the value when all groups have the same rate.
        extreme: what it cannot pass on the other side; infinite for ratios.
    """

    name: str
    unit: str
    fair: float
    extreme: float

    def of(self, rates: Float64s) -> Float64s:
        """float64 [...]: the measure over the last axis of ``rates`` float64 [..., G]."""
        ...


@runtime_checkable
class CombinedMeasure(Protocol):
    """How unequal the groups are in false matches and in false non-matches, weighed together.

    Attributes:
        name, unit, fair, extreme: as for a Measure.
        alpha: weight of false matches, 0 to 1; 1 - alpha is that of false non-matches.
    """

    name: str
    unit: str
    fair: float
    extreme: float
    alpha: float

    def combine(self, fmr: Float64s, fnmr: Float64s) -> Float64s:
        """float64 [...]: over the last axis of both, float64 [..., G], groups in one order."""
        ...


def ratio(numerator: Float64s, denominator: Float64s) -> Float64s:
    """float64: the quotient; infinite over zero, NaN for 0 / 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.divide(numerator, denominator), dtype=np.float64)


def geometric_mean(rates: Float64s) -> Float64s:
    """float64 [...]: over the last axis; zero as soon as one rate is zero."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(np.mean(np.log(rates), axis=-1)), dtype=np.float64)
