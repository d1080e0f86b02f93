"""Do the scores, or the people, of a later run still look like those of the approved one?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from frbench.auditing.divergence import divergence
from frbench.monitoring.series import Series
from frbench.monitoring.stored import StoredRun
from frbench.values import ALL, Float64s, ScoreTally

SCORE_COLUMNS = ("run", "when", "group", "comparison", "psi", "ks", "comparisons", "bins")
"""A row per later run, group (its comparisons within itself, or ``all``) and comparison (``mated``
or ``non-mated``). psi: population stability index over ten bins of equal share of the baseline's
scores; ks: largest distance of the two distribution functions, at the bins' edges."""

PEOPLE_COLUMNS = (
    *("run", "when", "persons", "psi", "effect_w", "p_value", "psi_by_chance", "most_grown"),
    "share_before", "share_now",
)  # fmt: skip
"""A row per later run or, of a series, for all days after the baseline."""

TENTHS = 10


def score_drift(runs: Sequence[StoredRun]) -> pd.DataFrame:
    """The table of ``SCORE_COLUMNS``; runs without the baseline's histogram edges are left out."""
    rows: list[dict[str, Any]] = []
    first = runs[0].tally()
    for run in runs[1:]:
        tally = run.tally()
        if first.histogram is None or tally.histogram is None:
            continue
        if not np.array_equal(first.histogram.edges, tally.histogram.edges):
            continue
        for group in (*first.groups, ALL):
            for kind, name in enumerate(("mated", "non-mated")):
                counts = [_counts(each, kind, group) for each in (first, tally)]
                if min(each.sum() for each in counts) == 0:
                    continue
                psi, ks, bins = psi_and_ks(*counts)
                rows.append(
                    {
                        "run": run.name,
                        "when": run.when,
                        "group": group,
                        "comparison": name,
                        "psi": psi,
                        "ks": ks,
                        "comparisons": int(counts[1].sum()),
                        "bins": bins,
                    }
                )
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def psi_and_ks(before: Float64s, now: Float64s) -> tuple[float, float, int]:
    """PSI over about ten bins of equal share of ``before``, KS over all bins, and bins used.

    >>> psi_and_ks(np.array([5.0, 5.0]), np.array([10.0, 10.0]))
    (0.0, 0.0, 2)
    """
    share = [np.cumsum(each) / each.sum() for each in (before, now)]
    ks = float(np.abs(share[0] - share[1]).max())
    cuts = np.unique(np.searchsorted(share[0], np.arange(1, TENTHS) / TENTHS, side="left") + 1)
    edges = np.unique(np.r_[0, cuts, len(before)])
    parts = [np.add.reduceat(each, edges[:-1]) for each in (before, now)]
    filled = [np.maximum(each, 0.5) / np.maximum(each, 0.5).sum() for each in parts]
    psi = float(((filled[1] - filled[0]) * np.log(filled[1] / filled[0])).sum())
    return psi, ks, len(edges) - 1


def _counts(tally: ScoreTally, kind: int, group: str) -> Float64s:
    assert tally.histogram is not None
    counts = tally.histogram.counts[kind]
    if group == ALL:
        return np.asarray(counts.sum(axis=(0, 1)), dtype=np.float64)
    if group not in tally.groups:
        return np.zeros(counts.shape[-1])
    at = tally.groups.index(group)
    return np.asarray(counts[at, at], dtype=np.float64)


def people_drift(runs: Sequence[StoredRun]) -> pd.DataFrame:
    """The table of ``PEOPLE_COLUMNS``, over persons."""
    first = _people(runs[0])
    rows = [{"run": run.name, "when": run.when, **_beside(first, _people(run))} for run in runs[1:]]
    return pd.DataFrame(rows, columns=list(PEOPLE_COLUMNS))


def _people(run: StoredRun) -> Mapping[str, float]:
    return {str(row["group"]): float(row["subjects"]) for row in run.record["groups"]}


def seen_drift(series: Series, baseline: int) -> pd.DataFrame:
    """The same for a series: searches or comparisons after the baseline beside those of it."""
    before, now = (
        dict(zip(series.groups, part.sum(axis=0), strict=True))
        for part in (series.comparisons[:baseline], series.comparisons[baseline:])
    )
    row = {"run": "series", "when": series.days[-1], **_beside(before, now)}
    return pd.DataFrame([row], columns=list(PEOPLE_COLUMNS))


def _beside(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, Any]:
    names = [name for name in before if before[name] + now.get(name, 0.0) > 0]
    old = np.array([before[name] for name in names])
    new = np.array([now.get(name, 0.0) for name in names])
    expected = np.maximum(old, 0.5)
    if new.sum() == 0 or old.sum() == 0:
        return {"persons": 0, "psi": np.nan}
    found = divergence(new, expected, reference_size=float(old.sum()))
    shares = old / old.sum(), new / new.sum()
    most = int(np.argmax(shares[1] - shares[0]))
    return {
        "persons": int(new.sum()),
        "psi": found.psi,
        "effect_w": found.effect_w,
        "p_value": found.p_value,
        "psi_by_chance": found.psi_by_chance,
        "most_grown": names[most],
        "share_before": shares[0][most],
        "share_now": shares[1][most],
    }
