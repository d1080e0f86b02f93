"""Is a gap between groups a gap in image quality? Rates standardised for covariates of the images.

Direct standardisation: each group's rate is taken within strata of the covariates and weighted by
one common mix of strata, so that groups are compared as if their images were alike in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from frbench.cell_errors import CountedErrors, divide
from frbench.counted import Counted
from frbench.errors import InputError
from frbench.intervals.vertex_bootstrap import VertexBootstrap
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.values import UNLABELLED, Bools, Float64s, Int16s, Int64s, ScoreTally, Threshold

IMAGES_PER_PERSON = "images_per_person"
"""A covariate that needs no column."""

STRATA = 3
"""Numeric covariates are cut at their tertiles over all images."""

FEWEST = 20
"""Comparisons of a stratum below which a group lacks it."""

MOST_STRATA = 100
"""More are no strata but nearly the images themselves, as dates or file names would be."""

REPLICATES = 400

STANDARDISED_COLUMNS = (
    "arm", "operating_point", "threshold", "kind", "by", "group", "crude", "standardised", "low",
    "high", "level", "crude_ratio", "standardised_ratio", "ratio_low", "ratio_high", "strata",
    "share_covered", "status",
)  # fmt: skip
"""A row per operating point, kind and group. crude: the rate over the comparisons within strata
whose two images agree in stratum; standardised: with every group at the common mix of strata.
The ratios are to the mean of the other groups. strata: how many all groups have that have any;
share_covered: the share of the group's such comparisons that lie in them. status: ok, few_errors
(fewer than 10) or no_overlap."""


@dataclass(frozen=True)
class ExplainSpec:
    """What may explain a gap (config node ``explain``).

    Attributes:
        by: covariate columns of the set, or ``images_per_person``; empty for no standardising.
        label_errors: shares of persons with a wrong group, for the bands; empty for none.
    """

    by: tuple[str, ...] = ()
    label_errors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", tuple(str(each) for each in self.by))
        shares = tuple(float(each) for each in self.label_errors)
        if any(not 0 < each < 0.5 for each in shares):
            raise InputError(f"label_errors {list(shares)} must lie between 0 and 0.5, e.g. 0.05")
        object.__setattr__(self, "label_errors", shares)


def strata_of(faces: pd.DataFrame, by: Sequence[str]) -> tuple[Int16s, tuple[str, ...]]:
    """(code per image, names) of the crossed strata of the covariates.

    Numbers are cut at the tertiles over all images; words are strata themselves; a missing value is
    a stratum of its own.

    Raises:
        InputError: a column that the set does not have, or one of too many different words.
    """
    parts = []
    for name in by:
        column = next((c for c in (name, f"label_{name}") if c in faces.columns), None)
        if name == IMAGES_PER_PERSON:
            values = faces.groupby("subject_id")["subject_id"].transform("size")
        elif column is None:
            known = [
                c for c in faces.columns if c not in ("image_id", "subject_id", "path", "group")
            ]
            raise InputError(
                f"explain.by names {name}, but the set has no such column; it has: "
                f"{', '.join(map(str, known)) or 'none'}, and {IMAGES_PER_PERSON}"
            )
        else:
            values = faces[column]
        parts.append(_binned(values, name))
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + " & " + part
    codes, names = pd.factorize(joined, sort=True)
    if len(names) > MOST_STRATA:
        raise InputError(
            f"explain.by=[{', '.join(by)}] makes {len(names):,} strata, of which {MOST_STRATA} are "
            "the most; take numbers, which are cut in three, or columns of fewer different words"
        )
    return codes.astype(np.int16), tuple(str(each) for each in names)


def _binned(values: pd.Series[Any], name: str) -> pd.Series[str]:
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().sum() < values.notna().sum() or numbers.nunique() <= STRATA:
        return name + " " + values.astype("str").where(values.notna(), "missing")
    edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, STRATA + 1)[1:-1]))
    cut = np.searchsorted(edges, numbers.to_numpy(dtype=np.float64), side="left")
    words = pd.Series([f"{name} {k + 1} of {len(edges) + 1}" for k in cut], index=values.index)
    return words.where(numbers.notna(), f"{name} missing")


def standardised(
    tally: ScoreTally,
    faces: pd.DataFrame,
    thresholds: Sequence[Threshold],
    by: Sequence[str],
    *,
    rng: np.random.Generator,
    arm: str = "",
    level: float = 0.95,
) -> pd.DataFrame:
    """The table of ``STANDARDISED_COLUMNS``.

    Comparisons between two images of one stratum and one group are counted by (group, stratum);
    the common mix is that of all groups' comparisons over the strata that every group has. Persons
    are drawn with the same weights for all; their replicates are drawn in to the closed form's
    variance, cell by cell, as for differentials.

    Args:
        faces: FaceTable in the order of the tally's images.

    Raises:
        InputError: as ``strata_of``.
    """
    codes, names = strata_of(faces, by)
    at = [k for k, name in enumerate(tally.groups) if name != UNLABELLED]
    groups = len(tally.groups)
    crossed = replace(
        tally,
        groups=tuple(f"{g}\0{s}" for s in names for g in tally.groups),
        group=(codes.astype(np.int64) * groups + tally.group).astype(np.int16),
        histogram=None,
    )
    counted = Counted(crossed)
    part = VertexBootstrap(replicates=REPLICATES, level=level)
    weights = part.weights(int(tally.subject.max(initial=-1)) + 1, rng=rng)
    rows: list[dict[str, object]] = []
    for threshold in thresholds:
        kinds: dict[str, CountedErrors] = {
            "FMR": counted.false_matches(np.float64(threshold.value)),
            "FNMR": counted.false_non_matches(threshold.value),
        }
        for kind, errors in kinds.items():
            own = slice(0, groups * len(names))
            shape = (len(names), groups)
            count = errors.comparisons[own].reshape(shape)[:, at].astype(np.float64)
            wrong = errors.errors[own].reshape(shape)[:, at]
            rate = divide(errors.errors, errors.comparisons)[own]
            drawn = errors.resampled(weights, self_pairs=part.self_pairs)[:, own]
            drawn = _drawn_in(rate, drawn, errors.variance[own]).reshape(-1, *shape)[:, :, at]
            keys = {
                "arm": arm, "operating_point": threshold.label, "threshold": threshold.value,
                "kind": kind, "by": " & ".join(by), "level": level,
            }  # fmt: skip
            table = rate.reshape(shape)[:, at]
            bounds = WilsonEffective(level=level).bounds(errors, rng=rng)
            highest = bounds.high[own].reshape(shape)[:, at]
            mine = [tally.groups[k] for k in at]
            found = _weighted(count, wrong, table, drawn, highest, mine, level)
            rows += [{**keys, **row} for row in found]
    return pd.DataFrame(rows, columns=list(STANDARDISED_COLUMNS))


def _drawn_in(rate: Float64s, drawn: Float64s, variance: Float64s) -> Float64s:
    with np.errstate(all="ignore"):
        known = np.where(np.isnan(drawn), rate, drawn)
        scale = np.sqrt(np.minimum(variance / known.var(axis=0), 1.0))
        scale = np.where(np.isfinite(scale), scale, 1.0)
    return np.asarray(np.clip(rate + (known - rate) * scale, 0.0, 1.0))


def _weighted(
    count: Float64s,
    wrong: Int64s,
    rate: Float64s,
    drawn: Float64s,
    highest: Float64s,
    names: Sequence[str],
    level: float,
) -> list[dict[str, object]]:
    """A row per group; arrays are [strata, groups], ``drawn`` [replicates, strata, groups].

    ``highest``: the upper ends of the strata's own intervals, for groups without an error.
    """
    present = count.sum(axis=0) > 0
    able = (count >= FEWEST).any(axis=0)  # a group too small for any stratum must not end them all
    shared: Bools = np.logical_and((count[:, able] >= FEWEST).all(axis=1), able.any())
    mix = count[shared][:, able].sum(axis=1)
    mix = mix / mix.sum() if shared.any() else mix
    crude = divide(wrong.sum(axis=0), count.sum(axis=0))
    usable: Bools = np.logical_and(able, shared.any())
    value = np.where(usable, mix @ np.nan_to_num(rate[shared]), np.nan)
    again = np.einsum("s,rsg->rg", mix, np.nan_to_num(drawn[:, shared]))
    again = np.where(usable, again, np.nan)
    ratio, spread, plain = _to_others(value), _to_others(again), _to_others(crude)
    tail = (1 - level) / 2
    erred = wrong[shared].sum(axis=0)
    low, high = np.quantile(again, [tail, 1 - tail], axis=0)
    # where nobody erred every replicate is 0 too
    high = np.where(erred == 0, mix @ highest[shared], high)
    rows = []
    for at, name in enumerate(names):
        if not present[at]:
            continue
        others = usable & (np.arange(len(names)) != at)
        sides = _finite_ends(spread[:, at], tail)
        if usable[at] and others.any() and (erred[at] == 0 or erred[others].sum() == 0):
            least, most = low[others].mean(), high[others].mean()
            sides = float(low[at] / most), float(high[at] / least) if least > 0 else np.inf
        status = "ok" if erred[at] >= 10 else "few_errors"
        rows.append(
            {
                "group": name,
                "crude": float(crude[at]),
                "standardised": float(value[at]),
                "low": float(low[at]) if usable[at] else 0.0,
                "high": float(high[at]) if usable[at] else 1.0,
                "crude_ratio": float(plain[at]),
                "standardised_ratio": float(ratio[at]),
                "ratio_low": sides[0],
                "ratio_high": sides[1],
                "strata": int(shared.sum()),
                "share_covered": float(count[shared][:, at].sum() / count[:, at].sum()),
                "status": status if usable[at] else "no_overlap",
            }
        )
    return rows


def _to_others(rate: Float64s) -> Float64s:
    """Each group's rate over the mean of the others', along the last axis; NaN is no group."""
    known = np.count_nonzero(~np.isnan(rate), axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        others = (np.nansum(rate, axis=-1, keepdims=True) - np.nan_to_num(rate)) / (known - 1)
        return np.asarray(rate / others)


def _finite_ends(values: Float64s, tail: float) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return 0.0, np.inf
    low, high = np.quantile(known, [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)
