"""A test that may be looked at every day: a wager against "nothing has changed".

Let R_1, R_2, … be at least 0 with E[R_t | past] ≤ 1 as long as nothing has changed. Whoever bets a
fraction c of a stake on a rise multiplies it by 1 + c (R_t − 1) ≥ 1 − c > 0, whose expectation
given the past is at most 1. So does the mean over several fractions and over starting days, where
a part w_k = 1 / (k (k + 1)) of one pound is kept back until day k: after day t the wealth

    W_t = mean_c Σ_{k ≤ t} w_k Π_{s=k..t} (1 + c (R_s − 1)) + 1 / (t + 1)

is a non-negative supermartingale from 1, and by Ville's inequality P(W_t ≥ 1/α for some t) ≤ α,
however long one watches and whenever one stops. Starting days make it quick to see a change that
comes late. Nothing is asked of how the counts of a day hang together: a day is one observation.
"""

from __future__ import annotations

import numpy as np

from frbench.values import Float64s

FRACTIONS = (0.05, 0.1, 0.25, 0.5, 0.9)
"""Stakes that are tried beside each other; small ones for noisy days, large ones for clear ones."""


def wealth(ratios: Float64s) -> Float64s:
    """float64 [T]: what one pound has become after each day.

    Args:
        ratios: float64 [T], at least 0; observed over what it would be at most on average if
            nothing had changed. NaN for a day without observation, on which nothing is bet.

    >>> print(wealth(np.ones(3)).round(6).tolist())
    [1.0, 1.0, 1.0]
    """
    steps = 1.0 + np.outer(FRACTIONS, np.nan_to_num(ratios, nan=1.0) - 1.0)
    at_work = np.zeros(len(FRACTIONS))
    found = np.empty(len(ratios))
    for at in range(len(ratios)):
        day = at + 1
        at_work = np.minimum((at_work + 1 / (day * (day + 1))) * steps[:, at], 1e300)
        found[at] = at_work.mean() + 1 / (day + 1)
    return found


def days_to_alarm(ratio: float, bar: float, *, after: int = 0, most: int = 5000) -> int | None:
    """Days until steady observations of ``ratio`` bring the wealth to ``bar``, or None.

    Args:
        after: days at ratio 1 before.
        most: days that are tried.
    """
    reached = np.flatnonzero(wealth(np.r_[np.ones(after), np.full(most, ratio)])[after:] >= bar)
    return int(reached[0]) + 1 if len(reached) else None
