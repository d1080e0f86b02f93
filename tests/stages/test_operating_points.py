"""Where thresholds come from, that persons never stand on both sides, and what is carried on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from frbench.benchmarks.scores import ScoreBenchmark
from frbench.black_box import shared_points
from frbench.calibration import split_persons
from frbench.errors import InputError
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.operating_points import UNNAMED, carried_rates, operating_points, with_interval
from frbench.page.sentences import threshold_sentence
from frbench.rates import error_rates
from frbench.runs import plain, threshold_row
from frbench.settings import OperatingPoint
from frbench.thresholds import choose_thresholds
from frbench.values import FaceSet, Histogram
from worlds import population

STATED = OperatingPoint(stated={1e-3: 0.5}, stated_by="the vendor")
RECORD = {"name": "m", "fingerprint": "f", "identity": {"weights": "abc"}}


def points(point, tally, *, calibration=None, record=RECORD, arm=""):
    """``operating_points`` with the default interval."""
    return operating_points(
        point,
        tally,
        arm=arm,
        matcher=record,
        interval=WilsonEffective(),
        rng=np.random.default_rng(0),
        calibration=calibration,
    )


def world(seed, persons=60, **more):
    """Two groups, of which the second is falsely matched twice as often at any threshold near."""
    rng = np.random.default_rng(seed)
    return population(rng, fmr=[0.05, 0.1], persons=[persons] * 2, person_share=0.1, **more)


def faces_of(persons, groups, seed=0):
    """A FaceSet with 1 to 4 images a person."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(persons), rng.integers(1, 5, persons))
    names = np.array([f"g{k}" for k in range(groups)])
    table = pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(len(subject))],
            "subject_id": [f"p{k}" for k in subject],
            "group": pd.Categorical(names[subject % groups], categories=[*names, "absent"]),
        }
    )
    return FaceSet("made up", "1", Path(), table, synthetic=True)


@settings(deadline=None, max_examples=60)
@given(
    persons=st.integers(12, 80),
    groups=st.integers(1, 4),
    share=st.sampled_from([0.3, 0.5, 0.7]),
    seed=st.integers(0, 10**6),
)
def test_no_person_is_on_both_sides(persons, groups, share, seed):
    """All images are kept once, each group gives its share within one person, levels stay."""
    faces = faces_of(persons, groups)
    test, calibration = split_persons(faces, share, np.random.default_rng(seed))
    sides = [set(part.faces["subject_id"]) for part in (test, calibration)]
    assert not sides[0] & sides[1]
    together = pd.concat([test.faces, calibration.faces])["image_id"]
    assert sorted(together) == sorted(faces.faces["image_id"])
    for group, rows in faces.faces.groupby("group", observed=True):
        everyone = rows["subject_id"].nunique()
        mine = calibration.faces[calibration.faces["group"] == group]["subject_id"].nunique()
        assert abs(mine - share * everyone) < 1
    assert list(test.faces["group"].cat.categories) == list(faces.faces["group"].cat.categories)


def test_the_split_follows_the_seed_and_not_the_order_of_rows():
    """The same seed draws the same persons from shuffled rows; another seed draws others."""
    faces = faces_of(40, 2)
    shuffled = replace(faces, faces=faces.faces.sample(frac=1, random_state=1))
    drawn = [
        set(split_persons(each, 0.5, np.random.default_rng(seed))[1].faces["subject_id"])
        for each, seed in ((faces, 3), (shuffled, 3), (faces, 4))
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_share_zero_keeps_everybody_and_too_few_are_refused():
    """No split at 0; a side of fewer than two persons says so."""
    faces = faces_of(40, 2)
    assert split_persons(faces, 0.0, np.random.default_rng(0)) == (faces, None)
    with pytest.raises(InputError, match="persons for the calibration side"):
        split_persons(faces_of(2, 1), 0.5, np.random.default_rng(0))


def test_a_calibrated_threshold_is_the_one_of_the_other_persons():
    """Chosen on the calibration tally alone, and named so."""
    test, apart = world(1), world(2)
    (threshold,) = points(OperatingPoint(target_fmr=(0.02,)), test, calibration=apart)
    (plain_one,) = choose_thresholds(apart, [0.02], chosen_on="f")
    assert threshold.value == plain_one.value
    assert threshold.source == "calibration split"
    assert threshold.low < threshold.value < threshold.high
    assert "kept apart" in threshold_sentence(threshold)


def test_the_interval_of_a_threshold_covers_the_true_quantile():
    """In 80 worlds the score with the target FMR among all persons is covered as often as said."""
    covered, target = 0, 0.02
    for seed in range(80):
        tally = population(
            np.random.default_rng(seed), fmr=[0.08], persons=[50], images=2, person_share=0.2
        )
        (threshold,) = choose_thresholds(tally, [target], chosen_on="x")
        found = with_interval(tally, threshold, WilsonEffective(), np.random.default_rng(0))
        truth = stats.norm.ppf(0.08) - stats.norm.ppf(target)
        covered += found.low <= truth <= found.high
    assert 0.90 <= covered / 80 <= 0.99


def test_carried_rates_cover_the_rate_at_the_true_threshold():
    """Group rates at the population's threshold are covered; without carrying, they are not."""
    target, hits, naive = 0.02, [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        apart, test = (
            population(rng, fmr=[0.06, 0.12], persons=[persons] * 2, images=2)
            for persons in (30, 60)
        )
        thresholds = points(OperatingPoint(target_fmr=(target,)), test, calibration=apart)
        rates = error_rates(
            test, thresholds, WilsonEffective(), matcher="m", benchmark="b",
            rng=np.random.default_rng(0),
        )  # fmt: skip
        table = carried_rates(test, thresholds, rates)
        # the population's threshold: the mean of the two groups' rates is the target
        grid = np.linspace(0, 3, 3001)
        shifts = stats.norm.ppf([0.06, 0.12])
        each = stats.norm.sf(grid[:, None] - shifts)
        truth = each[np.argmin(np.abs(each.mean(axis=1) - target))]
        own = table[(table["kind"] == "FMR") & (table["probe_group"] != "all")]
        own = own[own["probe_group"] == own["reference_group"]]
        hits += list((own["carried_low"] <= truth) & (truth <= own["carried_high"]))
        naive += list((own["low"] <= truth) & (truth <= own["high"]))
        assert (own["carried_low"] <= own["low"]).all()
        assert (own["carried_high"] >= own["high"]).all()
    assert np.mean(hits) >= 0.88
    assert np.mean(naive) < np.mean(hits) - 0.03


def test_nothing_is_carried_for_a_threshold_of_the_set_itself():
    """The table is for thresholds estimated on other persons."""
    tally = world(3)
    thresholds = points(OperatingPoint(target_fmr=(0.02,)), tally)
    assert thresholds[0].source == "this set"
    assert carried_rates(tally, thresholds, pd.DataFrame()).empty


def test_another_runs_thresholds_are_taken_over_or_refused(tmp_path):
    """The same matcher gets the same scores; another one, or no run, gets one sentence."""
    tally = world(4)
    chosen = points(OperatingPoint(target_fmr=(0.02,)), tally)
    record = {
        "matchers": [{"arm": "", **RECORD, "fingerprint": "other images"}],
        "thresholds": [threshold_row("", each) for each in chosen],
    }
    (tmp_path / "run.json").write_text(json.dumps(plain(record)))
    point = OperatingPoint(from_run=str(tmp_path))
    (taken,) = points(point, world(5))
    assert (taken.value, taken.label) == (chosen[0].value, "FMR 0.02")
    assert taken.source == f"run {tmp_path.name}"
    assert taken.low == chosen[0].low
    with pytest.raises(InputError, match="another matcher"):
        points(point, world(5), record={**RECORD, "identity": {"weights": "new"}})
    with pytest.raises(InputError, match=r"no readable run\.json"):
        points(OperatingPoint(from_run=str(tmp_path / "none")), world(5))


def test_stated_scores_are_checked_against_what_they_give():
    """A vendor's value keeps its claim beside the measured rate, a police one its author."""
    tally = world(6)
    point = OperatingPoint(fixed=(1.0,), stated={"1e-3": 0.5}, stated_by="the force")
    fixed, stated = points(point, tally)
    assert (fixed.label, stated.label) == ("score >= 1", "stated FMR 0.001")
    assert (stated.target_fmr, stated.value) == (0.001, 0.5)
    counted = (tally.tail.score >= 0.5).sum()
    assert stated.errors == counted
    assert stated.achieved_fmr > 0.01
    assert "by the force" in threshold_sentence(fixed)
    assert "that the force states for" in threshold_sentence(stated)


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        ({"calibration": {"share": 1.5}, "target_fmr": (0.1,)}, "must lie in"),
        ({"calibration": {"share": 0.5}, "fixed": (1.0,)}, "name a target"),
        ({"calibration": {"part": 0.5}, "target_fmr": (0.1,)}, "it takes share"),
        ({"from_run": "r", "target_fmr": (0.1,)}, "leave target_fmr empty"),
        ({"stated": {2.0: 0.5}}, "between 0 and 1"),
        ({}, "at least one"),
        ({"stated": 0.6}, r"stated=0.6 must be like"),
        ({"calibration": 0.5, "target_fmr": (0.1,)}, r"calibration=0.5 must be like"),
        ({"stated": {"1e-3": 0.5, 0.001: 0.6}}, "one rate twice"),
    ],
)
def test_contradicting_settings_are_refused(settings_, words):
    """Each contradiction is one sentence."""
    with pytest.raises(InputError, match=words):
        OperatingPoint(**settings_)


def test_the_interval_of_a_threshold_counts_failures_as_the_rate_does():
    """Where half of the images fail, the ends still have the FMR of the interval's ends."""
    rng = np.random.default_rng(3)
    tally = population(rng, fmr=[0.3, 0.3], persons=[60, 60], failing=0.5)
    (chosen,) = choose_thresholds(tally, [0.05], chosen_on="half fail")
    threshold = with_interval(tally, chosen, WilsonEffective(), rng)
    rate = error_rates(tally, [threshold], WilsonEffective(), matcher="", benchmark="", rng=rng)
    pooled = rate[(rate["kind"] == "FMR") & (rate["probe_group"] == "all")].iloc[0]
    for end, bound in ((threshold.low, pooled["high"]), (threshold.high, pooled["low"])):
        measured = (tally.tail.score >= end).sum() / pooled["comparisons"]
        assert measured == pytest.approx(bound, abs=1.01 / pooled["comparisons"])
    assert threshold.low < threshold.value < threshold.high


def test_an_end_below_the_kept_scores_comes_from_the_histogram():
    """The engine keeps no more than the largest target needs; the interval needs a little more."""
    rng = np.random.default_rng(11)
    whole = population(rng, fmr=[0.5, 0.5], persons=[40, 40])
    edges = np.linspace(-5, 5, 1001)
    counts = np.zeros((2, 2, 2, 1000), np.int64)
    counts[1, 0, 0] = np.histogram(whole.tail.score, edges)[0]
    (chosen,) = choose_thresholds(whole, [0.02], chosen_on="")
    full = with_interval(whole, chosen, WilsonEffective(), rng)
    cut = replace(
        whole,
        tail=whole.tail.take(whole.tail.score >= chosen.value - 1e-3),
        floor=chosen.value - 1e-3,
        histogram=Histogram(edges, counts, 1e-6),
    )
    binned = with_interval(cut, chosen, WilsonEffective(), rng)
    assert full.low - 0.0101 <= binned.low <= full.low < chosen.value - 0.02
    assert binned.high == full.high
    assert with_interval(replace(cut, histogram=None), chosen, WilsonEffective(), rng).low == (
        cut.floor
    )


def test_scores_of_an_unnamed_matcher_or_another_kind_take_no_thresholds_over(tmp_path):
    """Two vendors' lists are both "scored elsewhere"; a distance is no similarity."""
    (chosen,) = points(OperatingPoint(target_fmr=(0.02,)), world(4))

    def written(record):
        run = {"matchers": [{"arm": "", **record}], "thresholds": [threshold_row("", chosen)]}
        (tmp_path / "run.json").write_text(json.dumps(plain(run)))
        return OperatingPoint(from_run=str(tmp_path))

    named = {"name": "vendor 3", "fingerprint": "f", "scores": "similarity"}
    unnamed = {**named, "name": "scored elsewhere"}
    with pytest.raises(InputError, match=r"name the matcher in both runs, benchmark\.matcher=NAME"):
        points(written(unnamed), world(5), record=unnamed)
    with pytest.raises(InputError, match="another matcher"):
        points(written(named), world(5), record={**named, "scores": "distance"})
    assert len(points(written(named), world(5), record=named)) == 1
    assert ScoreBenchmark.__init__.__kwdefaults__["matcher"] == UNNAMED


def test_two_operating_points_of_one_name_are_refused_and_a_restated_one_is_one(tmp_path):
    """Rows of the tables are told apart by the name; one in use here and there is the same."""
    tally = world(4)
    with pytest.raises(InputError, match=r"two operating points are called score >= 1"):
        points(OperatingPoint(fixed=(1.0, 1.0000001)), tally)
    record = {
        "matchers": [{"arm": "", **RECORD}],
        "thresholds": [threshold_row("", each) for each in points(STATED, tally)],
    }
    (tmp_path / "run.json").write_text(json.dumps(plain(record)))
    again = points(replace(STATED, from_run=str(tmp_path)), world(5))
    assert [each.label for each in again] == ["stated FMR 0.001"]


@pytest.mark.parametrize("record", [[], {"matchers": [{}], "thresholds": []}, {"matchers": 3}])
def test_a_run_json_of_something_else_is_one_sentence(record, tmp_path):
    """Any JSON may be called run.json."""
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"operating_point\.from_run"):
        points(OperatingPoint(from_run=str(tmp_path)), world(4))


def test_vendors_that_state_different_rates_share_no_operating_point():
    """As many statements as the other vendor makes are not the same statements."""
    tally = world(4)
    one = points(OperatingPoint(target_fmr=(0.02,), stated={1e-3: 0.5}), tally)
    other = points(OperatingPoint(target_fmr=(0.02,), stated={1e-4: 0.9}), tally)
    assert [[each.label for each in side] for side in shared_points(one, other)] == [
        ["FMR 0.02"]
    ] * 2
