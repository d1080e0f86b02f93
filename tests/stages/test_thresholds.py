"""Thresholds: never above the target, the lowest that is not, and refusals with reasons."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.errors import InputError
from frbench.thresholds import choose_thresholds
from frbench.values import ScoredPairs, ScoreTally


def tally_of(scores: np.ndarray, *, floor: float = -math.inf, failed: int = 0) -> ScoreTally:
    """Listed non-mated comparisons of different persons with these scores; some failed."""
    n = len(scores)
    first, second = np.zeros(n + failed, np.int32), np.ones(n + failed, np.int32)
    listed = ScoredPairs(first, second, np.r_[scores, np.full(failed, np.nan, scores.dtype)])
    kept = np.flatnonzero(scores >= floor)
    return ScoreTally(
        groups=("all",),
        subject=np.array([0, 1], np.int32),
        group=np.zeros(2, np.int16),
        stratum=np.zeros(2, np.int16),
        enrolled=np.ones(2, bool),
        mated=ScoredPairs(first[:0], second[:0], scores[:0]),
        tail=ScoredPairs(first[kept], second[kept], scores[kept]),
        floor=floor,
        listed=listed,
    )


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.integers(-4, 4), min_size=2, max_size=60),
    target=st.sampled_from([0.5, 0.3, 0.25, 0.1, 0.05, 0.02]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_lowest_threshold_within_the_target(values, target, dtype):
    """Ties included, the measured FMR never exceeds the target, and one step lower it would."""
    scores = np.array(values, dtype) / dtype(3)
    if Fraction(repr(target)) * len(scores) < 1:
        with pytest.raises(InputError, match="at least"):
            choose_thresholds(tally_of(scores), [target], chosen_on="x")
        return
    (threshold,) = choose_thresholds(tally_of(scores), [target], chosen_on="x")
    value = dtype(threshold.value)
    assert float(value) == threshold.value
    limit = Fraction(repr(target)) * len(scores)
    assert threshold.errors == (scores >= value).sum() <= limit
    assert (scores >= np.nextafter(value, dtype(-np.inf))).sum() > limit
    assert threshold.achieved_fmr == threshold.errors / len(scores) <= target


def test_decimal_targets_are_exact():
    """A tenth of 30 comparisons is 3 errors, although 0.1 is more than a tenth in binary."""
    (threshold,) = choose_thresholds(
        tally_of(np.arange(30, dtype=np.float32)), [0.1], chosen_on="x"
    )
    assert (threshold.errors, threshold.comparisons) == (3, 30)
    (three,) = choose_thresholds(
        tally_of(np.arange(1000, dtype=np.float32)), [0.003], chosen_on="x"
    )
    assert three.errors == 3


def test_failed_comparisons_are_not_completed():
    """Failures do not make room for more errors."""
    scores = np.arange(20, dtype=np.float32)
    (threshold,) = choose_thresholds(tally_of(scores, failed=20), [0.1], chosen_on="x")
    assert (threshold.errors, threshold.comparisons) == (2, 20)


def test_too_small_a_target_is_refused_with_the_number_needed():
    """The sentence says how many comparisons the target would take."""
    with pytest.raises(InputError, match=r"0\.0003 .* at least 3,334,.*") as caught:
        choose_thresholds(tally_of(np.zeros(500, np.float32)), [0.0003], chosen_on="x")
    assert "500 completed" in str(caught.value)


@pytest.mark.parametrize("target", [0.0, 1.0, -0.1, 2.0])
def test_targets_outside_the_unit_interval_are_refused(target):
    """A target is a fraction between 0 and 1."""
    with pytest.raises(InputError, match="between 0 and 1"):
        choose_thresholds(tally_of(np.zeros(500, np.float32)), [target], chosen_on="x")


def test_below_the_floor_is_refused():
    """A target or a threshold under the floor would be counted wrongly, so it is refused."""
    tally = tally_of(np.arange(1000, dtype=np.float32), floor=990.0)
    (threshold,) = choose_thresholds(tally, [0.009], chosen_on="x")
    assert threshold.errors == 9
    with pytest.raises(InputError, match="floor 990"):
        choose_thresholds(tally, [0.01], chosen_on="x")
    with pytest.raises(InputError, match="floor 990"):
        choose_thresholds(tally, [], fixed=[989.5], chosen_on="x")


def test_few_errors_are_cautioned():
    """Below 30 expected errors a sentence warns; from 30 on none does."""
    scores = np.arange(3000, dtype=np.float32)
    few, enough = choose_thresholds(tally_of(scores), [0.009, 0.01], chosen_on="x")
    assert "27 false matches" in few.caution
    assert enough.caution == ""


def test_fixed_thresholds_record_what_they_achieve():
    """A fixed threshold is rounded up to the precision of the scores and decides the same."""
    scores = np.array([0.1, 0.2, 0.3, 0.6], np.float32)
    for value in (0.1, 0.2, 0.3, 0.6):
        (threshold,) = choose_thresholds(tally_of(scores), [], fixed=[value], chosen_on="x")
        exact = sum(float(s) >= value for s in scores)
        assert threshold.errors == exact == (scores >= np.float32(threshold.value)).sum()
        assert threshold.achieved_fmr == exact / 4
        assert (threshold.rule, threshold.target_fmr) == ("fixed", None)


def test_order_and_origin():
    """Targets come first, in the order given, then fixed ones; all carry where they come from."""
    tally = tally_of(np.arange(100, dtype=np.float32))
    chosen = choose_thresholds(tally, [0.1, 0.5], fixed=[3.0], chosen_on="print")
    assert [t.label for t in chosen] == ["FMR 0.1", "FMR 0.5", "score >= 3"]
    assert {t.chosen_on for t in chosen} == {"print"}
