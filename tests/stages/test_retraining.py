"""Effects of retraining: intervals that keep their level, variances against brute force, links."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from frbench.auditing.synthetic import SyntheticCustody
from frbench.errors import InputError
from frbench.references.independent_shares import IndependentShares
from frbench.retraining.effects import BEFORE, CHANGE_COLUMNS, mean_of
from frbench.retraining.findings import Limits, holm, recipe_table, retraining_findings
from frbench.retraining.linking import observed, slope
from frbench.retraining.variance import split


def test_the_interval_of_a_mean_keeps_its_level() -> None:
    """With noise by persons, shared by all seeds, and noise by seeds, 95 % means 95 %."""
    rng = np.random.default_rng(1)
    seeds, inside, tries = 5, 0, 2000
    for _ in range(tries):
        shared = rng.normal(0, 0.3)
        per_seed = 1.0 + shared + rng.normal(0, 0.5, seeds)
        low, high = mean_of(per_seed, rng.normal(0, 0.3, 400)).bounds(0.95)
        inside += low <= 1.0 <= high
    assert 0.935 < inside / tries < 0.98


def test_the_two_parts_of_the_error_have_their_limits() -> None:
    """Without noise by persons it is Student's interval, without seeds the normal one."""
    values = np.array([0.1, 0.4, 0.3, 0.6])
    low, high = mean_of(values, np.zeros(10)).bounds(0.9)
    student = stats.t.interval(0.9, 3, values.mean(), values.std(ddof=1) / 2)
    assert (low, high) == pytest.approx(student)
    noise = np.array([-1.0, 1.0]) * 0.2
    alone = mean_of(np.array([0.5]), noise)
    assert math.isnan(alone.seed_variance)
    assert alone.bounds(0.95) == pytest.approx(stats.norm.interval(0.95, 0.5, 0.2))
    nothing = mean_of(np.array([0.5, np.nan]), noise)
    assert nothing.bounds(0.95) == (-np.inf, np.inf)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 1000))
def test_variances_follow_from_sums_of_squares(recipes: int, seeds: int, key: int) -> None:
    """Mean squares added up in loops, and scipy's own analysis of variance."""
    values = np.random.default_rng(key).normal(size=(recipes, seeds)) + np.arange(recipes)[:, None]
    found = split(values)
    grand = sum(values[r, s] for r in range(recipes) for s in range(seeds)) / values.size
    between = sum(seeds * (values[r].mean() - grand) ** 2 for r in range(recipes)) / (recipes - 1)
    within = sum(
        (values[r, s] - values[r].mean()) ** 2 for r in range(recipes) for s in range(seeds)
    )
    within /= recipes * (seeds - 1)
    assert found["seed_variance"] == pytest.approx(within)
    assert found["data_variance"] == pytest.approx(max(0.0, (between - within) / seeds))
    f, p_value = stats.f_oneway(*values)
    assert (found["f"], found["p_value"]) == pytest.approx((f, p_value))
    assert 0 <= found["low"] <= found["data_share"] <= found["high"] <= 1
    moved = split(3.0 * values + 7.0)
    assert moved["data_share"] == pytest.approx(found["data_share"], abs=1e-9)


def test_the_share_of_the_data_keeps_its_level() -> None:
    """The interval of the data's share covers the planted share 95 times in 100."""
    rng = np.random.default_rng(2)
    inside, tries = 0, 1500
    for _ in range(tries):
        values = rng.normal(0, 1.0, (6, 1)) + rng.normal(0, 0.5, (6, 4))
        found = split(values)
        inside += float(str(found["low"])) <= 0.8 <= float(str(found["high"]))
    assert abs(inside / tries - 0.95) < 0.02


def test_a_planted_slope_is_found_and_the_groups_levels_do_not_matter() -> None:
    """log ratio = level of the group − 0.5 log share: a doubling multiplies by 2^-0.5."""
    rng = np.random.default_rng(3)
    share = rng.dirichlet(np.ones(4), size=(5, 1)).repeat(3, axis=1)
    level = np.array([0.0, 1.0, -2.0, 0.3])
    value = level - 0.5 * np.log(share) + rng.normal(0, 0.01, share.shape)
    found = slope(share, value, np.zeros((10, *share.shape)))
    assert found.mean.value == pytest.approx(-0.5, abs=0.02)
    low, high = found.mean.bounds(0.95)
    assert low < -0.5 < high
    assert found.rank < -0.9
    same = np.full_like(share, 0.25)
    assert math.isnan(slope(same, value, np.zeros((10, *share.shape))).mean.value)


def test_observation_is_never_sold_as_proof() -> None:
    """Sentences on matchers that were only evaluated end with their limit."""
    share = np.array([[0.5, 0.5], [0.3, 0.7], [0.1, 0.9], [0.2, 0.8]])
    told = observed(share, share**-1.0)
    assert told.endswith("Association in 4 matchers; not proof of cause.")
    assert "0.500 times" in told
    assert observed(share[:2], share[:2]).startswith("Too few")


def change(
    recipe: str, against: str, ratio: float, low: float, high: float, **more: object
) -> dict:
    """One row of the ChangesTable."""
    row: dict[str, object] = {
        "operating_point": "FMR 0.01",
        "kind": "FMR gap",
        "group": "worst_to_geometric_mean",
        "recipe": recipe,
        "against": against,
        "before": 1.5,
        "after": 1.5 * ratio,
        "ratio": ratio,
        "low": low,
        "high": high,
        "level": 0.95,
        "log_change": math.log(ratio),
        "error": math.log(high / low) / 4,
        "degrees": 8.0,
        "persons_variance": 0.01,
        "seed_variance": 0.01,
        "seeds": 3,
        "status": "ok",
    }
    return {**row, **more}


def test_recipes_are_ranked_and_flags_follow_the_interval() -> None:
    """Grew: flag; shrank: note; straddles: undecided; the smallest disparity comes first."""
    rows = [
        change("kept", BEFORE, 1.6, 1.2, 2.1),
        change("lawful", BEFORE, 1.1, 0.8, 1.4),
        change("lawful", "kept", 0.7, 0.5, 0.9),
        change("equal", BEFORE, 0.7, 0.5, 0.9),
        change("equal", "kept", 0.5, 0.3, 1.2),
        change("kept", BEFORE, 2.5, 1.9, 3.3, kind="FMR", group="b"),
        change("kept", BEFORE, 1.05, 0.8, 1.3, kind="FMR", group="a"),
    ]
    table = pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))
    sizes = {each: {"persons": 9, "images": 18, "images_seen": 99} for each in table["recipe"]}
    recipes = recipe_table(table, sizes)
    assert list(recipes["recipe"]) == ["equal", "lawful", "kept"]
    assert list(recipes["rank"]) == [1, 2, 3]
    found = retraining_findings(table, recipes, pd.DataFrame(columns=["status"]), Limits())
    gaps = {each.keys["recipe"]: each.level for each in found if each.keys.get("kind") == "FMR gap"}
    assert gaps == {"kept": "flag", "lawful": "undecided", "equal": "note"}
    groups = [each.keys["group"] for each in found if each.keys.get("kind") == "FMR"]
    assert groups == ["b"]
    ranking = next(each for each in found if each.code == "retraining_options").statement
    assert "clearly smaller after “lawful”; no clear difference after “equal”" in ranking


def test_holm_is_never_below_the_single_and_never_above_bonferroni() -> None:
    """The bounds between which any step-down adjustment lies, and its first step."""
    given_p = np.array([0.2, 0.01, 0.04, 0.5])
    adjusted = holm(given_p)
    assert (adjusted >= given_p).all()
    assert (adjusted <= np.minimum(given_p * 4, 1)).all()
    assert adjusted.min() == pytest.approx(0.04)


def test_the_made_up_force_arrests_as_it_is_told(tmp_path: object) -> None:
    """Persons per group follow the factors, and the released are marked."""
    made = SyntheticCustody(
        people=32, images_per_person=1, arrests={"darker": 3}, released=0.5, cache=str(tmp_path)
    )
    training = made.load()
    assert training.synthetic
    assert (training.table["skin_tone"] == "darker").sum() == 24
    assert set(training.table["disposal"]) == {"charged", "released_without_charge"}
    assert all((made.root / path).is_file() for path in training.table["path"])
    with pytest.raises(InputError, match="benchmark's people"):
        SyntheticCustody(stream="benchmark")
    with pytest.raises(InputError, match="darkr"):
        SyntheticCustody(arrests={"darkr": 3})


def test_independent_labels_multiply() -> None:
    """The share of a combination is the product of its parts' shares."""
    part = IndependentShares(
        name="x", source="y", shares={"a": {"p": 3, "q": 1}, "b": {"r": 0.4, "s": 0.6}}
    )
    found = part.expected("a/b", ["p/r", "q/s"])
    assert found is not None
    assert found.shares == pytest.approx({"p/r": 0.3, "p/s": 0.45, "q/r": 0.1, "q/s": 0.15})
    assert part.expected("a/c", ["p/r"]) is None
