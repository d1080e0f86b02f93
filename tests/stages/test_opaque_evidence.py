"""Intervals of planned comparisons, and decisions that stay right however often one looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opaque_sets import even_faces, messy_faces
from scipy import stats

from frbench.counted import Counted
from frbench.errors import InputError
from frbench.intervals.wilson import Wilson
from frbench.opaque.evidence import Design, bounds, design_of, seen_heterogeneity2
from frbench.opaque.gate import Gate, Referee, look_at
from frbench.opaque.needed import needed, planned_design
from frbench.opaque.plan import plan_comparisons

seeds = st.integers(0, 2**32 - 1)


def one(value):
    """An array of one cell."""
    return np.array([float(value)])


@pytest.mark.parametrize(
    ("errors", "n", "low", "high"),
    [
        (0, 300, 0.0, 0.012220975),
        (1, 1000, 2.531749e-5, 5.558924e-3),
        (10, 200, 0.024234165, 0.090027538),
    ],
)
def test_independent_comparisons_give_the_exact_interval(errors, n, low, high):
    """When nobody is compared twice the interval is Clopper and Pearson's published one."""
    found = bounds(one(errors / n), Design(one(1 / n), one(0)), one(4), np.array(0.025))
    assert found.low[0] == pytest.approx(low, rel=1e-6)
    assert found.high[0] == pytest.approx(high, rel=1e-6)


def by_hand(tally, cell):
    """{pair of persons: comparisons} of one cell's non-mated comparisons."""
    count = {}
    listed = tally.listed
    for i, j in zip(listed.first.tolist(), listed.second.tolist(), strict=True):
        a, b = sorted((int(tally.subject[i]), int(tally.subject[j])))
        here = sorted((int(tally.group[i]), int(tally.group[j])))
        if a != b and (cell is None or here == cell):
            count[a, b] = count.get((a, b), 0) + 1
    return count


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(20, 200))
def test_the_design_counts_who_shares_whom(seed, budget):
    """a and b equal explicit loops over pairs of comparisons with two and with one person in
    common."""
    rng = np.random.default_rng(seed)
    faces = messy_faces(rng, persons=6, images=3, groups=2)
    plan = plan_comparisons(faces, np.ones(len(faces), bool), budget=budget, mated=0, rng=rng)
    tally = plan.tally(np.arange(len(plan)), rng.random(len(plan)))
    design = design_of(Counted(tally).false_matches(0.5))
    for place, cell in ((0, [0, 0]), (3, [0, 1]), (len(plan.cells) - 1, None)):
        count = by_hand(tally, cell)
        total = sum(count.values())
        if total == 0:
            assert np.isnan(design.own[place])
            continue
        both = sum(m * m for m in count.values())
        single = sum(
            m * k for p, m in count.items() for q, k in count.items() if len({*p, *q}) == 3
        )
        assert design.own[place] == pytest.approx(both / total**2)
        assert design.shared[place] == pytest.approx(single / total**2)


def test_assuming_nothing_counts_pairs_that_share_nobody():
    """With unbounded heterogeneity any number of full rounds is worth half the persons."""
    rng = np.random.default_rng(0)
    for rounds in (1, 3, 10):
        faces = even_faces(24, 2)
        plan = plan_comparisons(faces, np.ones(48, bool), budget=12 * rounds, mated=0, rng=rng)
        design = design_of(
            Counted(plan.tally(np.arange(len(plan)), np.zeros(len(plan)))).false_matches(1)
        )
        worth = design.effective(np.full(len(plan.cells), 1e-3), np.inf)
        assert worth[0] == pytest.approx(12)
        high = bounds(np.zeros(2), design, np.full(2, np.inf), np.array(0.025)).high
        assert high[0] == pytest.approx(1 - 0.025 ** (1 / 12))


def test_heterogeneity_is_seen_in_the_errors():
    """The estimate finds the coefficient of variation that a world was built with."""
    rng = np.random.default_rng(8)
    faces = even_faces(400, 1)
    plan = plan_comparisons(faces, np.ones(400, bool), budget=79_800, mated=0, rng=rng)
    found = []
    for _ in range(10):
        rate = np.where(rng.random(400) < 0.1, 4.0, 1.0) / 1.3
        chance = 0.02 * rate[plan.subject[plan.first]] * rate[plan.subject[plan.second]]
        tally = plan.tally(np.arange(len(plan)), (rng.random(len(plan)) < chance).astype(float))
        errors = Counted(tally).false_matches(0.5)
        found.append(seen_heterogeneity2(errors, design_of(errors))[0])
    truth = (0.1 * 16 + 0.9) / 1.3**2 - 1
    assert np.mean(found) == pytest.approx(truth, rel=0.15)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 20), st.integers(30, 3000), st.integers(4, 200), st.floats(0, 5), st.floats(0, 5)
)
def test_bounds_move_the_right_way(errors, n, persons, spread, more):
    """More errors raise both ends; allowing for more heterogeneity widens the interval."""
    n = min(n, persons * (persons - 1) // 2)
    errors = min(errors, n - 1)
    design = planned_design("FMR", one(n), persons, across=False)

    def at(count, h):
        found = bounds(one(count / n), design, one(h**2), np.array(0.01))
        return found.low[0], found.high[0]

    low, high = at(errors, spread)
    assert low <= errors / n <= high + 1e-12
    assert at(errors + 1, spread)[0] >= low
    assert at(errors + 1, spread)[1] >= high - 1e-12
    wider = at(errors, spread + more)
    assert wider[0] <= low * (1 + 1e-9)
    assert wider[1] >= high * (1 - 1e-9)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("rate", [0.0, 4e-4, 3e-3])
def test_what_is_needed_would_do_and_less_would_not(rate, across):
    """The budget named settles the gate; one person or one comparison fewer does not."""
    gate = Gate(1e-3, 0.5)
    need = needed(gate, 8, rate=rate, persons=20, heterogeneity=2.0, across=across)
    assert need is not None

    def settles(comparisons, persons):
        design = planned_design("FMR", one(comparisons), persons, across=across)
        found = bounds(one(rate), design, one(4), np.array(gate.tail(8)))
        return found.high[0] <= 1e-3 if rate < 1e-3 else found.low[0] > 1e-3

    assert settles(need.comparisons, need.persons)
    assert not settles(need.comparisons - 1, need.persons)
    assert not settles(1e12, need.persons - 1)


def test_the_rule_of_three_returns_when_persons_meet_once():
    """Assuming nothing, no error in 300 disjoint pairs shows the exact bound of 300 trials."""
    gate = Gate(0.0122209751, 0.5, heterogeneity=np.inf)
    need = needed(gate, 1, rate=0.0, persons=600, heterogeneity=np.inf, across=False)
    assert (need.persons, need.comparisons) == (600, 300)


def worlds(rng, plan, rate, *, kind):
    """One draw of errors whose expected rate is exactly ``rate`` in every cell."""
    persons = int(plan.subject.max()) + 1
    i, j = plan.subject[plan.first], plan.subject[plan.second]
    if kind == "latent":
        own = rng.normal(size=persons) * np.sqrt(0.15)
        score = own[i] + own[j] + np.sqrt(0.7) * rng.normal(size=len(plan))
        return (score >= stats.norm.isf(rate)).astype(float)
    if kind == "independent":
        return (rng.random(len(plan)) < rate).astype(float)
    lamb = np.where(rng.random(persons) < 0.04, 10.0, 1.0) / 1.36
    return (rng.random(len(plan)) < rate * lamb[i] * lamb[j]).astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["independent", "latent", "lambs"])
def test_wrong_decisions_stay_rare_under_optional_stopping(kind):
    """With the true rate at the limit every decision is wrong: at most 5 % of cells get one.

    The same data judged at every look as if comparisons were independent show that the worlds
    are hard enough for this test to fail.
    """
    rng = np.random.default_rng(11)
    limit, rounds, repetitions = 0.01, 8, 40
    faces = even_faces(150, 2, groups=2)
    plan = plan_comparisons(
        faces, np.ones(len(faces), bool), budget=24_000, mated=0, rounds=rounds, rng=rng
    )
    wrong = naive = 0
    for _ in range(repetitions):
        score = worlds(rng, plan, limit, kind=kind)
        referee = Referee([Gate(limit, 0.5)], rounds, len(plan.cells))
        fooled = np.zeros(3, dtype=bool)
        for number in range(rounds):
            asked = plan.round <= number
            tally = plan.tally(asked, score[asked])
            referee.look(number, tally)
            plain = Wilson().bounds(Counted(tally).false_matches(0.5), rng=rng)
            fooled |= (plain.high[:3] <= limit) | (plain.low[:3] > limit)
        wrong += np.count_nonzero(referee.decided["FMR"][:3])
        naive += np.count_nonzero(fooled)
    assert wrong <= 0.05 * 3 * repetitions
    assert naive > 0.10 * 3 * repetitions


def test_clear_cells_are_decided_early_and_rightly():
    """Rates far from the limit are decided, each on its side, before the last round."""
    rng = np.random.default_rng(2)
    faces = even_faces(150, 2, groups=2)
    plan = plan_comparisons(faces, np.ones(600, bool), budget=24_000, mated=0, rng=rng)
    rate = np.array([0.0005, 0.05, 0.0005])[plan.cell]
    score = (rng.random(len(plan)) < rate).astype(float)
    referee = Referee([Gate(0.01, 0.5)], 8, len(plan.cells))
    for number in range(8):
        asked = plan.round <= number
        referee.look(number, plan.tally(asked, score[asked]))
    assert referee.decided["FMR"].tolist() == [-1, 1, -1, 0]
    assert np.all(referee.when["FMR"][:3] < 7)
    assert np.all(referee.when["FMR"][:3] >= 0)


def test_a_decided_cell_keeps_its_last_look():
    """Later looks leave the numbers of a closed cell alone."""
    rng = np.random.default_rng(2)
    faces = even_faces(150, 2)
    plan = plan_comparisons(faces, np.ones(300, bool), budget=8000, mated=0, rng=rng)
    referee = Referee([Gate(0.02, 0.5)], 8, 2)
    early = plan.round <= 4
    referee.look(4, plan.tally(early, np.zeros(int(early.sum()))))
    assert referee.decided["FMR"][0] == -1
    referee.look(5, plan.tally(np.ones(len(plan), bool), np.ones(len(plan))))
    assert referee.decided["FMR"][0] == -1
    assert referee.seen["FMR"].comparisons[0] == early.sum()
    assert referee.when["FMR"][0] == 4


def test_mated_errors_are_worth_persons_not_comparisons():
    """Ten mated comparisons of one person that agree are worth one."""
    faces = even_faces(50, 5)
    plan = plan_comparisons(
        faces, np.ones(250, bool), budget=500, rounds=1, rng=np.random.default_rng(0)
    )
    tally = plan.tally(np.arange(len(plan)), np.ones(len(plan)))
    look = look_at(Counted(tally).false_non_matches(0.5), Gate(0.05, 0.5, kind="FNMR"), 1)
    assert look.comparisons[0] == 500
    assert look.high[0] == pytest.approx(1 - 0.025 ** (1 / 50))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"limit": 0.0}, "limit must lie"),
        ({"limit": 0.1, "level": 1.0}, "level must lie"),
        ({"limit": 0.1, "threshold": np.nan}, "finite score"),
        ({"limit": 0.1, "heterogeneity": -1.0}, "heterogeneity must be"),
        ({"limit": 0.1, "kind": "FTE"}, "FMR or FNMR"),
    ],
)
def test_gates_that_cannot_be_decided_are_refused(asked, words):
    """A gate's settings are checked before anything is asked."""
    with pytest.raises(InputError, match=words):
        Gate(**{"threshold": 0.5, **asked})


def test_two_gates_of_one_kind_are_refused():
    """Two limits for one rate would each need their own share of the error probability."""
    with pytest.raises(InputError, match="one gate per kind"):
        Referee([Gate(0.1, 0.5), Gate(0.2, 0.5)], 8, 2)
