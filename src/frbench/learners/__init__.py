"""The shelf of learners: which false-match rates a matcher has after training on given shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from frbench.values import Float64s


@dataclass(frozen=True)
class Start:
    """The matcher when the loop begins.

    Attributes:
        groups: names.
        fmr: float64 [G], false-match rate within each group.
        shares: float64 [G], shares of the groups in its training set.
        population: float64 [G], shares of the residents, on whom thresholds are set.
    """

    groups: tuple[str, ...]
    fmr: Float64s
    shares: Float64s
    population: Float64s


class Trained(Protocol):
    """One matcher per seed, to be trained again and again."""

    def fmr(self, shares: Float64s) -> Float64s:
        """float64 [S, G]: FMR within each group after training on ``shares`` (float64 [S, G])."""
        ...


class Learner(Protocol):
    """One way of learning.

    Attributes:
        stated: what of it rests on statements instead of measurements, a phrase; "" where nothing.
    """

    stated: str

    def said(self) -> str:
        """The learner in a line, for the page."""
        ...

    def begin(self, start: Start, *, seeds: int, rng: np.random.Generator) -> Trained:
        """Matchers as they are at the start, one per seed."""
        ...
