"""What planned comparisons can show about a rate, given that they share persons.

Two comparisons that share one person err together more often than not. If the false-match rates
of single persons have coefficient of variation ``h`` (their *heterogeneity*), the variance of an
observed rate is v(p) = a p (1 - p) + b min(h^2 p^2, p (1 - p) / 2), where ``a`` and ``b`` follow
from who was compared with whom, and the second term's cap holds for any heterogeneity (Hoeffding
1948). v gives the effective number of comparisons p (1 - p) / v(p), and the beta quantiles of
Clopper and Pearson with that number are the interval of Korn and Graubard (1998), here with the
number taken at the candidate rate rather than at the estimate, so that it is defined with no
error at all. Derivation: docs/methodology/opaque-comparators.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from frbench.cell_errors import PairErrors, PersonErrors, divide
from frbench.intervals import Bounds
from frbench.trials import row_sums
from frbench.values import Bools, Float64s

_SMALLEST_LOG = -46.0
"""Natural logarithm of the smallest rate that bounds resolve, about 1e-20."""


@dataclass(frozen=True)
class Design:
    """How much the comparisons of each cell share, float64 [C].

    Attributes:
        own: ``a``: comparisons of the same two persons, as if they always agreed:
            sum m_ij^2 / N^2, or over persons for mated comparisons. NaN for an empty cell.
        shared: ``b``: comparisons that share one of two persons,
            (sum M_i^2 - 2 sum m_ij^2) / N^2; zero for mated comparisons.
    """

    own: Float64s
    shared: Float64s

    def effective(self, rate: Float64s, heterogeneity2: Float64s | float) -> Float64s:
        """float64 [C]: p (1 - p) / v(p), comparisons that the cell's are worth at a rate < 1."""
        with np.errstate(over="ignore", invalid="ignore"):
            odds = np.asarray(rate / (1.0 - rate))
            spread = np.where(odds > 0, heterogeneity2 * odds, 0.0)
        return np.asarray(1.0 / (self.own + self.shared * np.minimum(spread, 0.5)))


def design_of(found: PairErrors | PersonErrors) -> Design:
    """The design of all cells, from who was compared with whom."""
    n2 = found.comparisons.astype(np.float64) ** 2
    if isinstance(found, PersonErrors):
        per_person = found.of_person.astype(np.float64)
        return Design(divide(row_sums(per_person.multiply(per_person)), n2), np.zeros(len(n2)))
    per_person = found.trials.per_person.astype(np.float64)
    reach = row_sums(per_person.multiply(per_person)) - 2 * found.trials.squares
    return Design(divide(found.trials.squares, n2), divide(np.maximum(reach, 0.0), n2))


def seen_heterogeneity2(found: PairErrors | PersonErrors, design: Design) -> Float64s:
    """float64 [C]: h^2 as the errors show it, 0 where they show none: C / (N^2 b p^2).

    C is the covariance part of the dyadic variance (``PairErrors.variance``), which estimates
    N^2 b times the variance of persons' rates.
    """
    if isinstance(found, PersonErrors):
        return np.zeros(len(design.own))
    n = found.comparisons.astype(np.float64)
    p = divide(found.errors, n)
    trials, table = found.trials, found.table
    squared = table.per_cell(table.count.astype(np.float64) ** 2)
    squared[-1] = np.sum(table.pooled.count.astype(np.float64) ** 2)
    pairs = squared - 2 * p * trials.products(table) + p**2 * trials.squares
    covariance = np.maximum(found.variance * n**2 - pairs, 0.0)
    return np.nan_to_num(divide(covariance, n**2 * design.shared * p**2))


def bounds(rate: Float64s, design: Design, heterogeneity2: Float64s, tail: Float64s) -> Bounds:
    """The rates not refuted at ``tail`` on either side; [0, 1] for an empty cell.

    A rate p is refuted from below when a binomial with ``effective(p)`` trials gives the observed
    share or less with probability at most ``tail``; from above likewise.

    Args:
        rate: float64 [C], observed.
        tail: float64, probability on each side.

    >>> nobody_twice = Design(np.array([1 / 300]), np.array([0.0]))
    >>> found = bounds(np.array([0.0]), nobody_twice, np.zeros(1), np.array(0.025))
    >>> print(f"{found.high[0]:.9f}")  # Clopper and Pearson for 0 of 300
    0.012220975
    """
    empty = np.isnan(rate) | np.isnan(design.own)
    seen = np.where(empty, 0.0, rate)

    def few(log_rate: Float64s) -> Float64s:
        p, n = np.exp(log_rate), design.effective(np.exp(log_rate), heterogeneity2)
        return np.asarray(special.betainc(n * (1 - seen), n * seen + 1, 1 - p))

    def many(log_rate: Float64s) -> Float64s:
        p, n = np.exp(log_rate), design.effective(np.exp(log_rate), heterogeneity2)
        return np.asarray(special.betainc(n * seen, n * (1 - seen) + 1, p))

    start = np.log(np.clip(seen, np.exp(_SMALLEST_LOG), 1 - 1e-12))
    bottom, top = np.full(len(seen), _SMALLEST_LOG), np.full(len(seen), np.log1p(-1e-12))
    high = np.exp(_crossing(start, top, lambda x: few(x) > tail))
    low = np.exp(_crossing(bottom, start, lambda x: many(x) <= tail))
    high = np.where(empty | (seen >= 1), 1.0, high)
    low = np.where(empty | (seen <= 0), 0.0, low)
    return Bounds(low, high)


def _crossing(low: Float64s, high: Float64s, holds: Callable[[Float64s], Bools]) -> Float64s:
    """Where ``holds`` turns from true to false between the two, by halving."""
    for _ in range(60):
        middle = (low + high) / 2
        true = holds(middle)
        low, high = np.where(true, middle, low), np.where(true, high, middle)
    return (low + high) / 2
