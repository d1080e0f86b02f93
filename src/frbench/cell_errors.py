"""Errors counted by person or pair of persons, with their variance and their resampled rates.

Every interval, gap and comparison of two matchers reads one of these two: ``PairErrors`` for
non-mated comparisons, where an error belongs to two persons, ``PersonErrors`` for mated
comparisons and images, where it belongs to one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from frbench.erring_pairs import PairSums, pair_sums
from frbench.intervals import Weights
from frbench.listed_trials import table_of
from frbench.person_moments import Moments, moments
from frbench.resampling import PairTable
from frbench.trials import Trials, row_sums, row_totals
from frbench.values import Float64s, Int64s, ScoredPairs, ScoreTally


@dataclass(frozen=True)
class PairErrors:
    """False matches by cell and pair of persons, among known trials.

    Attributes:
        matches: the false matches.
        tally: whose images they compare.
        trials: the attempted non-mated comparisons.
    """

    matches: ScoredPairs
    tally: ScoreTally
    trials: Trials

    @cached_property
    def table(self) -> PairTable:
        """Errors per pair of persons, without the pooled cell; slow beside the sums below."""
        return table_of(self.tally, self.trials.cells, self.matches)

    @cached_property
    def _sums(self) -> PairSums:
        return pair_sums(self.tally, self.trials.cells, self.matches, self.trials.factors)

    @property
    def by_person(self) -> sparse.csr_array:
        """Sparse int64 [C, S]: errors of each person with all others; the pooled cell last."""
        return self._sums.by_person

    @property
    def persons(self) -> int:
        """S, the length of a row of weights."""
        return int(self.by_person.shape[1])

    @property
    def errors(self) -> Int64s:
        """int64 [C]."""
        return self._sums.comparisons

    @property
    def comparisons(self) -> Int64s:
        """int64 [C]."""
        return self.trials.total

    @property
    def subjects(self) -> Int64s:
        """int64 [C]: persons with at least one comparison in the cell."""
        return np.asarray(np.diff(self.trials.per_person.indptr), dtype=np.int64)

    @property
    def independent(self) -> Int64s:
        """int64 [C]: pairs of persons that share nobody."""
        return self.trials.disjoint_pairs

    @cached_property
    def _squares_and_products(self) -> tuple[Float64s, Float64s]:
        """float64 [C] each: the sums over pairs of e_ij^2 and of e_ij m_ij."""
        squares = self._sums.squares
        if self.trials.factors is not None:
            return squares, self._sums.products
        if self.trials.divided:
            pooled = self.table.pooled.count.astype(np.float64)
            squares = np.r_[squares[:-1], pooled @ pooled]
        return squares, self.trials.products(self.table)

    @cached_property
    def _moments(self) -> Moments:
        return moments(self.by_person, self.trials.per_person, self._rate, self.comparisons)

    @property
    def _rate(self) -> Float64s:
        return divide(self.errors, self.comparisons)

    @cached_property
    def variance(self) -> Float64s:
        """float64 [C]: the dyadic plug-in variance of the false-match rate p = errors / N.

        With y_ij = e_ij - p m_ij for i < j, r_i the sum of y_ij over j, S2 the sum of y_ij^2 and
        C = sum_i r_i^2 - 2 S2 the covariance of pairs that share one person (each r_i^2 holds
        y_ij^2 once for i and once for j): V = (S2 + max(C, 0)) / N^2. S2 is expanded in powers of
        p, so that pairs without an error enter through the trials' closed forms.
        Source: Fogliato, Patil and Perona, IJCV 2024, whose triple loop this equals.
        """
        return self._with_shared(self._moments.second)

    @cached_property
    def own_pairs(self) -> Float64s:
        """float64 [C]: S2, the part of ``variance`` that a pair of persons has to itself."""
        p = self._rate
        squares, products = self._squares_and_products
        return np.asarray(squares - 2 * p * products + p**2 * self.trials.squares)

    @cached_property
    def guarded_variance(self) -> Float64s:
        """float64 [C]: ``variance`` with every r_i as large as if the rate were the others'.

        The rate was fitted to the residuals it is judged by, which makes them too small: person i
        takes part in M_i of the N comparisons, and r_i / (1 - M_i / N) is what remains when p is
        estimated without it (the jackknife's residual, HC3 of regression; never below S2).
        """
        return self._with_shared(self._moments.apart)

    def _with_shared(self, squared: Float64s) -> Float64s:
        """(S2 + max(C, 0)) / N^2 with C from the sum of the persons' squared residuals."""
        shared = np.maximum(squared - 2 * self.own_pairs, 0.0)
        return divide(self.own_pairs + shared, self.comparisons.astype(np.float64) ** 2)

    @cached_property
    def carriers(self) -> Float64s:
        """float64 [C]: (sum r_i^2)^2 / sum r_i^4."""
        return divide(self._moments.second**2, self._moments.fourth)

    def resampled(self, weights: Weights, *, self_pairs: bool) -> Float64s:
        """float64 [R, C]: sum w_i w_j e_ij / sum w_i w_j m_ij.

        With ``self_pairs`` the comparisons between copies of one person are added at the cell's
        own rate, since their errors were never observed (Fogliato et al., vertex bootstrap).
        """
        errors = self.table.weighted(weights)
        errors[:, -1] = errors.sum(axis=1)
        comparisons = self.trials.weighted(weights, self_pairs=False)
        if self_pairs:
            more = self.trials.weighted(weights, self_pairs=True)
            errors += divide(self.errors, self.comparisons) * (more - comparisons)
            comparisons = more
        return divide(errors, comparisons)


@dataclass(frozen=True)
class PersonErrors:
    """Errors and comparisons by cell and person.

    Attributes:
        by_person: sparse int64 [C, S], errors of each person; the pooled cell last.
        of_person: sparse int64 [C, S], comparisons (or images) of each person.
    """

    by_person: sparse.csr_array
    of_person: sparse.csr_array

    @property
    def persons(self) -> int:
        """S, the length of a row of weights."""
        return int(self.of_person.shape[1])

    @cached_property
    def errors(self) -> Int64s:
        """int64 [C]."""
        return row_totals(self.by_person)

    @cached_property
    def comparisons(self) -> Int64s:
        """int64 [C]."""
        return row_totals(self.of_person)

    @cached_property
    def subjects(self) -> Int64s:
        """int64 [C]: persons with at least one comparison in the cell."""
        return row_totals(self.of_person, above_zero=True)

    @property
    def independent(self) -> Int64s:
        """int64 [C]: persons."""
        return self.subjects

    @cached_property
    def _moments(self) -> Moments:
        rate = divide(self.errors, self.comparisons)
        return moments(self.by_person, self.of_person, rate, self.comparisons)

    @cached_property
    def variance(self) -> Float64s:
        """float64 [C]: sum_i (E_i - p m_i)^2 / N^2, the ratio estimator's variance by person.

        Source: Fogliato, Patil and Perona, IJCV 2024, the plug-in variance of the FNMR.
        """
        return divide(self._moments.second, self.comparisons.astype(np.float64) ** 2)

    @cached_property
    def guarded_variance(self) -> Float64s:
        """float64 [C]: ``variance`` with r_i / (1 - m_i / N), as for pairs."""
        return divide(self._moments.apart, self.comparisons.astype(np.float64) ** 2)

    @cached_property
    def carriers(self) -> Float64s:
        """float64 [C]: (sum r_i^2)^2 / sum r_i^4."""
        return divide(self._moments.second**2, self._moments.fourth)

    def resampled(self, weights: Weights, *, self_pairs: bool) -> Float64s:
        """float64 [R, C]: sum w_i E_i / sum w_i m_i; a person is no pair, so no pairs to add."""
        dense = weights.astype(np.float64)
        return divide(np.asarray(dense @ self.by_person.T), np.asarray(dense @ self.of_person.T))


def residuals(
    errors: sparse.csr_array, trials: sparse.csr_array, rate: Float64s
) -> sparse.csr_array:
    """Sparse float64 [C, S]: errors - rate * trials, with one rate per row."""
    expected = sparse.diags_array(np.nan_to_num(rate)) @ trials.astype(np.float64)
    return sparse.csr_array(errors.astype(np.float64) - expected)


def left_out(
    residual: sparse.csr_array, trials: sparse.csr_array, comparisons: Int64s
) -> sparse.csr_array:
    """Sparse float64 [C, S]: r_i / (1 - M_i / N), the share M_i / N counted as at most a half."""
    share = sparse.csr_array(sparse.diags_array(1.0 / np.maximum(comparisons, 1)) @ trials)
    share.data = np.minimum(share.data, 0.5) / (1.0 - np.minimum(share.data, 0.5))
    return sparse.csr_array(residual + residual.multiply(share))


def concentration(residual: sparse.csr_array) -> Float64s:
    """float64 [rows]: how many equal entries would have the row's kurtosis; NaN for zero rows."""
    return divide(row_sums(residual.power(2)) ** 2, row_sums(residual.power(4)))


CountedErrors = PairErrors | PersonErrors


def divide(numerator: Float64s | Int64s, denominator: Float64s | Int64s) -> Float64s:
    """float64: the quotient, NaN where there is nothing to divide by."""
    over = np.asarray(denominator, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(over > 0, np.asarray(numerator, dtype=np.float64) / over, np.nan)
