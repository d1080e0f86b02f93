"""Which comparisons a vendor is asked for, and the tally that its answers make.

All pairs where the budget allows them; then the tally is that of the engine for vectors, and the
same scores give the same counts, rates and intervals. Otherwise a plan, or a protocol's list, and
the tally lists its comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from frbench.counting.images import Images
from frbench.errors import InputError
from frbench.opaque.plan import plan_comparisons
from frbench.opaque.vendor import Effort
from frbench.values import (
    Bools,
    FaceSet,
    Float64s,
    Floats,
    Histogram,
    Int64s,
    ScoredPairs,
    ScoreTally,
)


@dataclass(frozen=True)
class Chosen:
    """The comparisons of one run.

    Attributes:
        images, groups, policy: who is on the images, and which non-mated comparisons count.
        first, second: int64 [M], image numbers, those of one first together; attempted.
        ordered: whether first is the probe.
        complete: whether these are all comparisons between enrolled images, and nothing else.
        how: one clause for the record.
        possible: comparisons that the set offers.
    """

    images: Images
    groups: tuple[str, ...]
    policy: str
    first: Int64s
    second: Int64s
    ordered: bool
    complete: bool
    how: str
    possible: int

    @property
    def askable(self) -> Bools:
        """bool [M]: both images have a template; the others fail without being asked."""
        return np.asarray(self.images.enrolled[self.first] & self.images.enrolled[self.second])


def choose_pairs(
    faces: FaceSet,
    images: Images,
    groups: tuple[str, ...],
    *,
    policy: str,
    effort: Effort,
    rng: np.random.Generator,
) -> Chosen:
    """All pairs within the budget, else a plan; or what the set's protocol lists.

    Raises InputError where a protocol and an impostor policy, or budget, exclude each other.
    """
    if faces.pairs is not None:
        return _listed(faces, images, groups, policy, effort)
    enrolled = np.flatnonzero(images.enrolled)
    if len(enrolled) < 2:
        raise InputError(f"only {len(enrolled)} image of {faces.name} gave a template")
    everything = _possible(images, enrolled)
    possible = everything * (2 if effort.asymmetric else 1)
    if not effort.asymmetric and possible <= effort.budget:
        first, second = _all(images, enrolled)
        return Chosen(
            images, groups, policy, first, second, False, True, "all pairs", possible
        )  # fmt: skip
    plan = plan_comparisons(
        faces.faces,
        images.enrolled,
        budget=max(effort.budget, 1),
        rounds=1,
        roles=effort.asymmetric,
        stratum=images.stratum,
        policy=policy,
        rng=rng,
    )
    order = np.lexsort((plan.second, plan.first))
    first, second = plan.first[order].astype(np.int64), plan.second[order].astype(np.int64)
    both = ", in both orders" if effort.asymmetric else ""
    all_of_them = len(plan) == int(plan.possible[:, -1].sum())
    how = "all pairs" if all_of_them else "a planned sample, balanced over persons"
    return Chosen(images, groups, policy, first, second, plan.ordered, False, how + both,
                  int(plan.possible[:, -1].sum()))  # fmt: skip


def tally_of(
    chosen: Chosen, score: Float64s, work: dict[str, float | int | str], bins: int
) -> ScoreTally:
    """The counts' source from the scores of all chosen comparisons, NaN where one failed.

    Scores that float32 holds exactly are kept as float32, so that a matcher of ours behind a
    vendor's interface has its own thresholds to the last bit.
    """
    own = chosen.images
    kept: Floats = score
    with np.errstate(over="ignore"):
        narrow = score.astype(np.float32)
    if np.array_equal(narrow.astype(np.float64), score, equal_nan=True):
        kept = narrow
    pairs = ScoredPairs(chosen.first.astype(np.int32), chosen.second.astype(np.int32), kept)
    mated: Bools = own.subject[pairs.first] == own.subject[pairs.second]
    done = ~np.isnan(score)
    failed = int((~done & chosen.askable).sum())
    every = chosen.complete and not failed
    return ScoreTally(
        groups=chosen.groups,
        subject=own.subject,
        group=own.group,
        stratum=own.stratum,
        enrolled=own.enrolled,
        mated=pairs.take(mated & done),
        tail=pairs.take(~mated & done),
        floor=-np.inf,
        policy=chosen.policy,
        ordered=chosen.ordered,
        listed=None if every else _with_failed(chosen, pairs),
        histogram=_histogram(chosen, pairs.take(done), mated[done], bins),
        work={
            "engine": "black box",
            "comparisons": len(pairs),
            "comparisons are": chosen.how,
            "possible": chosen.possible,
            "failed comparisons": failed,
            **work,
        },
    )


def _possible(images: Images, enrolled: Int64s) -> int:
    """Mated pairs, and non-mated ones within a stratum, of enrolled images."""
    subject, stratum = images.subject[enrolled], images.stratum[enrolled].astype(np.int64)
    persons = _pairs_within(subject.astype(np.int64))
    together = stratum * (int(subject.max()) + 1) + subject
    return persons + _pairs_within(stratum) - _pairs_within(together)


def _pairs_within(code: Int64s) -> int:
    count = np.unique(code, return_counts=True)[1].astype(np.int64)
    return int((count * (count - 1) // 2).sum())


def _all(images: Images, enrolled: Int64s) -> tuple[Int64s, Int64s]:
    firsts, seconds = [], []
    for place, one in enumerate(enrolled[:-1]):
        others = enrolled[place + 1 :]
        wanted = (images.subject[others] == images.subject[one]) | (
            images.stratum[others] == images.stratum[one]
        )
        seconds.append(others[wanted])
        firsts.append(np.full(int(wanted.sum()), one, dtype=np.int64))
    return np.concatenate(firsts), np.concatenate(seconds).astype(np.int64)


def _with_failed(chosen: Chosen, pairs: ScoredPairs) -> ScoredPairs:
    """The attempted comparisons; of all pairs also those with an image without a template."""
    if not chosen.complete:
        return pairs
    own = chosen.images
    every = Images(own.subject, own.group, own.stratum, np.ones_like(own.enrolled))
    first, second = _all(every, np.arange(len(own.subject)))
    without = ~(own.enrolled[first] & own.enrolled[second])
    nothing = np.full(int(without.sum()), np.nan, dtype=pairs.score.dtype)
    return ScoredPairs(
        np.concatenate([pairs.first, first[without].astype(np.int32)]),
        np.concatenate([pairs.second, second[without].astype(np.int32)]),
        np.concatenate([pairs.score, nothing]),
    )


def _listed(
    faces: FaceSet, images: Images, groups: tuple[str, ...], policy: str, effort: Effort
) -> Chosen:
    assert faces.pairs is not None
    if policy != "all":
        raise InputError(
            f"comparison.same: the protocol of {faces.name} lists its comparisons; take "
            "comparison=all_pairs with it"
        )
    place = pd.Series(np.arange(len(faces.faces)), index=faces.faces["image_id"])
    sides = [faces.pairs[side].map(place) for side in ("probe_id", "reference_id")]
    kept = (sides[0].notna() & sides[1].notna() & (sides[0] != sides[1])).to_numpy()
    first, second = (side.to_numpy()[kept].astype(np.int64) for side in sides)
    if not len(first):
        raise InputError(f"no pair that the protocol of {faces.name} lists is among its images")
    if len(first) > effort.budget:
        raise InputError(
            f"the protocol of {faces.name} lists {len(first):,} comparisons, more than "
            f"matcher.budget={effort.budget}; raise it"
        )
    order = np.lexsort((second, first))
    return Chosen(images, groups, "as listed", first[order], second[order], effort.asymmetric,
                  False, "as the protocol lists them", len(first))  # fmt: skip


def _histogram(chosen: Chosen, done: ScoredPairs, mated: Bools, bins: int) -> Histogram | None:
    """Counts per cell between the lowest and the highest score; None without scores or bins."""
    if not bins or not len(done):
        return None
    score = done.score.astype(np.float64)
    low, high = float(score.min()), float(score.max())
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    group = chosen.images.group.astype(np.int64)
    a, b = group[done.first], group[done.second]
    if not chosen.ordered:
        a, b = np.minimum(a, b), np.maximum(a, b)
    place = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, bins - 1)
    counts = np.zeros((2, len(chosen.groups), len(chosen.groups), bins), dtype=np.int64)
    np.add.at(counts, ((~mated).astype(np.int64), a, b, place), 1)
    return Histogram(edges, counts, 0.0)
