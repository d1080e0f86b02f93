"""Promises that every differential measure keeps, and the published numbers of each."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from frbench.measures import CombinedMeasure, Measure
from frbench.measures.fdr import FairnessDiscrepancyRate
from frbench.measures.garbe import Garbe
from frbench.measures.gini import Gini
from frbench.measures.inequity_ratio import InequityRatio
from frbench.measures.log_spread import LogSpread
from frbench.measures.max_mean_ratio import MaxMeanRatio
from frbench.measures.max_min_ratio import MaxMinRatio
from frbench.measures.standard_deviation import StandardDeviation
from frbench.measures.worst_to_geometric_mean import WorstToGeometricMean

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "measures"
NAMED = {
    name: node
    for file in sorted(CONFIGS.glob("*.yaml"))
    for name, node in OmegaConf.load(file).items()
    if name != "defaults"
}
PARTS = [instantiate(node) for node in NAMED.values()]
FMR, FNMR = np.array([1e-4, 2e-4, 4e-4, 8e-4]), np.array([0.01, 0.02, 0.02, 0.03])

every_part = pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
rates = st.lists(st.sampled_from([0.0, 1e-5, 1e-4, 3e-4, 1e-2, 0.3]), min_size=2, max_size=6)


def value(part, fmr, fnmr=None):
    """A part's number, whichever kind of measure it is."""
    fmr = np.asarray(fmr, dtype=np.float64)
    if isinstance(part, CombinedMeasure):
        return part.combine(fmr, fmr if fnmr is None else np.asarray(fnmr, dtype=np.float64))
    return part.of(fmr)


@every_part
def test_a_part_is_one_kind_of_measure(part):
    """Each part is a measure of one kind of error or of two, with a name and a known unit."""
    assert isinstance(part, Measure) != isinstance(part, CombinedMeasure)
    assert part.unit in ("ratio", "log10_ratio", "difference", "index")


def test_names_tell_parts_apart():
    """Two configured parts never share the name that the table prints."""
    names = [part.name for part in PARTS]
    assert len(set(names)) == len(names)


@every_part
@settings(max_examples=60, deadline=None)
@given(groups=rates, seed=st.integers(0, 1000))
def test_order_of_groups_is_nothing(part, groups, seed):
    """Renaming or reordering groups changes no measure."""
    shuffled = np.random.default_rng(seed).permutation(groups)
    assert value(part, groups) == pytest.approx(value(part, shuffled), nan_ok=True)


@every_part
@settings(max_examples=60, deadline=None)
@given(groups=rates)
def test_zeros_never_crash_and_batches_agree(part, groups):
    """Any rates give a float, and a batch of rows gives what each row gives."""
    alone = value(part, groups)
    batch = value(part, [groups, [0.1] * len(groups), groups])
    assert isinstance(float(alone), float)
    assert batch[[0, 2]] == pytest.approx([float(alone)] * 2, nan_ok=True)
    assert batch[1] == pytest.approx(part.fair)


@every_part
@settings(max_examples=60, deadline=None)
@given(groups=rates, factor=st.sampled_from([0.5, 2.0, 3.0]))
def test_relative_measures_do_not_see_the_scale(part, groups, factor):
    """All rates multiplied by one factor: ratios and relative indices stay, differences scale."""
    before, after = value(part, groups), value(part, np.multiply(groups, factor))
    if part.unit == "difference":
        before = before * factor
    if not part.name.startswith("fdr"):
        assert after == pytest.approx(before, nan_ok=True)


@every_part
def test_wider_gaps_score_worse(part):
    """Doubling the worst group's rates moves a measure away from its fair value."""
    worse = [abs(value(part, [0.1, 0.1, top]) - part.fair) for top in (0.1, 0.2, 0.4, 0.8)]
    assert all(b > a for a, b in pairwise(worse))


@every_part
def test_one_group_is_fair(part):
    """A single group cannot differ from itself."""
    assert value(part, [0.2]) == pytest.approx(part.fair)


@pytest.mark.parametrize(
    ("part", "fmr", "fnmr"),
    [
        (MaxMinRatio(), "8.000000", "3.000000"),
        (MaxMeanRatio(), "2.133333", "1.500000"),
        (WorstToGeometricMean(), "2.828427", "1.611855"),
        (LogSpread(), "0.301030", "0.134898"),
        (Gini(), "0.383333", "0.187500"),
        (Gini(corrected=True), "0.511111", "0.250000"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_summary_measures_to_the_printed_digits(part, fmr, fnmr):
    """The worked example of four groups."""
    assert (f"{part.of(FMR):.6f}", f"{part.of(FNMR):.6f}") == (fmr, fnmr)


@pytest.mark.parametrize(
    ("alpha", "fdr", "ir", "garbe"),
    [
        (0, "0.980000", "3.000000", "0.250000"),
        (0.5, "0.989650", "4.898979", "0.380556"),
        (0.75, "0.994475", "6.260338", "0.445833"),
        (1, "0.999300", "8.000000", "0.511111"),
    ],
)
def test_combined_measures_to_the_printed_digits(alpha, fdr, ir, garbe):
    """The same example over the grid of weights; alpha weighs false matches."""
    parts = FairnessDiscrepancyRate(alpha=alpha), InequityRatio(alpha=alpha), Garbe(alpha=alpha)
    assert [f"{part.combine(FMR, FNMR):.6f}" for part in parts] == [fdr, ir, garbe]


def test_custody_search_rates_to_the_printed_digits():
    """False-positive rates of a police search engine by ethnicity: 0.04 %, 4.0 %, 5.5 %."""
    rates = np.array([0.0004, 0.04, 0.055])
    found = [
        f"{MaxMinRatio().of(rates):.1f}",
        f"{MaxMeanRatio().of(rates):.4f}",
        f"{WorstToGeometricMean().of(rates):.4f}",
        f"{Gini().of(rates):.5f}",
        f"{Gini(corrected=True).of(rates):.5f}",
    ]
    assert found == ["137.5", "1.7296", "5.7394", "0.38155", "0.57233"]


def test_relative_mean_difference_to_the_printed_digits():
    """The worked example's FMR: NIST's prose describes twice the Gini coefficient, 0.766667."""
    pairs = np.abs(FMR[:, None] - FMR[None, :])
    assert f"{pairs.mean() / FMR.mean():.6f}" == f"{2 * Gini().of(FMR):.6f}" == "0.766667"


def test_custody_search_ratio_of_two_named_groups():
    """The same search engine, Black women at 9.9 % and Black men at 0.4 %: a ratio of 24.75."""
    assert f"{MaxMinRatio().of(np.array([0.099, 0.004])):.2f}" == "24.75"


@pytest.mark.parametrize("n", [2, 3, 8])
def test_gini_of_one_erring_group(n):
    """Only one group errs: plain (n - 1) / n, corrected 1."""
    rates = np.array([0.3] + [0.0] * (n - 1))
    assert Gini().of(rates) == pytest.approx((n - 1) / n)
    assert Gini(corrected=True).of(rates) == pytest.approx(1.0)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=7))
@settings(deadline=None)
def test_gini_equals_its_double_sum(groups):
    """The sorted form equals the mean absolute difference over twice the mean."""
    x = np.array(groups)
    total = sum(abs(a - b) for a in groups for b in groups)
    expected = total / (2 * len(x) ** 2 * x.mean()) if x.mean() > 1e-300 else None
    if expected is not None:
        assert Gini().of(x) == pytest.approx(expected, abs=1e-12)


RFW = {
    "Microsoft": ([87.60, 82.83, 79.67, 75.83], ("81.48", "4.315", "1.949")),
    "Face++": ([93.90, 88.55, 92.47, 87.50], ("90.605", "2.655", "2.049")),
    "Baidu": ([89.13, 86.53, 90.27, 77.97], ("85.975", "4.816", "2.264")),
    "Amazon": ([90.45, 87.20, 84.87, 86.27], ("87.198", "2.053", "1.584")),
}


@pytest.mark.parametrize("system", RFW)
def test_published_spread_of_accuracies(system):
    """RFW accuracies: mean, standard deviation over groups (ddof 0), and skewed error ratio."""
    accuracy, (mean, spread, ratio) = np.array(RFW[system][0]), RFW[system][1]
    # half a unit of the last printed digit, since 87.1975 is printed as 87.198
    digits = len(mean.split(".")[1])
    assert accuracy.mean() == pytest.approx(float(mean), abs=0.5 * 10.0**-digits + 1e-9)
    assert f"{StandardDeviation().of(accuracy):.3f}" == spread
    assert f"{MaxMinRatio().of(100 - accuracy):.3f}" == ratio


def test_published_means_over_systems():
    """RFW accuracies of the four systems, averaged by group."""
    mean = np.array([values for values, _ in RFW.values()]).mean(axis=0)
    assert mean == pytest.approx([90.27, 86.28, 86.82, 81.89], abs=0.00501)
