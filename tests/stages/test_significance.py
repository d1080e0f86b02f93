"""Tests between groups: size and power on planted worlds, closed forms, adjusted p-values."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from frbench.counted import Counted
from frbench.rules.no_worse_for_any_group import NoWorseForAnyGroup
from frbench.significance import (
    GroupRates,
    adjusted,
    group_rates,
    group_tests,
    omnibus,
    pairwise,
    relabelled,
)
from frbench.values import ScoredPairs
from worlds import evidence_of, population, threshold_at


def of(rates, spread, carriers=1e9, errors=100):
    """Independent groups with these rates and standard errors of their logs."""
    size = len(rates)
    return GroupRates(
        tuple(f"g{k}" for k in range(size)),
        np.array(rates, float),
        np.diag(np.broadcast_to(np.square(spread), size).astype(float)),
        np.full(size, float(carriers)),
        np.full(size, errors),
    )


def test_with_many_carriers_the_pair_test_is_the_normal_one():
    """log 2 with two standard errors of 0.2: z = log 2 / sqrt(0.08)."""
    (row,) = pairwise(of([0.02, 0.01], 0.2))
    z = np.log(2) / np.sqrt(0.08)
    assert row["statistic"] == pytest.approx(z)
    assert row["p_value"] == pytest.approx(2 * stats.norm.sf(z), rel=1e-5)
    assert row["low"] == pytest.approx(2 * np.exp(-1.959964 * np.sqrt(0.08)), rel=1e-5)
    detectable = np.exp((1.959964 + 0.841621) * np.sqrt(0.08))
    assert row["minimum_detectable_ratio"] == pytest.approx(detectable, rel=1e-5)


def test_with_many_carriers_the_omnibus_test_is_the_chi_square():
    """Equal variances v: the quadratic form is sum (x - mean)^2 / v with G - 1 degrees."""
    rates = np.array([0.01, 0.02, 0.015, 0.011])
    logs = np.log(rates)
    form = np.sum((logs - logs.mean()) ** 2) / 0.09
    found = omnibus(of(rates, 0.3))
    assert found["statistic"] * 3 == pytest.approx(form)
    assert found["p_value"] == pytest.approx(stats.chi2.sf(form, 3), rel=1e-4)


def test_two_groups_make_the_omnibus_the_square_of_the_pair_test():
    """F with one degree is t squared, also with few carriers (Welch)."""
    groups = GroupRates(
        ("a", "b"), np.array([0.01, 0.02]), np.diag([0.04, 0.09]),
        np.array([7.0, 12.0]), np.array([50, 50]),
    )  # fmt: skip
    whole, (pair,) = omnibus(groups), pairwise(groups)
    assert whole["statistic"] == pytest.approx(pair["statistic"] ** 2)
    assert whole["df"] == pytest.approx(pair["df"])
    assert whole["p_value"] == pytest.approx(pair["p_value"])


def test_equivalence_is_two_one_sided_tests():
    """Equal rates known to 5 % are equivalent within 1.25; known to 20 % they are not."""
    (sure,), (unsure,) = (pairwise(of([0.01, 0.01], each)) for each in (0.05, 0.2))
    assert sure["p_equivalent"] == pytest.approx(
        stats.norm.sf(np.log(1.25) / np.sqrt(0.005)), rel=1e-4
    )
    assert (sure["verdict"], unsure["verdict"]) == ("equivalent", "cannot tell")


def test_adjusted_p_values_are_the_textbook_ones():
    """Holm by hand; Benjamini-Hochberg by its definition with a double loop."""
    p = np.array([0.001, 0.02, 0.5, np.nan, 0.03, 0.04])
    holm, bh = adjusted(p)
    known = p[~np.isnan(p)]
    ranked = np.sort(known)
    by_hand = [
        min(ranked[k] * len(known) / (k + 1) for k in range(len(known)) if ranked[k] >= each)
        for each in known
    ]
    assert bh[~np.isnan(p)] == pytest.approx(by_hand)
    assert holm[~np.isnan(p)] == pytest.approx([0.005, 0.08, 0.5, 0.09, 0.09])
    assert np.isnan(holm[3])
    assert np.isnan(bh[3])


def test_relabelling_equals_the_full_enumeration():
    """Six persons in two groups of three: all 20 deals, against random ones."""
    wrong, mine = np.array([3, 2, 1, 0, 0, 1]), np.array([4, 3, 3, 3, 4, 3])
    label = np.array([0, 0, 0, 1, 1, 1])

    def table(values):
        return sparse.csr_array(np.stack([np.where(label == g, values, 0) for g in (0, 1)]))

    def spread(first):
        inside = np.isin(np.arange(6), first)
        pooled = wrong.sum() / mine.sum()
        return sum(
            (wrong[side].sum() - pooled * mine[side].sum()) ** 2 / mine[side].sum()
            for side in (inside, ~inside)
        )

    seen = spread([0, 1, 2])
    exact = np.mean([spread(c) >= seen - 1e-12 for c in itertools.combinations(range(6), 3)])
    found = relabelled(table(wrong), table(mine), 2, draws=4000, rng=np.random.default_rng(0))
    assert found == pytest.approx(exact, abs=0.03)


def test_equal_groups_are_rarely_called_different():
    """120 worlds of three equal groups: about one in twenty at most raises either test."""
    raised = []
    for seed in range(120):
        tally = population(
            np.random.default_rng(seed),
            fmr=[0.02] * 3,
            persons=[30] * 3,
            images=3,
            person_share=0.1,
        )
        groups = group_rates(Counted(tally).false_matches(0.0), tally.groups)
        pairs = any(row["verdict"] == "differs" for row in pairwise(groups))
        raised.append((omnibus(groups)["p_value"] <= 0.05, pairs))
    assert np.mean(raised, axis=0).max() <= 0.10  # three standard errors above 5 %


def test_a_doubled_rate_is_found():
    """Twice the FMR with 100 persons a group is found in nearly every world."""
    found = 0
    for seed in range(12):
        tally = population(
            np.random.default_rng(seed), fmr=[0.02, 0.04], persons=[100] * 2, images=3,
            person_share=0.1,
        )  # fmt: skip
        table = group_tests(tally, [threshold_at(0.0)], rng=np.random.default_rng(0), draws=19)
        row = table[(table["kind"] == "FMR") & (table["test"] == "pairwise")].iloc[0]
        found += row["verdict"] == "differs"
        assert row["minimum_detectable_ratio"] < 2
    assert found >= 11


def test_no_errors_and_one_silent_group_never_break_or_boast():
    """Without errors there is no verdict; a tiny group without errors is not called different."""
    calm = population(np.random.default_rng(0), fmr=[1e-9] * 2, persons=[10] * 2)
    table = group_tests(calm, [threshold_at(0.0)], rng=np.random.default_rng(0), draws=19)
    assert set(table[table["kind"] == "FMR"]["verdict"]) == {"no errors"}
    mixed = population(np.random.default_rng(0), fmr=[0.05, 1e-9], persons=[60, 4])
    table = group_tests(mixed, [threshold_at(0.0)], rng=np.random.default_rng(0), draws=19)
    row = table[(table["kind"] == "FMR") & (table["test"] == "pairwise")].iloc[0]
    assert row["verdict"] == "cannot tell"
    assert (row["low"], row["high"]) == (0.0, np.inf)


def shifted(tally, factor):
    """The same comparisons under a matcher whose scores are lower by ``factor``."""
    tail = tally.tail
    kept = tail.score >= factor
    return replace(
        tally, tail=type(tail)(tail.first[kept], tail.second[kept], tail.score[kept] - factor)
    )


def test_no_worse_for_any_group_has_its_three_answers():
    """A better matcher is a note, a worse one a flag, too few persons an honest 'cannot'."""
    rng = np.random.default_rng(3)
    before = population(rng, fmr=[0.03, 0.03], persons=[90] * 2, images=3, person_share=0.1)
    better = shifted(before, 0.3)
    rule = NoWorseForAnyGroup(kinds=["FMR"])
    (note,) = rule.findings(evidence_of({"old": before, "new": better}, 0.0))
    (flag,) = rule.findings(evidence_of({"old": better, "new": before}, 0.0))
    assert (note.level, flag.level) == ("note", "flag")
    assert "no worse for any of the 2 groups" in note.statement
    few = population(rng, fmr=[0.01, 0.01], persons=[8] * 2, images=2)
    other = population(np.random.default_rng(4), fmr=[0.01, 0.01], persons=[8] * 2, images=2)
    (unsure,) = rule.findings(evidence_of({"old": few, "new": other}, 0.0))
    assert unsure.level == "undecided"
    assert rule.findings(evidence_of({"": before}, 0.0)) == []


def test_a_margin_of_one_is_refused():
    """Nothing can be shown to be exactly no worse."""
    with pytest.raises(ValueError, match="must lie above 1"):
        NoWorseForAnyGroup(margin=1.0)


def test_the_table_is_complete():
    """An omnibus row and each pair for every kind that has comparisons, permuted where exact."""
    tally = population(np.random.default_rng(1), fmr=[0.05] * 3, persons=[20] * 3, fnmr=0.3)
    table = group_tests(tally, [threshold_at(0.0)], rng=np.random.default_rng(0), draws=49)
    counts = table.groupby(["kind", "test"]).size()
    assert counts["FMR", "pairwise"] == counts["FNMR", "pairwise"] == 3
    whole = table[table["test"] == "omnibus"].set_index("kind")
    assert pd.isna(whole.loc["FMR", "p_permutation"])
    assert 0 < whole.loc["FNMR", "p_permutation"] <= 1


@pytest.mark.parametrize("kind", ["FMR", "FNMR"])
def test_a_group_without_variance_of_its_own_is_not_taken_as_known(kind):
    """Two persons make one pair (and one person one rate): no spread is seen, none is proved."""
    rng = np.random.default_rng(7)
    small = 2 if kind == "FMR" else 1
    tally = population(
        rng, fmr=[0.3] * 3, persons=[40, 40, small], images=8, fnmr=0.3, pair_share=0.1
    )
    tests = group_tests(tally, [threshold_at(0.0)], rng=rng, draws=9)
    rows = tests[(tests["kind"] == kind) & (tests["other_group"] == "g2")]
    counted = Counted(tally)
    found = counted.false_matches(0.0) if kind == "FMR" else counted.false_non_matches(0.0)
    assert found.errors[2] >= 2
    assert found.variance[2] == pytest.approx(0, abs=1e-12)
    assert (rows["verdict"] == "cannot tell").all()
    assert (rows["high"] / rows["low"] > 20).all()


def test_relabelling_leaves_the_unlabelled_out():
    """Persons without a label who fail often say nothing about the labelled groups."""
    rng = np.random.default_rng(6)
    tally = population(rng, fmr=[0.02] * 3, persons=[60, 60, 60], fnmr=0.05)
    worse = tally.mated.score - 2 * (tally.group[tally.mated.first] == 2)
    tally = replace(
        tally,
        groups=("a", "b", "unlabelled"),
        mated=ScoredPairs(tally.mated.first, tally.mated.second, worse),
    )
    tests = group_tests(tally, [threshold_at(0.0)], rng=rng, draws=99)
    whole = tests[(tests["kind"] == "FNMR") & (tests["test"] == "omnibus")].iloc[0]
    assert whole["p_permutation"] > 0.05
