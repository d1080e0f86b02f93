"""Intervals of measures over groups: which degree of inequality would show what was seen?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from frbench.values import Float64s

_SPREADS = np.r_[np.linspace(0.0, 2.0, 21), np.linspace(2.25, 4.0, 8)]
"""How many times as far apart as observed the rates are taken to be; 0 is equality, 1 observed."""

Statistic = Callable[[Sequence[Float64s]], Float64s]
"""From float64 [..., G] per kind of error to the measure, float64 [...]."""


@dataclass(frozen=True)
class Noise:
    """The rates of some groups and what sampling does to them.

    Attributes:
        rate: float64 [G], all positive.
        log_noise: float64 [R, G], draws of log(estimate / truth).
        spread: float64 [G], standard error of the log of each rate.
    """

    rate: Float64s
    log_noise: Float64s
    spread: Float64s

    def moved(self, times: float) -> Float64s:
        """float64 [G]: the rates ``times`` as far from their geometric mean on the log scale."""
        centre = np.log(self.rate).mean()
        return np.asarray(np.exp(np.minimum(centre + times * (np.log(self.rate) - centre), 0.0)))

    def seen(self, truth: Float64s) -> Float64s:
        """float64 [R, G]: what samples show where ``truth`` [G] are the rates."""
        return np.asarray(np.minimum(truth * np.exp(self.log_noise), 1.0))


def inverted_bounds(
    of: Statistic,
    kinds: Sequence[Noise],
    *,
    fair: float,
    extreme: float,
    level: float,
    reach: float,
) -> tuple[float, float]:
    """The degrees of inequality under which the observed one is no surprise.

    Noise alone makes equal groups look unequal, so a measure of estimates is too far from ``fair``
    and percentiles of resampled measures are further still. Instead a family of worlds is asked:
    the rates drawn together or pulled apart on the log scale, by one factor. An interval end is
    the world in which the observed value, or one beyond it, has the chance (1 - level) / 2. In the
    world of equal rates this is the test of equality, so the interval holds ``fair`` exactly
    where that test does not reject.

    One factor moves all groups alike, but the extreme group may be wrong by itself: the far end
    is at least what the measure becomes when any one group's rate moves by ``reach`` standard
    errors.

    Args:
        kinds: one for a measure of one kind of error, two for FMR with FNMR.
        fair, extreme: the measure's best and worst value.
        reach: standard errors on the log scale.

    Returns:
        (low, high), ``fair`` on the one side at least; the observed value is always within.
    """
    away = 1.0 if extreme > fair else -1.0
    observed = away * float(of([kind.rate for kind in kinds]))
    worlds = [[kind.moved(times) for kind in kinds] for times in _SPREADS]
    true = np.array([away * float(of(world)) for world in worlds])
    chance = np.maximum.accumulate(
        [
            np.mean(
                away * of([kind.seen(rate) for rate, kind in zip(world, kinds, strict=True)])
                >= observed - 1e-12 * abs(observed)
            )
            for world in worlds
        ]
    )
    tail = (1.0 - level) / 2.0
    near = _crossing(chance, true, tail, away * extreme)
    far = _crossing(chance, true, 1.0 - tail, away * extreme)
    far = max(far, observed, *(away * value for value in _one_at_a_time(of, kinds, reach)))
    ends = away * min(near, observed), away * far
    return min(ends), max(ends)


def _crossing(chance: Float64s, true: Float64s, wanted: float, extreme: float) -> float:
    """The measure in the world where the chance reaches ``wanted``; its limit if none does."""
    if chance[0] >= wanted:
        return float(true[0])
    if chance[-1] < wanted:
        return extreme
    above = int(np.argmax(chance >= wanted))
    low, high = chance[above - 1], chance[above]
    part = (wanted - low) / (high - low)
    return float(true[above - 1] + part * (true[above] - true[above - 1]))


def _one_at_a_time(of: Statistic, kinds: Sequence[Noise], reach: float) -> list[float]:
    """The measure with one group's rate, of one kind, at an end of its own interval."""
    found = []
    for place, kind in enumerate(kinds):
        for sign in (-1.0, 1.0):
            rates = [np.broadcast_to(k.rate, (len(kind.rate), len(k.rate))) for k in kinds]
            shift = np.diag(np.exp(sign * reach * kind.spread) - 1.0)
            rates[place] = np.minimum(rates[place] * (1.0 + shift), 1.0)
            found += [float(value) for value in np.atleast_1d(of(rates))]
    return found
