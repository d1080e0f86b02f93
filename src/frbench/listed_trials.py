"""The comparisons of a score file, counted by pair of persons: they follow no arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from frbench.cross_set_trials import CrossSet
from frbench.intervals import Weights
from frbench.resampling import PairTable
from frbench.trials import AllPairs, Cells, Trials
from frbench.values import Bools, Float64s, Int64s, ScoredPairs, ScoreTally


@dataclass(frozen=True)
class Listed:
    """Trials read off a list; a pair of persons that the list omits was never compared.

    Attributes:
        cells: the layout.
        pairs: comparisons per cell and unordered pair of persons, without the pooled cell.
        first_side, second_side: int64 [C], persons on each side of the cell.
    """

    cells: Cells
    pairs: PairTable
    first_side: Int64s
    second_side: Int64s

    @classmethod
    def of(cls, tally: ScoreTally, *, completed: bool = False) -> Listed:
        """The attempted comparisons of the list, or those that gave a score."""
        cells = Cells(tally.groups, tally.ordered)
        listed = listed_comparisons(tally, mated=False, completed=completed)
        pairs = table_of(tally, cells, listed)
        cell, first, second = sides_of(tally, cells, listed)
        count = [_persons_by_cell(cell, side, len(cells)) for side in (first, second)]
        return cls(cells, pairs, count[0], count[1])

    @cached_property
    def total(self) -> Int64s:
        """N, summed over the list."""
        by_cell = self.pairs.per_cell(self.pairs.count).astype(np.int64)
        by_cell[-1] = by_cell.sum()
        return by_cell

    @cached_property
    def per_person(self) -> sparse.csr_array:
        """M_i, summed over the list: each comparison counts for both its persons."""
        return person_sums(self.pairs)

    @cached_property
    def divided(self) -> bool:
        """Whether the list has some pair of persons in two cells."""
        return len(self.pairs.pooled.count) < len(self.pairs.count)

    @cached_property
    def squares(self) -> Float64s:
        """The sum of m_ij squared; pooled, a pair's comparisons are first summed over cells."""
        by_cell = self.pairs.per_cell(self.pairs.count.astype(np.float64) ** 2)
        by_cell[-1] = np.sum(self.pairs.pooled.count.astype(np.float64) ** 2)
        return by_cell

    @property
    def factors(self) -> None:
        """A list follows no arithmetic."""
        return None

    @cached_property
    def disjoint_pairs(self) -> Int64s:
        """An upper bound on pairs that share nobody: pairs listed, smaller side, half of all."""
        listed = np.diff(self.pairs.starts)
        listed[-1] = len(self.pairs.pooled.count)
        smaller = np.minimum(self.first_side, self.second_side)
        half = np.diff(self.per_person.indptr) // 2
        smaller[-1] = half[-1]
        inside = [cell for cell, (a, b) in enumerate(self.cells.sides) if a == b]
        smaller[inside] = half[inside]
        return np.asarray(np.minimum(np.minimum(listed, smaller), half), dtype=np.int64)

    def products(self, errors: PairTable) -> Float64s:
        """The sum of e_ij m_ij, by looking each erring pair up in the list."""
        by_cell = np.zeros(len(self.cells))
        here = _counts_at(self.pairs, errors)
        by_cell += errors.per_cell(errors.count.astype(np.float64) * here)
        pooled = errors.pooled
        by_cell[-1] = np.sum(
            pooled.count.astype(np.float64) * _counts_at(self.pairs.pooled, pooled)
        )
        return by_cell

    def weighted(self, weights: Weights, *, self_pairs: bool) -> Float64s:
        """The sum over the list of w_i w_j m_ij.

        A list does not say how often two copies of one person would have been compared. Within a
        group (and pooled) it is imputed as M_i over the number of other persons in the cell;
        across groups a person has no copy on the other side.
        """
        result = self.pairs.weighted(weights)
        result[:, -1] = result.sum(axis=1)
        if self_pairs:
            dense = weights.astype(np.float64)
            result += (dense * (dense - 1.0) / 2.0) @ self._imputed_with_self.T
        return result

    @cached_property
    def _imputed_with_self(self) -> sparse.csr_array:
        others = np.maximum(np.diff(self.per_person.indptr) - 1, 1)
        has_copies = np.array([a == b for a, b in self.cells.sides] + [True])
        return sparse.csr_array(sparse.diags_array(has_copies / others) @ self.per_person)


def trials_of(tally: ScoreTally, *, completed: bool = False) -> Trials:
    """The non-mated comparisons of a tally: by arithmetic, or off its list if it has one.

    Raises ValueError for a tally with roles that does not say who is a probe.
    """
    if tally.listed is not None:
        return Listed.of(tally, completed=completed)
    if tally.references_from is not None:
        return CrossSet.of(tally, completed=completed)
    if tally.ordered:
        raise ValueError("comparisons with roles must be listed, or come from two sets")
    return AllPairs.of(tally, completed=completed)


def listed_comparisons(tally: ScoreTally, *, mated: bool, completed: bool) -> ScoredPairs:
    """The mated or non-mated comparisons of the list that the impostor policy admits."""
    listed = tally.listed
    assert listed is not None
    same_person = tally.subject[listed.first] == tally.subject[listed.second]
    same_stratum = tally.stratum[listed.first] == tally.stratum[listed.second]
    kept: Bools = same_person if mated else ~same_person & same_stratum
    kept = kept & (listed.first != listed.second)
    if completed:
        kept = kept & ~np.isnan(listed.score)
    return listed.take(kept)


def sides_of(tally: ScoreTally, cells: Cells, pairs: ScoredPairs) -> tuple[Int64s, Int64s, Int64s]:
    """Cell, and the person on the cell's first and second side, of each comparison."""
    one, other = tally.group[pairs.first], tally.group[pairs.second]
    cell = cells.of(one.astype(np.int64), other.astype(np.int64))
    swap = np.zeros(len(pairs), dtype=bool) if cells.ordered else one > other
    first = np.where(swap, pairs.second, pairs.first)
    second = np.where(swap, pairs.first, pairs.second)
    person = tally.subject.astype(np.int64)
    return cell, person[first], person[second]


def table_of(tally: ScoreTally, cells: Cells, pairs: ScoredPairs) -> PairTable:
    """Non-mated comparisons counted by cell and unordered pair of persons."""
    cell, first, second = sides_of(tally, cells, pairs)
    persons = int(tally.subject.max(initial=-1)) + 1
    return PairTable.tabulate(cell, first, second, cells=len(cells), persons=persons)


def person_sums(table: PairTable) -> sparse.csr_array:
    """Sparse int64 [C, S]: counts summed over each person's pairs; pooled in the last row."""
    rows, everyone = [], np.zeros(table.persons, dtype=np.int64)
    for cell in range(table.cells - 1):
        part = slice(table.starts[cell], table.starts[cell + 1])
        sums = np.zeros(table.persons, dtype=np.int64)
        for side in (table.first[part], table.second[part]):
            drawn = np.bincount(side, weights=table.count[part], minlength=table.persons)
            sums += drawn.astype(np.int64)
        everyone += sums
        rows.append(np.flatnonzero(sums))
        rows.append(sums[rows[-1]])
    rows += [np.flatnonzero(everyone), everyone[everyone > 0]]
    ends = np.cumsum([0] + [len(columns) for columns in rows[::2]])
    entries = np.concatenate(rows[1::2]), np.concatenate(rows[::2]), ends
    return sparse.csr_array(entries, shape=(table.cells, table.persons))


def _persons_by_cell(cell: Int64s, person: Int64s, cells: int) -> Int64s:
    """How many different persons occur in each cell."""
    persons = int(person.max(initial=0)) + 1
    return np.bincount(np.unique(cell * persons + person) // persons, minlength=cells)


def _counts_at(table: PairTable, wanted: PairTable) -> Float64s:
    """The counts of ``table`` at the entries of ``wanted``; zero where it has none."""
    result = np.zeros(len(wanted.count))
    if len(table.count) == 0:
        return result
    persons = table.persons
    keys = (table.cell * persons + table.first) * persons + table.second
    sought = (wanted.cell * persons + wanted.first) * persons + wanted.second
    place = np.minimum(np.searchsorted(keys, sought), len(keys) - 1)
    found = keys[place] == sought
    result[found] = table.count[place[found]]
    return result
