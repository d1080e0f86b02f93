"""The shelf of interval methods for one rate, each respecting that persons, not comparisons,
are the units of independence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from frbench.values import Float64s, Int64s

Weights = npt.NDArray[np.uint8]
"""uint8 [R, S]: how often each person is drawn in each replicate."""


@dataclass(frozen=True)
class Bounds:
    """float64 [C] each, fractions: an interval for the rate of every cell; [0, 1] if empty."""

    low: Float64s
    high: Float64s


class CellErrors(Protocol):
    """What an interval may know of one kind of error at one threshold, for C cells at once."""

    @property
    def persons(self) -> int:
        """S, the length of a row of weights."""
        ...

    @property
    def errors(self) -> Int64s:
        """int64 [C]."""
        ...

    @property
    def comparisons(self) -> Int64s:
        """int64 [C]; never below ``errors``."""
        ...

    @property
    def independent(self) -> Int64s:
        """int64 [C]: units that share no person: persons, or disjoint pairs of persons."""
        ...

    @property
    def variance(self) -> Float64s:
        """float64 [C]: of errors / comparisons, persons being independent; NaN if empty."""
        ...

    @property
    def guarded_variance(self) -> Float64s:
        """float64 [C]: the same, with each person's part as if the rate were the others'."""
        ...

    @property
    def carriers(self) -> Float64s:
        """float64 [C]: how many persons carry the variance; few where few persons dominate."""
        ...

    def resampled(self, weights: Weights, *, self_pairs: bool) -> Float64s:
        """float64 [R, C]: the rate under each row of weights; NaN where nothing was drawn."""
        ...


class Interval(Protocol):
    """An interval method. ``name`` is printed in the table of rates beside ``level``."""

    name: str
    level: float

    def bounds(self, cells: CellErrors, *, rng: np.random.Generator) -> Bounds:
        """The interval of every cell."""
        ...


@runtime_checkable
class Resampling(Protocol):
    """An interval method that draws persons, so that it can also serve functions of many rates.

    Attributes:
        self_pairs: whether two copies of one person count as two persons compared.
    """

    name: str
    level: float
    self_pairs: bool

    def weights(self, persons: int, *, rng: np.random.Generator) -> Weights:
        """The weight of each person in each replicate."""
        ...
