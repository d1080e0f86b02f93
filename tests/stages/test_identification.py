"""1:N search and its error rates against plain loops over exact scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.candidates import search
from frbench.errors import InputError
from frbench.galleries import Gallery, draw_gallery
from frbench.identification import (
    IDENTIFICATION_COLUMNS,
    INVESTIGATION,
    fpir_threshold,
    identification_rates,
)
from frbench.intervals.double_or_nothing import DoubleOrNothing
from frbench.intervals.wilson_effective import WilsonEffective
from galleries_by_hand import faces_of, messy_set, score_table, searched_by_hand, templates, unit

seeds = st.integers(0, 2**32 - 1)


def messy_search(seed, rank=3, **kw):
    """A random small set with a random gallery, searched."""
    rng = np.random.default_rng(seed)
    faces, vectors = messy_set(rng, **kw)
    count = int(rng.integers(1, len(faces) + 1))
    gallery = Gallery.of(faces, rng.choice(len(faces), size=count, replace=False))
    return faces, vectors, gallery, search(vectors, gallery, rank=rank), rng


def rates_of(lists, thresholds, ranks=(1,), interval=None):
    """The table with the default interval, indexed by what names a row."""
    table = identification_rates(
        lists,
        thresholds=thresholds,
        ranks=ranks,
        interval=interval or WilsonEffective(),
        rng=np.random.default_rng(0),
    )
    assert list(table.columns) == list(IDENTIFICATION_COLUMNS)
    return table.set_index(["kind", "threshold", "rank", "probe_group"])


@settings(max_examples=150, deadline=None)
@given(seed=seeds, rank=st.integers(1, 12))
def test_candidate_lists_are_those_of_a_double_loop(seed, rank):
    """Scores, persons and their order, ties and failures included."""
    faces, vectors, gallery, lists, _ = messy_search(seed, rank)
    subject = faces["subject_id"].to_numpy()
    scored, good = score_table(vectors), vectors.enrolled
    assert list(lists.probes) == sorted(set(range(len(faces))) - set(gallery.references))
    for place, probe in enumerate(lists.probes):
        expected = searched_by_hand(scored, good, subject, gallery.references, probe, rank)
        got = [
            (float(s), int(r))
            for s, r in zip(lists.score[place], lists.reference[place], strict=True)
            if r >= 0
        ]
        assert got == expected
        assert np.all(lists.score[place][len(got) :] == -np.inf)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, block=st.integers(1, 9), rank=st.integers(1, 4))
def test_lists_do_not_depend_on_blocks_or_order(seed, block, rank):
    """Another block size, a shuffled gallery and shuffled probes give the same lists."""
    faces, vectors, gallery, lists, rng = messy_search(seed, rank)
    order = rng.permutation(len(lists.probes))
    shuffled = Gallery.of(faces, rng.permutation(gallery.references))
    other = search(vectors, shuffled, lists.probes[order], rank=rank, block=block)
    np.testing.assert_array_equal(other.reference, lists.reference[order])
    np.testing.assert_array_equal(other.score, lists.score[order])
    np.testing.assert_array_equal(other.mate_rank, lists.mate_rank[order])


def test_a_crowded_tile_is_cut_to_its_best_without_losing_anyone():
    """With the whole gallery in one tile the sieve by the tile's own k-th best is at work."""
    rng = np.random.default_rng(5)
    direction = rng.normal(size=(1, 40))
    vectors = templates(unit(direction + 1e-7 * rng.normal(size=(300, 40))))
    subject = np.arange(300) // 2
    gallery = Gallery.of(faces_of(subject, np.zeros(300, int), ["g"]), np.arange(0, 240))
    lists = search(vectors, gallery, rank=3)
    table = score_table(vectors)
    plain = vectors.vectors[240:] @ vectors.vectors[:240].T
    assert (np.argsort(-plain, axis=1, kind="stable")[:, 0] != lists.reference[:, 0]).any()
    for place, probe in enumerate(lists.probes):
        best = np.array([table[probe, k : k + 2].max() for k in range(0, 240, 2)])
        np.testing.assert_array_equal(np.sort(best)[::-1][:3], lists.score[place])


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_rates_are_those_of_counting_searches_one_by_one(seed):
    """Errors, searches and failures of every group, kind, rank and threshold."""
    faces, vectors, gallery, lists, _ = messy_search(seed, 3)
    subject = faces["subject_id"].to_numpy()
    group = faces["group"].to_numpy()
    scored, good = score_table(vectors), vectors.enrolled
    enrolled_people = {subject[row] for row in gallery.references}
    thresholds = [INVESTIGATION, 0.5, float(np.float32(2 / 3))]
    table = rates_of(lists, thresholds, (1, 3))
    for threshold in thresholds:
        for name in [*gallery.groups, "all"]:
            alerts = searches = 0
            missed, mated = {1: 0, 3: 0}, 0
            for probe in lists.probes:
                if name not in ("all", group[probe]):
                    continue
                found = searched_by_hand(scored, good, subject, gallery.references, probe, 3)
                if subject[probe] not in enrolled_people:
                    searches += 1
                    alerts += any(score >= threshold for score, _ in found)
                    continue
                mated += 1
                for rank in missed:
                    missed[rank] += not any(
                        subject[row] == subject[probe] and score >= threshold
                        for score, row in found[:rank]
                    )
            if threshold > INVESTIGATION:
                row = table.xs(("FPIR", threshold, name), level=[0, 1, 3]).iloc[0]
                assert (row["errors"], row["searches"]) == (alerts, searches)
            for rank, count in missed.items():
                row = table.loc[("FNIR", threshold, rank, name)]
                assert (row["errors"], row["searches"]) == (count, mated)
                assert row["rate"] == (count / mated if mated else pytest.approx(np.nan, nan_ok=1))


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_tpir_is_what_fnir_leaves(seed):
    """TPIR = 1 - FNIR in rate and interval, and an empty group says that it is empty."""
    *_, gallery, lists, _ = messy_search(seed, 3)
    table = rates_of(lists, [INVESTIGATION, 0.5], (1, 2))
    fnir, tpir = table.loc["FNIR"], table.loc["TPIR"]
    np.testing.assert_allclose(tpir["rate"], 1 - fnir["rate"])
    np.testing.assert_allclose(tpir["low"], 1 - fnir["high"])
    np.testing.assert_allclose(tpir["high"], 1 - fnir["low"])
    absent = table.xs(gallery.groups[-1], level="probe_group")
    assert set(absent["status"]) == {"empty"}
    assert absent["rate"].isna().all()
    assert (absent["low"] == 0).all()
    assert (absent["high"] == 1).all()


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_rates_move_the_right_way(seed):
    """FPIR falls with T and grows with the gallery; FNIR grows with T and falls with R."""
    faces, vectors, gallery, lists, _rng = messy_search(seed, 4)
    steps = [-1.0, 0.0, 0.5, 0.9, 1.0]
    table = rates_of(lists, steps, (1, 2, 4))["errors"]
    for name in [*gallery.groups, "all"]:
        assert np.all(np.diff(table.xs(("FPIR", name), level=[0, 3])) <= 0)
        for rank in (1, 2, 4):
            assert np.all(np.diff(table.xs(("FNIR", rank, name), level=[0, 2, 3])) >= 0)
        for step in steps:
            assert np.all(np.diff(table.xs(("FNIR", step, name), level=[0, 1, 3])) <= 0)
    outside = lists.probes[~lists.mated]
    if gallery.size > 1:
        fewer = gallery.references[
            gallery.subject[gallery.references] != gallery.subject[gallery.references[0]]
        ]
        smaller = search(vectors, Gallery.of(faces, fewer), outside)
        assert np.all(smaller.top_score <= lists.top_score[~lists.mated])


@settings(max_examples=60, deadline=None)
@given(seed=seeds, percent=st.integers(1, 99))
def test_a_chosen_threshold_never_exceeds_its_target(seed, percent):
    """At the threshold the target holds; one float32 lower it does not, unless all may alert."""
    *_, lists, _ = messy_search(seed, 1, persons=30)
    outside = int((~lists.mated).sum())
    if percent * outside < 100:
        with pytest.raises(InputError, match="cannot be measured"):
            fpir_threshold(lists, percent / 100)
        return
    chosen = fpir_threshold(lists, percent / 100)
    best = lists.top_score[~lists.mated]
    assert 100 * int((best >= chosen.value).sum()) <= percent * outside
    assert chosen.alerts == int((best >= chosen.value).sum())
    assert chosen.gallery_size == lists.gallery.size
    assert ("uncertain" in chosen.caution) == (percent * outside // 100 < 30)
    with np.errstate(over="ignore"):  # the float32 below the lowest is -inf
        below = np.nextafter(np.float32(chosen.value), np.float32(-np.inf))
    assert 100 * int((best >= below).sum()) > percent * outside


def test_a_threshold_between_two_float32_is_not_rounded_onto_a_score():
    """A score just below a float64 threshold stays below it."""
    vectors = templates(unit([[1, 0], [0.6, 0.8]]))
    gallery = Gallery.of(faces_of([0, 1], [0, 0], ["g"]), [0])
    lists = search(vectors, gallery)
    score = float(lists.score[0, 0])
    table = rates_of(lists, [score, score + 1e-12])["errors"].xs(("FPIR", "all"), level=[0, 3])
    assert list(table) == [1, 0]


def test_failures_follow_the_documented_convention():
    """Failed non-mated search: no alert; failed mated search: a miss; failed mate: never found."""
    vectors = templates(unit(np.ones((6, 4))), [True, False, False, True, False, True])
    faces = faces_of([0, 1, 0, 1, 2, 3], [0] * 6, ["g"])
    lists = search(vectors, Gallery.of(faces, [0, 1]), rank=2)
    table = rates_of(lists, [0.5], (2,))
    fpir = table.xs(("FPIR", "all"), level=[0, 3]).iloc[0]
    fnir = table.loc[("FNIR", 0.5, 2, "all")]
    assert (fpir["errors"], fpir["searches"], fpir["failed"]) == (1, 2, 1)
    assert (fnir["errors"], fnir["searches"], fnir["failed"]) == (2, 2, 1)


def test_the_interval_counts_persons_not_searches():
    """Fifty searches of one person by copies of one image weigh as one, not as fifty."""
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(41), 50)
    vectors = unit(rng.normal(size=(41, 8)))[people]
    lists = search(templates(vectors), Gallery.of(faces_of(people, people * 0, ["g"]), [0]))
    row = rates_of(lists, [0.3]).xs(("FPIR", "all"), level=[0, 3]).iloc[0]
    assert row["searches"] == 2000
    assert row["effective_searches"] == pytest.approx(40)
    drawn = rates_of(lists, [0.3], interval=DoubleOrNothing(replicates=800))
    drawn = drawn.xs(("FPIR", "all"), level=[0, 3]).iloc[0]
    assert drawn["high"] - drawn["low"] == pytest.approx(row["high"] - row["low"], rel=0.3)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, images=st.integers(1, 2))
def test_a_drawn_gallery_has_the_composition_asked_for(seed, images):
    """So many persons per group, so many images each, all of the person's own group."""
    rng = np.random.default_rng(seed)
    faces, _ = messy_set(rng, persons=15)
    everyone = draw_gallery(faces, size=1, rng=rng)
    supply = {}
    for _, rows in faces.groupby("subject_id"):
        counts = rows["group"].value_counts(sort=False)
        if counts.max() >= images:
            supply[counts.idxmax()] = supply.get(counts.idxmax(), 0) + 1
    asked = {name: int(rng.integers(0, supply.get(name, 0) + 1)) for name in everyone.groups}
    if not sum(asked.values()):
        return
    gallery = draw_gallery(faces, per_group=asked, images_per_person=images, rng=rng)
    assert gallery.composition == asked
    assert gallery.size == sum(asked.values())
    assert len(gallery.references) == images * gallery.size
    assert gallery.size == faces.iloc[gallery.references]["subject_id"].nunique()
    held = set(faces["subject_id"].iloc[gallery.references])
    expected = [person in held for person in faces["subject_id"].iloc[gallery.probes]]
    assert list(gallery.mated(gallery.probes)) == expected


def test_drawing_is_fair_and_repeatable():
    """One seed, one gallery; over many draws each person and image comes up about equally."""
    faces = faces_of(np.repeat(np.arange(10), 2), np.zeros(20, int), ["g"])
    one, same = (draw_gallery(faces, size=4, rng=np.random.default_rng(9)) for _ in range(2))
    assert list(one.references) == list(same.references)
    rng = np.random.default_rng(10)
    drawn = np.bincount(
        np.concatenate([draw_gallery(faces, size=4, rng=rng).references for _ in range(2000)]),
        minlength=20,
    )
    # each image: 2,000 draws of chance 0.2, standard deviation 17.9
    assert np.all(np.abs(drawn - 400) < 5 * 17.9)


FACES = faces_of([0, 0, 1, 2, 2], [0, 0, 0, 1, 1], ["a", "b", "absent"])
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"per_group": {"a": 3, "b": 1}}, r"a: 3 asked for, 2 available"),
        ({"per_group": {"absent": 1}}, r"absent: 1 asked for, 0 available"),
        ({"per_group": {"a": 2}, "images_per_person": 2}, r"2 images.*\n.*a: 2 asked.*1 available"),
        ({"per_group": {"c": 1}}, r"asks for c, but the set has no such group; it has: a, b"),
        ({"per_group": {"a": 0}}, r"asks for nobody"),
        ({"per_group": {"a": -1, "b": 2}}, r"a: -1"),
        ({"size": 4}, r"the set: 4 asked for, 3 available"),
        ({"size": 1, "per_group": {"a": 1}}, r"not both"),
        ({}, r"not both"),
        ({"size": 1, "images_per_person": 0}, r"images_per_person=0"),
    ],
)
def test_a_gallery_that_the_set_cannot_supply_is_refused(settings_, message):
    """The message names the group, the number asked for and the number available."""
    with pytest.raises(InputError, match=message):
        draw_gallery(FACES, **settings_, rng=RNG)


def test_senseless_searches_are_refused():
    """An image searched against itself, a rank of 0, another set's templates, and so on."""
    gallery = Gallery.of(FACES, [0, 3])
    vectors = templates(unit(np.ones((5, 3))))
    broken = templates(np.full((5, 3), np.nan))
    cases = [
        (lambda: search(vectors, gallery, [1, 3]), "i0003 is a reference image"),
        (lambda: search(vectors, gallery, [9]), "row 9 is not among the 5 images"),
        (lambda: search(vectors, gallery, np.ones(4, bool)), "4 marks for 5 images"),
        (lambda: search(vectors, gallery, rank=0), "rank=0"),
        (lambda: search(templates(np.ones((4, 3))), gallery), "templates of the same set"),
        (lambda: search(broken, gallery), "not finite"),
        (lambda: Gallery.of(FACES, [1, 1]), "i0001 twice"),
        (lambda: Gallery.of(FACES, []), "no image"),
        (lambda: Gallery.of(FACES.drop(columns="group"), [0]), "group"),
        (lambda: rates_of(search(vectors, gallery, rank=2), [0.5], (3,)), "rank 3 is not within"),
        (lambda: rates_of(search(vectors, gallery), [math.nan]), "not a number"),
        (lambda: fpir_threshold(search(vectors, gallery), 1.0), "between 0 and 1"),
        (lambda: fpir_threshold(search(vectors, gallery), 0.1), "less than one alert"),
    ]
    for call, message in cases:
        with pytest.raises(InputError, match=message):
            call()
