"""What retraining changed, with an interval for the persons measured on and for the seeds.

Every quantity is the log of a rate, of a ratio of rates, or of a disparity. Of recipe r with seed
s, against the matcher before retraining,  d[r, s] = y[r, s] − y[before].  The mean over n seeds has
two sources of error that are independent: which persons are in the benchmark set, drawn with the
same weights for every matcher, so that what matchers share cancels, and the seeds, whose variance
is s² / n. Their sum is the variance of the mean; Welch and Satterthwaite's degrees of freedom
(Biometrics Bulletin 1946), infinite for the persons and n − 1 for the seeds, give the quantile.
The seeds' scatter holds some of the persons' as well, so the interval errs to the wide side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from frbench.counted import Counted
from frbench.group_replicates import replicates
from frbench.intervals.vertex_bootstrap import VertexBootstrap
from frbench.measures import Measure
from frbench.measures.max_min_ratio import MaxMinRatio
from frbench.measures.worst_to_geometric_mean import WorstToGeometricMean
from frbench.results import ArmResult
from frbench.values import ALL, UNLABELLED, Float64s, Int64s

KINDS = ("FMR", "FNMR")
RATIO = "to others"
"""Suffix of the kind of a group's rate over the mean of the other groups' rates."""
GAP = "gap"
"""Suffix of the kind of a disparity; the group is then the measure's name."""
FEW_ERRORS = 10
BEFORE = "before retraining"

CHANGE_COLUMNS = (
    *("operating_point", "kind", "group", "recipe", "against", "before", "after", "ratio"),
    *("low", "high", "level", "log_change", "error", "degrees", "persons_variance"),
    *("seed_variance", "seeds", "status"),
)
"""ChangesTable, a row per operating point, quantity, recipe and what it is compared with.

kind: ``FMR``, ``FNMR`` (group is a group or ``all``), ``FMR to others`` (the group's rate over the
mean of the others') or ``FMR gap`` (group is a measure). against: ``before retraining`` or another
recipe. before, after: means over the seeds. ratio: geometric mean over the seeds of after / before,
with its interval; log_change, error (standard), degrees: the same on the log scale.
persons_variance, seed_variance: the two parts of error², the latter NaN with one seed. status: ok,
few_errors (fewer than 10 errors in a cell it rests on), one_seed, or undefined (a rate of zero).
"""


@dataclass(frozen=True)
class Run:
    """One retrained matcher, measured."""

    recipe: str
    seed: int
    result: ArmResult


@dataclass(frozen=True)
class Quantity:
    """One thing that can change, at one operating point, in every run.

    Attributes:
        value: float64 [runs], logs, -inf of a rate of zero; the first is before retraining.
        noise: float64 [R, runs], what other persons would have added to each.
        few: whether some run has few errors in it.
    """

    point: str
    kind: str
    group: str
    value: Float64s
    noise: Float64s
    few: bool


@dataclass(frozen=True)
class Mean:
    """A mean over seeds of differences of logs."""

    value: float
    error: float
    degrees: float
    persons_variance: float
    seed_variance: float
    seeds: int

    def bounds(self, level: float) -> tuple[float, float]:
        """The interval, logs; without limits where nothing is known."""
        if not np.isfinite(self.value):
            return -np.inf, np.inf
        reach = self.error * float(stats.t.ppf((1 + level) / 2, self.degrees))
        return self.value - reach, self.value + reach


def quantities(
    before: ArmResult, runs: Sequence[Run], *, rng: np.random.Generator
) -> list[Quantity]:
    """Every quantity of every run, with the same persons drawn for all of them.

    All runs must be of the same benchmark set.
    """
    arms = [before, *(run.result for run in runs)]
    part = VertexBootstrap()
    weights = part.weights(int(before.tally.subject.max(initial=-1)) + 1, rng=rng)
    groups = [str(each) for each in before.tally.groups]
    counted = [Counted(arm.tally) for arm in arms]
    found = []
    for place, threshold in enumerate(before.thresholds):
        at = [arm.thresholds[place].value for arm in arms]
        drawn = [replicates(c, t, part, weights) for c, t in zip(counted, at, strict=True)]
        for kind in KINDS:
            rate = np.stack([each[kind].rate for each in drawn])
            again = np.stack([each[kind].log_noise for each in drawn], axis=1)
            seen = np.stack([each[kind].errors for each in drawn])
            found += _of_kind(threshold.label, kind, groups, rate, again, seen)
    return found


def _of_kind(
    point: str, kind: str, groups: Sequence[str], rate: Float64s, noise: Float64s, seen: Int64s
) -> list[Quantity]:
    """rate float64 [runs, G + 1], noise float64 [R, runs, G + 1], seen int64 [runs, G + 1]."""
    with np.errstate(all="ignore"):
        value, drawn = np.log(rate), np.log(rate) + noise
        plain = [
            Quantity(point, kind, group, value[:, g], noise[:, :, g], _few(seen[:, [g]]))
            for g, group in enumerate([*groups, ALL])
        ]
        used = [g for g, group in enumerate(groups) if group != UNLABELLED and rate[0, g] >= 0]
        if len(used) < 2:
            return plain
        for g in used:
            others = [each for each in used if each != g]

            def ratio(logs: Float64s, g: int = g, others: list[int] = others) -> Float64s:
                return np.asarray(logs[..., g] - np.log(np.exp(logs[..., others]).mean(-1)))

            few = _few(seen[:, used])
            plain.append(_derived(point, f"{kind} {RATIO}", groups[g], ratio, value, drawn, few))
        for measure in (WorstToGeometricMean(), MaxMinRatio()):

            def gap(logs: Float64s, measure: Measure = measure) -> Float64s:
                return np.asarray(np.log(measure.of(np.exp(logs[..., used]))))

            few = _few(seen[:, used])
            plain.append(_derived(point, f"{kind} {GAP}", measure.name, gap, value, drawn, few))
    return plain


def _derived(
    point: str, kind: str, group: str, of: object, value: Float64s, drawn: Float64s, few: bool
) -> Quantity:
    assert callable(of)
    here = np.asarray(of(value), dtype=np.float64)
    here = np.where(np.isfinite(here), here, np.nan)
    return Quantity(point, kind, group, here, np.asarray(of(drawn)) - here, few)


def _few(seen: Int64s) -> bool:
    return bool(seen.min() < FEW_ERRORS)


def mean_change(quantity: Quantity, after: Sequence[int], before: Sequence[int]) -> Mean:
    """Mean over pairs of runs of the difference of logs.

    Args:
        after, before: positions of runs, paired by seed; one ``before`` may serve for all.
    """
    one, other = np.asarray(after), np.broadcast_to(np.asarray(before), (len(after),))
    with np.errstate(invalid="ignore"):
        return mean_of(
            quantity.value[one] - quantity.value[other],
            (quantity.noise[:, one] - quantity.noise[:, other]).mean(axis=1),
        )


def mean_of(per_seed: Float64s, noise: Float64s) -> Mean:
    """The mean of float64 [n], one per seed; ``noise`` float64 [R] is by persons, of that mean."""
    count = len(per_seed)
    if not (np.isfinite(per_seed).all() and np.isfinite(noise).all()):
        return Mean(np.nan, np.nan, np.inf, np.nan, np.nan, count)
    value, persons = float(per_seed.mean()), float(noise.var())
    if count < 2:
        return Mean(value, float(np.sqrt(persons)), np.inf, persons, np.nan, count)
    seeds = float(per_seed.var(ddof=1)) / count
    total = persons + seeds
    degrees = np.inf if seeds == 0 else total**2 / (seeds**2 / (count - 1))
    return Mean(value, float(np.sqrt(total)), float(degrees), persons, seeds, count)


def changes(found: Sequence[Quantity], runs: Sequence[Run], *, level: float = 0.95) -> pd.DataFrame:
    """The ChangesTable: every recipe against the start, and against the first recipe.

    ``runs`` are in the order given to ``quantities``; recipes have the same seeds.
    """
    places = by_recipe(runs)
    first = next(iter(places), "")
    rows = []
    for each in found:
        for recipe, mine in places.items():
            rows.append(_row(each, recipe, BEFORE, mine, [0], level))
            if recipe != first:
                rows.append(_row(each, recipe, first, mine, places[first], level))
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))


def by_recipe(runs: Sequence[Run]) -> dict[str, list[int]]:
    """Positions of each recipe's runs among the quantities' values, in the order of the seeds."""
    places: dict[str, list[int]] = {}
    order = sorted(range(len(runs)), key=lambda at: runs[at].seed)
    for recipe in dict.fromkeys(run.recipe for run in runs):
        places[recipe] = [at + 1 for at in order if runs[at].recipe == recipe]
    return places


def _row(
    each: Quantity,
    recipe: str,
    against: str,
    mine: Sequence[int],
    theirs: Sequence[int],
    level: float,
) -> dict[str, object]:
    mean = mean_change(each, mine, theirs)
    low, high = mean.bounds(level)
    known = bool(np.isfinite(mean.value) and np.isfinite(mean.error))
    if not known:
        low, high = -np.inf, np.inf
    status = "few_errors" if each.few else "one_seed" if mean.seeds < 2 else "ok"
    with np.errstate(over="ignore"):
        return {
            "operating_point": each.point,
            "kind": each.kind,
            "group": each.group,
            "recipe": recipe,
            "against": against,
            "before": float(np.exp(each.value[list(theirs)]).mean()),
            "after": float(np.exp(each.value[list(mine)]).mean()),
            "ratio": float(np.exp(mean.value)),
            "low": float(np.exp(low)),
            "high": float(np.exp(high)),
            "level": level,
            "log_change": mean.value,
            "error": mean.error,
            "degrees": mean.degrees,
            "persons_variance": mean.persons_variance,
            "seed_variance": mean.seed_variance,
            "seeds": mean.seeds,
            "status": status if known else "undefined",
        }
