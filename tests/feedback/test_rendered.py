"""The loop with a real network in it: small, on rendered faces, the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from loop_worlds import matcher, world

from frbench.collectors.custody import Custody
from frbench.errors import InputError
from frbench.feedback.loop import History, simulate
from frbench.learners import Start
from frbench.learners.rendered import Rendered, group_rates
from frbench.policies.as_is import AsIs


def lived(cache: Path) -> History:
    """Two rounds of two seeds, each with a training of three steps."""
    place = world(groups=("lighter", "darker"), population=np.array([0.7, 0.3]))
    learner = Rendered(people=8, images=2, test_people=2, steps=3, batch=8, cache=cache)
    return simulate(
        place,
        matcher(place.population, 1e-7, 1e-7),
        AsIs(),
        learner,
        Custody(),
        name="as_is",
        rounds=2,
        seeds=2,
        rng=np.random.default_rng(1),
    )


def test_a_network_is_trained_every_round_and_repeats(tmp_path: Path) -> None:
    """The first round has the stated rates, later ones a network's, and a rerun the same."""
    history = lived(tmp_path)
    fmr = history.of("fmr")
    assert fmr[0] == pytest.approx(np.full((2, 2), 1e-7))
    assert np.isfinite(fmr).all()
    assert (fmr > 0).all()
    trained = list((tmp_path / "simulate").rglob("weights.safetensors"))
    assert 2 <= len(trained) <= 4
    assert np.array_equal(lived(tmp_path).values, history.values)


def test_rates_of_groups_are_counted_as_by_hand() -> None:
    """A double loop over the test set gives the same rates at the same threshold."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(30, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    person, group = np.arange(30) // 2, (np.arange(30) // 2) % 2
    pairs = [(i, j) for i in range(30) for j in range(i) if person[i] != person[j]]
    scores = [float(vectors[i] @ vectors[j]) for i, j in pairs]
    bar = np.quantile(scores, 0.9)
    for g in range(2):
        own = [s for s, (i, j) in zip(scores, pairs, strict=True) if group[i] == group[j] == g]
        told = (sum(s > bar for s in own) + 0.5) / (len(own) + 1)
        assert group_rates(vectors, group, person, 0.1, 2)[g] == pytest.approx(told)


def test_other_groups_cannot_be_rendered(tmp_path: Path) -> None:
    """The sentence names the groups that can."""
    even = np.full(2, 0.5)
    start = Start(("a", "b"), even, even, even)
    with pytest.raises(InputError, match="lighter, darker"):
        Rendered(cache=tmp_path).begin(start, seeds=1, rng=np.random.default_rng(1))
