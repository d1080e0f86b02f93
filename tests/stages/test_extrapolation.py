"""Extreme-value tails: known laws, the likelihood of scipy, coverage, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from frbench.counted import Counted
from frbench.extrapolation import CAUTION, Tail, extrapolate, fit_excesses, peaks_of, quantiles
from frbench.values import ScoredPairs, ScoreTally
from worlds import threshold_at


def world(rng, law, persons=100, images=2):
    """All non-mated scores drawn from one law; the highest tenth is listed."""
    subject = np.repeat(np.arange(persons), images)
    first, second = np.triu_indices(len(subject), 1)
    apart = subject[first] != subject[second]
    first, second = first[apart], second[apart]
    score = law.rvs(size=len(first), random_state=rng)
    floor = float(np.quantile(score, 0.85))
    kept = score >= floor
    none = np.zeros(0, np.int32)
    return ScoreTally(
        groups=("a",),
        subject=subject.astype(np.int32),
        group=np.zeros(len(subject), np.int16),
        stratum=np.zeros(len(subject), np.int16),
        enrolled=np.ones(len(subject), bool),
        mated=ScoredPairs(none, none, np.zeros(0)),
        tail=ScoredPairs(first[kept].astype(np.int32), second[kept].astype(np.int32), score[kept]),
        floor=floor,
    )


@pytest.mark.parametrize("shape", [-0.3, -0.1, 0.0, 0.2, 0.4])
def test_the_fit_is_no_less_likely_than_scipys(shape):
    """On samples of a known law the likelihood reaches that of scipy's general optimiser."""
    excess = stats.genpareto(shape, scale=0.3).rvs(size=400, random_state=np.random.default_rng(1))
    xi, sigma = fit_excesses(excess)
    theirs = stats.genpareto.fit(excess, floc=0)
    ours = stats.genpareto.logpdf(excess, xi, scale=sigma).sum()
    assert ours >= stats.genpareto.logpdf(excess, *theirs).sum() - 1e-3
    assert xi == pytest.approx(shape, abs=0.15)


def test_weights_count_like_copies():
    """An excess of weight two is two excesses; one of weight zero is none."""
    excess = stats.expon.rvs(size=100, random_state=np.random.default_rng(2))
    weight = np.arange(100) % 3
    weighted = fit_excesses(excess, weight.astype(np.float64))
    assert weighted == pytest.approx(fit_excesses(np.repeat(excess, weight)), rel=1e-6)


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.3])
def test_a_tail_and_its_inverse_are_the_law(shape):
    """FMR at the score of an FMR is that FMR, and the law's own survival function."""
    tail = Tail(0.5, 0.01, shape, 0.2)
    score = tail.threshold(1e-5)
    assert tail.fmr(score) == pytest.approx(1e-5)
    law = stats.genpareto(shape, scale=0.2)
    assert tail.fmr(0.7) == pytest.approx(0.01 * law.sf(0.2))


def test_nothing_lies_beyond_the_end_of_a_short_tail():
    """With a negative shape the scores end at u - scale / shape."""
    tail = Tail(0.0, 0.01, -0.25, 1.0)
    assert tail.fmr(4.1) == 0.0
    assert tail.fmr(3.9) > 0.0


@pytest.mark.parametrize("law", [stats.expon(), stats.genpareto(0.2)], ids=["exponential", "heavy"])
def test_rates_two_decades_beyond_the_data_are_covered(law):
    """20 worlds of 19,800 comparisons, at FMR 1e-5: 0.2 errors are expected, the interval holds."""
    truth = 1e-5
    point = threshold_at(float(law.isf(truth)))
    hits, logs = 0, []
    for seed in range(20):
        table = extrapolate(
            world(np.random.default_rng(seed), law), [point], rng=np.random.default_rng(0)
        )
        row = table[(table["estimates"] == "rate") & (table["group"] == "all")].iloc[0]
        hits += row["low"] <= truth <= row["high"]
        logs.append(np.log10(row["estimate"] / truth))
    assert hits >= 16
    assert abs(np.median(logs)) < 0.6


def test_declustering_keeps_the_best_score_of_each_pair_of_persons():
    """Against a dictionary over all comparisons."""
    tally = world(np.random.default_rng(4), stats.norm())
    found = peaks_of(tally, Counted(tally), None)
    best: dict[tuple[int, int], float] = {}
    for a, b, score in zip(tally.tail.first, tally.tail.second, tally.tail.score, strict=True):
        pair = (int(tally.subject[a]), int(tally.subject[b]))
        best[pair] = max(best.get(pair, -np.inf), float(score))
    ranked = sorted(best.values(), reverse=True)
    assert found.score[: found.peaks].tolist() == ranked[: found.peaks]
    assert found.tail.start == ranked[found.peaks]
    expected, observed = quantiles(found)
    assert np.corrcoef(expected, observed)[0, 1] > 0.97
    assert len(expected) == found.peaks == 250


def test_measured_rates_and_thin_tails_are_left_alone():
    """Thirty errors need no model; fewer than fifty pairs allow none."""
    tally = world(np.random.default_rng(5), stats.norm())
    plenty = threshold_at(float(np.sort(tally.tail.score)[-40]))
    table = extrapolate(tally, [plenty], rng=np.random.default_rng(0))
    assert not (table["estimates"] == "rate").any()
    thin = world(np.random.default_rng(5), stats.norm(), persons=12)
    assert extrapolate(thin, [threshold_at(4.0)], rng=np.random.default_rng(0)).empty


def test_every_row_says_what_it_is():
    """The label, diagnostics and the order of thresholds."""
    tally = world(np.random.default_rng(6), stats.expon())
    table = extrapolate(tally, [threshold_at(9.0)], rng=np.random.default_rng(0))
    assert table["caution"].str.startswith(CAUTION).all()
    assert (table["stability_low"] <= table["estimate"]).all()
    assert (table["estimate"] <= table["stability_high"]).all()
    scores = table[table["estimates"] == "threshold"].sort_values("target_fmr")["estimate"]
    assert scores.is_monotonic_decreasing
    assert (table["low"] <= table["high"]).all()
