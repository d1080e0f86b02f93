"""Simulated populations whose rates are known exactly, as tallies of their errors alone.

Nobody's face and no score is simulated, only which comparisons err. Person i has a propensity u_i,
on [0, 3] with mean 1: 3 times a beta variate. Two persons are *look-alikes* with chance
pi u_i u_j, and then each of their image comparisons matches with a chance q_ij of mean ``q``;
others never match. The expected rate is pi q exactly, since pi 9 <= 1. Errors hence go together by
person, on both sides, and by pair of persons. A mated comparison of person i misses with a chance
v_i, a beta variate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from frbench.values import ScoredPairs, ScoreTally, Threshold

MOST = 3.0
EFFECTS = {"none": None, "moderate": (1.0, 2.0), "strong": (0.5, 1.0)}
"""Beta parameters of the propensity: variances 0, 0.5 and 0.8 about a mean of 1."""

POINT = [Threshold(0.5, "fixed", None, 0.0, 0, 0, "a simulated population")]


@dataclass(frozen=True)
class World:
    """A population to draw from.

    Attributes:
        fmr: float [G], within each group; between two groups the lower of theirs times ``across``.
        persons: per group.
        effects: a key of ``EFFECTS``.
        images: fewest and most per person, evenly.
        fnmr: mean; ``alike`` is the intraclass correlation of one person's misses.
        q: mean chance that two images of look-alikes match.
        across: 0 for comparisons within groups only.
    """

    fmr: tuple[float, ...]
    persons: tuple[int, ...]
    effects: str = "moderate"
    images: tuple[int, int] = (4, 20)
    fnmr: float = 0.05
    alike: float = 0.1
    q: float = 0.1
    across: float = 0.0

    def rate(self, a: int, b: int) -> float:
        """The expected FMR between two groups."""
        return self.fmr[a] if a == b else min(self.fmr[a], self.fmr[b]) * self.across


@dataclass(frozen=True)
class People:
    """Who is in a sample: group and propensity per person, and where its images begin."""

    owner: np.ndarray
    propensity: np.ndarray
    images: np.ndarray
    start: np.ndarray


def people(world: World, rng: np.random.Generator) -> People:
    """Draw persons."""
    owner = np.repeat(np.arange(len(world.persons)), world.persons)
    shape = EFFECTS[world.effects]
    size = len(owner)
    propensity = np.ones(size) if shape is None else MOST * rng.beta(*shape, size=size)
    images = rng.integers(world.images[0], world.images[1] + 1, size=size)
    return People(owner, propensity, images, np.cumsum(images) - images)


def sample(world: World, rng: np.random.Generator) -> ScoreTally:
    """One sample of persons and errors."""
    who = people(world, rng)
    groups = range(len(world.persons))
    pairs = [
        look_alikes(who, a, b, world.rate(a, b) / world.q, rng)
        for a in groups
        for b in groups
        if a <= b and world.rate(a, b) > 0
    ]
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    chance = pair_chance(world, len(first), rng)
    place, one, other = image_pairs(who, first, second)
    hit = rng.random(len(place)) < chance[place]
    return tally_of(world, who, one[hit], other[hit], rng)


def paired_samples(
    before: World, after: World, kept: float, rng: np.random.Generator
) -> tuple[ScoreTally, ScoreTally]:
    """One sample of persons under two matchers; ``kept`` of the rarer look-alikes are shared."""
    who = people(before, rng)
    arms: list[list[np.ndarray]] = [[], []]
    for group in range(len(before.persons)):
        rates = [world.fmr[group] / world.q for world in (before, after)]
        shared = kept * min(rates)
        for arm, rate in ((None, shared), (0, rates[0] - shared), (1, rates[1] - shared)):
            first, second = look_alikes(who, group, group, rate, rng)
            chance = pair_chance(before, len(first), rng)
            place, one, other = image_pairs(who, first, second)
            for each in (0, 1):
                if arm in (None, each):
                    hit = rng.random(len(place)) < chance[place]
                    arms[each].append(np.stack([one[hit], other[hit]]))
    found = [np.unique(np.concatenate(arm, axis=1), axis=1) for arm in arms]
    tallies = [
        tally_of(world, who, *matches, rng)
        for world, matches in zip((before, after), found, strict=True)
    ]
    return tallies[0], tallies[1]


def look_alikes(
    who: People, a: int, b: int, rate: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of persons of two groups, each listed with chance ``rate`` u_i u_j."""
    left, right = np.flatnonzero(who.owner == a), np.flatnonzero(who.owner == b)
    bound = rate * MOST**2
    if bound > 1:
        raise ValueError("so high a rate leaves no room for the persons' effects; raise q")
    # every ordered pair is hit at least once with chance ``bound``; a pair within a group has
    # two places, of which the lower half is ignored
    hits = rng.poisson(-np.log1p(-min(bound, 1 - 1e-12)) * len(left) * len(right))
    place = np.unique(rng.integers(0, len(left) * len(right), size=hits))
    i, j = np.divmod(place, max(len(right), 1))
    if a == b:
        i, j = i[i < j], j[i < j]
    i, j = left[i], right[j]
    real = rng.random(len(i)) * MOST**2 < who.propensity[i] * who.propensity[j]
    return i[real], j[real]


def pair_chance(world: World, size: int, rng: np.random.Generator) -> np.ndarray:
    """q_ij: beta with mean q."""
    return rng.beta(2.0, 2.0 * (1.0 - world.q) / world.q, size=size)


def image_pairs(
    who: People, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every comparison of the listed pairs of persons: pair's position, and the two images."""
    many = who.images[second]
    size = who.images[first] * many
    place = np.repeat(np.arange(len(first)), size)
    number = np.arange(len(place)) - np.repeat(np.cumsum(size) - size, size)
    row, column = np.divmod(number, many[place])
    return place, who.start[first[place]] + row, who.start[second[place]] + column


def tally_of(
    world: World, who: People, one: np.ndarray, other: np.ndarray, rng: np.random.Generator
) -> ScoreTally:
    """The matches as a tally, with mated comparisons drawn."""
    person = np.repeat(np.arange(len(who.owner)), who.images)
    group = who.owner[person].astype(np.int16)
    nobody = np.zeros(len(group), np.int16)
    return ScoreTally(
        groups=tuple(f"g{number}" for number in range(len(world.persons))),
        subject=person.astype(np.int32),
        group=group,
        stratum=nobody if world.across else group,
        enrolled=np.ones(len(group), dtype=bool),
        mated=_mated(world, who, rng),
        tail=ScoredPairs(one.astype(np.int32), other.astype(np.int32), np.ones(len(one))),
        floor=0.5,
        policy="all" if world.across else "same_all",
    )


def _mated(world: World, who: People, rng: np.random.Generator) -> ScoredPairs:
    everyone = np.arange(len(who.owner))
    place, one, other = image_pairs(who, everyone, everyone)
    upper = one < other
    place, one, other = place[upper], one[upper], other[upper]
    spread = 1.0 / world.alike - 1.0
    chance = rng.beta(world.fnmr * spread, (1 - world.fnmr) * spread, size=len(everyone))
    matched = (rng.random(len(place)) >= chance[place]).astype(np.float64)
    return ScoredPairs(one.astype(np.int32), other.astype(np.int32), matched)


def with_rates(world: World, fmr: Sequence[float]) -> World:
    """The same persons to draw from, under other rates."""
    return replace(world, fmr=tuple(fmr))
