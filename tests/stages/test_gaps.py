"""Differences between groups and between matchers, on worlds whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from frbench.basic_bootstrap import basic_bounds
from frbench.errors import InputError
from frbench.gaps import differentials, paired_change
from frbench.intervals.double_or_nothing import DoubleOrNothing
from frbench.intervals.vertex_bootstrap import VertexBootstrap
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.rates import error_rates
from frbench.tables import GAP_COLUMNS
from frbench.values import UNLABELLED
from worlds import pairs_of, population, random_tally, tally_of, threshold_at

MEASURES = {
    name: instantiate(node)
    for name, node in OmegaConf.load(
        Path(__file__).resolve().parents[2] / "configs" / "measures" / "standard.yaml"
    ).items()
}
seeds = st.integers(0, 2**32 - 1)


def gaps_of(tally, *values, interval=None, seed=0):
    """Rates, and the differentials between them, at thresholds of the given values."""
    interval = interval or VertexBootstrap(replicates=200)
    points = [threshold_at(value) for value in values or (0.0,)]
    rng = np.random.default_rng(seed)
    rates = error_rates(tally, points, WilsonEffective(), matcher="m", benchmark="b", rng=rng)
    return rates, differentials(tally, points, rates, MEASURES, interval, rng=rng)


def test_values_are_those_of_the_rates():
    """Each value follows from the within-group rows of the table of rates."""
    tally = population(np.random.default_rng(0), fmr=[0.01, 0.02, 0.04], persons=[30] * 3)
    rates, gaps = gaps_of(tally)
    own = rates.query("probe_group == reference_group and probe_group != 'all'")
    for kind in ("FMR", "FNMR"):
        rate = own[own["kind"] == kind]["rate"].to_numpy()
        found = gaps[gaps["kind"] == kind].set_index("measure")["value"]
        assert found["max_min_ratio"] == pytest.approx(rate.max() / rate.min())
        assert found["worst_to_geometric_mean"] == pytest.approx(
            rate.max() / np.prod(rate) ** (1 / 3)
        )
        assert found["ratio_to_others"].to_list()[0] == pytest.approx(
            rate[0] / ((rate[1] + rate[2]) / 2)
        )
    fmr, fnmr = (own[own["kind"] == kind]["rate"].to_numpy() for kind in ("FMR", "FNMR"))
    both = gaps[gaps["kind"] == "FMR+FNMR"].set_index("measure")["value"]
    expected = 1 - (np.ptp(fmr) + np.ptp(fnmr)) / 2
    assert both["fdr(alpha=0.5)"] == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from([0.25, 0.5, 1.0, 2.0]))
def test_any_set_gives_a_complete_table(seed, threshold):
    """Zeros, absent groups and tiny sets: every row has its columns, limits and status."""
    _, gaps = gaps_of(random_tally(np.random.default_rng(seed)), threshold)
    assert tuple(gaps.columns) == GAP_COLUMNS
    assert set(gaps["status"]) <= {"ok", "few_errors", "undefined"}
    assert (np.isfinite(gaps["value"]) == (gaps["status"] != "undefined")).all()
    assert gaps[["low", "high"]].notna().all().all()
    assert (gaps["low"] <= gaps["high"]).all()
    assert gaps.set_index("measure")["value"].loc[["gini"]].notna().all() or (
        gaps["groups_used"].min() < 2
    )


def test_left_out_groups_are_named():
    """An empty group and the images without a label take no part, and the table says so."""
    tally = population(np.random.default_rng(0), fmr=[0.05, 0.05, 0.05], persons=[20] * 3)
    tally = replace(tally, groups=("a", "b", UNLABELLED, "absent"))
    _, gaps = gaps_of(tally)
    row = gaps.query("kind == 'FMR' and measure == 'gini'").iloc[0]
    assert (row["groups_used"], row["groups_left_out"]) == (2, f"{UNLABELLED};absent")
    assert UNLABELLED not in set(gaps["worst_group"])


def test_two_targets_at_one_threshold_stay_apart():
    """Operating points that tie on one score each have their own rows, once."""
    tally = population(np.random.default_rng(0), fmr=[0.05, 0.05], persons=[20] * 2)
    points = [threshold_at(0.0, 1e-2), threshold_at(0.0, 1e-3)]
    rng = np.random.default_rng(0)
    rates = error_rates(tally, points, WilsonEffective(), matcher="m", benchmark="b", rng=rng)
    gaps = differentials(tally, points, rates, MEASURES, WilsonEffective(), rng=rng)
    keys = ["operating_point", "kind", "measure", "worst_group"]
    assert not gaps.duplicated(keys).any()


def test_a_group_without_errors_is_no_crash():
    """max / min is infinite and says undefined; Gini stays finite."""
    scores = np.zeros((40, 40))
    scores[0, 1] = scores[2, 3] = 1.0
    tally = tally_of(scores, subject=range(40), group=[0] * 20 + [1] * 20, groups=["a", "b"])
    _, gaps = gaps_of(tally, 1.0)
    fmr = gaps[gaps["kind"] == "FMR"].set_index("measure")
    row = fmr.loc["max_min_ratio"]
    assert (row["value"], row["low"], row["high"], row["status"]) == (
        np.inf,
        1,
        np.inf,
        "undefined",
    )
    assert fmr.loc["gini_corrected", "value"] == pytest.approx(1.0)


def test_a_ratio_of_groups_by_hand():
    """The ratio's interval combines the group's own interval and the others' error on the log."""
    tally = population(np.random.default_rng(2), fmr=[0.05, 0.02], persons=[40, 40])
    rates, gaps = gaps_of(tally)
    own = rates.query("kind == 'FMR' and probe_group == reference_group").set_index("probe_group")
    one, other = own.loc["g0"], own.loc["g1"]
    row = gaps.query("kind == 'FMR' and measure == 'ratio_to_others' and worst_group == 'g0'")
    variance = other["rate"] * (1 - other["rate"]) / other["effective_comparisons"]
    reach = 1.959964 * np.sqrt(variance) / other["rate"]
    down = np.hypot(np.log(one["rate"] / one["low"]), reach)
    assert row["value"].item() == pytest.approx(one["rate"] / other["rate"])
    assert row["low"].item() == pytest.approx(one["rate"] / other["rate"] * np.exp(-down), rel=1e-6)


def test_basic_interval_mirrors_the_resampled_values():
    """On a line: value minus the quantiles of (resampled minus value), within its limits."""
    drawn = np.arange(1.0, 101.0)
    low, high = basic_bounds(50.0, drawn, level=0.90, log=False, limits=(-np.inf, np.inf))
    assert (low, high) == (100.0 - 95.0, 100.0 - 5.0)
    assert basic_bounds(50.0, drawn, level=0.90, log=False, limits=(10, 60)) == (10, 60)
    low, high = basic_bounds(2.0, np.r_[drawn[:90], [np.inf] * 10], level=0.9, log=True)
    assert low == 0.0
    assert high == pytest.approx(4.0 / 5.0)
    assert basic_bounds(np.nan, drawn, level=0.9, log=True, limits=(1, np.inf)) == (1, np.inf)


def with_other_scores(tally, matches):
    """The same images under another matcher: these non-mated matches instead."""
    return replace(tally, tail=pairs_of([(i, j, 1.0) for i, j in matches]))


def test_an_unchanged_matcher_has_not_changed():
    """Before and after alike: every ratio is 1 with an interval of no width."""
    tally = population(np.random.default_rng(0), fmr=[0.02, 0.05], persons=[25, 25])
    arm = (tally, [threshold_at(0.0)])
    change = paired_change(arm, arm, rng=np.random.default_rng(0))
    assert change["ratio"].to_numpy() == pytest.approx(1.0)
    assert change[["low", "high"]].to_numpy() == pytest.approx(1.0)


@pytest.mark.parametrize("persons", [2, 3, 4])
def test_a_handful_of_persons_shows_no_change(persons):
    """Two persons are one pair without any variance: the interval must not close round a 2."""
    rng = np.random.default_rng(0)
    tally = population(rng, fmr=[0.5, 0.05], persons=[persons, 40], images=6)
    kept = np.arange(len(tally.tail)) % 2 == 0
    before = replace(tally, tail=tally.tail.take(kept))
    points = [threshold_at(0.0)]
    change = paired_change((before, points), (tally, points), rng=rng)
    row = change[(change["kind"] == "FMR") & (change["group"] == "g0")].iloc[0]
    assert row["ratio"] > 1
    assert (row["low"], row["high"]) == (0.0, np.inf)


@pytest.mark.parametrize("part", [VertexBootstrap(), DoubleOrNothing()], ids=lambda p: p.name)
def test_pairing_takes_off_what_the_persons_share(part):
    """A third more false matches on the same pairs is seen though the rates' intervals overlap."""
    rng = np.random.default_rng(1)
    tally = population(rng, fmr=[0.02, 0.02], persons=[60, 60])
    gone = (rng.random(len(tally.tail)) < 0.25) & (tally.group[tally.tail.first] == 0)
    before = replace(tally, tail=tally.tail.take(~gone))
    points = [threshold_at(0.0)]
    change = paired_change(
        (before, points), (tally, points), rng=np.random.default_rng(2), resampling=part
    )
    rows = change[change["kind"] == "FMR"].set_index("group")
    assert 1.1 < rows.loc["g0", "low"] < rows.loc["g0", "ratio"] < rows.loc["g0", "high"] < 1.6
    assert rows.loc["g1", ["low", "ratio", "high"]].tolist() == [1.0, 1.0, 1.0]
    rates = [gaps_of(each)[0].query("kind == 'FMR' and probe_group == 'g0'").iloc[0]
             for each in (before, tally)]  # fmt: skip
    assert rates[0]["high"] > rates[1]["low"]
    assert set(change[change["kind"] == "FMR gap"]["group"]) == {
        "max_min_ratio",
        "worst_to_geometric_mean",
        "gini_corrected",
    }


def test_reversing_the_arms_inverts_the_ratio():
    """After over before is one over before over after, interval included."""
    rng = np.random.default_rng(3)
    tally = population(rng, fmr=[0.03, 0.05], persons=[40, 40])
    other = replace(tally, tail=tally.tail.take(rng.random(len(tally.tail)) < 0.7))
    arms = [(each, [threshold_at(0.0)]) for each in (tally, other)]
    there = paired_change(*arms, rng=np.random.default_rng(5)).query("kind == 'FMR'")
    back = paired_change(*arms[::-1], rng=np.random.default_rng(5)).query("kind == 'FMR'")
    assert there["ratio"].to_numpy() == pytest.approx(1 / back["ratio"].to_numpy())
    # whole order statistics: the two tails may be one replicate apart
    assert there["low"].to_numpy() == pytest.approx(1 / back["high"].to_numpy(), rel=0.02)


def test_different_images_cannot_be_paired():
    """Two sets of images have no change between them."""
    one, two = (population(np.random.default_rng(0), fmr=[0.05], persons=[n]) for n in (9, 10))
    points = [threshold_at(0.0)]
    with pytest.raises(InputError, match="cannot be paired"):
        paired_change((one, points), (two, points), rng=np.random.default_rng(0))
