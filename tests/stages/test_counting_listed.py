"""Counts of listed comparisons against one look at each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.counting.listed import count_listed


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(0, 200),
    dtype=st.sampled_from([np.float32, np.float64]),
    threshold=st.sampled_from([0.1, 0.5, -1.0, np.inf]),
)
def test_counts_equal_a_loop(seed, size, dtype, threshold):
    """Attempted, failed and accepted comparisons are those of looking at each one."""
    rng = np.random.default_rng(seed)
    score = rng.choice(np.array([0.1, 0.2, 0.5, np.nan, -3.0], dtype), size)
    cell, mated = rng.integers(0, 5, size), rng.random(size) < 0.5
    expected = np.zeros((2, 5, 3), np.int64)
    for s, c, m in zip(score, cell, mated, strict=True):
        expected[0 if m else 1, c] += (1, np.isnan(s), float(s) >= threshold)
    found = count_listed(score, cell, mated, cells=5, threshold=threshold)
    assert (found == expected).all()


def test_a_cell_out_of_range_is_refused():
    """A wrong cell would be counted somewhere else, so it is refused."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        count_listed(np.ones(1), np.array([2]), np.array([True]), cells=2, threshold=0.0)
    with pytest.raises(ValueError, match="2 scores, 1 cells"):
        count_listed(np.ones(2), np.array([0]), np.array([True]), cells=2, threshold=0.0)
