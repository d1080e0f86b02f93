"""Recipes: what every one promises, and what each one is for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.errors import InputError
from frbench.mixes import Candidates, Mix, Mixed
from frbench.mixes.as_retained import AsRetained
from frbench.mixes.capped_per_group import CappedPerGroup
from frbench.mixes.equal_per_group import EqualPerGroup
from frbench.mixes.fresh_sample import FreshSample
from frbench.mixes.importance_weighted import ImportanceWeighted
from frbench.mixes.lawfully_retained import LawfullyRetained
from frbench.mixes.population_matched import PopulationMatched
from frbench.values import UNLABELLED

GROUPS = ("a", "b", "c", UNLABELLED)
POPULATION = {"a": 0.5, "b": 0.3, "c": 0.2}
ALL: list[Mix] = [
    AsRetained(),
    LawfullyRetained(),
    PopulationMatched(),
    EqualPerGroup(),
    ImportanceWeighted(),
    CappedPerGroup(),
    FreshSample(),
]


@st.composite
def manifests(draw: st.DrawFn) -> Candidates:
    """Persons of every group, one to four images each, some released without charge."""
    homes = [0, 0, 1, 1, 2, 2, *draw(st.lists(st.integers(0, 3), max_size=40))]
    images = draw(st.lists(st.integers(1, 4), min_size=len(homes), max_size=len(homes)))
    person = np.repeat(np.arange(len(homes)), images)
    words = draw(st.lists(st.booleans(), min_size=len(person), max_size=len(person)))
    disposal = np.where(words, "charged", "released_without_charge")
    disposal[: images[0] + images[1]] = "charged"
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(len(person))
    return Candidates(
        "made up",
        person[order],
        np.array(homes)[person[order]],
        GROUPS,
        disposal[order],
        POPULATION,
    )


def chosen(mix: Mix, candidates: Candidates, seed: int = 1) -> Mixed:
    """What the recipe takes with this seed."""
    return mix.choose(candidates, rng=np.random.default_rng(seed))


def people_of(candidates: Candidates, mixed: Mixed) -> np.ndarray:
    """Persons chosen, per group, counted by a loop."""
    seen: list[set[int]] = [set() for _ in GROUPS]
    for row in mixed.rows:
        seen[candidates.group[row]].add(int(candidates.person[row]))
    return np.array([len(each) for each in seen])


@pytest.mark.parametrize("mix", ALL, ids=lambda each: type(each).__name__)
@settings(max_examples=25, deadline=None)
@given(candidates=manifests())
def test_every_recipe_keeps_its_promises(mix: Mix, candidates: Candidates) -> None:
    """Rows rise, weights are positive, the seed decides, and persons are whole but by disposal."""
    mixed = chosen(mix, candidates)
    assert (np.diff(mixed.rows) > 0).all()
    assert mixed.weights.shape == mixed.rows.shape
    assert (mixed.weights > 0).all()
    assert np.array_equal(chosen(mix, candidates).rows, mixed.rows)
    if not isinstance(mix, LawfullyRetained):
        who = np.unique(candidates.person[mixed.rows])
        assert np.isin(candidates.person, who).sum() == len(mixed.rows)


@settings(max_examples=25, deadline=None)
@given(candidates=manifests())
def test_each_recipe_does_what_its_name_says(candidates: Candidates) -> None:
    """Counts per group against loops over the manifest."""
    have = people_of(candidates, chosen(AsRetained(), candidates))
    assert have.sum() == len(set(candidates.person.tolist()))
    lawful = chosen(LawfullyRetained(), candidates)
    assert candidates.disposal is not None
    assert set(candidates.disposal[lawful.rows]) == {"charged"}
    assert len(lawful.rows) == (candidates.disposal == "charged").sum()
    equal = people_of(candidates, chosen(EqualPerGroup(), candidates))
    assert equal.tolist() == [have[:3].min()] * 3 + [0]
    capped = people_of(candidates, chosen(CappedPerGroup(people=3), candidates))
    assert capped.tolist() == [min(each, 3) for each in have]
    matched = people_of(candidates, chosen(PopulationMatched(), candidates))
    size = min(have[g] / share for g, share in enumerate(POPULATION.values()))
    assert all(
        size * share - 1 < got <= size * share + 1e-6
        for got, share in zip(matched, POPULATION.values(), strict=False)
    )
    assert matched[3] == 0


@settings(max_examples=25, deadline=None)
@given(candidates=manifests())
def test_importance_weights_give_the_population_back(candidates: Candidates) -> None:
    """Without a limit each group is drawn as often as its share of the population says."""
    mixed = chosen(ImportanceWeighted(largest=1e9), candidates)
    drawn = np.bincount(candidates.group[mixed.rows], mixed.weights, minlength=4)
    assert drawn / drawn.sum() == pytest.approx([0.5, 0.3, 0.2, 0.0])
    even = chosen(ImportanceWeighted(largest=1.0), candidates)
    assert len(set(even.weights.round(9))) == 1
    limited = chosen(ImportanceWeighted(largest=1.5), candidates).weights
    assert limited.max() <= 1.5 * limited.min() * (1 + 1e-9)


def test_what_cannot_be_done_is_said() -> None:
    """No disposals, no population, nobody left."""
    one = np.zeros(2, dtype=np.int64)
    bare = Candidates("bare", np.arange(2), one, ("a",))
    with pytest.raises(InputError, match="no column disposal"):
        chosen(LawfullyRetained(), bare)
    with pytest.raises(InputError, match="reference=population_file"):
        chosen(PopulationMatched(), bare)
    with pytest.raises(InputError, match="fewer than two persons"):
        chosen(AsRetained(), Candidates("one", one, one, ("a",)))
    gone = Candidates("gone", np.arange(2), one, ("a",), np.array(["no_further_action"] * 2))
    with pytest.raises(InputError, match="lawfully_retained leaves fewer"):
        chosen(LawfullyRetained(), gone)
