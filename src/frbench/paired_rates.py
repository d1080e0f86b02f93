"""The ratio of two matchers' rates on the same persons, with its closed-form interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

from frbench.cell_errors import CountedErrors, PairErrors, concentration, divide, left_out
from frbench.resampling import PairTable
from frbench.trials import row_sums
from frbench.values import Float64s

FEWEST_PERSONS = 5
"""Two persons make a single pair, which has no variance; with so few none can be trusted."""


@dataclass(frozen=True)
class RateChange:
    """float64 [C] each: after over before, and its interval; (0, inf) where it is undefined."""

    ratio: Float64s
    low: Float64s
    high: Float64s


@dataclass(frozen=True)
class LogChange:
    """How far the log of each cell's rate moved; float64 [C] each.

    Attributes:
        ratio: after over before; NaN over nothing.
        spread: standard error of the log of the ratio; NaN where a side has no errors, or fewer
            than ``FEWEST_PERSONS`` take part.
        degrees: Student's degrees of freedom behind it.
    """

    ratio: Float64s
    spread: Float64s
    degrees: Float64s


def log_change(before: CountedErrors, after: CountedErrors) -> LogChange:
    """The change of every cell's rate, persons being independent and the same in both arms.

    With E the errors of a cell and e_ij those of a pair of persons, the log of the ratio moves by
    y_ij = e_ij' / E' - e_ij / E, whose sum is 0; V = S2 + max(C, 0) as for a single rate (delta
    method), each person's sum taken without its own share (``left_out``); its degrees of freedom
    are (sum r_i^2)^2 / sum r_i^4. What both arms share cancels in y_ij.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = [divide(arm.errors, arm.comparisons) for arm in (before, after)]
        ratio = np.divide(rates[1], rates[0])
        distance = _difference(before.by_person, after.by_person, before, after)
    trials = before.trials.per_person if isinstance(before, PairErrors) else before.of_person
    guarded = row_sums(left_out(distance, trials, before.comparisons).power(2))
    if isinstance(before, PairErrors) and isinstance(after, PairErrors):
        own = _own_pairs(before, after)
        guarded = own + np.maximum(guarded - 2 * own, 0.0)
    degrees = np.maximum(np.nan_to_num(concentration(distance), nan=np.inf), 1.0)
    enough = np.diff(trials.indptr) >= FEWEST_PERSONS
    known = (before.errors > 0) & (after.errors > 0) & enough
    spread = np.where(known, np.sqrt(np.where(known, guarded, 0.0)), np.nan)
    return LogChange(ratio, spread, degrees)


def rate_change(before: CountedErrors, after: CountedErrors, *, level: float) -> RateChange:
    """``log_change`` with its interval, log ratio +/- t sqrt(V).

    Arms without any difference have an interval of no width; where the spread is unknown the
    interval is (0, inf).
    """
    found = log_change(before, after)
    known = ~np.isnan(found.spread)
    quantile = stats.t.ppf((1.0 + level) / 2.0, found.degrees)
    reach = np.where(known, quantile * found.spread, np.inf)
    with np.errstate(invalid="ignore"):
        low = np.where(known, found.ratio * np.exp(-reach), 0.0)
        high = np.where(known, found.ratio * np.exp(reach), np.inf)
    return RateChange(found.ratio, low, high)


def _share(errors: CountedErrors) -> Float64s:
    return 1.0 / np.maximum(errors.errors, 1)


def _difference(
    one: sparse.csr_array, other: sparse.csr_array, before: CountedErrors, after: CountedErrors
) -> sparse.csr_array:
    """Sparse float64 [C, S]: each person's share of the errors after, less that before."""
    mine, theirs = sparse.diags_array(_share(before)), sparse.diags_array(_share(after))
    return sparse.csr_array(theirs @ other.astype(np.float64) - mine @ one.astype(np.float64))


def _own_pairs(before: PairErrors, after: PairErrors) -> Float64s:
    """float64 [C]: S2, the sum of y_ij^2."""
    result = _squares(before.table, after.table, _share(before), _share(after))
    pooled = before.table.pooled, after.table.pooled
    result[-1] = _squares(*pooled, _share(before)[-1:], _share(after)[-1:])[0]
    return result


def _squares(before: PairTable, after: PairTable, mine: Float64s, theirs: Float64s) -> Float64s:
    """float64 [C]: by cell, the sum over pairs of (theirs e' - mine e)^2."""
    size = max(before.persons, 1)
    keys = [(t.cell * size + t.first) * size + t.second for t in (before, after)]
    both, place = np.unique(np.concatenate(keys), return_inverse=True)
    moved = np.concatenate([-mine[before.cell] * before.count, theirs[after.cell] * after.count])
    away = np.bincount(place.reshape(-1), weights=moved, minlength=len(both))
    return np.bincount(both // size**2, weights=away**2, minlength=before.cells).astype(np.float64)
