"""The comparison engine against a double loop, and against itself under every change of tactics."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from comparison_worlds import GROUPS, World, double_loop, highest, score_by_hand, world
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.comparison import ComparisonSpec, compare, compare_sets
from frbench.counting.score import scores
from frbench.errors import InputError
from frbench.values import ScoredPairs, ScoreTally

POLICIES = [(), ("sex",), ("label_sex", "age_band")]


def listed(pairs: ScoredPairs) -> list[tuple[int, int, float]]:
    """The comparisons as plain tuples."""
    columns = (pairs.first.tolist(), pairs.second.tolist(), pairs.score.tolist())
    return list(zip(*columns, strict=True))


def by_image(tally: ScoreTally, w: World) -> set[tuple[str, str, float]]:
    """The tail as a set of unordered pairs of image names."""
    names = w.embedded.image_id
    return {(*sorted((str(names[a]), str(names[b]))), s) for a, b, s in listed(tally.tail)}


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    images=st.integers(1, 45),
    subjects=st.integers(1, 20),
    dimensions=st.sampled_from([1, 3, 16, 24, 67, 128]),
    spread=st.sampled_from([10.0, 1.0, 0.05, 0.0]),
    same=st.sampled_from(POLICIES),
    keep_fmr=st.sampled_from([0.01, 0.1, 0.5, 1.0]),
    limit=st.sampled_from([1, 5, 40, 10**6]),
    everything=st.booleans(),
    bins=st.sampled_from([0, 64, 4096]),
    tile=st.sampled_from([3, 16, 64]),
)
def test_equals_a_double_loop(
    seed, images, subjects, dimensions, spread, same, keep_fmr, limit, everything, bins, tile
):
    """Mated scores, tail, floor and histogram totals are those of comparing one by one."""
    w = world(seed, images=images, subjects=subjects, dimensions=dimensions, spread=spread)
    spec = ComparisonSpec(
        same=same,
        keep_fmr=keep_fmr,
        tail_limit=limit,
        keep_all=10**6 if everything else 1,
        histogram_bins=bins,
        tile=tile,
    )
    tally = compare(w.embedded, w.faces, spec)
    truth = double_loop(w, tuple(c.removeprefix("label_") for c in same))
    tail, floor = highest(
        truth, None if everything or len(truth.non_mated) <= 1 else keep_fmr, limit
    )
    assert listed(tally.mated) == truth.mated
    assert tally.floor == floor
    assert listed(tally.tail) == tail
    if bins:
        _check_histogram(tally, truth)


def _check_histogram(tally: ScoreTally, truth) -> None:
    """Every comparison is in its cell, in the bin of its score or within the stated error."""
    histogram = tally.histogram
    for part, pairs in enumerate((truth.mated, truth.non_mated)):
        cells: dict[tuple[int, int], list[float]] = {}
        for i, j, score in pairs:
            cell = (int(tally.group[i]), int(tally.group[j]))
            if not tally.ordered:
                cell = (min(cell), max(cell))
            cells.setdefault(cell, []).append(score)
        for a in range(len(GROUPS)):
            for b in range(len(GROUPS)):
                counts = histogram.counts[part, a, b]
                found = np.sort(cells.get((a, b), []))
                assert counts.sum() == len(found)
                assert counts.min() >= 0
                # ranks are kept by an error that moves each score by bin_error at most
                place = np.repeat(np.arange(len(counts)), counts)
                assert (histogram.edges[place] <= found + histogram.bin_error).all()
                assert (histogram.edges[place + 1] >= found - histogram.bin_error).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    same=st.sampled_from(POLICIES),
    probes=st.integers(0, 40),
    bins=st.sampled_from([0, 256]),
    keep_fmr=st.sampled_from([0.05, 0.5]),
)
def test_sets_equal_a_double_loop(seed, same, probes, bins, keep_fmr):
    """Probes against references: every comparison once, the probe first, cells ordered."""
    w = world(seed)
    left, right = w.rows(np.arange(probes)), w.rows(np.arange(probes, 40))
    spec = ComparisonSpec(same=same, keep_fmr=keep_fmr, keep_all=1, histogram_bins=bins, tile=16)
    tally = compare_sets(left.embedded, left.faces, right.embedded, right.faces, spec)
    truth = double_loop(w, tuple(c.removeprefix("label_") for c in same), probes)
    tail, floor = highest(truth, keep_fmr if len(truth.non_mated) > 1 else None, 10**6)
    assert (tally.ordered, tally.references_from) == (True, probes)
    assert listed(tally.mated) == truth.mated
    assert (tally.floor, listed(tally.tail)) == (floor, tail)
    if bins:
        _check_histogram(tally, truth)


@pytest.fixture(scope="module")
def larger() -> World:
    """700 images of 200 persons in 64 dimensions."""
    return world(5, images=700, subjects=200, dimensions=64)


@pytest.fixture(scope="module")
def reference(larger: World) -> ScoreTally:
    """The tally that every change of tactics must reproduce."""
    return compare(larger.embedded, larger.faces, ComparisonSpec(keep_fmr=0.02, keep_all=1))


@pytest.mark.parametrize(
    "change",
    [{"tile": 1}, {"tile": 7}, {"tile": 100}, {"tile": 4096}, {"workers": 1}, {"workers": 5}],
    ids=str,
)
def test_tactics_do_not_matter(larger: World, reference: ScoreTally, change: dict):
    """Tile size and number of threads change no bit of the result."""
    if change == {"tile": 1}:
        larger = larger.rows(np.arange(60))
        reference = compare(
            larger.embedded, larger.faces, ComparisonSpec(keep_fmr=0.02, keep_all=1)
        )
    spec = ComparisonSpec(keep_fmr=0.02, keep_all=1, **change)
    tally = compare(larger.embedded, larger.faces, spec)
    _assert_same(tally, reference)


def _assert_same(tally: ScoreTally, reference: ScoreTally) -> None:
    """Two tallies are equal to the bit."""
    assert tally.floor == reference.floor
    for name in ("mated", "tail"):
        assert listed(getattr(tally, name)) == listed(getattr(reference, name))
    assert (tally.histogram.counts == reference.histogram.counts).all()
    assert (tally.histogram.edges == reference.histogram.edges).all()


def test_order_of_the_images_does_not_matter(larger: World, reference: ScoreTally):
    """The same pairs, scores, floor and histogram come out of a shuffled set."""
    shuffled = larger.rows(np.random.default_rng(1).permutation(700))
    tally = compare(shuffled.embedded, shuffled.faces, ComparisonSpec(keep_fmr=0.02, keep_all=1))
    assert by_image(tally, shuffled) == by_image(reference, larger)
    assert tally.floor == reference.floor
    assert (tally.histogram.counts == reference.histogram.counts).all()


def test_histogram_does_not_change_the_tail(larger: World, reference: ScoreTally):
    """Screening by digits chosen for a histogram, or for speed, lists the same comparisons."""
    spec = ComparisonSpec(keep_fmr=0.02, keep_all=1, histogram_bins=0)
    tally = compare(larger.embedded, larger.faces, spec)
    assert tally.histogram is None
    assert listed(tally.tail) == listed(reference.tail)
    assert tally.floor == reference.floor


def test_score_is_the_written_definition():
    """Compiled scores equal the spelled-out sum to the bit, for every remainder of 16."""
    rng = np.random.default_rng(3)
    for d in [*range(1, 40), 128, 512]:
        x = rng.standard_normal((6, d)).astype(np.float32)
        first, second = np.array([0, 1, 2], np.int32), np.array([3, 4, 5], np.int32)
        expected = [score_by_hand(x[a], x[b]) for a, b in zip(first, second, strict=True)]
        assert scores(x, first, second).tolist() == [float(s) for s in expected]
        assert scores(x, second, first).tolist() == [float(s) for s in expected]


def test_progress_ends_at_the_total(larger: World):
    """Progress counts up to all comparisons of the set, mated ones included."""
    told: list[tuple[int, int]] = []
    compare(
        larger.embedded,
        larger.faces,
        ComparisonSpec(tile=128),
        progress=lambda done, total: told.append((done, total)),
    )
    n = int(larger.embedded.enrolled.sum())
    assert told[-1] == (n * (n - 1) // 2, n * (n - 1) // 2)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda w: World(w.embedded, w.faces.drop(columns="group")), "no column 'group'"),
        (lambda w: World(w.embedded, w.faces.iloc[:-1]), "40 templates for 39 faces"),
        (lambda w: World(w.embedded, w.faces.iloc[::-1].reset_index(drop=True)), "one order"),
        (lambda w: World(w.embedded, w.faces.drop(columns="subject_id")), "'subject_id'"),
        (lambda w: World(_not_finite(w), w.faces), "not finite"),
        (lambda w: World(w.embedded, w.faces.drop(columns="label_sex")), "names 'sex'"),
    ],
)
def test_bad_input_is_named(spoil, words):
    """What does not fit together is refused with a sentence that names it."""
    w = spoil(world(1))
    with pytest.raises(InputError, match=words):
        compare(w.embedded, w.faces, ComparisonSpec(same=("sex",)))


def _not_finite(w: World):
    vectors = w.embedded.vectors.copy()
    vectors[np.flatnonzero(w.embedded.enrolled)[0], 0] = np.nan
    return dataclasses.replace(w.embedded, vectors=vectors)


def test_an_image_on_both_sides_is_refused():
    """A probe that is also a reference would be compared with itself."""
    w = world(2)
    with pytest.raises(InputError, match="is a probe and a reference"):
        compare_sets(w.embedded, w.faces, w.embedded, w.faces, ComparisonSpec())


@pytest.mark.parametrize(
    "wrong",
    [{"keep_fmr": 0.0}, {"keep_fmr": 2.0}, {"histogram_bins": 7}, {"tail_limit": 0}],
    ids=str,
)
def test_bad_settings_are_named(wrong: dict):
    """A setting out of range is refused by name."""
    with pytest.raises(InputError, match=f"comparison.{next(iter(wrong))}"):
        ComparisonSpec(**wrong)


def test_policy_names():
    """Policies are named after the labels that must agree."""
    names = [ComparisonSpec(same=same).policy for same in [(), ("sex",), ("*",), ("a", "label_b")]]
    assert names == ["all", "same_sex", "same_all", "same_a_and_b"]


def test_every_label_means_every_label():
    """The star policy equals naming each label column."""
    w = world(9)
    star = compare(w.embedded, w.faces, ComparisonSpec(same=("*",)))
    named = compare(w.embedded, w.faces, ComparisonSpec(same=("sex", "age_band")))
    assert listed(star.tail) == listed(named.tail)
    assert len(star.tail) < len(compare(w.embedded, w.faces, ComparisonSpec()).tail)


def test_missing_labels_are_a_stratum():
    """Images without a label are compared with each other under a policy, not dropped."""
    w = world(7, images=90, subjects=40)
    tally = compare(w.embedded, w.faces, ComparisonSpec(same=("sex",)))
    unknown = pd.isna(w.faces["label_sex"]).to_numpy()
    assert (unknown[tally.tail.first] == unknown[tally.tail.second]).all()
    assert unknown[tally.tail.first].any()
