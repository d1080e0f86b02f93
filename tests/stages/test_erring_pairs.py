"""Sums over pairs of persons and moments of residuals, against loops and dense arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from frbench.counted import Counted
from frbench.erring_pairs import pair_sums
from frbench.person_moments import moments
from frbench.trials import Cells
from worlds import pairs_of, population, random_tally

seeds = st.integers(0, 2**32 - 1)


def counts_by_hand(tally, cells):
    """int [C, S, S]: comparisons of each pair of persons in each cell, in both directions."""
    persons = int(tally.subject.max()) + 1
    e = np.zeros((len(cells), persons, persons), np.int64)
    for i, j in zip(tally.tail.first, tally.tail.second, strict=True):
        names = [tally.groups[tally.group[image]] for image in (i, j)]
        forms = [tuple(names), tuple(names[::-1])]
        cell = next(at for at, name in enumerate(cells.names) if name in forms)
        a, b = tally.subject[i], tally.subject[j]
        for one, other in ((a, b), (b, a)):
            e[cell, one, other] += 1
            e[-1, one, other] += 1
    return e


@settings(max_examples=60, deadline=None)
@given(seeds, st.booleans())
def test_sums_over_pairs_equal_a_loop(seed, spread):
    """Counts, sums by person, squares and products of every cell, absent groups included."""
    rng = np.random.default_rng(seed)
    tally = random_tally(rng, spread=spread)
    cells = Cells(tally.groups)
    e = counts_by_hand(tally, cells)
    factors = rng.integers(1, 9, e.shape[1])
    found = pair_sums(tally, cells, tally.tail, factors)
    assert found.comparisons.tolist() == (e.sum(axis=(1, 2)) // 2).tolist()
    assert found.by_person.toarray().tolist() == e.sum(axis=2).tolist()
    assert found.by_person.has_canonical_format
    assert found.squares[:-1].tolist() == ((e[:-1] ** 2).sum(axis=(1, 2)) / 2).tolist()
    products = np.einsum("cij,i,j->c", e, factors, factors) / 2
    assert found.products.tolist() == products.tolist()
    if not Counted(tally).attempted.divided:
        assert found.squares[-1] == (e[-1] ** 2).sum() / 2
    plain = pair_sums(tally, cells, tally.tail)
    assert plain.products.tolist() == plain.comparisons.tolist()


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_order_of_the_comparisons_is_nothing(seed):
    """Shuffled, and with the two images of each comparison swapped, the sums stay the same."""
    rng = np.random.default_rng(seed)
    tally = random_tally(rng)
    cells = Cells(tally.groups)
    order = rng.permutation(len(tally.tail))
    rows = np.stack([tally.tail.second, tally.tail.first, tally.tail.score], axis=1)[order]
    one, two = (pair_sums(tally, cells, pairs) for pairs in (tally.tail, pairs_of(rows)))
    assert one.comparisons.tolist() == two.comparisons.tolist()
    assert one.squares.tolist() == two.squares.tolist()
    assert (one.by_person != two.by_person).nnz == 0


def test_the_sums_refuse_a_person_with_itself():
    """A non-mated comparison within one person is a mistake upstream, and is refused."""
    tally = population(np.random.default_rng(0), fmr=[0.05], persons=[4], images=2)
    with pytest.raises(ValueError, match="two different persons"):
        pair_sums(tally, Cells(tally.groups), pairs_of([(0, 1, 1.0)]))


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_moments_equal_dense_arithmetic(seed):
    """Residuals of dense arrays: persons without trials, without errors, shares above a half."""
    rng = np.random.default_rng(seed)
    e, m = rng.integers(0, 3, (2, 5, 7)) * rng.integers(0, 4, (2, 5, 7))
    m[0], m[1, 1:] = 0, 0  # a row without trials, and one of a single person
    rate, comparisons = rng.random(5), m.sum(axis=1)
    rate[2] = np.nan
    stored = [sparse.csr_array(each) for each in (e, m)]
    stored[0].data[: len(stored[0].data) // 4] = 0  # zeros may be stored
    e = stored[0].toarray()
    found = moments(*stored, rate, comparisons)
    r = e - np.nan_to_num(rate)[:, None] * m
    share = np.minimum(m / np.maximum(comparisons, 1)[:, None], 0.5)
    assert found.second == pytest.approx((r**2).sum(axis=1))
    assert found.fourth == pytest.approx((r**4).sum(axis=1))
    assert found.apart == pytest.approx(((r / (1 - share)) ** 2).sum(axis=1))


def test_unsorted_columns_are_put_in_order():
    """A table whose columns come in any order gives the same moments."""
    e = sparse.csr_array((np.array([2, 5]), np.array([2, 0]), np.array([0, 2])), shape=(1, 3))
    m = sparse.csr_array(np.array([[9, 9, 9]]))
    assert not e.has_sorted_indices
    found = moments(e, m, np.array([0.0]), np.array([27]))
    assert (found.second[0], found.fourth[0]) == (29.0, 641.0)
