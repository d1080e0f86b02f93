"""How many comparisons were made, per cell, person and pair of persons, without listing them.

A *cell* is a pair of groups. For all-pairs comparison the counts follow from the images each
person has in each *class*, a class being a (group, stratum) that occurs. Write ``X`` (int64
[S, K]) for those image counts, ``x_i`` for its row i, and ``P`` (0/1, symmetric, [K, K]) for the
class pairs that fall into the cell: the groups are the cell's two groups, and the strata are
equal, since the impostor policy compared only images of one stratum. Then the number of
comparisons between persons i and j is ``m_ij = x_i P x_j'``, and everything else is a sum of it;
each property below gives its identity, and the tests hold them against explicit loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy import sparse

from frbench.intervals import Weights
from frbench.resampling import PairTable
from frbench.values import ALL, Bools, Float64s, Int32s, Int64s, ScoreTally


@dataclass(frozen=True)
class Cells:
    """The cells of a table of rates: (g, g) for each group, then the crossings, last the pooled.

    Attributes:
        groups: names, length G.
        ordered: True when (probe a, reference b) and (b, a) are different cells.
    """

    groups: tuple[str, ...]
    ordered: bool = False

    @cached_property
    def lookup(self) -> Int32s:
        """int32 [G, G], position of the cell of (group of first, group of second)."""
        size = len(self.groups)
        table = np.full((size, size), -1, dtype=np.int32)
        table[np.diag_indices(size)] = np.arange(size)
        upper = np.triu_indices(size, 1)
        table[upper] = size + np.arange(len(upper[0]))
        behind = len(upper[0]) if self.ordered else 0
        table[upper[1], upper[0]] = table[upper] + behind
        return table

    @cached_property
    def sides(self) -> list[tuple[int, int]]:
        """The two groups of every cell but the pooled one, as positions in ``groups``."""
        size = len(self.groups)
        across = [(a, b) for a in range(size) for b in range(a + 1, size)]
        mirrored = [(b, a) for a, b in across] if self.ordered else []
        return [(a, a) for a in range(size)] + across + mirrored

    @cached_property
    def names(self) -> list[tuple[str, str]]:
        """(probe group, reference group) of every cell; the last is (all, all)."""
        return [(self.groups[a], self.groups[b]) for a, b in self.sides] + [(ALL, ALL)]

    @property
    def pooled(self) -> int:
        """Position of the pooled cell, the last."""
        return len(self.sides)

    def __len__(self) -> int:
        return len(self.sides) + 1

    def of(self, first: Int64s, second: Int64s) -> Int64s:
        """Position of the cell of each comparison between group ``first`` and ``second``."""
        return self.lookup[first, second].astype(np.int64)


class Trials(Protocol):
    """Non-mated comparisons, counted; all arrays run over the C cells, the pooled one last."""

    @property
    def cells(self) -> Cells:
        """The layout."""
        ...

    @property
    def total(self) -> Int64s:
        """int64 [C]: N, the comparisons in the cell."""
        ...

    @property
    def per_person(self) -> sparse.csr_array:
        """Sparse int64 [C, S]: M_i, the comparisons in the cell that person i takes part in."""
        ...

    @property
    def squares(self) -> Float64s:
        """float64 [C]: the sum over pairs of persons of m_ij squared."""
        ...

    @property
    def divided(self) -> bool:
        """Whether the comparisons of one pair of persons can fall into several cells."""
        ...

    @property
    def factors(self) -> Int64s | None:
        """int64 [S]: n with m_ij = n_i n_j for every pair compared; None where there is none.

        Where there is, no pair of persons falls into several cells.
        """
        ...

    @property
    def disjoint_pairs(self) -> Int64s:
        """int64 [C]: how many pairs of persons sharing nobody the cell can supply."""
        ...

    def products(self, errors: PairTable) -> Float64s:
        """float64 [C]: the sum over pairs of persons of e_ij m_ij."""
        ...

    def weighted(self, weights: Weights, *, self_pairs: bool) -> Float64s:
        """float64 [R, C]: the sum over pairs of w_i w_j m_ij, for weights [R, S].

        With ``self_pairs`` two copies of one person count as two persons: it adds
        w_i (w_i - 1) / 2 times m_ii.
        """
        ...


@dataclass(frozen=True)
class AllPairs:
    """Trials by arithmetic, for a set whose images were all compared within their stratum.

    Attributes:
        cells: the layout.
        images: sparse int64 [S, K], X of the module's text.
        class_group, class_stratum: int64 [K].
    """

    cells: Cells
    images: sparse.csr_array
    class_group: Int64s
    class_stratum: Int64s

    @classmethod
    def of(cls, tally: ScoreTally, *, completed: bool = False) -> AllPairs:
        """The attempted comparisons (all images), or the completed ones (enrolled images)."""
        low = int(tally.stratum.min(initial=0))
        width = int(tally.stratum.max(initial=0)) - low + 1
        key = tally.group.astype(np.int64) * width + (tally.stratum.astype(np.int64) - low)
        found = np.bincount(key, minlength=len(tally.groups) * width) > 0
        classes, column = np.flatnonzero(found), np.cumsum(found) - 1
        kept = tally.enrolled if completed else np.ones(len(tally.subject), dtype=bool)
        counts = count_table(tally, column[key], len(classes), kept)
        group, stratum = np.divmod(classes, width)
        return cls(Cells(tally.groups, tally.ordered), counts, group, stratum + low)

    @cached_property
    def _partners(self) -> tuple[Int64s, Int64s, Int64s]:
        """The compatible class pairs (k, l), both ways round, and the cell of each."""
        first, second = np.nonzero(self.class_stratum[:, None] == self.class_stratum[None, :])
        return first, second, self.cells.of(self.class_group[first], self.class_group[second])

    @cached_property
    def _with_self(self) -> sparse.csr_array:
        """Sparse int64 [C, S]: x_i P x_i', the comparisons of person i with a copy of itself."""
        row, first, second, product = pairs_within_rows(self.images)
        same = self.class_stratum[first] == self.class_stratum[second]
        cell = self.cells.of(self.class_group[first], self.class_group[second])[same]
        return with_pooled(cell, row[same], product[same], self.cells, self.images.shape[0])

    @cached_property
    def per_person(self) -> sparse.csr_array:
        """M_i = x_i P (X'1) - x_i P x_i': everyone's images that match the cell, less one's own."""
        totals = np.asarray(self.images.sum(axis=0)).reshape(-1)
        first, second, cell = self._partners
        reach = with_pooled(cell, first, totals[second], self.cells, len(totals))
        gross = sparse.csr_array(reach @ self.images.T)
        net = sparse.csr_array(gross - self._with_self)
        net.eliminate_zeros()
        net.sort_indices()
        return net

    @cached_property
    def total(self) -> Int64s:
        """N = (1'X P X'1 - sum_i x_i P x_i') / 2 = sum_i M_i / 2: each pair has two persons."""
        return row_totals(self.per_person) // 2

    @cached_property
    def squares(self) -> Float64s:
        """(sum(P o (A P A)) - sum_i (x_i P x_i')^2) / 2 with A = X'X.

        For symmetric P the sum over all i, j of (x_i P x_j')^2 is the trace of P A P A, which is
        the sum of P o (A P A); it counts each pair twice and adds the diagonal.
        """
        overlap = (self.images.T @ self.images).toarray().astype(np.float64)
        everything = np.empty(len(self.cells))
        for cell in range(len(self.cells)):
            chosen, mask = self._mask(cell)
            a = overlap[np.ix_(chosen, chosen)]
            everything[cell] = np.sum(mask * (a @ mask @ a))
        own = self._with_self
        row = np.repeat(np.arange(len(self.cells)), np.diff(own.indptr))
        squared = np.bincount(row, own.data.astype(np.float64) ** 2, minlength=len(self.cells))
        return (everything - squared) / 2.0

    @cached_property
    def divided(self) -> bool:
        """Whether some person has images in several classes."""
        return bool((np.diff(self.images.indptr) > 1).any())

    @cached_property
    def factors(self) -> Int64s | None:
        """Where nobody has images in two classes, how many each person has."""
        return None if self.divided else row_totals(self.images)

    @cached_property
    def disjoint_pairs(self) -> Int64s:
        """Per stratum half the persons, or the smaller side of a crossing; at most half of all."""
        persons = np.asarray((self.images > 0).sum(axis=0)).reshape(-1)
        found = np.zeros(len(self.cells), dtype=np.int64)
        for stratum in np.unique(self.class_stratum):
            here = self.class_stratum == stratum
            size = np.zeros(len(self.cells.groups), dtype=np.int64)
            size[self.class_group[here]] = persons[here]
            for cell, (a, b) in enumerate(self.cells.sides):
                found[cell] += size[a] // 2 if a == b else min(size[a], size[b])
            found[-1] += np.count_nonzero(row_sums(self.images[:, here])) // 2
        taking_part = np.diff(self.per_person.indptr)
        return np.asarray(np.minimum(found, taking_part // 2), dtype=np.int64)

    def products(self, errors: PairTable) -> Float64s:
        """sum(P o (X' E X)) with E the upper-triangular error counts of the cell."""
        result = np.zeros(len(self.cells))
        for cell in range(len(self.cells)):
            pooled = cell == self.cells.pooled
            table = errors.pooled.matrix(0) if pooled else errors.matrix(cell)
            if table.nnz:
                chosen, mask = self._mask(cell)
                images = self.images[:, chosen].astype(np.float64)
                result[cell] = np.sum(mask * (images.T @ (table @ images)).toarray())
        return result

    def weighted(self, weights: Weights, *, self_pairs: bool) -> Float64s:
        """With t = W X: (t P t' - sum_i w_i^2 x_i P x_i') / 2.

        Copies of one person add w_i (w_i - 1) / 2 times x_i P x_i', which turns the square in
        the second term into w_i.
        """
        dense = weights.astype(np.float64)
        t = dense @ self.images
        own = dense if self_pairs else dense * dense
        result = -np.asarray(own @ self._with_self.T.astype(np.float64))
        for cell in range(len(self.cells)):
            chosen, mask = self._mask(cell)
            part = t[:, chosen]
            result[:, cell] += np.einsum("rk,rk->r", part @ mask, part)
        return result / 2.0

    def _mask(self, cell: int) -> tuple[Int64s, Float64s]:
        """The classes that matter for a cell, and P restricted to them."""
        if cell == self.cells.pooled:
            chosen = np.arange(len(self.class_group))
            belongs = np.ones((len(chosen), len(chosen)), dtype=bool)
        else:
            chosen = np.flatnonzero(np.isin(self.class_group, self.cells.sides[cell]))
            group = self.class_group[chosen]
            belongs = self.cells.lookup[np.ix_(group, group)] == cell
        stratum = self.class_stratum[chosen]
        same: Bools = stratum[:, None] == stratum[None, :]
        return chosen, (belongs & same).astype(np.float64)


def count_table(tally: ScoreTally, column: Int64s, columns: int, kept: Bools) -> sparse.csr_array:
    """Sparse int64 [S, columns]: images per person and column, over the kept images."""
    persons = int(tally.subject.max(initial=-1)) + 1
    ones = np.ones(int(kept.sum()), dtype=np.int64)
    where = (tally.subject[kept].astype(np.int64), column[kept])
    return sparse.coo_array((ones, where), shape=(persons, columns)).tocsr()


def pairs_within_rows(table: sparse.csr_array) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """All ordered pairs of entries of a row: row, two columns, and the product of the values."""
    lengths = np.diff(table.indptr)
    row = np.repeat(np.arange(table.shape[0]), lengths)
    repeats = lengths[row]
    first = np.repeat(np.arange(table.nnz), repeats)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    second = table.indptr[row[first]] + offset
    columns, values = table.indices.astype(np.int64), table.data
    return row[first], columns[first], columns[second], values[first] * values[second]


def with_pooled(
    cell: Int64s, column: Int64s, value: Int64s, cells: Cells, columns: int
) -> sparse.csr_array:
    """Sparse [C, columns]: values summed by cell, and once more into the pooled cell."""
    rows = np.concatenate([cell, np.full(len(cell), cells.pooled, dtype=np.int64)])
    twice = (np.concatenate([value, value]), (rows, np.concatenate([column, column])))
    return sparse.coo_array(twice, shape=(len(cells), columns)).tocsr()


def row_sums(table: sparse.csr_array) -> Float64s:
    """float64 [rows]: the sum of each row of a sparse table."""
    return np.asarray(table.sum(axis=1), dtype=np.float64).reshape(-1)


def row_totals(table: sparse.csr_array, *, above_zero: bool = False) -> Int64s:
    """int64 [rows]: the sum of each row of whole numbers, or how many of them are above zero."""
    counted = table.data > 0 if above_zero else table.data
    sums = np.concatenate([[0], np.cumsum(counted, dtype=np.int64)])
    return np.asarray(np.diff(sums[table.indptr]), dtype=np.int64)
