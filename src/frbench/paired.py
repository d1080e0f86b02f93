"""Two matchers on the same set: how each group's rates and the gaps between groups changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from frbench.basic_bootstrap import basic_bounds
from frbench.counted import Counted
from frbench.errors import InputError
from frbench.group_replicates import Replicates, replicates
from frbench.intervals import Resampling
from frbench.intervals.vertex_bootstrap import VertexBootstrap
from frbench.measures import Measure
from frbench.measures.gini import Gini
from frbench.measures.max_min_ratio import MaxMinRatio
from frbench.measures.worst_to_geometric_mean import WorstToGeometricMean
from frbench.values import ALL, UNLABELLED, ScoreTally, Threshold

CHANGE_COLUMNS = (
    "operating_point", "kind", "group", "before", "after", "ratio", "low", "high", "level",
    "status",
)  # fmt: skip
"""ChangeTable, a row per operating point, kind and group. kind: ``FMR``, ``FNMR`` or ``FTE`` (group
is a group, or ``all``), or ``FMR gap`` and so on (group is the name of a measure over the groups).
ratio = after / before, with its paired interval. status: ok, few_errors (fewer than 10 errors on
one side) or undefined (nothing to divide by)."""

KINDS = ("FMR", "FNMR")
FEW_ERRORS = 10

Arm = tuple[ScoreTally, Sequence[Threshold]]


def paired_change(
    before: Arm,
    after: Arm,
    *,
    rng: np.random.Generator,
    measures: Mapping[str, Measure] | None = None,
    resampling: Resampling | None = None,
) -> pd.DataFrame:
    """What changed from one matcher to the other, with the columns of ``CHANGE_COLUMNS``.

    Each arm keeps its own thresholds, paired in order. Persons are drawn with the same weights
    for both arms, so what the arms share (the persons) does not widen the intervals.
    Raises InputError when the two tallies are not of the same images.
    """
    _check_same_set(before, after)
    part = resampling or VertexBootstrap()
    chosen = measures or {m.name: m for m in default_measures()}
    persons = int(before[0].subject.max(initial=-1)) + 1
    weights = part.weights(persons, rng=rng)
    counted = Counted(before[0]), Counted(after[0])
    rows: list[dict[str, object]] = []
    for one, other in zip(before[1], after[1], strict=True):
        drawn = [
            replicates(arm, threshold.value, part, weights)
            for arm, threshold in zip(counted, (one, other), strict=True)
        ]
        for kind in KINDS:
            pair = drawn[0][kind], drawn[1][kind]
            found = _rates(kind, before[0].groups, *pair, part.level)
            found += _gaps(kind, before[0].groups, *pair, chosen, part.level)
            rows += [{"operating_point": other.label, **row} for row in found]
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))


def default_measures() -> tuple[Measure, ...]:
    """The disparities whose change is reported."""
    return MaxMinRatio(), WorstToGeometricMean(), Gini(corrected=True)


def _check_same_set(before: Arm, after: Arm) -> None:
    one, other = before[0], after[0]
    alike = ("groups", "ordered", "policy", "references_from")
    same = all(getattr(one, name) == getattr(other, name) for name in alike) and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("subject", "group", "stratum")
    )
    if not same:
        raise InputError(
            "the two matchers were measured on different images or groups, so their change "
            "cannot be paired; evaluate both on one benchmark with one choice of groups"
        )


def _rates(
    kind: str, groups: Sequence[str], before: Replicates, after: Replicates, level: float
) -> list[dict[str, object]]:
    """A row per group, and the pooled one."""
    rows = []
    for position, group in enumerate([*groups, ALL]):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.divide(after.rate[position], before.rate[position])
            drawn = after.drawn[:, position] / before.drawn[:, position]
        low, high = basic_bounds(float(ratio), drawn, level=level, log=True)
        few = min(before.errors[position], after.errors[position]) < FEW_ERRORS
        rows.append(
            {
                "kind": kind,
                "group": group,
                "before": float(before.rate[position]),
                "after": float(after.rate[position]),
                "ratio": float(ratio),
                "low": low,
                "high": high,
                "level": level,
                "status": _status(float(ratio), few),
            }
        )
    return rows


def _gaps(
    kind: str,
    groups: Sequence[str],
    before: Replicates,
    after: Replicates,
    measures: Mapping[str, Measure],
    level: float,
) -> list[dict[str, object]]:
    """A row per measure, over the groups that both arms could measure."""
    labelled = np.array([group != UNLABELLED for group in groups], dtype=bool)
    used = labelled & ~np.isnan(before.rate[:-1]) & ~np.isnan(after.rate[:-1])
    if used.sum() < 2:
        return []
    few = min(before.errors[:-1][used].min(), after.errors[:-1][used].min()) < FEW_ERRORS
    rows = []
    for part in measures.values():
        one, other = (float(part.of(arm.rate[:-1][used])) for arm in (before, after))
        sides = [part.of(arm.drawn[:, :-1][:, used]) for arm in (before, after)]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio, drawn = float(np.divide(other, one)), sides[1] / sides[0]
        low, high = basic_bounds(ratio, drawn, level=level, log=True)
        rows.append(
            {
                "kind": f"{kind} gap",
                "group": part.name,
                "before": one,
                "after": other,
                "ratio": ratio,
                "low": low,
                "high": high,
                "level": level,
                "status": _status(ratio, few),
            }
        )
    return rows


def _status(ratio: float, few: bool) -> str:
    if not np.isfinite(ratio):
        return "undefined"
    return "few_errors" if few else "ok"
