"""The notebook's frame and the score shifts, against loops and the tables of a run."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import frbench
from frbench.errors import InputError
from frbench.frame import ErrorRates
from frbench.score_shifts import score_shifts
from frbench.values import Histogram, ScoredPairs
from worlds import population, random_tally


def world():
    """Two groups, everyone compared with everyone."""
    return population(
        np.random.default_rng(0), fmr=[0.02, 0.06], persons=[20, 20], images=2, crossing=True
    )


def test_the_frame_is_what_a_loop_counts():
    """Rates by group and pair, ratio and difference."""
    tally = world()
    frame = frbench.ErrorRates(tally, 0.2)
    wrong = np.zeros((2, 2))
    for a, b, score in zip(tally.tail.first, tally.tail.second, tally.tail.score, strict=True):
        one, other = sorted((int(tally.group[a]), int(tally.group[b])))
        wrong[one, other] += score >= 0.2
    within, across = 40 * 39 // 2 - 20, 1600
    assert frame.by_group["rate"].tolist() == pytest.approx(
        [wrong[0, 0] / within, wrong[1, 1] / within]
    )
    assert frame.by_pair.loc["g1", "g0"] == frame.by_pair.loc["g0", "g1"]
    assert frame.by_pair.loc["g0", "g1"] == pytest.approx(wrong[0, 1] / across)
    rates = frame.by_group["rate"]
    assert frame.ratio() == pytest.approx(rates.max() / rates.min())
    assert frame.difference() == pytest.approx(rates.max() - rates.min())
    assert (frame.interval["low"] <= rates).all()
    assert frame.overall["errors"] == wrong.sum()


def test_other_thresholds_and_kinds():
    """``at`` and ``of`` give new frames; below the floor is refused; FMR targets choose."""
    frame = ErrorRates(world(), 0.2)
    assert frame.at(1.0).overall["rate"] < frame.overall["rate"]
    assert frame.of("FNMR").overall["comparisons"] == 40
    assert ErrorRates.at_fmr(world(), 0.01).overall["rate"] <= 0.01
    with pytest.raises(InputError, match="floor"):
        _ = frame.at(-1.0).table
    with pytest.raises(InputError, match="take FMR, FNMR or FTE"):
        ErrorRates(world(), 0.2, "FAR")


def test_a_folder_without_a_run_is_refused(tmp_path):
    """One sentence."""
    with pytest.raises(InputError, match=r"no run\.json"):
        frbench.open_run(tmp_path)


def test_importing_the_package_stays_light():
    """Neither pandas nor numpy is imported before a notebook's name is used."""
    code = "import sys, frbench; print(sorted({'pandas', 'numpy', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = frbench.nothing


def test_shifts_and_d_prime_from_all_scores():
    """Means, spreads and d' by numpy over the listed scores."""
    tally = replace(random_tally(np.random.default_rng(3), persons=12, spread=False), floor=-np.inf)
    table = score_shifts(tally).set_index("group")
    group = tally.group
    for at, name in enumerate(tally.groups[:2]):
        sides = [
            pairs.score[(group[pairs.first] == at) & (group[pairs.second] == at)]
            for pairs in (tally.mated, tally.tail)
        ]
        row = table.loc[name]
        assert [row["mated"], row["non_mated"]] == [len(side) for side in sides]
        spread = np.sqrt((sides[0].var() + sides[1].var()) / 2)
        assert row["d_prime"] == pytest.approx((sides[0].mean() - sides[1].mean()) / spread)
        shift = (sides[1].mean() - tally.tail.score.mean()) / tally.tail.score.std()
        assert row["non_mated_shift"] == pytest.approx(shift)
    assert table.loc["all", "mated_shift"] == 0


def test_shifts_from_a_histogram_are_within_the_stated_error():
    """The same scores in 200 bins: every mean is off by less than ``score_error``."""
    rng = np.random.default_rng(4)
    tally = population(rng, fmr=[0.5, 0.6], persons=[10, 10], images=3, crossing=True)
    tally = replace(tally, floor=-np.inf)
    edges = np.linspace(-8, 8, 201)
    counts = np.zeros((2, 2, 2, 200), np.int64)
    for kind, pairs in enumerate((tally.mated, tally.tail)):
        one, other = np.sort(np.stack([tally.group[pairs.first], tally.group[pairs.second]]), 0)
        np.add.at(counts, (kind, one, other, np.digitize(pairs.score, edges) - 1), 1)
    exact = score_shifts(tally)
    binned = score_shifts(replace(tally, histogram=Histogram(edges, counts, 0.0)))
    assert binned["source"].unique().tolist() == ["histogram"]
    assert binned["score_error"].iloc[0] == pytest.approx(0.04)
    for column in ("mated_mean", "non_mated_mean"):
        assert (exact[column] - binned[column]).abs().max() <= 0.04
    pd.testing.assert_series_equal(exact["d_prime"], binned["d_prime"], rtol=0.01)


def test_no_scores_no_shifts():
    """A trimmed tail without a histogram cannot say where scores lie."""
    assert score_shifts(world()).empty
    none = np.zeros(0, np.int32)
    empty = ScoredPairs(none, none, np.zeros(0))
    lonely = replace(world(), mated=empty, tail=empty, floor=-np.inf)
    assert score_shifts(lonely)["d_prime"].isna().all()


def test_a_single_score_has_no_spread():
    """One mated pair in a group: a standard deviation of 0 would swell d' by the root of two."""
    tally = population(np.random.default_rng(2), fmr=[0.3, 0.3], persons=[30, 1], images=2)
    table = score_shifts(replace(tally, floor=-np.inf)).set_index("group")
    assert table.loc["g1", "mated"] == 1
    assert np.isnan(table.loc["g1", "mated_sd"])
    assert np.isnan(table.loc["g1", "d_prime"])
    assert table.loc["g0", "mated_sd"] > 0
