"""The comparisons of a set of probes with a set of references, counted by arithmetic.

Of one cell, let ``U`` (int64 [S, T]) count the images that each person has per stratum among the
probes of the cell's first group, and ``V`` those among the references of its second; the pooled
cell takes the images of all groups. Only equal strata were compared, so person i as a probe and
person j as a reference make ``d_ij = u_i v_j'`` comparisons. A person may stand on both sides,
so the pair {i, j} has ``m_ij = d_ij + d_ji``, and ``d_ii`` are mated comparisons that every sum
below has to leave out; each gives its identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from frbench.intervals import Weights
from frbench.resampling import PairTable
from frbench.trials import Cells, count_table, pairs_within_rows, row_sums, with_pooled
from frbench.values import Bools, Float64s, Int64s, ScoreTally

_REPLICATES_AT_ONCE = 128  # keeps one block of weights in the processor's cache


@dataclass(frozen=True)
class CrossSet:
    """Trials by arithmetic, for two sets of images compared within their strata.

    Attributes:
        cells: the layout, ordered: the first group is the probe's.
        probes, references: length G + 1, each sparse int64 [S, T]: the images per person and
            stratum in each group, last in all groups together.
    """

    cells: Cells
    probes: tuple[sparse.csr_array, ...]
    references: tuple[sparse.csr_array, ...]

    @classmethod
    def of(cls, tally: ScoreTally, *, completed: bool = False) -> CrossSet:
        """The attempted comparisons (all images), or the completed ones (enrolled images).

        Raises ValueError for a tally of one set, or of two sets without roles.
        """
        if tally.references_from is None or not tally.ordered:
            raise ValueError("two sets of images have roles: ordered, with references_from")
        kept = tally.enrolled if completed else np.ones(len(tally.subject), dtype=bool)
        probe = np.arange(len(tally.subject)) < tally.references_from
        cells = Cells(tally.groups, ordered=True)
        return cls(cells, _by_group(tally, kept & probe), _by_group(tally, kept & ~probe))

    @cached_property
    def _positions(self) -> list[tuple[int, int]]:
        """Where U stands in ``probes`` and V in ``references``, for every cell."""
        everyone = len(self.cells.groups)
        return [*self.cells.sides, (everyone, everyone)]

    @cached_property
    def _sides(self) -> list[tuple[sparse.csr_array, sparse.csr_array]]:
        """U and V of every cell."""
        return [(self.probes[a], self.references[b]) for a, b in self._positions]

    @cached_property
    def _with_self(self) -> sparse.csr_array:
        """Sparse int64 [C, S]: d_ii, a person's own probes against its own references."""
        return _stacked([_sum(u.multiply(v), axis=1) for u, v in self._sides])

    @cached_property
    def per_person(self) -> sparse.csr_array:
        """M_i = u_i (V'1) + v_i (U'1) - 2 d_ii: as a probe, as a reference, less one's own."""
        gross = _stacked([u @ _sum(v, axis=0) + v @ _sum(u, axis=0) for u, v in self._sides])
        net = sparse.csr_array(gross - 2 * self._with_self)
        net.eliminate_zeros()
        return net

    @cached_property
    def total(self) -> Int64s:
        """N = (1'U) (V'1) - sum_i d_ii."""
        gross = [_sum(u, axis=0) @ _sum(v, axis=0) for u, v in self._sides]
        return np.array(gross, dtype=np.int64) - _sum(self._with_self, axis=1)

    @cached_property
    def squares(self) -> Float64s:
        """sum(U'U o V'V) + sum(V'U o (V'U)') - 2 sum_i d_ii^2.

        Half the sum over i != j of (d_ij + d_ji)^2 is the sum of d_ij^2 + d_ij d_ji. Over all
        i, j the squares are the trace of D D' with D = U V', the products that of D D, and the
        diagonal is in both.
        """
        found = np.empty(len(self.cells))
        for cell, (u, v) in enumerate(self._sides):
            u, v = u.astype(np.float64), v.astype(np.float64)
            across = v.T @ u
            found[cell] = (u.T @ u).multiply(v.T @ v).sum() + across.multiply(across.T).sum()
        own = self._with_self.astype(np.float64)
        return found - 2.0 * row_sums(own.multiply(own))

    @cached_property
    def divided(self) -> bool:
        """Whether some person has several groups on one side, or two persons stand on both.

        With roles, d_ij and d_ji fall into different cells where the two persons' groups differ.
        """
        groups = [
            np.sum([np.diff(table.indptr) > 0 for table in side[:-1]], axis=0)
            for side in (self.probes, self.references)
        ]
        both = np.count_nonzero((groups[0] > 0) & (groups[1] > 0))
        return bool(both > 1 or (groups[0] > 1).any() or (groups[1] > 1).any())

    @property
    def factors(self) -> None:
        """Either person may be the probe, so m_ij is a sum of products."""
        return None

    @cached_property
    def disjoint_pairs(self) -> Int64s:
        """Per stratum the smaller side, or half the persons; no more than of the whole cell.

        Every pair needs a probe, a reference and two persons, and that is all it needs: exact
        where nobody stands in two strata, an upper bound otherwise.
        """
        found = np.zeros(len(self.cells), dtype=np.int64)
        for cell, (u, v) in enumerate(self._sides):
            either = u + v
            sides = [_sum(table > 0, axis=0) for table in (u, v)]
            inside = np.minimum(np.minimum(*sides), _sum(either > 0, axis=0) // 2)
            whole = [int(np.count_nonzero(np.diff(table.indptr))) for table in (u, v)]
            found[cell] = min(int(inside.sum()), *whole)
        return np.asarray(np.minimum(found, np.diff(self.per_person.indptr) // 2), dtype=np.int64)

    def products(self, errors: PairTable) -> Float64s:
        """sum(U o E V) + sum(V o E U) with E the upper-triangular error counts of the cell."""
        found = np.zeros(len(self.cells))
        for cell, (u, v) in enumerate(self._sides):
            pooled = cell == self.cells.pooled
            table = errors.pooled.matrix(0) if pooled else errors.matrix(cell)
            found[cell] = u.multiply(table @ v).sum() + v.multiply(table @ u).sum()
        return found

    def weighted(self, weights: Weights, *, self_pairs: bool) -> Float64s:
        """With t = W U and s = W V: t s' - sum_i w_i^2 d_ii.

        Two copies of one person make 2 d_ii comparisons, and there are w_i (w_i - 1) / 2 such
        pairs, which turns the square in the second term into w_i.
        """
        result = np.empty((len(weights), len(self.cells)))
        for start in range(0, len(weights), _REPLICATES_AT_ONCE):
            block = slice(start, start + _REPLICATES_AT_ONCE)
            w = weights[block].astype(np.int64)
            t, s = ([w @ table for table in side] for side in (self.probes, self.references))
            result[block] = -((w if self_pairs else w * w) @ self._with_self.T)
            for cell, (a, b) in enumerate(self._positions):
                result[block, cell] += np.einsum("rt,rt->r", t[a], s[b])
        return result


def mated_across(tally: ScoreTally, cells: Cells) -> sparse.csr_array:
    """Sparse int64 [C, S]: each person's probes times its references; strata play no part."""
    assert tally.references_from is not None
    size = len(cells.groups)
    reference = np.arange(len(tally.subject)) >= tally.references_from
    column = tally.group.astype(np.int64) + size * reference
    images = count_table(tally, column, 2 * size, np.ones(len(column), dtype=bool))
    person, first, second, product = pairs_within_rows(images)
    kept = (first < size) & (second >= size)
    cell = cells.of(first[kept], second[kept] - size)
    return with_pooled(cell, person[kept], product[kept], cells, images.shape[0])


def _by_group(tally: ScoreTally, kept: Bools) -> tuple[sparse.csr_array, ...]:
    """Images per person and stratum in each group, and last in all of them."""
    strata, column = np.unique(tally.stratum, return_inverse=True)
    chosen = [kept & (tally.group == group) for group in range(len(tally.groups))]
    return tuple(count_table(tally, column, len(strata), each) for each in [*chosen, kept])


def _sum(table: sparse.csr_array, *, axis: int) -> Int64s:
    return np.asarray(table.sum(axis=axis), dtype=np.int64).reshape(-1)


def _stacked(rows: list[Int64s]) -> sparse.csr_array:
    return sparse.vstack([sparse.csr_array(row[None, :]) for row in rows], format="csr")
