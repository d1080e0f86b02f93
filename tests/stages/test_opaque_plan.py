"""Planned comparisons: exact numbers, nobody twice, everybody equally, and unbiased."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opaque_sets import even_faces, faces_of, messy_faces

from frbench.errors import InputError
from frbench.opaque.blocks import turns
from frbench.opaque.plan import plan_comparisons
from frbench.opaque.schedule import pairs_across, pairs_within

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("players", [*range(2, 30), 63, 64])
def test_everyone_meets_everyone_once_and_in_turn(players):
    """Each pair comes once; after any number of pairs nobody is ahead by more than one."""
    t = np.arange(players * (players - 1) // 2)
    first, second = pairs_within(np.full(len(t), players), t)
    met = {frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}
    assert met == {frozenset((i, j)) for i in range(players) for j in range(i)}
    used = np.zeros(players, dtype=int)
    for k, (i, j) in enumerate(zip(first, second, strict=True)):
        used[i] += 1
        used[j] += 1
        assert used.max() - used.min() <= 1
        assert k >= players // 2 or used.max() == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20))
def test_two_sides_meet_once_and_in_turn(left, right):
    """Each pair across comes once; either side is in turn, and the first pairs share nobody."""
    t = np.arange(left * right)
    one, other = pairs_across(np.full(len(t), left), np.full(len(t), right), t)
    assert len(set(zip(one.tolist(), other.tolist(), strict=True))) == left * right
    for end in range(1, len(t) + 1):
        for side, size in ((one, left), (other, right)):
            used = np.bincount(side[:end], minlength=size)
            assert used.max() - used.min() <= 1


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=8), st.integers(0, 40))
def test_turns_go_round(available, wanted):
    """The k-th use of anybody comes after everybody's use before it; nobody beyond its share."""
    entry, turn = turns(np.array(available), wanted)
    by_hand = [(q, e) for q in range(7) for e, most in enumerate(available) if q < most][:wanted]
    assert list(zip(turn.tolist(), entry.tolist(), strict=True)) == by_hand


@settings(max_examples=80, deadline=None)
@given(seeds, st.booleans(), st.booleans(), st.integers(1, 400), st.integers(1, 6))
def test_plans_are_exact_and_legal(seed, roles, spread, budget, rounds):
    """No comparison twice or with itself, kinds and cells as labelled, numbers as promised."""
    rng = np.random.default_rng(seed)
    faces = messy_faces(rng, spread=spread)
    stratum = rng.integers(0, 2, len(faces)).astype(np.int16)
    enrolled = rng.random(len(faces)) < 0.8
    most = 3 if budget > 60 else 0
    plan = plan_comparisons(
        faces,
        enrolled,
        budget=budget,
        mated=most,
        rounds=rounds,
        roles=roles,
        stratum=stratum,
        rng=rng,
    )
    pairs = list(zip(plan.first.tolist(), plan.second.tolist(), strict=True))
    seen = set(pairs) if roles else {frozenset(pair) for pair in pairs}
    assert len(seen) == len(pairs)
    assert np.all(plan.first != plan.second)
    same = plan.subject[plan.first] == plan.subject[plan.second]
    assert np.array_equal(same, plan.mated)
    assert np.all(same | (stratum[plan.first] == stratum[plan.second]))
    group = plan.group.astype(np.int64)
    assert np.array_equal(plan.cells.of(group[plan.first], group[plan.second]), plan.cell)
    planned, possible = plan.planned, plan.possible
    assert planned[1, :-1].tolist() == np.minimum(possible[1, :-1], most).tolist()
    left = budget - int(planned[1, -1])
    assert planned[0, -1] == min(left, possible[0, -1])
    short = planned[0, :-1] < possible[0, :-1]
    if short.any():
        assert planned[0, :-1].max() - planned[0, :-1][short].min() <= 1


@settings(max_examples=40, deadline=None)
@given(seeds, st.booleans(), st.booleans())
def test_a_full_plan_is_all_pairs(seed, roles, spread):
    """With budget to spare every admitted comparison is planned, counted by explicit loops."""
    rng = np.random.default_rng(seed)
    faces = messy_faces(rng, spread=spread)
    n, stratum = len(faces), rng.integers(0, 2, len(faces)).astype(np.int16)
    plan = plan_comparisons(
        faces, np.ones(n, bool), budget=10**6, roles=roles, stratum=stratum, rng=rng
    )
    ordered = {
        (i, j)
        for i in range(n)
        for j in range(n)
        if i != j and (plan.subject[i] == plan.subject[j] or stratum[i] == stratum[j])
    }
    pairs = zip(plan.first.tolist(), plan.second.tolist(), strict=True)
    if roles:
        assert set(pairs) == ordered
    else:
        assert {frozenset(p) for p in pairs} == {frozenset(p) for p in ordered}
    assert np.array_equal(plan.planned, plan.possible)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(2, 12), st.integers(1, 3), st.integers(1, 300))
def test_persons_are_used_equally(seed, persons, images, wanted):
    """Within a cell, in every prefix of rounds, persons differ by at most one comparison."""
    rng = np.random.default_rng(seed)
    faces = even_faces(persons, images, groups=2)
    within = persons * (persons - 1) // 2 * images**2
    across = persons**2 * images**2
    per_cell = {
        ("g0", "g0"): min(wanted, within),
        ("g0", "g1"): min(wanted, across),
    }
    plan = plan_comparisons(
        faces,
        np.ones(len(faces), bool),
        budget=10**6,
        per_cell=per_cell,
        mated=0,
        rounds=4,
        rng=rng,
    )
    for until in range(4):
        for cell in (0, 2):
            chosen = (plan.round <= until) & (plan.cell == cell)
            sides = [plan.subject[side[chosen]] for side in (plan.first, plan.second)]
            used = np.bincount(np.concatenate(sides), minlength=2 * persons)
            used = used[:persons] if cell == 0 else used
            halves = [used] if cell == 0 else [used[:persons], used[persons:]]
            assert all(half.max() - half.min() <= 1 for half in halves)
            pair = np.sort(np.stack(sides), axis=0)
            _, times = np.unique(pair, axis=1, return_counts=True)
            pairs = persons * (persons - 1) // 2 if cell == 0 else persons**2
            assert times.max(initial=0) <= -(-int(chosen.sum()) // pairs)


def test_a_balanced_plan_has_a_smaller_design_effect_than_chance():
    """Comparisons drawn at random share more persons than planned ones do."""
    rng = np.random.default_rng(5)
    faces = even_faces(100, 3)
    plan = plan_comparisons(faces, np.ones(len(faces), bool), budget=2000, mated=0, rng=rng)
    first, second = rng.integers(0, 300, (2, 4000))
    other = np.flatnonzero(plan.subject[first] != plan.subject[second])[:2000]

    def load(a, b):
        used = np.bincount(np.concatenate([plan.subject[a], plan.subject[b]]))
        return float(np.sum(used**2))

    planned = load(plan.first, plan.second)
    assert planned == 100 * 40**2
    assert load(first[other], second[other]) > 1.01 * planned
    row = plan.table().query("kind == 'FMR'").iloc[0]
    v = 1 / 2000 * 1e-3 * (1 - 1e-3) + (planned - 2 * 2000) / 2000**2 * 4 * 1e-6
    assert row["design_effect"] == pytest.approx(v * 2000 / (1e-3 * (1 - 1e-3)))
    assert row["sharing_nobody"] == 50


@pytest.mark.parametrize("wanted", [7, 45, 100])
def test_any_part_of_a_plan_is_unbiased(wanted):
    """The mean planned score is the mean over pairs of persons and their images."""
    rng = np.random.default_rng(3)
    subject = np.repeat(np.arange(11), rng.integers(1, 5, 11))
    faces = faces_of(subject, (subject >= 5).astype(int), 2)
    score = rng.random((len(subject), len(subject)))
    score += 3 * (subject[:, None] + subject[None, :]) / 10
    score = (score + score.T) / 2
    members = [np.flatnonzero(subject == k) for k in range(11)]
    sides = {0: (range(5), range(5)), 2: (range(5), range(5, 11))}
    truth = {
        cell: np.mean(
            [score[np.ix_(members[i], members[j])].mean() for i in one for j in other if i < j]
        )
        for cell, (one, other) in sides.items()
    }
    wanted_of = {0: min(wanted, 10), 2: min(wanted, 30)}
    found = {cell: [] for cell in sides}
    for _ in range(600):
        plan = plan_comparisons(
            faces,
            np.ones(len(faces), bool),
            budget=1000,
            per_cell={("g0", "g0"): wanted_of[0], ("g0", "g1"): wanted_of[2]},
            mated=0,
            rounds=1,
            rng=rng,
        )
        for cell in sides:
            chosen = plan.cell == cell
            found[cell].append(score[plan.first[chosen], plan.second[chosen]].mean())
    for cell, means in found.items():
        error = np.std(means) / np.sqrt(len(means))
        assert abs(np.mean(means) - truth[cell]) < 4 * error


def test_the_same_generator_gives_the_same_plan():
    """A plan follows from its seed, and its fingerprint from the plan."""
    faces = even_faces(20, 2, groups=2)
    enrolled = np.ones(len(faces), bool)
    plans = [
        plan_comparisons(faces, enrolled, budget=300, rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    ]
    assert plans[0].digest() == plans[1].digest() != plans[2].digest()
    assert np.array_equal(plans[0].first, plans[1].first)


def test_a_large_set_is_planned_without_listing_all_pairs():
    """100,000 images have 5e9 comparisons; a million of them are planned in seconds."""
    faces = even_faces(6250, 2, groups=8)
    begin = time.monotonic()
    plan = plan_comparisons(
        faces, np.ones(100_000, bool), budget=10**6, mated=1000, rng=np.random.default_rng(0)
    )
    assert time.monotonic() - begin < 30
    assert len(plan) == 10**6
    key = plan.first.astype(np.int64) * 100_000 + plan.second
    assert len(np.unique(key)) == len(key)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"budget": 0}, "plans nothing"),
        ({"budget": 5}, "mated comparisons alone exceed the budget of 5"),
        ({"budget": 500, "per_cell": 10_000}, "10000 asked, 180 possible"),
        ({"budget": 500, "per_cell": {("g0", "g7"): 1}}, "names the cell ('g0', 'g7')"),
        ({"budget": 100, "per_cell": 100, "mated": 0}, "leaves 100 beside 0 mated"),
        ({"budget": 500, "mated": -1}, "mated"),
    ],
)
def test_impossible_requests_are_refused(asked, words):
    """A plan that the set cannot offer is refused in one sentence that names the numbers."""
    faces = even_faces(10, 2, groups=2)
    with pytest.raises(InputError, match="(?s)" + words.replace("(", r"\(").replace(")", r"\)")):
        plan_comparisons(faces, np.ones(40, bool), rng=np.random.default_rng(0), **asked)
