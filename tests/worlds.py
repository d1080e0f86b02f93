"""Small populations whose error rates are known, as tallies made without the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from frbench.gaps import differentials, paired_change
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.judging import Evidence
from frbench.measures.gini import Gini
from frbench.rates import error_rates
from frbench.values import FaceSet, ScoredPairs, ScoreTally, Threshold


def tally_of(
    scores,
    *,
    subject,
    group,
    groups,
    stratum=None,
    enrolled=None,
    floor=-np.inf,
    policy="all",
):
    """ScoreTally of all pairs, by a double loop over images; ``scores`` is float [N, N]."""
    n = len(subject)
    stratum = np.zeros(n, dtype=np.int16) if stratum is None else np.asarray(stratum, np.int16)
    enrolled = np.ones(n, dtype=bool) if enrolled is None else np.asarray(enrolled, dtype=bool)
    mated, tail = [], []
    for i in range(n):
        for j in range(i + 1, n):
            if not (enrolled[i] and enrolled[j]):
                continue
            if subject[i] == subject[j]:
                mated.append((i, j, scores[i, j]))
            elif stratum[i] == stratum[j] and scores[i, j] >= floor:
                tail.append((i, j, scores[i, j]))
    return ScoreTally(
        groups=tuple(groups),
        subject=np.asarray(subject, np.int32),
        group=np.asarray(group, np.int16),
        stratum=stratum,
        enrolled=enrolled,
        mated=pairs_of(mated),
        tail=pairs_of(tail),
        floor=floor,
        policy=policy,
    )


def pairs_of(rows):
    """ScoredPairs from (first, second, score) rows."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return ScoredPairs(table[:, 0].astype(np.int32), table[:, 1].astype(np.int32), table[:, 2])


def threshold_at(value, target=None):
    """A Threshold at a score, with nothing known about how it was chosen."""
    rule = "fixed" if target is None else "target_fmr"
    return Threshold(value, rule, target, target or 0.0, 0, 0, "a world")


def random_tally(rng, *, persons=8, images=4, groups=3, strata=2, spread=True, levels=5):
    """A small messy set: several groups per person if ``spread``, ties, failures, singles."""
    per_person = rng.integers(1, images + 1, size=persons)
    subject = np.repeat(np.arange(persons), per_person)
    n = len(subject)
    own_group, own_stratum = rng.integers(0, groups, persons), rng.integers(0, strata, persons)
    group, stratum = own_group[subject], own_stratum[subject]
    if spread:
        moved = rng.random(n) < 0.3
        group = np.where(moved, rng.integers(0, groups, n), group)
        stratum = np.where(moved, rng.integers(0, strata, n), stratum)
    scores = rng.integers(0, levels, size=(n, n)) / (levels - 1)
    return tally_of(
        scores,
        subject=subject,
        group=group,
        groups=[f"g{k}" for k in range(groups + 1)],  # the last group is absent
        stratum=stratum,
        enrolled=rng.random(n) < 0.85,
        floor=0.25,
        policy="some stratum",
    )


def as_listed(tally, scores, *, ordered=False, kept=1.0, rng=None):
    """The same comparisons written out as a list, with NaN where a template failed."""
    n = len(tally.subject)
    rows = []
    for i in range(n):
        for j in range(n) if ordered else range(i + 1, n):
            if i == j or (rng is not None and rng.random() > kept):
                continue
            if tally.subject[i] != tally.subject[j] and tally.stratum[i] != tally.stratum[j]:
                continue
            both = tally.enrolled[i] and tally.enrolled[j]
            rows.append((i, j, scores[i, j] if both else np.nan))
    listed = pairs_of(rows)
    done = ~np.isnan(listed.score)
    same = tally.subject[listed.first] == tally.subject[listed.second]
    return ScoreTally(
        groups=tally.groups,
        subject=tally.subject,
        group=tally.group,
        stratum=tally.stratum,
        enrolled=tally.enrolled,
        mated=listed.take(same & done),
        tail=listed.take(~same & done),
        floor=-np.inf,
        policy=tally.policy,
        ordered=ordered,
        listed=listed,
    )


def population(
    rng,
    *,
    fmr,
    persons,
    images=4,
    person_share=0.3,
    pair_share=0.3,
    fnmr=0.05,
    failing=0.0,
    crossing=False,
):
    """A population with person effects and exactly known rates at threshold 0.

    A non-mated score is a normal deviate made of person, pair-of-persons and image parts
    (variance shares ``person_share``, ``pair_share`` and the rest), shifted so that its chance
    of being >= 0 is the group's FMR; a mated score likewise, with a person part, for the FNMR.

    Args:
        fmr: per group. persons: per group. images: per person, or (least, most).
        crossing: compare groups with each other too, at the lower of the two FMRs.
    """
    groups = len(fmr)
    owner = np.repeat(np.arange(groups), persons)
    total = len(owner)
    least, most = images if isinstance(images, tuple) else (images, images)
    subject = np.repeat(np.arange(total), rng.integers(least, most + 1, size=total))
    group = owner[subject]
    own = rng.normal(size=total) * np.sqrt(person_share / 2)
    first, second = _compared(subject, group, crossing)
    one, other = subject[first], subject[second]
    key, pair = np.unique(one.astype(np.int64) * total + other, return_inverse=True)
    score = own[one] + own[other] + np.sqrt(pair_share) * rng.normal(size=len(key))[pair]
    score += np.sqrt(1 - person_share - pair_share) * rng.normal(size=len(first))
    rate = np.minimum(np.asarray(fmr)[group[first]], np.asarray(fmr)[group[second]])
    score += stats.norm.ppf(rate)
    enrolled = rng.random(len(subject)) >= failing
    matching = (score >= 0) & enrolled[first] & enrolled[second]
    return ScoreTally(
        groups=tuple(f"g{k}" for k in range(groups)),
        subject=subject.astype(np.int32),
        group=group.astype(np.int16),
        stratum=np.zeros(len(subject), np.int16) if crossing else group.astype(np.int16),
        enrolled=enrolled,
        mated=_mated(rng, subject, enrolled, fnmr, person_share),
        tail=_pairs(first[matching], second[matching], score[matching]),
        floor=0.0,
        policy="all" if crossing else "same_all",
    )


def _compared(subject, group, crossing):
    """Non-mated pairs of images, within groups only unless ``crossing``."""
    found = []
    for block in [np.arange(len(subject))] if crossing else _members(group):
        first, second = np.triu_indices(len(block), 1)
        differ = subject[block[first]] != subject[block[second]]
        found.append((block[first[differ]], block[second[differ]]))
    return tuple(np.concatenate(side) for side in zip(*found, strict=True))


def _members(label):
    return [np.flatnonzero(label == value) for value in np.unique(label)]


def _mated(rng, subject, enrolled, fnmr, person_share):
    rows = [(a, b) for m in _members(subject) for k, a in enumerate(m) for b in m[k + 1 :]]
    pairs = np.array(rows, dtype=np.int64).reshape(-1, 2)
    pairs = pairs[enrolled[pairs].all(axis=1)]
    own = rng.normal(size=int(subject.max()) + 1) * np.sqrt(person_share)
    noise = rng.normal(size=len(pairs)) * np.sqrt(1 - person_share)
    score = own[subject[pairs[:, 0]]] + noise - stats.norm.ppf(fnmr)
    return _pairs(pairs[:, 0], pairs[:, 1], score)


def _pairs(first, second, score):
    return ScoredPairs(first.astype(np.int32), second.astype(np.int32), score)


def evidence_of(tallies, value, *, target=None, seed=0, measures=None):
    """What rules look at, for tallies by arm at a threshold of one value; the set is synthetic."""
    interval = WilsonEffective()
    measures = {"gini": Gini(corrected=True)} if measures is None else measures
    point, rng = [threshold_at(value, target)], np.random.default_rng(seed)
    rates, gaps = [], []
    for arm, tally in tallies.items():
        names = {"arm": arm, "matcher": "m", "benchmark": "world"}
        rates.append(error_rates(tally, point, interval, **names, rng=rng))
        gaps.append(differentials(tally, point, rates[-1], measures, interval, rng=rng))
    arms = [(tally, point) for tally in tallies.values()]
    group = pd.Categorical(np.array(arms[0][0].groups)[arms[0][0].group])
    return Evidence(
        rates=pd.concat(rates, ignore_index=True),
        gaps=pd.concat(gaps, ignore_index=True),
        thresholds=dict.fromkeys(tallies, point),
        faces=FaceSet("world", "1", Path(), pd.DataFrame({"group": group}), synthetic=True),
        change=paired_change(*arms, rng=rng) if len(arms) == 2 else None,
    )
