"""Chance in the loop, or its expectation: the same rounds with and without noise."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from frbench.values import Float64s


class Draws(Protocol):
    """How counts come about."""

    def some(self, number: Float64s, chance: Float64s | float) -> Float64s:
        """Of ``number`` (whole, any shape) those for whom ``chance`` came true."""
        ...

    def arrivals(self, expected: Float64s) -> Float64s:
        """How many came when ``expected`` were expected."""
        ...


class Chance:
    """Binomial and Poisson counts."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def some(self, number: Float64s, chance: Float64s | float) -> Float64s:
        """Binomial."""
        drawn = self._rng.binomial(number.astype(np.int64), np.clip(chance, 0.0, 1.0))
        return np.asarray(drawn, dtype=np.float64)

    def arrivals(self, expected: Float64s) -> Float64s:
        """Poisson."""
        return np.asarray(self._rng.poisson(expected), dtype=np.float64)


class Expectation:
    """Means in the place of counts, for limits in closed form."""

    def some(self, number: Float64s, chance: Float64s | float) -> Float64s:
        """The mean of the binomial."""
        return number * chance

    def arrivals(self, expected: Float64s) -> Float64s:
        """The mean itself."""
        return expected
