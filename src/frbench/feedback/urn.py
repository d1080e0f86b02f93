"""Urns: the smallest feedback loops, whose limits are known.

Each round draws groups in proportion to what the urn holds, and what is found where one looked is
added. Ensign, Friedler, Neville, Scheidegger and Venkatasubramanian, "Runaway feedback loops in
predictive policing", 2018.
"""

from __future__ import annotations

import numpy as np

from frbench.values import Float64s


def urn_limits(update: Float64s) -> list[float]:
    """Fixed points in [0, 1] of the first colour's share, for two colours.

    With update matrix [[a, b], [c, d]], row = colour drawn, the limit x of the share solves
    (c + d − a − b) x² + (a − 2c − d) x + c = 0.

    >>> urn_limits(np.array([[3.0, 1.0], [2.0, 4.0]]))
    [0.5]
    >>> urn_limits(np.diag([0.2, 0.3]))
    [0.0, 1.0]
    """
    (a, b), (c, d) = update
    roots = np.roots(np.array([c + d - a - b, a - 2 * c - d, c], dtype=np.float64))
    real = sorted(float(root.real) for root in np.atleast_1d(roots) if abs(root.imag) < 1e-12)
    return [abs(round(root, 12)) for root in real if -1e-12 <= root <= 1 + 1e-12]


def run_urn(
    start: Float64s,
    update: Float64s,
    *,
    rounds: int,
    seeds: int,
    rng: np.random.Generator,
    pace: float = 0.0,
    corrected: bool = False,
) -> Float64s:
    """float64 [S, G]: shares in the urn after the rounds, one row per seed.

    Args:
        start: float64 [G], what the urn holds at first.
        update: float64 [G, G]; row = group drawn, added to each group.
        rounds: how many.
        seeds: independent urns.
        pace: draws of a round over the content of the urn; 0 draws once a round. Many draws a
            round change the speed, not the limit.
        corrected: accept what is found on group k with a chance proportional to 1 − share_k, the
            largest being 1.
    """
    content = np.tile(np.asarray(start, dtype=np.float64), (seeds, 1))
    for _ in range(rounds):
        total = content.sum(axis=1)
        share = content / total[:, None]
        number = np.maximum(np.round(pace * total), 1).astype(np.int64)
        drawn = rng.multinomial(number, share)
        if corrected:
            rest = 1.0 - share
            drawn = rng.binomial(drawn, rest / rest.max(axis=1, keepdims=True))
        content += drawn @ update
    return np.asarray(content / content.sum(axis=1, keepdims=True), dtype=np.float64)
