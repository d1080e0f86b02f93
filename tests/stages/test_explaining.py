"""Standardised rates and label errors on worlds where the cause is planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from frbench.errors import InputError
from frbench.explaining import ExplainSpec, standardised, strata_of
from frbench.label_errors import label_error_bands, mislabelled
from frbench.values import ScoredPairs, ScoreTally
from worlds import population, threshold_at


def quality_world(rng, *, persons=60, poor=(0.2, 0.8), group_effect=0.0):
    """FMR 0.02 for clear persons and 0.08 for blurred ones; groups differ in the share blurred."""
    group = np.repeat([0, 1], persons)
    blurred = rng.random(2 * persons) < np.asarray(poor)[group]
    subject = np.repeat(np.arange(2 * persons), 2)
    first, second = np.triu_indices(len(subject), 1)
    apart = subject[first] != subject[second]
    first, second = first[apart], second[apart]
    worse = blurred[subject[first]] & blurred[subject[second]]
    score = rng.normal(size=len(first)) + stats.norm.ppf(np.where(worse, 0.08, 0.02))
    score += group_effect * (group[subject[first]] & group[subject[second]])
    kept = score >= 0
    none = np.zeros(0, np.int32)
    tally = ScoreTally(
        groups=("a", "b"),
        subject=subject.astype(np.int32),
        group=group[subject].astype(np.int16),
        stratum=np.zeros(len(subject), np.int16),
        enrolled=np.ones(len(subject), bool),
        mated=ScoredPairs(none, none, np.zeros(0)),
        tail=ScoredPairs(first[kept].astype(np.int32), second[kept].astype(np.int32), score[kept]),
        floor=0.0,
    )
    faces = pd.DataFrame(
        {
            "image_id": np.arange(len(subject)).astype(str),
            "subject_id": subject.astype(str),
            "quality": np.where(blurred[subject], "blurred", "clear"),
        }
    )
    return tally, faces


def rows_of(tally, faces, by=("quality",)):
    """The FMR rows by group."""
    table = standardised(tally, faces, [threshold_at(0.0)], by, rng=np.random.default_rng(0))
    return table[table["kind"] == "FMR"].set_index("group")


def test_a_gap_that_is_all_quality_goes_away():
    """Crude rates differ by the share blurred; standardised ones do not."""
    rows = rows_of(*quality_world(np.random.default_rng(1)))
    assert rows.loc["b", "crude_ratio"] > 1.8
    assert rows.loc["b", "standardised_ratio"] == pytest.approx(1.0, abs=0.25)
    assert rows.loc["b", "ratio_low"] < 1 < rows.loc["b", "ratio_high"]
    assert rows["strata"].tolist() == [2, 2]


def test_a_gap_beyond_quality_stays():
    """With an effect of the group itself the standardised interval excludes equality."""
    rows = rows_of(*quality_world(np.random.default_rng(2), group_effect=0.5))
    assert rows.loc["b", "standardised_ratio"] > 1.5
    assert rows.loc["b", "ratio_low"] > 1


def test_the_standardised_rate_is_the_weighted_sum_of_strata():
    """By hand: comparisons within a stratum and group, weighted by both groups' together."""
    tally, faces = quality_world(np.random.default_rng(3), persons=30)
    clear = (faces["quality"] == "clear").to_numpy()
    count, wrong = np.zeros((2, 2)), np.zeros((2, 2))
    for i in range(len(faces)):
        for j in range(i + 1, len(faces)):
            apart = tally.subject[i] != tally.subject[j]
            if apart and clear[i] == clear[j] and tally.group[i] == tally.group[j]:
                count[int(clear[i]), tally.group[i]] += 1
    for a, b in zip(tally.tail.first, tally.tail.second, strict=True):
        if clear[a] == clear[b] and tally.group[a] == tally.group[b]:
            wrong[int(clear[a]), tally.group[a]] += 1
    mix = count.sum(axis=1) / count.sum()
    rows = rows_of(tally, faces)
    assert rows["standardised"].to_numpy() == pytest.approx(mix @ (wrong / count))
    assert rows["crude"].to_numpy() == pytest.approx(wrong.sum(axis=0) / count.sum(axis=0))


def test_numbers_are_cut_at_tertiles_and_gaps_are_a_stratum():
    """A numeric covariate in thirds, a missing value apart, images per person without a column."""
    faces = pd.DataFrame(
        {"subject_id": list("aabbbcdde"), "pose": [1, 2, 3, 4, 5, 6, 7, 8, np.nan]}
    )
    codes, names = strata_of(faces, ["pose"])
    assert names == ("pose 1 of 3", "pose 2 of 3", "pose 3 of 3", "pose missing")
    assert codes.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3]
    _, sizes = strata_of(faces, ["images_per_person"])
    assert sizes == ("images_per_person 1", "images_per_person 2", "images_per_person 3")
    with pytest.raises(InputError, match="no such column; it has: pose"):
        strata_of(faces, ["blur"])


def test_groups_without_a_common_stratum_are_not_compared():
    """All of one group blurred, all of the other clear: no overlap, no number."""
    rows = rows_of(*quality_world(np.random.default_rng(4), poor=(0.0, 1.0)))
    assert set(rows["status"]) == {"no_overlap"}
    assert rows["standardised"].isna().all()


def test_mislabelled_moves_whole_persons_and_just_so_many():
    """A tenth of 40 persons change their group, all their images with them."""
    tally = population(np.random.default_rng(0), fmr=[0.05, 0.05], persons=[20, 20], images=3)
    moved = mislabelled(tally, 0.1, np.random.default_rng(1))
    changed = moved != tally.group
    assert len(np.unique(tally.subject[changed])) == 4
    assert changed.sum() == 12


def test_wrong_labels_of_one_persons_rates_shrink_a_gap_as_expected():
    """FNMR 5 % and 20 %, equal groups, share e swapped: the rates become mixtures of the two."""
    rng = np.random.default_rng(2)
    one = population(rng, fmr=[0.01, 0.01], persons=[300, 300], images=2, person_share=0.0)
    hard = stats.norm.ppf(0.05) - stats.norm.ppf(0.2)
    score = one.mated.score + np.where(one.group[one.mated.first] == 1, hard, 0.0)
    tally = replace(one, mated=replace(one.mated, score=score))
    table = label_error_bands(
        tally, [threshold_at(0.0)], (0.01, 0.1), rng=np.random.default_rng(3), draws=30
    )
    rows = table[(table["kind"] == "FNMR") & (table["group"] == "g1")].set_index("mislabelled")
    rates = [np.mean(score[one.group[one.mated.first] == g] < 0) for g in (0, 1)]
    mixed = (0.9 * rates[1] + 0.1 * rates[0]) / (0.9 * rates[0] + 0.1 * rates[1])
    assert rows.loc[0.1, "typical"] == pytest.approx(mixed, rel=0.08)
    assert rows.loc[0.1, "typical"] < rows.loc[0.01, "typical"] < rows.loc[0.01, "ratio"] * 1.02
    assert rows.loc[0.1, "high"] - rows.loc[0.1, "low"] > (
        rows.loc[0.01, "high"] - rows.loc[0.01, "low"]
    )


def test_shares_out_of_range_are_refused():
    """Half the labels wrong is no label at all."""
    with pytest.raises(InputError, match=r"between 0 and 0\.5"):
        ExplainSpec(label_errors=(0.7,))


def test_an_absent_or_tiny_group_does_not_halve_the_mean_of_the_others():
    """A third group without comparisons, or with too few for a stratum, changes no ratio."""
    tally, faces = quality_world(np.random.default_rng(8), poor=(0.4, 0.6))
    for images in (1, 4):
        more = pd.DataFrame({"image_id": "x", "subject_id": "x", "quality": ["clear"] * images})
        count = len(tally.subject)
        extra = np.full(images, tally.subject.max() + 1, np.int32)
        wider = replace(
            tally,
            groups=("a", "b", "c"),
            subject=np.concatenate([tally.subject, extra]),
            group=np.concatenate([tally.group, np.full(images, 2, np.int16)]),
            stratum=np.zeros(count + images, np.int16),
            enrolled=np.ones(count + images, bool),
        )
        before = rows_of(tally, faces)
        after = rows_of(wider, pd.concat([faces, more], ignore_index=True))
        for name in ("crude_ratio", "standardised_ratio"):
            assert after.loc[["a", "b"], name].tolist() == pytest.approx(before[name].tolist())
        table = standardised(
            wider,
            pd.concat([faces, more], ignore_index=True),
            [threshold_at(0.0)],
            ["quality"],
            rng=np.random.default_rng(0),
        )
        missed = table[table["kind"] == "FNMR"].set_index("group")
        assert missed.loc["a", "status"] == "ok"
        assert ("c" in missed.index) == (images > 1)
        if images > 1:
            assert missed.loc["c", "status"] == "no_overlap"


def test_a_group_without_errors_has_an_open_interval():
    """Replicates of nothing are nothing; the interval must not be [0, 0] (nor its ratio's)."""
    tally, faces = quality_world(np.random.default_rng(9))
    kept = tally.group[tally.tail.first] + tally.group[tally.tail.second] != 0
    rows = rows_of(replace(tally, tail=tally.tail.take(kept)), faces)
    assert rows.loc["a", "standardised"] == rows.loc["a", "low"] == 0
    assert 0.01 < rows.loc["a", "high"] < 0.5
    assert rows.loc["a", "ratio_low"] == 0 < rows.loc["a", "ratio_high"] < np.inf
    assert rows.loc["b", "standardised_ratio"] == np.inf == rows.loc["b", "ratio_high"]
    assert 0 < rows.loc["b", "ratio_low"] < np.inf


def test_a_covariate_of_a_different_word_for_every_image_is_refused():
    """Dates and file names are no strata; the cells would outnumber the comparisons."""
    faces = pd.DataFrame({"subject_id": ["p"] * 200, "captured": [f"day {k}" for k in range(200)]})
    with pytest.raises(InputError, match=r"explain.by=\[captured\] makes 200 strata"):
        strata_of(faces, ["captured"])


def test_a_share_below_one_person_is_a_person_now_and_then():
    """1 % of 40 persons moves somebody in about 40 % of the draws, instead of in none."""
    tally = population(np.random.default_rng(10), fmr=[0.05, 0.05], persons=[20, 20])
    rng = np.random.default_rng(0)
    moved = [np.any(mislabelled(tally, 0.01, rng) != tally.group) for _ in range(400)]
    assert 0.3 < np.mean(moved) < 0.5
