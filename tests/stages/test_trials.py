"""Counts by arithmetic against counting one comparison after another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.listed_trials import Listed, trials_of
from frbench.resampling import PairTable
from frbench.trials import AllPairs, Cells
from worlds import as_listed, random_tally

seeds = st.integers(0, 2**32 - 1)


def by_hand(tally, *, completed=False):
    """int64 [C, S, S] symmetric: m_ij of every cell, counted image pair by image pair."""
    cells = Cells(tally.groups)
    persons = int(tally.subject.max()) + 1
    m = np.zeros((len(cells), persons, persons), dtype=np.int64)
    for i in range(len(tally.subject)):
        for j in range(len(tally.subject)):
            a, b = tally.subject[i], tally.subject[j]
            if a == b or tally.stratum[i] != tally.stratum[j]:
                continue
            if completed and not (tally.enrolled[i] and tally.enrolled[j]):
                continue
            name = sorted((tally.groups[tally.group[i]], tally.groups[tally.group[j]]))
            m[cells.names.index(tuple(name)), a, b] += 1
            m[-1, a, b] += 1
    return m


def with_copies(tally):
    """int64 [C, S]: comparisons of a person with a copy of itself, by hand."""
    cells = Cells(tally.groups)
    found = np.zeros((len(cells), int(tally.subject.max()) + 1), dtype=np.int64)
    for i in range(len(tally.subject)):
        for j in range(len(tally.subject)):
            same = tally.subject[i] == tally.subject[j]
            if same and tally.stratum[i] == tally.stratum[j]:
                name = sorted((tally.groups[tally.group[i]], tally.groups[tally.group[j]]))
                found[cells.names.index(tuple(name)), tally.subject[i]] += 1
                found[-1, tally.subject[i]] += 1
    return found


def some_errors(tally, rng, m):
    """A PairTable of random errors among the comparisons that exist, and e_ij by hand."""
    e = np.triu(rng.binomial(m[:-1], 0.3))
    cell, first, second = np.nonzero(e)
    count = e[cell, first, second]
    entry = [np.repeat(part, count) for part in (cell, first, second)]
    table = PairTable.tabulate(*entry, cells=len(m), persons=m.shape[1])
    return table, np.concatenate([e, e.sum(axis=0, keepdims=True)])


@settings(max_examples=60, deadline=None)
@given(seeds, st.booleans(), st.booleans())
def test_arithmetic_equals_counting(seed, spread, completed):
    """Totals, per-person counts and squares equal those of an explicit loop over images."""
    tally = random_tally(np.random.default_rng(seed), spread=spread)
    m = by_hand(tally, completed=completed)
    trials = AllPairs.of(tally, completed=completed)
    assert trials.total.tolist() == [int(np.triu(cell).sum()) for cell in m]
    per_person = np.zeros(m.shape[:2])
    per_person[:, : trials.per_person.shape[1]] = trials.per_person.toarray()
    assert np.array_equal(per_person, m.sum(axis=2))
    assert trials.squares == pytest.approx([np.sum(np.triu(cell) ** 2) for cell in m])


@settings(max_examples=40, deadline=None)
@given(seeds, st.booleans())
def test_weighted_trials_equal_counting(seed, spread):
    """Resampled denominators and products with errors equal their sums over pairs of persons."""
    rng = np.random.default_rng(seed)
    tally = random_tally(rng, spread=spread)
    m, own = by_hand(tally), with_copies(tally)
    errors, e = some_errors(tally, rng, m)
    weights = rng.integers(0, 4, size=(5, m.shape[1])).astype(np.uint8)
    w = weights.astype(np.int64)
    plain = np.einsum("ri,rj,cij->rc", w, w, np.triu(m))
    copies = np.einsum("ri,ci->rc", w * (w - 1), own) / 2
    trials = AllPairs.of(tally)
    assert trials.weighted(weights, self_pairs=False) == pytest.approx(plain)
    assert trials.weighted(weights, self_pairs=True) == pytest.approx(plain + copies)
    assert trials.products(errors) == pytest.approx(np.sum(e * m, axis=(1, 2)))


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_weights_equal_replication_of_persons(seed):
    """A weight of w is w copies of the person, compared with everyone and with each other."""
    rng = np.random.default_rng(seed)
    tally = random_tally(rng, persons=6, spread=False)
    weight = rng.integers(0, 3, size=6).astype(np.uint8)
    copies = [(p, k) for p in range(6) for k in range(weight[p])]
    subject, rows = [], []
    for new, (person, _) in enumerate(copies):
        here = np.flatnonzero(tally.subject == person)
        rows.extend(here)
        subject.extend([new] * len(here))
    if len(copies) < 2:
        return
    rows = np.array(rows)
    bigger = type(tally)(
        **{
            **vars(tally),
            "subject": np.array(subject, np.int32),
            "group": tally.group[rows],
            "stratum": tally.stratum[rows],
            "enrolled": tally.enrolled[rows],
        }
    )
    weighted = AllPairs.of(tally).weighted(weight[None, :], self_pairs=True)[0]
    assert weighted.tolist() == AllPairs.of(bigger).total.tolist()


@settings(max_examples=60, deadline=None)
@given(seeds, st.booleans())
def test_a_complete_list_counts_like_arithmetic(seed, completed):
    """Writing every comparison into a list changes no count."""
    rng = np.random.default_rng(seed)
    tally = random_tally(rng)
    listed = as_listed(tally, rng.random((len(tally.subject),) * 2))
    one, two = (trials_of(each, completed=completed) for each in (tally, listed))
    assert isinstance(one, AllPairs)
    assert isinstance(two, Listed)
    assert one.total.tolist() == two.total.tolist()
    assert np.array_equal(one.per_person.toarray(), two.per_person.toarray())
    assert one.squares == pytest.approx(two.squares)
    errors, _ = some_errors(tally, rng, by_hand(tally, completed=completed))
    assert one.products(errors) == pytest.approx(two.products(errors))
    weights = rng.integers(0, 4, size=(4, errors.persons)).astype(np.uint8)
    assert one.weighted(weights, self_pairs=False) == pytest.approx(
        two.weighted(weights, self_pairs=False)
    )


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_a_partial_list_with_roles_counts_what_it_lists(seed):
    """Each listed comparison is counted once, in the cell of its probe's and reference's group."""
    rng = np.random.default_rng(seed)
    tally = random_tally(rng)
    scores = rng.random((len(tally.subject),) * 2)
    listed = as_listed(tally, scores, ordered=True, kept=0.3, rng=rng)
    trials = trials_of(listed)
    counts = dict.fromkeys(trials.cells.names, 0)
    for i, j in zip(listed.listed.first, listed.listed.second, strict=True):
        if tally.subject[i] != tally.subject[j]:
            counts[tally.groups[tally.group[i]], tally.groups[tally.group[j]]] += 1
            counts["all", "all"] += 1
    assert trials.total.tolist() == list(counts.values())


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_disjoint_pairs_are_no_more_than_a_matching(seed):
    """Nobody is needed twice: never more disjoint pairs than the largest matching has."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    tally = random_tally(np.random.default_rng(seed), spread=False)
    m = by_hand(tally)
    claimed = AllPairs.of(tally).disjoint_pairs
    for cell, matrix in enumerate(m):
        # a matching of persons is half a matching of the doubled graph, or less
        doubled = maximum_bipartite_matching(csr_array((matrix > 0).astype(np.int8)))
        assert claimed[cell] <= np.count_nonzero(doubled >= 0) // 2


def test_pairs_with_roles_must_be_listed():
    """An all-pairs tally with roles does not say who is a probe."""
    tally = random_tally(np.random.default_rng(1))
    with pytest.raises(ValueError, match="must be listed"):
        trials_of(type(tally)(**{**vars(tally), "ordered": True}))


def test_a_person_is_never_a_non_mated_pair():
    """A non-mated comparison within one person is a mistake upstream, and is refused."""
    one = np.array([1])
    with pytest.raises(ValueError, match="two different persons"):
        PairTable.tabulate(np.array([0]), one, one, cells=2, persons=3)
