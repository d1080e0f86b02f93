"""Where thresholds come from: the set itself, a calibration split, another run, or a statement.

The uncertainty of a threshold that was estimated on other persons is carried into the rates by
``carried_rates`` (docs/methodology/operating-points.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frbench.counted import Counted
from frbench.errors import InputError
from frbench.intervals import Interval
from frbench.intervals.wilson import Wilson
from frbench.rates import error_rates
from frbench.settings import OperatingPoint
from frbench.tables import RATE_KEYS
from frbench.thresholds import choose_thresholds
from frbench.values import Float64s, ScoreTally, Threshold

IDENTITY = ("name", "identity", "preprocess", "detector", "scores")
"""What of a matcher's record must agree for its thresholds to be taken over; the fingerprint also
covers the images, which may differ."""

UNNAMED = "scored elsewhere"
"""What a list of scores calls its matcher until the user names it."""

CARRIED_COLUMNS = (
    *RATE_KEYS, "source", "threshold_low", "threshold_high", "rate", "low", "high", "rate_at_low",
    "rate_at_high", "carried_low", "carried_high", "level",
)  # fmt: skip
"""A row per row of the rates whose threshold was estimated on other persons. threshold_low, _high:
the threshold's own interval. rate_at_low, _high: the rate at its ends. carried_low, _high: the
interval of the rate at the threshold that has the target FMR, the threshold's uncertainty
included; never narrower than low, high, which take the threshold as given."""


def operating_points(
    point: OperatingPoint,
    tally: ScoreTally,
    *,
    arm: str,
    matcher: Mapping[str, Any],
    interval: Interval,
    rng: np.random.Generator,
    calibration: ScoreTally | None = None,
) -> tuple[Threshold, ...]:
    """The thresholds of one matcher with their provenance and their own intervals.

    Args:
        tally: the comparisons that rates are measured on.
        matcher: its record; ``fingerprint`` says on what a threshold was chosen.
        calibration: comparisons of other persons, on which targets' thresholds are chosen.

    Raises:
        InputError: as ``choose_thresholds``; the other run has another matcher; a threshold lies
            below the floor of ``tally``; two operating points of one name.
    """
    fingerprint = str(matcher["fingerprint"])
    source = calibration or tally
    chosen = [
        with_interval(source, each, interval, rng)
        for each in choose_thresholds(source, point.target_fmr, chosen_on=fingerprint)
    ]
    if calibration is not None:
        chosen = [replace(each, source="calibration split") for each in chosen]
        for each in chosen:
            _require_reach(tally, each)
    if point.from_run:
        chosen += _of_run(Path(point.from_run).expanduser(), arm, matcher, tally)
    given = choose_thresholds(
        tally, (), fixed=[*point.fixed, *point.stated.values()], chosen_on=fingerprint
    )
    given = tuple(replace(each, stated_by=point.stated_by) for each in given)
    stated = [
        replace(each, rule="stated", target_fmr=float(rate))
        for rate, each in zip(point.stated, given[len(point.fixed) :], strict=True)
    ]
    # what is stated here needs no other run to state it too
    here = {(each.label, each.value) for each in (*given[: len(point.fixed)], *stated)}
    chosen = [each for each in chosen if (each.label, each.value) not in here]
    points = (*chosen, *given[: len(point.fixed)], *stated)
    labels = [each.label for each in points]
    twice = [label for label in labels if labels.count(label) > 1]
    if twice:
        raise InputError(
            f"two operating points are called {twice[0]}, so no table could tell them apart; leave "
            "one of them out of operating_point"
        )
    return points


def with_interval(
    tally: ScoreTally, threshold: Threshold, interval: Interval, rng: np.random.Generator
) -> Threshold:
    """The threshold with the interval of the score that has the target FMR among all persons.

    Woodruff's inversion (JASA 1952): if [l, u] is the interval of the FMR at the threshold, the
    scores whose measured FMR is u and l bound the quantile. An end below the listed scores is read
    off the histogram, a bin too low; without one it is the lowest of them.
    """
    errors = Counted(tally).false_matches(np.float64(threshold.value))
    bounds = interval.bounds(errors, rng=rng)
    # the rate's own denominator: comparisons with a failed template are non-matches
    comparisons = int(errors.comparisons[-1])
    descending = np.sort(tally.tail.score)[::-1]

    def score_at(rate: float) -> float:
        allowed = int(rate * comparisons)
        if allowed == 0:
            return float(np.nextafter(descending[0], descending.dtype.type(np.inf)))
        if allowed > len(descending) and tally.floor > -np.inf:
            return _below_the_tail(tally, allowed)
        return float(descending[min(allowed, len(descending)) - 1])

    low, high = score_at(float(bounds.high[-1])), score_at(float(bounds.low[-1]))
    return replace(
        threshold,
        low=min(low, threshold.value),
        high=max(high, threshold.value),
        level=interval.level,
    )


def _below_the_tail(tally: ScoreTally, matches: int) -> float:
    """A score that at least ``matches`` non-mated ones reach, were there so many."""
    if tally.histogram is None:
        return tally.floor
    edges, counts = tally.histogram.edges, tally.histogram.counts[1].sum(axis=(0, 1))
    reached = np.cumsum(counts[::-1])[::-1] >= matches
    place = int(np.flatnonzero(reached)[-1]) if reached.any() else 0
    return float(min(edges[place] - tally.histogram.bin_error, tally.floor))


def carried_rates(
    tally: ScoreTally, thresholds: Sequence[Threshold], rates: pd.DataFrame
) -> pd.DataFrame:
    """The table of ``CARRIED_COLUMNS`` for thresholds estimated on other persons; may be empty.

    With p the rate at the threshold, [l, u] its interval and p_-, p_+ the rates at the ends of the
    threshold's interval, the two sources being independent:
    log p - sqrt(log(p/l)^2 + log(p/p_min)^2)  to  log p + sqrt(log(u/p)^2 + log(p_max/p)^2), and
    without logs where p or an end is 0 (Donner and Zou, Stat. Med. 2012, MOVER).
    """
    tables = []
    for threshold in thresholds:
        if threshold.source in ("this set", "stated") or threshold.low is None:
            continue
        assert threshold.high is not None
        own = rates[rates["operating_point"] == threshold.label].reset_index(drop=True)
        low = max(threshold.low, tally.floor)
        ends = [_rates_at(tally, threshold, value) for value in (low, threshold.high)]
        bounds = _joined(
            own["rate"].to_numpy(), own["low"].to_numpy(), own["high"].to_numpy(), *ends
        )
        table = own[[*RATE_KEYS, "rate", "low", "high", "level"]].assign(
            source=threshold.source,
            threshold_low=low,
            threshold_high=threshold.high,
            rate_at_low=ends[0],
            rate_at_high=ends[1],
            carried_low=bounds[0],
            carried_high=bounds[1],
        )
        tables.append(table[table["kind"] != "FTE"])
    if not tables:
        return pd.DataFrame(columns=list(CARRIED_COLUMNS))
    return pd.concat(tables, ignore_index=True)[list(CARRIED_COLUMNS)]


def _rates_at(tally: ScoreTally, threshold: Threshold, value: float) -> Float64s:
    table = error_rates(
        tally,
        [replace(threshold, value=value)],
        Wilson(),
        matcher="",
        benchmark="",
        rng=np.random.default_rng(0),
    )
    return table["rate"].to_numpy(dtype=np.float64)


def _joined(
    rate: Float64s, low: Float64s, high: Float64s, one: Float64s, other: Float64s
) -> tuple[Float64s, Float64s]:
    least, most = np.fmin(np.fmin(one, other), rate), np.fmax(np.fmax(one, other), rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        down = rate * np.exp(-np.hypot(np.log(rate / low), np.log(rate / least)))
        up = rate * np.exp(np.hypot(np.log(high / rate), np.log(most / rate)))
    plain_down = rate - np.hypot(rate - low, rate - least)
    plain_up = rate + np.hypot(high - rate, most - rate)
    down = np.where((low > 0) & (least > 0), down, plain_down)
    up = np.where(rate > 0, up, plain_up)
    # nothing compared: the interval stays [0, 1]
    down, up = np.where(np.isnan(rate), low, down), np.where(np.isnan(rate), high, up)
    return np.clip(down, 0.0, 1.0), np.clip(up, 0.0, 1.0)


def _require_reach(tally: ScoreTally, threshold: Threshold) -> None:
    if threshold.value < tally.floor:
        raise InputError(
            f"the threshold {threshold.value:g} of {threshold.label}, from the {threshold.source}, "
            f"lies below the floor {tally.floor:g} of the test comparisons; raise "
            "comparison.keep_fmr"
        )


def _of_run(
    folder: Path, arm: str, matcher: Mapping[str, Any], tally: ScoreTally
) -> list[Threshold]:
    """The thresholds of another run's arm with the same matcher, reread on this tally."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        matchers, rows = record["matchers"], record["thresholds"]
        source = _same_matcher(folder, matchers, arm, matcher)
        known = {each.name for each in fields(Threshold)}
        found = [
            Threshold(**{key: value for key, value in row.items() if key in known})
            for row in rows
            if row["arm"] == source
        ]
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        raise InputError(
            f"operating_point.from_run={folder}: no readable run.json of a run in it ({cause})."
        ) from cause
    taken = [replace(each, source=f"run {folder.resolve().name}") for each in found]
    for threshold in taken:
        _require_reach(tally, threshold)
    if not taken:
        raise InputError(f"operating_point.from_run={folder}: the run has no threshold.")
    return taken


def _same_matcher(
    folder: Path, matchers: Sequence[Mapping[str, Any]], arm: str, matcher: Mapping[str, Any]
) -> str:
    """The other run's arm with this matcher, the one of the same name first."""

    if matcher.get("name") == UNNAMED:
        raise InputError(
            f"operating_point.from_run={folder}: a list of scores does not say which matcher made "
            "it; name the matcher in both runs, benchmark.matcher=NAME"
        )

    def identity(record: Mapping[str, Any]) -> str:
        kept = {key: record.get(key) for key in IDENTITY}
        return json.dumps(kept, sort_keys=True, default=str)

    mine = identity(json.loads(json.dumps(dict(matcher), default=str)))
    alike = [str(each["arm"]) for each in matchers if identity(each) == mine]
    if not alike:
        theirs = ", ".join(str(each.get("name")) for each in matchers)
        raise InputError(
            f"operating_point.from_run={folder}: its thresholds are of another matcher ({theirs}; "
            f"this one is {matcher.get('name')}, or its weights, preprocessing or detector "
            "differ), and scores of different matchers do not compare; choose a run of this one"
        )
    return arm if arm in alike else alike[0]
