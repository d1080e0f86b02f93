"""Error rates of 1:N search, per group: FPIR, FNIR and TPIR, and thresholds for a target FPIR.

A *search* is one probe against one gallery; ``mated`` when the person is on its list. With
decision threshold T and candidates down to rank R:

- FPIR(N, T): non-mated searches with at least one candidate of score >= T / non-mated searches;
- FNIR(N, R, T): mated searches whose mate is not among the first R candidates, or scores below T
  / mated searches; TPIR = 1 - FNIR. Source: ISO/IEC 19795-1, 3.22.

*Investigation mode* is T = -inf: R candidates for a person to look at, whatever their scores.
Failures are data: a failed non-mated search raises no alert, a failed mated search is a miss, and
a mate whose reference image failed is never found (docs/methodology/one-to-many.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
from scipy import sparse

from frbench.candidates import CandidateLists
from frbench.cell_errors import PersonErrors, divide
from frbench.errors import InputError
from frbench.galleries import Gallery
from frbench.intervals import Interval
from frbench.intervals.wilson_effective import effective_number
from frbench.rates import status_of
from frbench.thresholds import RULE_OF_30
from frbench.values import ALL, Bools, Int64s

INVESTIGATION = -math.inf
"""The threshold of investigation mode: every candidate down to the rank is shown."""

IDENTIFICATION_COLUMNS = (
    "matcher",
    "benchmark",
    "gallery_size",
    "threshold",
    "kind",
    "rank",
    "probe_group",
    "errors",
    "searches",
    "failed",
    "subjects",
    "rate",
    "low",
    "high",
    "level",
    "interval",
    "effective_searches",
    "design_effect",
    "status",
)
"""A row per threshold, kind (``FPIR``, ``FNIR``, ``TPIR``), rank and group of the probe, the pooled
group ``all`` first.

rank: Int64, missing for FPIR, which asks for one alert at any rank. errors: false alerts for FPIR;
misses for FNIR and for TPIR, whose rate is 1 - errors / searches. searches: attempted ones;
failed: those of them whose probe gave no template. subjects: persons searched. status as in the
table of rates; ``few_subjects`` counts persons searched."""


def identification_rates(
    lists: CandidateLists,
    *,
    thresholds: Sequence[float],
    ranks: Sequence[int] = (1,),
    interval: Interval,
    rng: np.random.Generator,
    matcher: str = "",
    benchmark: str = "",
) -> pd.DataFrame:
    """The table of ``IDENTIFICATION_COLUMNS``; no FPIR at T = -inf, where every search alerts.

    The interval takes the persons searched as independent and the gallery as given: how rates
    vary from one gallery to another is ``watchlist.checked_against_direct``'s to say.

    Raises:
        InputError: a rank beyond the lists' own or below 1, or a threshold that is no number.
    """
    beyond = [rank for rank in ranks if not 1 <= rank <= lists.rank]
    if beyond:
        raise InputError(
            f"rank {beyond[0]} is not within the candidate lists, which go from 1 to "
            f"{lists.rank}; search again with a higher rank"
        )
    if any(math.isnan(threshold) for threshold in thresholds):
        raise InputError("a threshold is not a number; give a score, or -inf for investigation")
    parts = []
    for threshold in thresholds:
        keys: dict[str, str | int | float] = {
            "matcher": matcher,
            "benchmark": benchmark,
            "gallery_size": lists.gallery.size,
            "threshold": float(threshold),
        }
        if threshold > INVESTIGATION:
            alerts = false_alerts(lists, threshold)
            parts.append(_table(lists, ~lists.mated, alerts, interval, rng, keys, "FPIR", None))
        for rank in ranks:
            lost = misses(lists, threshold, rank)
            missed = _table(lists, lists.mated, lost, interval, rng, keys, "FNIR", rank)
            parts += [missed, _complement(missed)]
    if not parts:
        return pd.DataFrame(columns=list(IDENTIFICATION_COLUMNS))
    return pd.concat(parts, ignore_index=True)


def false_alerts(lists: CandidateLists, threshold: float) -> PersonErrors:
    """Non-mated searches that return a candidate at the threshold, by group and person."""
    # a float64 scalar keeps numpy from rounding the threshold to the scores' float32
    alerted = lists.top_score >= np.float64(threshold)
    return by_group(lists.gallery, lists.probes, ~lists.mated, alerted & lists.completed)


def misses(lists: CandidateLists, threshold: float, rank: int) -> PersonErrors:
    """Mated searches whose mate is not within rank and threshold, by group and person."""
    placed = (lists.mate_rank >= 1) & (lists.mate_rank <= rank)
    found = placed & (lists.mate_score >= np.float64(threshold))
    return by_group(lists.gallery, lists.probes, lists.mated, ~found)


def by_group(gallery: Gallery, probes: Int64s, chosen: Bools, erring: Bools) -> PersonErrors:
    """The chosen searches, and those of them that err, per group of the probe; pooled last."""
    shape = (len(gallery.groups) + 1, len(gallery.listed))

    def count(kept: Bools) -> sparse.csr_array:
        rows = probes[kept]
        group = gallery.group[rows].astype(np.int64)
        cell = np.concatenate([group, np.full(len(rows), shape[0] - 1, dtype=np.int64)])
        person = np.tile(gallery.subject[rows].astype(np.int64), 2)
        ones = np.ones(len(cell), dtype=np.int64)
        return sparse.coo_array((ones, (cell, person)), shape=shape).tocsr()

    return PersonErrors(count(chosen & erring), count(chosen))


def _table(
    lists: CandidateLists,
    chosen: Bools,
    found: PersonErrors,
    interval: Interval,
    rng: np.random.Generator,
    keys: dict[str, str | int | float],
    kind: str,
    rank: int | None,
) -> pd.DataFrame:
    gallery = lists.gallery
    failed = by_group(gallery, lists.probes, chosen, ~lists.completed).errors
    rate = divide(found.errors, found.comparisons)
    bounds = interval.bounds(found, rng=rng)
    effective = effective_number(found)
    size = len(gallery.groups) + 1
    table = pd.DataFrame(
        {
            **{name: [value] * size for name, value in keys.items()},
            "kind": [kind] * size,
            "rank": pd.array([rank] * size, dtype="Int64"),
            "probe_group": [*gallery.groups, ALL],
            "errors": found.errors,
            "searches": found.comparisons,
            "failed": failed,
            "subjects": found.subjects,
            "rate": rate,
            "low": bounds.low,
            "high": bounds.high,
            "level": interval.level,
            "interval": interval.name,
            "effective_searches": effective,
            "design_effect": divide(found.comparisons, effective),
            "status": status_of(rate, found.errors, found.subjects),
        }
    )
    pooled_first = np.r_[size - 1, np.arange(size - 1)]
    return table.take(pooled_first)[list(IDENTIFICATION_COLUMNS)]


def _complement(missed: pd.DataFrame) -> pd.DataFrame:
    """TPIR from FNIR, the ends of the interval changing places."""
    return missed.assign(
        kind="TPIR", rate=1 - missed["rate"], low=1 - missed["high"], high=1 - missed["low"]
    )


@dataclass(frozen=True)
class FpirThreshold:
    """One global threshold for a target FPIR at one gallery.

    Attributes:
        value: score units; a candidate with ``score >= value`` is an alert.
        target_fpir, achieved_fpir: fractions; achieved on these searches, never above the target.
        alerts, searches: false alerts and attempted non-mated searches behind it.
        gallery_size: persons enrolled; FPIR grows with it, so the threshold holds for it alone.
        caution: one sentence when few alerts support it, else "".
    """

    value: float
    target_fpir: float
    achieved_fpir: float
    alerts: int
    searches: int
    gallery_size: int
    caution: str = ""


def fpir_threshold(lists: CandidateLists, target: float) -> FpirThreshold:
    """The lowest threshold whose FPIR on these searches does not exceed the target.

    With k = floor(target x non-mated searches) alerts allowed it lies one float32 above the
    (k + 1)-th highest first candidate, so that searches tied with that one raise no alert.

    Raises:
        InputError: a target outside (0, 1), or one that allows less than one alert.
    """
    if not 0 < target < 1:
        raise InputError(f"target FPIR {target:g} must lie between 0 and 1; 0.001 is 1 in 1,000")
    best = lists.top_score[~lists.mated]
    # the decimal as it was typed: 0.1 of 30 searches is 3, whatever binary makes of 0.1
    allowed = math.floor(Fraction(repr(float(target))) * len(best))
    if allowed < 1:
        raise InputError(
            f"target FPIR {target:g} cannot be measured with {len(best):,} non-mated searches: "
            "less than one alert is expected; search more people who are not in the gallery, or "
            "choose a higher target"
        )
    above = np.partition(best, len(best) - allowed - 1)[len(best) - allowed - 1]
    value = np.nextafter(above, np.float32(np.inf))
    alerts = int((best >= value).sum())
    caution = ""
    if allowed < RULE_OF_30:
        caution = (
            f"only {allowed} false alerts are allowed at FPIR {target:g} among {len(best):,} "
            f"searches, fewer than {RULE_OF_30}: the threshold itself is uncertain"
        )
    achieved = alerts / len(best)
    return FpirThreshold(
        float(value), target, achieved, alerts, len(best), lists.gallery.size, caution
    )
