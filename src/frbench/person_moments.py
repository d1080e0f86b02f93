"""Moments of the residuals of persons, from which every closed-form variance is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from frbench.counting.compiled import compiled
from frbench.values import Float64s, Int64s


@dataclass(frozen=True)
class Moments:
    """Of r_i, a person's errors less the cell's rate times the person's comparisons.

    Attributes:
        second, fourth: float64 [C], the sums of r_i^2 and r_i^4.
        apart: float64 [C], the sum of (r_i / (1 - M_i / N))^2: with person i in M_i of the N
            comparisons, what is left of the errors when the rate is estimated without i. The
            share M_i / N counts as at most a half.
    """

    second: Float64s
    fourth: Float64s
    apart: Float64s


def moments(
    errors: sparse.csr_array, trials: sparse.csr_array, rate: Float64s, comparisons: Int64s
) -> Moments:
    """For sparse int64 [C, S] with one rate and one N per row; a rate that is NaN counts as 0."""
    found = np.zeros((3, len(rate)))
    _sum_rows(*_columns(errors), *_columns(trials), np.nan_to_num(rate), comparisons, *found)
    return Moments(*found)


def _columns(table: sparse.csr_array) -> tuple[Int64s, Int64s, Int64s]:
    if not table.has_sorted_indices:
        table = table.sorted_indices()
    indptr, indices, data = (
        np.asarray(each, dtype=np.int64) for each in (table.indptr, table.indices, table.data)
    )
    return indptr, indices, data


@compiled
def _sum_rows(
    error_rows: Int64s,
    error_persons: Int64s,
    errors: Int64s,
    trial_rows: Int64s,
    trial_persons: Int64s,
    trials: Int64s,
    rate: Float64s,
    comparisons: Int64s,
    second: Float64s,
    fourth: Float64s,
    apart: Float64s,
) -> None:
    """Walk both lists of a row's persons at once; who is on one of them only has 0 on the other."""
    nobody = np.iinfo(np.int64).max
    for row in range(len(rate)):
        e, m = error_rows[row], trial_rows[row]
        while e < error_rows[row + 1] or m < trial_rows[row + 1]:
            erring = error_persons[e] if e < error_rows[row + 1] else nobody
            trying = trial_persons[m] if m < trial_rows[row + 1] else nobody
            own, made = 0, 0
            if erring <= trying:
                own = errors[e]
                e += 1
            if trying <= erring:
                made = trials[m]
                m += 1
            residual = own - rate[row] * made
            share = min(made / max(comparisons[row], 1), 0.5)
            square, kept = residual * residual, residual / (1.0 - share)
            second[row] += square
            fourth[row] += square * square
            apart[row] += kept * kept
