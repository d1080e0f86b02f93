"""Probes against references: counts by arithmetic against counting one comparison after another."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from comparison_worlds import double_loop, world
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.comparison import ComparisonSpec, compare_sets
from frbench.counted import Counted
from frbench.cross_set_trials import CrossSet
from frbench.gaps import differentials
from frbench.intervals.double_or_nothing import DoubleOrNothing
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.listed_trials import Listed, trials_of
from frbench.measures.gini import Gini
from frbench.rates import error_rates
from frbench.resampling import PairTable
from frbench.trials import AllPairs, Cells
from frbench.values import ScoreTally
from worlds import pairs_of, random_tally, threshold_at

seeds = st.integers(0, 2**32 - 1)
GROUPS = ("g0", "g1", "empty")


def two_sets(rng, *, spread=True, persons=7, images=20):
    """Probes, then references, both of any person; with ties, failures and an empty group.

    Without ``spread`` a person stays in one group and one stratum.
    """
    subject = rng.integers(0, persons, images)
    group, stratum = (rng.integers(0, 2, persons)[subject] for _ in range(2))
    if spread:
        moved = rng.random(images) < 0.3
        group = np.where(moved, rng.integers(0, 2, images), group)
        stratum = np.where(moved, rng.integers(0, 2, images), stratum)
    enrolled, split = rng.random(images) < 0.85, int(rng.integers(0, images + 1))
    scores = rng.integers(0, 5, (images, images)) / 4
    mated, tail = [], []
    for i, j in itertools.product(range(split), range(split, images)):
        if enrolled[i] and enrolled[j]:
            if subject[i] == subject[j]:
                mated.append((i, j, scores[i, j]))
            elif stratum[i] == stratum[j]:
                tail.append((i, j, scores[i, j]))
    return ScoreTally(
        groups=GROUPS,
        subject=subject.astype(np.int32),
        group=group.astype(np.int16),
        stratum=stratum.astype(np.int16),
        enrolled=enrolled,
        mated=pairs_of(mated),
        tail=pairs_of(tail),
        floor=-np.inf,
        policy="some stratum",
        ordered=True,
        references_from=split,
    )


def written_out(tally):
    """The same comparisons as a list, with NaN where a template failed."""
    done = np.concatenate([tally.mated.score, tally.tail.score])
    ends = [
        np.concatenate([getattr(tally.mated, side), getattr(tally.tail, side)])
        for side in ("first", "second")
    ]
    score = {(i, j): s for i, j, s in zip(*ends, done, strict=True)}
    n = len(tally.subject)
    rows = [
        (i, j, score.get((i, j), np.nan))
        for i, j in itertools.product(range(tally.references_from), range(tally.references_from, n))
    ]
    return dataclasses.replace(tally, references_from=None, listed=pairs_of(rows))


def by_hand(tally, *, completed=False):
    """int64 [C, S, S]: comparisons of person i as a probe with j as a reference, i = j too."""
    cells = Cells(tally.groups, ordered=True)
    persons = int(tally.subject.max()) + 1
    d = np.zeros((len(cells), persons, persons), dtype=np.int64)
    for i in range(tally.references_from):
        for j in range(tally.references_from, len(tally.subject)):
            if tally.stratum[i] != tally.stratum[j]:
                continue
            if completed and not (tally.enrolled[i] and tally.enrolled[j]):
                continue
            name = tally.groups[tally.group[i]], tally.groups[tally.group[j]]
            for cell in (cells.names.index(name), cells.pooled):
                d[cell, tally.subject[i], tally.subject[j]] += 1
    return d


def of_pairs(d):
    """m_ij and its diagonal, the comparisons of a person with itself: both ways round."""
    both = d + d.transpose(0, 2, 1)
    own = np.einsum("cii->ci", both).copy()
    both[:, np.arange(d.shape[1]), np.arange(d.shape[1])] = 0
    return both, own


def some_errors(rng, m):
    """A PairTable of random errors among the comparisons that exist, and e_ij by hand."""
    e = np.triu(rng.binomial(m[:-1], 0.3))
    cell, first, second = np.nonzero(e)
    count = e[cell, first, second]
    entry = [np.repeat(part, count) for part in (cell, first, second)]
    table = PairTable.tabulate(*entry, cells=len(m), persons=m.shape[1])
    return table, np.concatenate([e, e.sum(axis=0, keepdims=True)])


@settings(max_examples=80, deadline=None)
@given(seeds, st.booleans(), st.booleans())
def test_arithmetic_equals_counting(seed, spread, completed):
    """Totals, per-person counts and squares equal those of an explicit loop over images."""
    tally = two_sets(np.random.default_rng(seed), spread=spread)
    m, _ = of_pairs(by_hand(tally, completed=completed))
    trials = trials_of(tally, completed=completed)
    assert isinstance(trials, CrossSet)
    assert trials.total.dtype == np.int64
    assert trials.total.tolist() == [int(np.triu(cell).sum()) for cell in m]
    assert np.array_equal(trials.per_person.toarray(), m.sum(axis=2))
    assert np.array_equal(np.diff(trials.per_person.indptr), (m.sum(axis=2) > 0).sum(axis=1))
    assert trials.squares.tolist() == [np.sum(np.triu(cell) ** 2) for cell in m]
    assert trials.divided or ((m[:-1] > 0).sum(axis=0) <= 1).all()


@settings(max_examples=60, deadline=None)
@given(seeds, st.booleans())
def test_weighted_trials_equal_counting(seed, spread):
    """Resampled denominators and products with errors equal their sums over pairs of persons."""
    rng = np.random.default_rng(seed)
    tally = two_sets(rng, spread=spread)
    m, own = of_pairs(by_hand(tally))
    errors, e = some_errors(rng, m)
    weights = rng.integers(0, 4, size=(300, m.shape[1])).astype(np.uint8)
    w = weights.astype(np.int64)
    plain = np.einsum("ri,rj,cij->rc", w, w, np.triu(m))
    copies = np.einsum("ri,ci->rc", w * (w - 1), own) // 2
    trials = CrossSet.of(tally)
    assert np.array_equal(trials.weighted(weights, self_pairs=False), plain)
    assert np.array_equal(trials.weighted(weights, self_pairs=True), plain + copies)
    assert trials.products(errors).tolist() == np.sum(e * m, axis=(1, 2)).tolist()


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_weights_equal_replication_of_persons(seed):
    """A weight of w is w persons with the same images, compared with each other too."""
    rng = np.random.default_rng(seed)
    tally = two_sets(rng)
    weight = rng.integers(0, 3, size=int(tally.subject.max()) + 1).astype(np.uint8)
    copies = weight[tally.subject]
    rows = np.repeat(np.arange(len(copies)), copies)
    if len(rows) == 0:
        return
    number = np.concatenate([np.arange(n) for n in copies])
    bigger = dataclasses.replace(
        tally,
        subject=(tally.subject[rows] * 3 + number).astype(np.int32),
        group=tally.group[rows],
        stratum=tally.stratum[rows],
        enrolled=tally.enrolled[rows],
        references_from=int(copies[: tally.references_from].sum()),
    )
    weighted = CrossSet.of(tally).weighted(weight[None, :], self_pairs=True)[0]
    assert weighted.tolist() == CrossSet.of(bigger).total.tolist()


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_a_set_against_itself_counts_every_pair_twice(seed):
    """With the same images on both sides each unordered pair is compared both ways round."""
    rng = np.random.default_rng(seed)
    once = random_tally(rng)
    fields = ("subject", "group", "stratum", "enrolled")
    doubled = {name: np.tile(getattr(once, name), 2) for name in fields}
    twice = CrossSet.of(
        dataclasses.replace(once, **doubled, ordered=True, references_from=len(once.subject))
    )
    alone = AllPairs.of(once)
    groups = len(once.groups)
    same = np.r_[np.arange(groups), -1]  # within a group, and pooled
    assert twice.total[same].tolist() == (2 * alone.total[same]).tolist()
    assert twice.squares[same] == pytest.approx(4 * alone.squares[same])
    across = range(groups, alone.cells.pooled)
    mirrored = [twice.cells.names.index(alone.cells.names[cell][::-1]) for cell in across]
    for cells in (across, mirrored):
        assert twice.total[cells].tolist() == alone.total[list(across)].tolist()
    weights = rng.integers(0, 3, (4, alone.images.shape[0])).astype(np.uint8)
    for self_pairs in (False, True):
        one, two = (each.weighted(weights, self_pairs=self_pairs) for each in (alone, twice))
        assert two[:, same] == pytest.approx(2 * one[:, same])


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_swapped_sides_mirror_the_cells(seed):
    """References against probes: the count of (a, b) becomes the count of (b, a)."""
    tally = two_sets(np.random.default_rng(seed))
    split, n = tally.references_from, len(tally.subject)
    order = np.r_[split:n, 0:split]
    fields = ("subject", "group", "stratum", "enrolled")
    moved = {name: getattr(tally, name)[order] for name in fields}
    one = CrossSet.of(tally)
    two = CrossSet.of(dataclasses.replace(tally, **moved, references_from=n - split))
    mirror = [two.cells.names.index(name[::-1]) for name in one.cells.names]
    for name in ("total", "squares", "disjoint_pairs"):
        assert getattr(one, name).tolist() == getattr(two, name)[mirror].tolist()
    assert np.array_equal(one.per_person.toarray(), two.per_person.toarray()[mirror])


def largest_matching(edges, persons):
    """How many pairs can be made of persons who all differ, by trying everything."""
    if len(persons) < 2:
        return 0
    first, rest = persons[0], persons[1:]
    found = [largest_matching(edges, rest)]
    found += [
        1 + largest_matching(edges, [p for p in rest if p != other])
        for other in rest
        if edges[first, other]
    ]
    return max(found)


@settings(max_examples=50, deadline=None)
@given(seeds, st.booleans())
def test_disjoint_pairs_are_a_largest_matching(seed, spread):
    """Exact where nobody stands in two strata; otherwise at least that, at most half of all."""
    tally = two_sets(np.random.default_rng(seed), spread=spread, images=12)
    m, _ = of_pairs(by_hand(tally))
    claimed = CrossSet.of(tally).disjoint_pairs
    best = np.array([largest_matching(cell > 0, list(range(len(cell)))) for cell in m])
    taking_part = (m.sum(axis=2) > 0).sum(axis=1)
    if spread:
        assert (claimed >= best).all()
        assert (claimed <= taking_part // 2).all()
    else:
        assert claimed.tolist() == best.tolist()


def table(tally, *values, interval=None):
    """The RateTable of a tally at thresholds of the given values."""
    return error_rates(
        tally,
        [threshold_at(value) for value in values],
        interval or WilsonEffective(),
        matcher="m",
        benchmark="b",
        rng=np.random.default_rng(0),
    )


@settings(max_examples=25, deadline=None)
@given(seeds, st.booleans())
def test_a_list_of_the_same_comparisons_agrees(seed, spread):
    """Every probe written out against every reference: the same trials, and the same rates."""
    rng = np.random.default_rng(seed)
    tally = two_sets(rng, spread=spread)
    listed = written_out(tally)
    one, two = trials_of(tally), trials_of(listed)
    assert isinstance(two, Listed)
    assert one.total.tolist() == two.total.tolist()
    assert np.array_equal(one.per_person.toarray(), two.per_person.toarray())
    assert one.squares == pytest.approx(two.squares)
    assert one.divided or not two.divided
    errors = Counted(tally).false_matches(0.5).table
    assert one.products(errors) == pytest.approx(two.products(errors))
    weights = rng.integers(0, 4, (4, errors.persons)).astype(np.uint8)
    plain = [each.weighted(weights, self_pairs=False) for each in (one, two)]
    assert plain[0] == pytest.approx(plain[1])
    rows = [table(each, 0.5, 0.75) for each in (tally, listed)]
    same = ["kind", "probe_group", "reference_group", "errors", "comparisons", "failed",
            "subjects", "rate", "rate_completed", "rate_worst_case"]  # fmt: skip
    pd.testing.assert_frame_equal(rows[0][same], rows[1][same])
    # with few errors the two forms bound the number of disjoint pairs in different ways
    fewer = np.minimum(rows[0]["errors"], rows[0]["comparisons"] - rows[0]["errors"])
    for column, least in (("low", 5), ("high", 5), ("design_effect", 1)):
        seen = fewer >= least
        assert rows[0][column][seen].to_numpy() == pytest.approx(rows[1][column][seen].to_numpy())


def expected_rates(w, same, split, threshold):
    """{(kind, probe group, reference group): [errors, comparisons, failed]}, one by one."""
    truth = double_loop(w, same, split)
    score = {(i, j): s for i, j, s in [*truth.mated, *truth.non_mated]}
    labels = w.faces[[f"label_{column}" for column in same]].astype(object).fillna("").to_numpy()
    group, subject = w.faces["group"].astype(str), w.faces["subject_id"]
    ok, found = w.embedded.enrolled, {}

    def add(kind, cell, error, failed):
        for where in (cell, ("all", "all")):
            row = found.setdefault((kind, *where), [0, 0, 0])
            found[kind, *where] = [row[0] + error, row[1] + 1, row[2] + failed]

    for i in range(len(ok)):
        add("FTE", (group[i], group[i]), int(not ok[i]), int(not ok[i]))
    for i, j in itertools.product(range(split), range(split, len(ok))):
        failed = int(not (ok[i] and ok[j]))
        match = int(not failed and score.get((i, j), -2.0) >= threshold)
        if subject[i] == subject[j]:
            add("FNMR", (group[i], group[j]), 1 - match, failed)
        elif (labels[i] == labels[j]).all():
            add("FMR", (group[i], group[j]), match, failed)
    return found


@settings(max_examples=25, deadline=None)
@given(
    seed=seeds,
    same=st.sampled_from([(), ("sex",), ("sex", "age_band")]),
    probes=st.integers(0, 40),
    threshold=st.sampled_from([-0.2, 0.3, 0.6, 0.9]),
)
def test_rates_of_compared_sets_equal_a_double_loop(seed, same, probes, threshold):
    """The engine's tally of two sets gives the errors, comparisons and failures of a loop."""
    w = world(seed)
    left, right = w.rows(np.arange(probes)), w.rows(np.arange(probes, 40))
    spec = ComparisonSpec(same=same, histogram_bins=0, tile=16, workers=1)
    tally = compare_sets(left.embedded, left.faces, right.embedded, right.faces, spec)
    expected = expected_rates(w, same, probes, threshold)
    columns = ["kind", "probe_group", "reference_group"]
    for row in table(tally, threshold).to_dict("records"):
        counts = [row["errors"], row["comparisons"], row["failed"]]
        assert counts == expected.pop(tuple(row[c] for c in columns), [0, 0, 0])
    assert expected == {}


@pytest.mark.parametrize("seed", range(3))
def test_resampled_intervals_and_gaps_agree_with_the_list(seed):
    """The same persons drawn again give the same intervals of rates and gaps in both forms."""
    tally = two_sets(np.random.default_rng(seed), persons=20, images=80)
    interval, found = DoubleOrNothing(replicates=200), []
    for each in (tally, written_out(tally)):
        rows, points = table(each, 0.5, interval=interval), [threshold_at(0.5)]
        rng = np.random.default_rng(1)
        gaps = differentials(each, points, rows, {"gini": Gini()}, interval, rng=rng)
        found.append((rows, gaps[gaps["status"] != "undefined"]))
    (one, gaps), (two, other_gaps) = found
    seen = (one["errors"] > 0) & (one["errors"] < one["comparisons"])
    assert seen.sum() > 5
    for column in ("low", "high"):
        assert one[column][seen].to_numpy() == pytest.approx(two[column][seen].to_numpy())
    assert len(gaps) > 3
    pd.testing.assert_frame_equal(gaps, other_gaps)


def test_two_sets_have_roles():
    """Without roles nobody knows whose cell is whose, and without a split nobody is a probe."""
    tally = two_sets(np.random.default_rng(1))
    for wrong in ({"ordered": False}, {"references_from": None}):
        with pytest.raises(ValueError, match="have roles"):
            CrossSet.of(dataclasses.replace(tally, **wrong))
