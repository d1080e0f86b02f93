"""The equal-error rate: exact where all scores are listed, bounded where some are in bins."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from frbench.equal_error import equal_error_rate
from frbench.terminal import equal_error_sentence
from frbench.values import Histogram, ScoredPairs, ScoreTally


def tally_of(mated, others, *, floor=-math.inf, histogram=None):
    """A listed tally of two persons with these scores; those below the floor are not listed."""
    mated, others = (np.asarray(each, np.float64) for each in (mated, others))
    m, k = len(mated), len(others)
    first, second = np.zeros(m + k, np.int32), np.r_[np.ones(m, np.int32), np.full(k, 2, np.int32)]
    kept = m + np.flatnonzero(others >= floor)
    scores = np.r_[mated, others]
    return ScoreTally(
        groups=("all",),
        subject=np.array([0, 0, 1], np.int32),
        group=np.zeros(3, np.int16),
        stratum=np.zeros(3, np.int16),
        enrolled=np.ones(3, bool),
        mated=ScoredPairs(first[:m], second[:m], mated),
        tail=ScoredPairs(first[kept], second[kept], scores[kept]),
        floor=floor,
        listed=ScoredPairs(first, second, scores),
        histogram=histogram,
    )


def brute_force(mated, others):
    """The crossing on the polyline through (FMR, FNMR) at every score, by loops."""
    points = []
    for step in [*sorted({*mated, *others}), math.inf]:
        fmr = sum(score >= step for score in others) / len(others)
        fnmr = sum(score < step for score in mated) / len(mated)
        points.append((fmr, fnmr))
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x0 > y0 and x1 <= y1:
            share = (x0 - y0) / ((x0 - y0) + (y1 - x1))
            return y0 + share * (y1 - y0)
    raise AssertionError("the curves must cross")


def binned(others, edges, bin_error=0.0):
    """A histogram of the non-mated scores over one group."""
    counts = np.zeros((2, 1, 1, len(edges) - 1), np.int64)
    counts[1, 0, 0] = np.histogram(others, edges)[0]
    return Histogram(np.asarray(edges, np.float64), counts, bin_error)


few = st.lists(st.integers(-6, 6), min_size=1, max_size=40)


@settings(max_examples=300, deadline=None)
@given(mated=few, others=few)
def test_every_score_listed(mated, others):
    """Ties and all, it is the crossing found by loops."""
    found = equal_error_rate(tally_of(mated, others))
    assert found.exact
    assert found.rate == pytest.approx(brute_force(mated, others), abs=1e-12)
    assert found.low == found.rate == found.high
    fmr = np.mean(np.array(others) >= found.threshold)
    assert fmr <= np.mean(np.array(mated) < found.threshold)


@settings(max_examples=300, deadline=None)
@given(mated=few, others=few, floor=st.integers(-6, 6))
def test_the_floor_hides_nothing_that_matters(mated, others, floor):
    """Down to the floor the answer is the full one; below it there is none."""
    found = equal_error_rate(tally_of(mated, others, floor=floor))
    if found is not None:
        assert found.rate == pytest.approx(brute_force(mated, others), abs=1e-12)


@settings(max_examples=300, deadline=None)
@given(
    mated=few,
    others=few,
    width=st.sampled_from([1, 2, 3, 7]),
    moved=st.lists(st.floats(-0.5, 0.5), min_size=40, max_size=40),
)
def test_bins_bound_it(mated, others, width, moved):
    """With all non-mated scores in bins, wrongly binned by up to the error, it is within."""
    edges = np.arange(-10, 18, width, dtype=np.float64)
    seen = np.array(others) + np.array(moved[: len(others)])
    tally = tally_of(mated, others, floor=100.0, histogram=binned(seen, edges, bin_error=0.5))
    found = equal_error_rate(tally)
    assert found is not None
    assert not found.exact
    expected = brute_force(mated, others)
    assert found.low - 1e-12 <= expected <= found.high + 1e-12
    assert found.low <= found.rate <= found.high


def test_narrow_bins_say_nearly_the_same():
    """Two normal distributions two apart: Phi(-1), and the bins agree to their width."""
    rng = np.random.default_rng(4)
    mated, others = rng.normal(2, 1, 20_000), rng.normal(0, 1, 50_000)
    exact = equal_error_rate(tally_of(mated, others))
    assert exact.rate == pytest.approx(stats.norm.cdf(-1), abs=0.004)
    assert exact.threshold == pytest.approx(1, abs=0.03)
    edges = np.linspace(-8, 8, 4097)
    bounds = equal_error_rate(
        tally_of(mated, others, floor=1.5, histogram=binned(others, edges, 1e-4))
    )
    assert not bounds.exact
    assert bounds.low <= exact.rate <= bounds.high
    # a bin of 1/256 at a density of 0.24 of the non-mated scores
    assert bounds.high - bounds.low < 0.004


@settings(max_examples=50, deadline=None)
@given(mated=few, others=few)
def test_two_fold_is_the_same(mated, others):
    """Every comparison counted twice changes no rate."""
    once = equal_error_rate(tally_of(mated, others))
    twice = equal_error_rate(tally_of(mated * 2, others * 2))
    assert once.rate == pytest.approx(twice.rate, abs=1e-12)


def test_nothing_to_compare():
    """Without mated or non-mated comparisons there is no rate; without bins no bound."""
    assert math.isnan(equal_error_rate(tally_of([], [1.0])).rate)
    assert math.isnan(equal_error_rate(tally_of([1.0], [])).rate)
    assert equal_error_rate(tally_of([0.0], [1.0, -1.0], floor=2.0)) is None


def test_a_histogram_of_other_comparisons_tells_nothing():
    """Counts that do not add up to the comparisons are not believed."""
    tally = tally_of([0.0], [1.0, -1.0], floor=2.0)
    tally = replace(tally, histogram=binned([1.0], np.arange(-3.0, 4.0)))
    assert equal_error_rate(tally) is None


def test_complete_separation():
    """All mated above all non-mated: no error at all."""
    found = equal_error_rate(tally_of([3, 4], [1, 2]))
    assert found.rate == 0
    assert 2 < found.threshold <= 3


def test_a_matcher_the_wrong_way_round():
    """Strangers above mates: every comparison is wrong."""
    assert equal_error_rate(tally_of([1, 2], [3, 4])).rate == 1


def test_the_sentence_of_the_command_line():
    """Exact, bounded, and unknown."""
    exact = {"rate": 0.0065, "low": 0.0065, "high": 0.0065, "threshold": 0.27, "exact": True}
    told = equal_error_sentence(exact)
    assert "meet at 0.65 %, at a score of 0.2700" in told
    rough = equal_error_sentence({**exact, "low": 0.006, "high": 0.007, "exact": False})
    assert "0.65 % (surely between 0.60 % and 0.70 %)" in rough
    assert equal_error_sentence(None) == ""
    assert equal_error_sentence({**exact, "rate": None}) == ""
