"""The feedback loop against limits in closed form, worlds without bias, and its own accounts."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_worlds import even_world, matcher, world

from frbench.collectors import Events
from frbench.collectors.accept_above_threshold import AcceptAboveThreshold
from frbench.collectors.custody import Custody
from frbench.collectors.reviewed import Reviewed
from frbench.feedback.draws import Expectation
from frbench.feedback.loop import History, search_rates, simulate
from frbench.feedback.summary import growth_table, ranking
from frbench.feedback.urn import run_urn, urn_limits
from frbench.feedback.world import World
from frbench.learners.analytic import Analytic
from frbench.policies import Policy
from frbench.policies.as_is import AsIs
from frbench.policies.cap import Cap
from frbench.policies.delete_unlawful import DeleteUnlawful
from frbench.policies.fresh_sample import FreshSample
from frbench.policies.reweight import Reweight
from frbench.policies.suspend import Suspend
from frbench.policies.threshold_change import ThresholdChange
from frbench.simulation_rules import SimulationEvidence
from frbench.simulation_rules.disparity_grows import DisparityGrows
from frbench.simulation_rules.policy_helps import PolicyHelps
from frbench.values import Float64s


def lived(
    place: World,
    policy: Policy | None = None,
    *,
    rates: tuple[float, ...] = (1e-8, 4e-7),
    cross: float = 0.1,
    name: str = "as_is",
    rounds: int = 30,
    seeds: int = 40,
    seed: int = 1,
    expected: bool = False,
    learner: Analytic | None = None,
) -> History:
    """One history."""
    return simulate(
        place,
        matcher(place.population, *rates, cross=cross),
        policy or AsIs(),
        learner or Analytic(),
        Custody(),
        name=name,
        rounds=rounds,
        seeds=seeds,
        rng=np.random.default_rng(seed),
        draws=Expectation() if expected else None,
    )


@pytest.mark.parametrize(
    ("start", "update", "corrected", "limit"),
    [
        ([100.0, 200.0], [[3.0, 1.0], [2.0, 4.0]], False, 0.5),
        ([10.0, 10.0], [[0.2, 0.0], [0.0, 0.3]], False, 0.0),
        ([10.0, 10.0], [[0.2, 0.0], [0.0, 0.3]], True, 0.4),
    ],
)
def test_urns_reach_their_limits(
    start: list[float], update: list[list[float]], corrected: bool, limit: float
) -> None:
    """Means over simulations lie within 1e-3 of the limit that the equation gives."""
    shares = run_urn(
        np.array(start),
        np.array(update),
        rounds=130,
        seeds=1500,
        rng=np.random.default_rng(2),
        pace=0.05 if limit == 0.5 else 1.0,
        corrected=corrected,
    )
    assert abs(shares[:, 0].mean() - limit) < 1e-3
    if not corrected:
        assert limit in urn_limits(np.array(update))


def test_one_draw_a_round_reaches_the_same_limit() -> None:
    """The urn of the paper, ball by ball, ends where the faster one does."""
    shares = run_urn(
        np.array([2.0, 2.0]),
        np.array([[3.0, 1.0], [2.0, 4.0]]),
        rounds=2000,
        seeds=1500,
        rng=np.random.default_rng(3),
    )
    # one seed strays by about 0.02; the mean of 1,500 by a fortieth of that
    assert abs(shares[:, 0].mean() - 0.5) < 2e-3


@given(st.lists(st.floats(0.1, 5.0), min_size=4, max_size=4))
@settings(deadline=None, max_examples=50)
def test_limits_of_an_urn_are_fixed_points(numbers: list[float]) -> None:
    """At the limit the share of what is added equals the share in the urn."""
    update = np.array(numbers).reshape(2, 2)
    limits = urn_limits(update)
    assert limits
    for share in limits:
        added = np.array([share, 1 - share]) @ update
        assert added[0] / added.sum() == pytest.approx(share, abs=1e-6)


def test_arrests_alone_lead_to_the_steady_state_of_the_fixture() -> None:
    """Without a matcher the Black share of the images goes from 4.714 % to 9.696 %."""
    place = world(visits=0.0, wanted=0.0)
    share = lived(place, rounds=200, seeds=1, expected=True).of("share")[:, 0, 1]
    assert share[0] == pytest.approx(0.04714, abs=5e-6)
    assert share[-1] == pytest.approx(0.09696, abs=5e-6)
    noisy = lived(place, rounds=100, seeds=60).of("share")[60:, :, 1]
    assert noisy.mean() == pytest.approx(0.09696, abs=1e-3)


def test_shares_follow_the_recursion() -> None:
    """q' = (1 − rho) q + rho a, with rho the share of new images and a the shares of arrests."""
    place = world()
    history = lived(place, rounds=12, seeds=1, expected=True)
    share, arrests = (history.of(name)[:, 0].astype(float) for name in ("share", "arrests"))
    size = place.residents * (place.population @ place.arrests) / place.expiry
    for at in range(11):
        new = arrests[at].sum()
        size = (1 - place.expiry) * size + new
        rho = new / size
        step = (1 - rho) * share[at] + rho * arrests[at] / new
        assert share[at + 1] == pytest.approx(step, rel=1e-5)


def test_arrests_follow_the_formula_of_the_stops() -> None:
    """a_g is p_g × rate_g × (1 + k_g FPIR_g): the chain of stops in one factor."""
    place = world(pull=0.0, wanted=0.0)
    history = lived(place, rounds=3, seeds=1, expected=True)
    k = place.visits * place.stop_false * place.arrest_false / (place.residents * place.arrests)
    fpir = history.of("fpir")[:, 0].astype(float)
    told = place.residents * place.population * place.arrests * (1 + k * fpir)
    assert history.of("arrests")[:, 0] == pytest.approx(told, rel=1e-5)


def test_search_rates_equal_the_product_over_the_list() -> None:
    """FPIR is one minus the product over every reference, counted one by one."""
    first = np.array([[1e-3, 2e-4], [2e-4, 4e-3]])
    now, listed = np.array([[2e-3, 1e-3]]), np.array([[3.0, 5.0]])
    for group in range(2):
        silent = 1.0
        for other in range(2):
            moved = np.sqrt(now[0] / np.diag(first))
            silent *= (1 - first[group, other] * moved[group] * moved[other]) ** listed[0, other]
        assert search_rates(first, now, listed)[0, group] == pytest.approx(1 - silent)


def test_no_false_flags_without_planted_bias() -> None:
    """Of 100 loops between groups that are alike, at most 5 % are flagged, even at limit 1.

    Groups of one size meet their own kind on the watchlist alike often; groups of different sizes
    are alike only to a matcher that does not match within groups more often than across.
    """
    strict, usual = DisparityGrows(limit=1.0), DisparityGrows()
    flags = {"strict": 0, "usual": 0}
    for seed in range(100):
        groups, even = 2 + seed % 4, seed % 2 == 0
        population = np.full(groups, 1 / groups) if even else None
        place = even_world(groups, **({"population": population} if even else {}))
        history = lived(
            place,
            rates=(1e-7,) * groups,
            cross=0.1 if even else 1.0,
            rounds=15,
            seeds=8,
            seed=seed,
        )
        growth = growth_table([history], place, level=0.95)
        evidence = SimulationEvidence(growth, growth, "as_is", (), 15)
        flags["strict"] += strict.findings(evidence)[0].level == "flag"
        flags["usual"] += usual.findings(evidence)[0].level == "flag"
    assert flags["strict"] <= 5
    assert flags["usual"] == 0


def test_size_alone_feeds_itself() -> None:
    """With matches mostly within groups, alerts pull officers towards the largest group."""
    place = even_world(2)
    history = lived(place, rates=(1e-7, 1e-7), rounds=15, seeds=8)
    growth = growth_table([history], place, level=0.95).set_index(["measure", "group"])
    assert growth.loc[("share", "B"), "low"] > 1


def test_unequal_arrests_are_found() -> None:
    """Where arrests differ, the watchlist carries them into the false-alert rates."""
    place = world()
    history = lived(place, learner=Analytic(exponent=0.0), rounds=20, seeds=20)
    growth = growth_table([history], place, level=0.95)
    table = ranking([history], place, current="as_is", level=0.95)
    found = DisparityGrows().findings(SimulationEvidence(growth, table, "as_is", (), 20))
    assert [each.level for each in found] == ["flag"]
    assert found[0].keys["group"] == "Black"


def test_policies_do_what_they_say() -> None:
    """Each policy moves what it should from its first round, and nothing before it."""
    place = world()
    base = lived(place)
    policies: dict[str, Policy] = {
        "suspend": Suspend(first=5, rounds=10),
        "delete": DeleteUnlawful(first=5),
        "reweight": Reweight(first=5),
        "cap": Cap(first=5, times=1.0),
        "fresh": FreshSample(first=5, persons=50_000),
        "threshold": ThresholdChange(first=5, false_matches=0.1, recognised=0.5),
    }
    after = {name: lived(place, each, name=name) for name, each in policies.items()}
    for each in after.values():
        assert np.array_equal(each.values[:, :5], base.values[:, :5])
    alerts = after["suspend"].of("false_alerts") + after["suspend"].of("true_alerts")
    assert alerts[5:15].sum() == 0
    assert alerts[15:].sum() > 0
    assert after["delete"].of("released_held")[5:].sum() == 0
    assert after["reweight"].of("share")[6:].mean((0, 1)) == pytest.approx(
        place.population, rel=1e-5
    )
    assert after["cap"].of("share")[-1].mean(0)[1] < base.of("share")[-1].mean(0)[1]
    assert after["fresh"].of("share")[6:].mean((0, 1)) == pytest.approx([0.5, 0.5], abs=1e-3)
    at_change = after["threshold"].of("fmr")[5] / base.of("fmr")[5]
    assert at_change == pytest.approx(np.full_like(at_change, 0.1), rel=1e-5)
    alerts = after["threshold"].of("true_alerts")[5:].mean() / base.of("true_alerts")[5:].mean()
    assert alerts == pytest.approx(0.5, abs=0.02)


def test_a_better_policy_is_told_from_a_worse_one() -> None:
    """Trained on as many of each group, the disparity falls; weighted back to few, it rises."""
    place = world()
    policies: dict[str, Policy] = {
        "as_is": AsIs(),
        "fresh": FreshSample(first=3),
        "reweight": Reweight(first=3),
    }
    histories = [lived(place, each, name=name) for name, each in policies.items()]
    table = ranking(histories, place, current="as_is", level=0.95)
    assert list(table["policy"]) == ["fresh", "as_is", "reweight"]
    growth = growth_table(histories, place, level=0.95)
    found = PolicyHelps().findings(SimulationEvidence(growth, table, "as_is", (), 30))
    assert {each.keys["policy"]: each.level for each in found} == {
        "fresh": "note",
        "reweight": "watch",
    }


def test_too_few_seeds_are_undecided_with_a_number() -> None:
    """Three noisy seeds close to the limit cannot tell, and the answer says how many would."""
    place = even_world(2, population=np.full(2, 0.5), residents=3000.0, pull=0.0, expiry=0.5)
    history = lived(place, rates=(1e-7, 1e-7), rounds=6, seeds=3)
    growth = growth_table([history], place, level=0.95)
    found = DisparityGrows(measure="share", limit=1.0).findings(
        SimulationEvidence(growth, growth, "as_is", (), 6)
    )
    assert found[0].level == "undecided"
    assert "seeds would decide" in found[0].statement


def test_collectors_count_every_image_once() -> None:
    """Custody takes arrests, alerts come on top, and a review leaves most released people out."""
    ones = np.ones((1, 2))
    events = Events(4 * ones, 3 * ones, 2 * ones, ones, 10 * ones, 6 * ones)
    custody = Custody().collect(events)
    assert (custody.charged + custody.released == events.arrests).all()
    above = AcceptAboveThreshold().collect(events)
    assert (above.released == 13).all()
    assert (Reviewed(overlooked=0.5).collect(events).released == 3).all()


def test_the_same_seed_gives_the_same_rounds_and_groups_may_change_places() -> None:
    """Rounds repeat to the bit, and in expectation the order of the groups does not matter."""
    assert np.array_equal(lived(world()).values, lived(world()).values)
    place = world()

    def turned(values: Float64s) -> Float64s:
        return values[::-1].copy()

    mirror = world(
        groups=("Black", "White"),
        population=turned(place.population),
        arrests=turned(place.arrests),
    )
    forth = lived(place, expected=True, seeds=1)
    back = lived(mirror, expected=True, seeds=1, rates=(4e-7, 1e-8))
    assert np.allclose(forth.values, back.values[..., ::-1], rtol=1e-5)


def test_a_thousand_rounds_of_many_seeds_take_seconds() -> None:
    """100,000 rounds of a group pair within ten seconds of one core."""
    started = time.process_time()
    lived(world(), rounds=1000, seeds=100)
    assert time.process_time() - started < 10
