"""The binomial model of a watchlist held against direct 1:N searches of many random galleries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from frbench.candidates import search
from frbench.cell_errors import PersonErrors, divide
from frbench.errors import InputError
from frbench.galleries import codes_of, draw_gallery
from frbench.identification import false_alerts
from frbench.intervals import Interval
from frbench.rates import FEW_ERRORS, status_of
from frbench.values import ALL, EmbeddingSet, Float64s, ScoreTally
from frbench.watchlist import MODEL_CAUTION, Watchlist
from frbench.watchlist_forecast import forecast

CHECK_COLUMNS = (
    "probe_group",
    "watchlist_size",
    "threshold",
    "galleries",
    "predicted",
    "predicted_low",
    "predicted_high",
    "direct",
    "direct_low",
    "direct_high",
    "gallery_low",
    "gallery_high",
    "direct_over_predicted",
    "alerts",
    "searches",
    "subjects",
    "level",
    "interval",
    "status",
    "verdict",
    "caution",
)
"""A row per group of the person searched, the pooled one first (its mix: the searches made).

predicted…: FPIR by the binomial model. direct…: FPIR counted in searches of all galleries, its
interval taking the persons searched as units. gallery_low, gallery_high: central ``level`` of the
FPIR of single galleries: how much depends on who happens to be on the list. verdict: see
``VERDICTS``."""

VERDICTS = ("model agrees", "model too high", "model too low", "too few alerts to tell", "empty")
"""The model differs where its prediction lies outside the direct interval. Both come from the same
comparisons, whose chance deviations they share, so that the yardstick is rather too wide than too
narrow; below 10 alerts nothing is said."""


def checked_against_direct(
    vectors: EmbeddingSet,
    faces: pd.DataFrame,
    tally: ScoreTally,
    *,
    watchlist: Watchlist,
    threshold: float,
    galleries: int = 100,
    interval: Interval,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The table of ``CHECK_COLUMNS``: predicted beside measured FPIR, whichever way it falls.

    Each gallery enrols one image of each of ``watchlist.per_group`` persons drawn from the set,
    and every image of everybody else searches it.

    Args:
        vectors: templates in the order of ``faces``.
        faces: FaceTable with ``group``.
        tally: ``compare`` of the same vectors and faces, policy ``all``.
        watchlist: what the set itself can supply; ``Watchlist.scaled_to`` keeps the mix.
        threshold: score units, at or above ``tally.floor``.
        galleries: how many random galleries are searched.

    Raises:
        InputError: the tally is not of these faces, each compared with every other; or the set
            cannot supply the watchlist.
    """
    _require_same_set(faces, tally)
    if galleries < 1:
        raise InputError(f"galleries={galleries} must be at least 1")
    direct = _searched(vectors, faces, watchlist, threshold, galleries, rng)
    found = direct.summed()
    mix = dict(zip(tally.groups, found.comparisons[:-1].astype(float), strict=True))
    if not found.comparisons[-1]:
        raise InputError(
            "the watchlist takes everybody in the set, and nobody is left to be searched; "
            "make it smaller with Watchlist.scaled_to"
        )
    predicted = forecast(tally, threshold, watchlist, stream=mix, interval=interval, rng=rng)
    rate = divide(found.errors, found.comparisons)
    bounds = interval.bounds(found, rng=rng)
    spread = direct.spread(interval.level)
    pooled_first = np.r_[len(rate) - 1, np.arange(len(rate) - 1)]
    table = pd.DataFrame(
        {
            "probe_group": [*tally.groups, ALL],
            "watchlist_size": watchlist.size,
            "threshold": float(threshold),
            "galleries": galleries,
            "direct": rate,
            "direct_low": bounds.low,
            "direct_high": bounds.high,
            "gallery_low": spread[0],
            "gallery_high": spread[1],
            "alerts": found.errors,
            "searches": found.comparisons,
            "subjects": found.subjects,
            "level": interval.level,
            "interval": interval.name,
            "status": status_of(rate, found.errors, found.subjects),
            "caution": MODEL_CAUTION,
        }
    ).take(pooled_first)
    for ours, theirs in [("", "rate"), ("_low", "low"), ("_high", "high")]:
        table[f"predicted{ours}"] = predicted[theirs].to_numpy()
    table["direct_over_predicted"] = divide(
        table["direct"].to_numpy(), table["predicted"].to_numpy()
    )
    table["verdict"] = _verdicts(table)
    return table.reset_index(drop=True)[list(CHECK_COLUMNS)]


@dataclass(frozen=True)
class _Direct:
    """Alerts and searches over many galleries.

    Attributes:
        found: per gallery.
    """

    found: list[PersonErrors]

    def summed(self) -> PersonErrors:
        """All galleries together; a person searched in many galleries is still one person."""
        alerts: sparse.csr_array = sum(each.by_person for each in self.found)
        searches: sparse.csr_array = sum(each.of_person for each in self.found)
        return PersonErrors(alerts.tocsr(), searches.tocsr())

    def spread(self, level: float) -> Float64s:
        """float64 [2, C]: ends of the central ``level`` of single galleries' FPIR; NaN if empty."""
        rates = np.stack([divide(each.errors, each.comparisons) for each in self.found])
        ends = np.full((2, rates.shape[1]), np.nan)
        some = ~np.isnan(rates).all(axis=0)
        tail = (1.0 - level) / 2.0
        ends[:, some] = np.nanquantile(rates[:, some], [tail, 1.0 - tail], axis=0)
        return ends


def _searched(
    vectors: EmbeddingSet,
    faces: pd.DataFrame,
    watchlist: Watchlist,
    threshold: float,
    galleries: int,
    rng: np.random.Generator,
) -> _Direct:
    found = []
    for _ in range(galleries):
        gallery = draw_gallery(faces, per_group=watchlist.per_group, rng=rng)
        outside = gallery.probes[~gallery.mated(gallery.probes)]
        found.append(false_alerts(search(vectors, gallery, outside), threshold))
    return _Direct(found)


def _verdicts(table: pd.DataFrame) -> list[str]:
    """One of ``VERDICTS`` per row."""
    conditions = [
        table["direct"].isna() | table["predicted"].isna(),
        table["alerts"] < FEW_ERRORS,
        table["predicted"] > table["direct_high"],
        table["predicted"] < table["direct_low"],
    ]
    agrees, high, low, few, empty = VERDICTS
    return [str(verdict) for verdict in np.select(conditions, [empty, few, high, low], agrees)]


def _require_same_set(faces: pd.DataFrame, tally: ScoreTally) -> None:
    groups, _, group = codes_of(faces)
    if groups != tally.groups or not np.array_equal(group, tally.group):
        raise InputError(
            "the tally was not made from these faces: its images or groups differ; compare the "
            "same set before checking a watchlist on it"
        )
    if tally.policy != "all" or tally.ordered or tally.listed is not None:
        raise InputError(
            f"the tally compared a part of the images only (policy {tally.policy}), but a search "
            "compares with everybody on the list; compare the set with comparison.same empty"
        )
