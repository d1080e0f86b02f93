"""Counts by pair of persons, and their sums under the weights that a bootstrap gives to persons."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from frbench.intervals import Weights
from frbench.values import Float64s, Int64s

_REPLICATES_AT_ONCE = 128  # keeps one block of weights in the processor's cache
_THREADS = 2


@dataclass(frozen=True)
class PairTable:
    """How many comparisons (or errors) each pair of persons has in each cell, where any.

    Attributes:
        cell, first, second: int64 [T], sorted by cell, first, second; first < second.
        count: int64 [T], positive.
        cells, persons: how many there are in all.
    """

    cell: Int64s
    first: Int64s
    second: Int64s
    count: Int64s
    cells: int
    persons: int

    @classmethod
    def tabulate(
        cls, cell: Int64s, one: Int64s, other: Int64s, *, cells: int, persons: int
    ) -> PairTable:
        """From one entry per comparison. Raises ValueError when a person meets itself."""
        first, second = np.minimum(one, other), np.maximum(one, other)
        if np.any(first == second):
            raise ValueError("a non-mated comparison has two different persons")
        keys = np.sort((cell * persons + first) * persons + second)
        begin = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]][: len(keys)])
        key, count = keys[begin], np.diff(np.r_[begin, len(keys)])
        rest, column = np.divmod(key, max(persons, 1))
        where, row = np.divmod(rest, max(persons, 1))
        return cls(where, row, column, count.astype(np.int64), cells, persons)

    @cached_property
    def starts(self) -> Int64s:
        """int64 [C + 1]: where each cell's entries begin."""
        return np.searchsorted(self.cell, np.arange(self.cells + 1)).astype(np.int64)

    def size(self, cell: int) -> int:
        """How many pairs of persons the cell lists."""
        return int(self.starts[cell + 1] - self.starts[cell])

    def matrix(self, cell: int) -> sparse.csr_array:
        """Sparse float64 [S, S], upper triangular: the counts of one cell."""
        part = slice(self.starts[cell], self.starts[cell + 1])
        where = (self.first[part], self.second[part])
        shape = (self.persons, self.persons)
        return sparse.coo_array((self.count[part].astype(np.float64), where), shape=shape).tocsr()

    @cached_property
    def pooled(self) -> PairTable:
        """One cell holding every pair of persons, its counts summed over the cells."""
        shape = (self.persons, self.persons)
        summed = sparse.coo_array((self.count, (self.first, self.second)), shape=shape).tocsr()
        summed.sort_indices()
        first = np.repeat(np.arange(self.persons), np.diff(summed.indptr))
        second = summed.indices.astype(np.int64)
        return PairTable(np.zeros_like(first), first, second, summed.data, 1, self.persons)

    def per_cell(self, values: npt.NDArray[np.number]) -> Float64s:
        """float64 [C]: the sum of ``values`` (one per entry) by cell."""
        sums = np.bincount(self.cell, weights=values, minlength=self.cells)
        return sums.astype(np.float64)

    def weighted(self, weights: Weights) -> Float64s:
        """float64 [R, C]: the sum over pairs of w_i w_j times the count.

        One sparse product per block of replicates: first sum_j e_ij w_j for every person i and
        cell, exact in float32 below 2^24, then the sum over i in float64.
        """
        row_key, row = np.unique(self.cell * self.persons + self.first, return_inverse=True)
        if len(row_key) == 0:
            return np.zeros((len(weights), self.cells))
        entries = (self.count.astype(np.float32), (row.reshape(-1), self.second))
        table = sparse.coo_array(entries, shape=(len(row_key), self.persons)).tocsr()
        cell, person = np.divmod(row_key, self.persons)
        present, begin = np.unique(cell, return_index=True)
        result = np.zeros((len(weights), self.cells))

        def fill(start: int) -> None:
            block = np.ascontiguousarray(weights[start : start + _REPLICATES_AT_ONCE].T)
            sums = table @ block.astype(np.float32)
            sums *= block[person]
            by_cell = np.add.reduceat(sums, begin, axis=0, dtype=np.float64)
            result[start : start + _REPLICATES_AT_ONCE, present] = by_cell.T

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(fill, range(0, len(weights), _REPLICATES_AT_ONCE)))
        return result
