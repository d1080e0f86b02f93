"""Rates against a double loop over images, published intervals, and the rule for failures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.counted import Counted
from frbench.errors import InputError
from frbench.intervals.vertex_bootstrap import VertexBootstrap
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.rates import error_rates
from frbench.tables import RATE_COLUMNS
from frbench.values import ScoreTally
from worlds import as_listed, pairs_of, population, random_tally, tally_of, threshold_at

seeds = st.integers(0, 2**32 - 1)


def table(tally, *values, interval=None, seed=0):
    """The RateTable of a tally at thresholds of the given values."""
    return error_rates(
        tally,
        [threshold_at(value) for value in values],
        interval or WilsonEffective(),
        matcher="m",
        benchmark="b",
        rng=np.random.default_rng(seed),
    )


def counted_by_hand(tally, scores, threshold):
    """{(kind, probe group, reference group): [errors, comparisons, failed]}, one by one."""
    found = {}

    def add(kind, cell, error, failed):
        for where in (cell, ("all", "all")):
            row = found.setdefault((kind, *where), [0, 0, 0])
            found[kind, *where] = [row[0] + error, row[1] + 1, row[2] + failed]

    names = [tally.groups[g] for g in tally.group]
    for i in range(len(names)):
        add("FTE", (names[i], names[i]), not tally.enrolled[i], not tally.enrolled[i])
        for j in range(i + 1, len(names)):
            cell = tuple(sorted((names[i], names[j])))
            failed = not (tally.enrolled[i] and tally.enrolled[j])
            match = not failed and scores[i, j] >= threshold
            if tally.subject[i] == tally.subject[j]:
                add("FNMR", cell, not match, failed)
            elif tally.stratum[i] == tally.stratum[j]:
                add("FMR", cell, match, failed)
    return found


@settings(max_examples=100, deadline=None)
@given(seeds, st.booleans(), st.sampled_from([0.25, 0.5, 0.75, 1.0, 1.5]))
def test_counts_equal_a_double_loop(seed, spread, threshold):
    """Errors, comparisons and failures are those of a loop: ties, failures, absent groups, all."""
    rng = np.random.default_rng(seed)
    tally = random_tally(rng, spread=spread)
    scores = scores_of(tally)
    expected = counted_by_hand(tally, scores, threshold)
    rows = table(tally, threshold)
    columns = ["kind", "probe_group", "reference_group"]
    for row in rows.to_dict("records"):
        counts = [row["errors"], row["comparisons"], row["failed"]]
        assert counts == expected.pop(tuple(row[c] for c in columns), [0, 0, 0])
    assert expected == {}


def scores_of(tally):
    """float [N, N]: the scores that a tally kept; those below its floor are -1."""
    scores = np.full((len(tally.subject),) * 2, -1.0)
    for part in (tally.mated, tally.tail):
        scores[part.first, part.second] = part.score
    return scores


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_a_listed_set_gives_the_same_table(seed):
    """All pairs written out as a list: the same rows, but for the zero-error bound's units."""
    rng = np.random.default_rng(seed)
    tally = random_tally(rng)
    listed = as_listed(tally, scores_of(tally))
    one, two = table(tally, 0.5, 0.75), table(listed, 0.5, 0.75)
    same = ["kind", "probe_group", "errors", "comparisons", "failed", "subjects", "rate"]
    assert one[same].equals(two[same])
    fewer = np.minimum(one["errors"], one["comparisons"] - one["errors"])
    for column, least in (("low", 5), ("high", 5), ("design_effect", 1)):
        seen = fewer >= least  # a list bounds the disjoint pairs only from above
        assert one[column][seen].to_numpy() == pytest.approx(two[column][seen].to_numpy())


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_order_and_names_are_nothing(seed):
    """Shuffled images, renumbered persons and reordered groups leave every row as it was."""
    rng = np.random.default_rng(seed)
    tally = random_tally(rng, persons=6)
    n, groups = len(tally.subject), len(tally.groups)
    order, renumbered = rng.permutation(n), rng.permutation(int(tally.subject.max()) + 1)
    regrouped, place = rng.permutation(groups), np.empty(n, dtype=np.int32)
    place[order] = np.arange(n)
    where = np.empty(groups, dtype=np.int16)
    where[regrouped] = np.arange(groups)

    def moved(pairs):
        ends = np.sort([place[pairs.first], place[pairs.second]], axis=0)
        return pairs_of(np.stack([*ends, pairs.score], axis=1))

    other = ScoreTally(
        groups=tuple(tally.groups[g] for g in regrouped),
        subject=renumbered[tally.subject[order]].astype(np.int32),
        group=where[tally.group[order]],
        stratum=tally.stratum[order],
        enrolled=tally.enrolled[order],
        mated=moved(tally.mated),
        tail=moved(tally.tail),
        floor=tally.floor,
        policy=tally.policy,
    )
    assert rows_by_cell(table(tally, 0.5)) == rows_by_cell(table(other, 0.5))


def rows_by_cell(rows):
    """What the table says about each cell, whichever way round its groups are named."""
    return {
        (r["kind"], frozenset((r["probe_group"], r["reference_group"]))): (
            r["errors"],
            r["comparisons"],
            r["subjects"],
            f"{r['low']:.9f}",
            f"{r['high']:.9f}",
            r["status"],
        )
        for r in rows.to_dict("records")
        if r["comparisons"] > 0
    }


def cubic_variance(e, m):
    """Variance of sum e / sum m over all pairs of pairs of persons that share a person.

    The sum of y_ij y_kl over unordered pairs {i, j}, {k, l} with a person in common, the
    covariance part held at zero or above; written as naive loops.
    """
    persons = len(e)
    p = np.triu(e).sum() / np.triu(m).sum()
    same = shared = 0.0
    for i, j in itertools.combinations(range(persons), 2):
        y = e[i, j] - p * m[i, j]
        same += y * y
        for k, other in ((i, j), (j, i)):
            for third in range(persons):
                if third not in (k, other):
                    a, b = sorted((k, third))
                    shared += y * (e[a, b] - p * m[a, b])
    return (same + max(shared, 0.0)) / np.triu(m).sum() ** 2


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_dyadic_variance_equals_the_triple_loop(seed):
    """The closed form of every cell equals naive loops over persons, cells of one pair included."""
    rng = np.random.default_rng(seed)
    tally = random_tally(rng, persons=7)
    found = Counted(tally).false_matches(0.5)
    errors, trials = np.zeros((2, len(found.errors), found.persons, found.persons))
    for part, count in ((tally.tail.take(tally.tail.score >= 0.5), errors), (None, trials)):
        pairs = zip(part.first, part.second, strict=True) if part else all_pairs(tally)
        for i, j in pairs:
            a, b = sorted((tally.subject[i], tally.subject[j]))
            cell = sorted((tally.group[i], tally.group[j]))
            names = tuple(tally.groups[g] for g in cell)
            for where in (Counted(tally).cells.names.index(names), -1):
                count[where, a, b] += 1
    for cell in np.flatnonzero(found.comparisons):
        assert found.variance[cell] == pytest.approx(
            cubic_variance(errors[cell], trials[cell]), rel=1e-10, abs=1e-15
        )


def all_pairs(tally):
    """The non-mated comparisons that the policy allows."""
    for i, j in itertools.combinations(range(len(tally.subject)), 2):
        if tally.subject[i] != tally.subject[j] and tally.stratum[i] == tally.stratum[j]:
            yield i, j


def one_image_each(persons, errors):
    """A tally of one group and one image a person, with errors between the given persons."""
    scores = np.zeros((persons, persons))
    for i, j in errors:
        scores[i, j] = 1.0
    return tally_of(scores, subject=range(persons), group=[0] * persons, groups=["g"])


def test_one_person_behind_all_errors():
    """Five persons, errors on the four pairs of person 0: V 0.048, design effect 2, n* 5."""
    tally = one_image_each(5, [(0, j) for j in range(1, 5)])
    row = table(tally, 1.0, interval=WilsonEffective(student=False)).iloc[1]
    variance = Counted(tally).false_matches(1.0).variance[0]
    assert f"{row['rate']:.1f} {variance:.3f} {row['design_effect']:.0f}" == "0.4 0.048 2"
    assert f"{row['effective_comparisons']:.0f}" == "5"
    assert (f"{row['low']:.6f}", f"{row['high']:.6f}") == ("0.117621", "0.769276")


def test_students_quantile_counts_the_persons_behind_the_errors():
    """The same five persons: residuals 2.4 and four of -0.6, so 1.54 degrees of freedom."""
    tally = one_image_each(5, [(0, j) for j in range(1, 5)])
    assert Counted(tally).false_matches(1.0).carriers[0] == pytest.approx(7.2**2 / 33.696)
    wide, source = (
        table(tally, 1.0, interval=WilsonEffective(student=student)).iloc[1]
        for student in (True, False)
    )
    assert wide["low"] < source["low"]
    assert wide["high"] > source["high"]


def test_negative_covariance_is_clipped():
    """Three persons with one error: the covariance is below zero, V 0.0740741."""
    variance = Counted(one_image_each(3, [(0, 1)])).false_matches(1.0).variance[0]
    assert f"{variance:.7f}" == "0.0740741"


def test_person_variance_of_the_miss_rate():
    """Persons with 3 of 3, 0 of 3 and 1 of 3 misses: sum (E - p m)^2 / N^2 by hand."""
    scores = np.zeros((9, 9))
    scores[3:6, 3:6] = 1.0
    scores[6, 7] = scores[6, 8] = 1.0
    subject = np.repeat(range(3), 3)
    tally = tally_of(scores, subject=subject, group=[0] * 9, groups=["g"])
    found = Counted(tally).false_non_matches(1.0)
    p = 4 / 9
    expected = ((3 - 3 * p) ** 2 + (0 - 3 * p) ** 2 + (1 - 3 * p) ** 2) / 81
    assert found.variance[0] == pytest.approx(expected)


def test_failures_follow_the_rule():
    """A failed template raises FNMR, never FMR; both variants stand beside the rate."""
    scores = np.ones((4, 4))
    tally = tally_of(
        scores,
        subject=[0, 0, 1, 1],
        group=[0] * 4,
        groups=["g"],
        enrolled=[True, True, True, False],
    )
    rows = table(tally, 0.5).query("probe_group == 'g'").set_index("kind")
    columns = ["errors", "comparisons", "failed", "rate", "rate_completed", "rate_worst_case"]
    assert rows.loc["FMR", columns].tolist() == [2, 4, 2, 0.5, 1.0, 1.0]
    assert rows.loc["FNMR", columns].tolist() == [1, 2, 1, 0.5, 0.0, 0.5]
    assert rows.loc["FTE", columns].tolist() == [1, 4, 1, 0.25, 0.0, 0.25]


def test_an_absent_group_keeps_its_rows():
    """Nothing to divide by: rate NaN, low 0, high 1, status empty; in all kinds."""
    tally = random_tally(np.random.default_rng(3), groups=2)
    rows = table(tally, 0.5).query("probe_group == 'g2' and reference_group == 'g2'")
    assert rows["kind"].tolist() == ["FMR", "FNMR", "FTE"]
    assert rows["rate"].isna().all()
    assert rows[["low", "high"]].to_numpy().tolist() == [[0.0, 1.0]] * 3
    assert rows["status"].tolist() == ["empty"] * 3


def test_columns_and_order():
    """The contract's columns; the pooled row first, then groups, then crossings."""
    tally = random_tally(np.random.default_rng(3), groups=2, spread=False)
    rows = table(tally, 0.5, 0.75)
    assert tuple(rows.columns) == RATE_COLUMNS
    first = rows[rows["operating_point"] == "score >= 0.5"].query("kind == 'FMR'")
    assert list(zip(first["probe_group"], first["reference_group"], strict=True)) == [
        ("all", "all"),
        ("g0", "g0"),
        ("g1", "g1"),
        ("g2", "g2"),
        ("g0", "g1"),
        ("g0", "g2"),
        ("g1", "g2"),
    ]
    assert rows[["errors", "comparisons", "failed", "subjects"]].dtypes.eq("int64").all()


def test_roles_make_crossings_directed():
    """With roles, (probe a, reference b) and (b, a) are counted apart."""
    rng = np.random.default_rng(5)
    tally = random_tally(rng, groups=2, spread=False, strata=1)
    listed = as_listed(tally, rng.random((len(tally.subject),) * 2), ordered=True)
    rows = table(listed, 0.5).query("kind == 'FMR'").set_index(["probe_group", "reference_group"])
    first, second = listed.tail.first, listed.tail.second
    for a, b in itertools.product((0, 1), repeat=2):
        cell = (tally.group[first] == a) & (tally.group[second] == b)
        expected = int((cell & (listed.tail.score >= 0.5)).sum())
        assert rows.loc[(f"g{a}", f"g{b}"), "errors"] == expected


def test_a_threshold_below_the_floor_is_refused():
    """Scores below the floor were not kept, so nothing below it can be counted."""
    with pytest.raises(InputError, match=r"0\.1 is below 0\.25, the floor"):
        table(random_tally(np.random.default_rng(1)), 0.1)


def test_no_errors_bound_by_persons():
    """No error among 40 persons: the bound is Wilson's for 20 disjoint pairs, not 780 pairs."""
    row = table(one_image_each(40, []), 1.0).iloc[1]
    z2 = 1.959963984540054**2
    assert row["low"] == 0.0
    assert row["high"] == pytest.approx(z2 / (20 + z2))
    assert row["status"] == "few_errors"


def test_statuses():
    """Few persons is said before few errors."""
    assert table(one_image_each(19, []), 1.0).iloc[1]["status"] == "few_subjects"
    many = one_image_each(20, itertools.combinations(range(6), 2))
    assert table(many, 1.0).iloc[1]["status"] == "ok"


def test_same_seed_same_bootstrap():
    """A bootstrap depends on the generator it is handed and on nothing else."""
    tally = population(np.random.default_rng(0), fmr=[0.01, 0.02], persons=[20, 20])
    part = VertexBootstrap(replicates=200)
    one, two = (table(tally, 0.0, interval=part, seed=4) for _ in range(2))
    assert one.equals(two)
    assert not one.equals(table(tally, 0.0, interval=part, seed=5))


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_higher_thresholds_only_trade_errors(seed):
    """Raising the threshold never raises the FMR and never lowers the FNMR."""
    tally = random_tally(np.random.default_rng(seed))
    rows = table(tally, 0.25, 0.5, 0.75, 1.0)
    for kind, sign in (("FMR", -1), ("FNMR", 1)):
        for _, cell in rows[rows["kind"] == kind].groupby(["probe_group", "reference_group"]):
            assert (sign * np.diff(cell["errors"]) >= 0).all()
