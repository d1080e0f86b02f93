"""What wrong labels can do to a gap: bands for persons whose group is recorded wrongly.

Labels that are wrong at random make groups look more alike than they are (and, for false matches,
move whole persons' comparisons between cells). The band answers: if a share of the persons were
mislabelled, how far could this ratio move?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from frbench.cell_errors import CountedErrors, divide
from frbench.counted import Counted
from frbench.values import UNLABELLED, Float64s, Int16s, ScoreTally, Threshold

DRAWS = 40

BAND_COLUMNS = (
    "arm", "operating_point", "threshold", "kind", "group", "ratio", "mislabelled", "typical",
    "low", "high", "draws",
)  # fmt: skip
"""A row per operating point, kind, group and share. ratio: the group's rate over the mean of the
others' as labelled. typical, low, high: median, 2.5 % and 97.5 % points of the ratio when that
share of the labelled persons is given another group at random, in proportion to the groups' sizes.
The labels at hand are taken as the truth, so the band shows how far as many errors could have moved
the ratio; it holds no sampling error, which the ratio's own interval shows."""


def label_error_bands(
    tally: ScoreTally,
    thresholds: Sequence[Threshold],
    shares: Sequence[float],
    *,
    rng: np.random.Generator,
    arm: str = "",
    draws: int = DRAWS,
) -> pd.DataFrame:
    """The table of ``BAND_COLUMNS``; empty with fewer than two labelled groups or no shares."""
    named = [at for at, name in enumerate(tally.groups) if name != UNLABELLED]
    if len(named) < 2 or not shares:
        return pd.DataFrame(columns=list(BAND_COLUMNS))
    lowest = min((each.value for each in thresholds), default=np.inf)
    tally = replace(tally, tail=tally.tail.take(tally.tail.score >= lowest), floor=lowest)
    truth = _ratios(tally, thresholds, named)
    rows: list[dict[str, object]] = []
    for share in shares:
        moved = np.stack(
            [
                _ratios(replace(tally, group=mislabelled(tally, share, rng)), thresholds, named)
                for _ in range(draws)
            ]
        )
        for point, threshold in enumerate(thresholds):
            for kind, name in enumerate(("FMR", "FNMR")):
                for place, at in enumerate(named):
                    value = float(truth[point, kind, place])
                    if np.isnan(value):
                        continue
                    drawn = moved[:, point, kind, place]
                    low, middle, high = _quantiles(drawn)
                    rows.append(
                        {
                            "arm": arm,
                            "operating_point": threshold.label,
                            "threshold": threshold.value,
                            "kind": name,
                            "group": tally.groups[at],
                            "ratio": value,
                            "mislabelled": share,
                            "typical": middle,
                            "low": low,
                            "high": high,
                            "draws": draws,
                        }
                    )
    return pd.DataFrame(rows, columns=list(BAND_COLUMNS))


def mislabelled(tally: ScoreTally, share: float, rng: np.random.Generator) -> Int16s:
    """int16 [N]: the groups with ``share`` of the labelled persons moved to another one.

    All images of a person move together; unlabelled images stay.
    """
    named = np.array([k for k, name in enumerate(tally.groups) if name != UNLABELLED])
    labelled = np.isin(tally.group, named)
    persons = np.unique(tally.subject[labelled])
    size = np.bincount(tally.group[labelled], minlength=len(tally.groups)).astype(np.float64)
    # rounded by chance: 1 % of 40 persons is now and then one of them, not never
    chosen = rng.permutation(persons)[: int(share * len(persons) + rng.random())]
    home = np.full(int(tally.subject.max(initial=-1)) + 1, -1, dtype=np.int64)
    home[tally.subject[labelled]] = tally.group[labelled]
    target = np.full(len(home), -1, dtype=np.int64)
    for group in named:
        mine = chosen[home[chosen] == group]
        weight = np.where(np.arange(len(size)) == group, 0.0, size)
        if len(mine) and weight.sum() > 0:
            target[mine] = rng.choice(len(size), size=len(mine), p=weight / weight.sum())
    moved = (target[tally.subject] >= 0) & labelled
    return np.where(moved, target[tally.subject], tally.group).astype(np.int16)


def _ratios(tally: ScoreTally, thresholds: Sequence[Threshold], named: Sequence[int]) -> Float64s:
    """float64 [points, 2, groups]: FMR and FNMR of each group over the mean of the others'."""
    counted = Counted(tally)
    table = np.full((len(thresholds), 2, len(named)), np.nan)
    for point, threshold in enumerate(thresholds):
        found: tuple[CountedErrors, ...] = (
            counted.false_matches(np.float64(threshold.value)),
            counted.false_non_matches(threshold.value),
        )
        for kind, errors in enumerate(found):
            rate = divide(errors.errors, errors.comparisons)[np.asarray(named)]
            known = ~np.isnan(rate)
            if known.sum() > 1:
                others = (np.nansum(rate) - rate) / (known.sum() - 1)
                with np.errstate(divide="ignore", invalid="ignore"):
                    table[point, kind] = np.where(others > 0, rate / others, np.nan)
    return table


def _quantiles(values: Float64s) -> tuple[float, float, float]:
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return 0.0, np.nan, np.inf
    low, middle, high = np.quantile(known, [0.025, 0.5, 0.975])
    return float(low), float(middle), float(high)
