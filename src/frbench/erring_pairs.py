"""Sums over the pairs of persons behind some comparisons, in one compiled pass over the list.

The comparisons are dealt out by cell, and within a cell by the lower-numbered person, whose
partners are then counted in an array with one place for each person. So no pair of persons is
written out: ``PairTable`` lists them, for those who draw persons, at many times the cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from frbench.counting.compiled import compiled
from frbench.trials import Cells
from frbench.values import Float64s, Int16s, Int32s, Int64s, ScoredPairs, ScoreTally


@dataclass(frozen=True)
class PairSums:
    """With e_ij the listed comparisons of persons i and j in a cell; the pooled cell last.

    Attributes:
        comparisons: int64 [C], the sum of e_ij.
        by_person: sparse int64 [C, S], the sum over j of e_ij.
        squares: float64 [C], the sum of e_ij squared; the pooled one takes it that no pair of
            persons has comparisons in two cells.
        products: float64 [C], the sum of e_ij n_i n_j for the factors n.
    """

    comparisons: Int64s
    by_person: sparse.csr_array
    squares: Float64s
    products: Float64s


def pair_sums(
    tally: ScoreTally, cells: Cells, pairs: ScoredPairs, factors: Int64s | None = None
) -> PairSums:
    """Of non-mated comparisons of the tally's images; factors are int64 [S], 1 where not given.

    Raises ValueError for a comparison of one person with itself.
    """
    persons = int(tally.subject.max(initial=-1)) + 1
    factors = np.ones(persons, np.int64) if factors is None else factors
    images = pairs.first, pairs.second, tally.group, cells.lookup, tally.subject
    starts, low, high = _dealt_out(*images, len(cells))
    room = np.minimum(2 * np.diff(starts), persons)
    column, value = np.empty((2, room.sum() + persons), np.int64)
    rows, square, product = _sum_cells(starts, low, high, factors, column, value)
    entries = value[: rows[-1]], column[: rows[-1]], rows
    by_person = sparse.csr_array(entries, shape=(len(cells), persons))
    size = np.diff(starts)
    for each in (size, square, product):
        each[-1] = each.sum()
    return PairSums(size, by_person, square.astype(np.float64), product.astype(np.float64))


@compiled
def _dealt_out(
    first: Int32s,
    second: Int32s,
    group: Int16s,
    lookup: Int32s,
    subject: Int32s,
    cells: int,
) -> tuple[Int64s, Int32s, Int32s]:
    """int64 [C + 1], where each cell begins, and both persons of the comparisons, lower first."""
    starts = np.zeros(cells + 1, np.int64)
    for k in range(len(first)):
        starts[lookup[group[first[k]], group[second[k]]] + 1] += 1
    for cell in range(cells):
        starts[cell + 1] += starts[cell]
    at = starts.copy()
    low, high = np.empty(len(first), np.int32), np.empty(len(first), np.int32)
    for k in range(len(first)):
        one, other = subject[first[k]], subject[second[k]]
        if one == other:
            raise ValueError("a non-mated comparison has two different persons")
        cell = lookup[group[first[k]], group[second[k]]]
        low[at[cell]] = min(one, other)
        high[at[cell]] = max(one, other)
        at[cell] += 1
    return starts, low, high


@compiled
def _sum_cells(
    starts: Int64s, low: Int32s, high: Int32s, factors: Int64s, column: Int64s, value: Int64s
) -> tuple[Int64s, Int64s, Int64s]:
    """Fill the columns and values of the sparse sums by person; return where its rows begin, and
    the squares and products of every cell but the pooled one, the last."""
    cells, persons = len(starts) - 1, len(factors)
    rows, square, product = np.zeros((3, cells + 1), np.int64)
    partner, until = np.empty(len(low), np.int32), np.empty(persons + 1, np.int64)
    met = np.zeros(persons, np.int32)
    everyone, found = np.zeros(persons, np.int64), 0
    for cell in range(cells):
        until[:] = 0
        for k in range(starts[cell], starts[cell + 1]):
            until[low[k] + 1] += 1
        for person in range(persons):
            until[person + 1] += until[person]
        for k in range(starts[cell], starts[cell + 1]):
            partner[until[low[k]]] = high[k]
            until[low[k]] += 1
        total = everyone if cell == cells - 1 else np.zeros(persons, np.int64)
        since = 0
        for person in range(persons):
            weight = 0
            for k in range(since, until[person]):
                other = partner[k]
                met[other] += 1
                # the k-th comparison of a pair takes the square of its count from (k-1)^2 to k^2
                square[cell] += 2 * met[other] - 1
                weight += factors[other]
                total[other] += 1
            for k in range(since, until[person]):
                met[partner[k]] = 0
            product[cell] += weight * factors[person]
            total[person] += until[person] - since
            since = until[person]
        for person in range(persons):
            if total[person] > 0:
                column[found] = person
                value[found] = total[person]
                found += 1
                if cell < cells - 1:
                    everyone[person] += total[person]
        rows[cell + 1] = found
    return rows, square[:cells], product[:cells]
