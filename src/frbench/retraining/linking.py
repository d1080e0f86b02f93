"""From the share of a group in training to the errors it bears: an association, with its limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from frbench.formatting import decimal
from frbench.retraining.effects import RATIO, Mean, Quantity, Run, by_recipe, mean_of
from frbench.values import Float64s

LINK_COLUMNS = (
    "operating_point", "kind", "recipe", "seed", "group", "training_share", "level_share",
    "ratio_to_others",
)  # fmt: skip
"""A row per operating point, kind, retrained matcher and group. training_share: fraction of the
images drawn in training; level_share: what each group would have in equal parts; ratio_to_others:
the group's measured rate over the mean of the others'."""

ASSOCIATION_COLUMNS = (
    *("operating_point", "kind", "doubling", "low", "high", "level", "rank_correlation"),
    *("groups", "recipes", "seeds", "controlled", "sentence", "status"),
)
"""A row per operating point and kind. doubling: by what the rate ratio is multiplied where a
group's share of training doubles, the groups' own levels taken out, with its interval."""

CONTROLLED = (
    "This is a controlled experiment: only the training images and the seed differed, so the "
    "difference is an effect of the data on this matcher, these faces and this budget."
)
OBSERVED = "Association in {count} matchers; not proof of cause."


@dataclass(frozen=True)
class Slope:
    """d log(rate ratio) / d log(training share), within groups."""

    mean: Mean
    rank: float


def slope(share: Float64s, value: Float64s, noise: Float64s) -> Slope:
    """The mean over seeds of each seed's least-squares slope with an intercept per group.

    Args:
        share: float64 [k recipes, n seeds, G], fractions above zero.
        value: float64 [k, n, G], logs of the rate ratios.
        noise: float64 [R, k, n, G], by the persons of the benchmark set.
    """
    x = np.log(share)
    x = x - x.mean(axis=0)
    norm = (x**2).sum(axis=(0, 2))
    if not (norm > 1e-12).all() or not x.size:
        nothing = Mean(np.nan, np.nan, np.inf, np.nan, np.nan, share.shape[1])
        return Slope(nothing, np.nan)
    centred = value - value.mean(axis=0)
    per_seed = (x * centred).sum(axis=(0, 2)) / norm
    moved = noise - noise.mean(axis=1, keepdims=True)
    by_persons = ((x * moved).sum(axis=(1, 3)) / norm).mean(axis=1)
    ranks = stats.spearmanr(x.ravel(), centred.ravel()).statistic if norm.sum() else np.nan
    return Slope(mean_of(per_seed, by_persons), float(ranks))


def link_tables(
    found: Sequence[Quantity],
    runs: Sequence[Run],
    shares: pd.DataFrame,
    *,
    level: float = 0.95,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The points and the associations.

    Args:
        shares: ``recipe, seed, group, training_share``.
    """
    told = shares.set_index(["recipe", "seed", "group"])["training_share"]
    places = by_recipe(runs)
    kinds = dict.fromkeys((q.point, q.kind) for q in found if q.kind.endswith(RATIO))
    points, rows = [], []
    for point, kind in kinds:
        here = [q for q in found if (q.point, q.kind) == (point, kind)]
        part = [
            {
                "operating_point": point,
                "kind": kind.removesuffix(f" {RATIO}"),
                "recipe": run.recipe,
                "seed": run.seed,
                "group": each.group,
                "training_share": float(told.get((run.recipe, run.seed, each.group), 0.0)),
                "level_share": 1 / len(here),
                "ratio_to_others": float(np.exp(each.value[at + 1])),
            }
            for at, run in enumerate(runs)
            for each in here
        ]
        points += part
        rows.append(_association(here, part, places, level))
    return (
        pd.DataFrame(points, columns=list(LINK_COLUMNS)),
        pd.DataFrame(rows, columns=list(ASSOCIATION_COLUMNS)),
    )


def _association(
    here: Sequence[Quantity],
    part: Sequence[dict[str, object]],
    places: dict[str, list[int]],
    level: float,
) -> dict[str, object]:
    size = len(here)
    shares = np.array([float(str(row["training_share"])) for row in part]).reshape(-1, size)
    order = np.array(list(places.values())) - 1
    share = shares[order]
    value = np.stack([q.value for q in here], axis=-1)[order + 1]
    noise = np.stack([q.noise for q in here], axis=-1)[:, order + 1]
    # a group that is absent from a mix has no finite log share
    usable = (share > 0).all(axis=(0, 1)) & np.isfinite(value).all(axis=(0, 1))
    kind = here[0].kind.removesuffix(f" {RATIO}")
    row: dict[str, object] = {
        "operating_point": here[0].point,
        "kind": kind,
        "groups": int(usable.sum()),
        "recipes": share.shape[0],
        "seeds": share.shape[1],
        "level": level,
        "controlled": True,
    }
    nothing = {"doubling": np.nan, "low": 0.0, "high": np.inf, "rank_correlation": np.nan}
    line = (
        slope(share[..., usable], value[..., usable], noise[..., usable]) if usable.any() else None
    )
    if line is None or not np.isfinite(line.mean.value):
        return {**row, **nothing, "sentence": "", "status": "undefined"}
    low, high = line.mean.bounds(level)
    ends = [float(2.0**each) for each in (line.mean.value, low, high)]
    sentence = (
        f"Where a group's share of the training images doubled, its {kind} over the other groups' "
        f"was multiplied by {decimal(ends[0])} ({100 * level:g} % interval {decimal(ends[1])} to "
        f"{decimal(ends[2])}). {CONTROLLED}"
    )
    return {
        **row,
        "doubling": ends[0],
        "low": ends[1],
        "high": ends[2],
        "rank_correlation": line.rank,
        "sentence": sentence,
        "status": "ok" if line.mean.seeds > 1 else "one_seed",
    }


def observed(share: Float64s, ratio: Float64s, *, level: float = 0.95) -> str:
    """The sentence where matchers were only evaluated: no experiment, so no cause.

    Args:
        share: float64 [k matchers, G], training shares above zero.
        ratio: float64 [k, G], measured rate ratios above zero.
    """
    x, y = np.log(share), np.log(ratio)
    x, y = (x - x.mean(axis=0)).ravel(), (y - y.mean(axis=0)).ravel()
    count = share.shape[0]
    limit = OBSERVED.format(count=count)
    if count < 3 or not (x**2).sum() > 1e-12:
        return f"Too few matchers or shares to see an association. {limit}"
    # matchers, not groups, are the units: each gives one slope's worth of evidence
    weight = (x.reshape(count, -1) ** 2).sum(axis=1)
    each = (x * y).reshape(count, -1).sum(axis=1)
    found = each.sum() / weight.sum()
    error = np.sqrt(((each - found * weight) ** 2).sum() * count / (count - 1)) / weight.sum()
    reach = float(stats.t.ppf((1 + level) / 2, count - 1)) * error
    low, high = 2.0 ** (found - reach), 2.0 ** (found + reach)
    return (
        f"Where a group's share of the training images is twice as large, its rate over the other "
        f"groups' is {decimal(float(2.0**found))} times as large ({100 * level:g} % interval "
        f"{decimal(float(low))} to {decimal(float(high))}). {limit}"
    )
