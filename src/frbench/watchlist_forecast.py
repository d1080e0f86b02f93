"""FPIR by group and alerts per day for any watchlist, from the cross-group false-match rates."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import special, stats

from frbench.cell_errors import PairErrors, divide
from frbench.counted import Counted
from frbench.errors import InputError
from frbench.group_replicates import resampling_for
from frbench.intervals import Interval, Resampling
from frbench.intervals.wilson import score_interval
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.rates import status_of
from frbench.values import ALL, Float64s, Int64s, ScoreTally
from frbench.watchlist import MODEL_CAUTION, Watchlist, require_known

FORECAST_COLUMNS = (
    "probe_group",
    "watchlist_size",
    "threshold",
    "rate",
    "low",
    "high",
    "level",
    "interval",
    "errors",
    "false_candidates",
    "people_per_day",
    "share_of_people",
    "false_alerts_per_day",
    "false_alerts_low",
    "false_alerts_high",
    "share_of_false_alerts",
    "status",
    "caution",
)
"""A row per group searched, and with a stream the pooled row ``all`` first.

rate, low, high: FPIR, fraction of searches. errors: false matches in the cells behind it.
false_candidates: expected false candidates per search, the sum of n_g FMR_pg. The pooled rate is
false alerts per person seen who is not on the list. status: as in the table of rates, over the
cells behind the row."""


def forecast(
    tally: ScoreTally,
    threshold: float,
    watchlist: Watchlist,
    *,
    stream: Mapping[str, float] | None = None,
    interval: Interval,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The table of ``FORECAST_COLUMNS``: FPIR by group of the person searched, and alerts per day.

    Intervals carry over from the false-match rates, persons being the units. FPIR is expressed as
    the one FMR that would give it at this size, p = 1 - (1 - FPIR)^(1/N). The false-match rates of
    all cells are drawn together under resampled persons, each drawn in to its closed-form
    variance; the spread V of the p they give makes n* = p (1 - p) / V the effective number of
    Wilson's interval, whose ends are turned back into FPIR, with Student's quantile for the few
    persons that V may rest on (``_Model._degrees``). With one cell it is that cell's
    ``wilson_effective`` interval, put through the model.

    A cell without errors has no spread: it stands at an upper bound of its own, and the upper
    end's chance of error is shared between those cells and the rest (Bonferroni).

    Args:
        tally: comparisons with the impostor policy that the street has, that is ``all``.
        threshold: score units, at or above ``tally.floor``.
        interval: ``level``, and the way persons are drawn; with replacement if it draws nobody.
        stream: people seen per day who are not on the list, by group; groups not named are not
            seen. None leaves the columns of the day empty and the pooled row out.

    Raises:
        InputError: a group that the tally does not have, a negative number of people, or a
            threshold below the floor.
    """
    counts = watchlist.counts(tally.groups)
    seen = _people(stream, tally.groups)
    # float64, so that numpy does not round the threshold to the scores' float32
    errors = Counted(tally).false_matches(np.float64(threshold))
    model = _Model(errors, counts, interval, rng)
    mixes = list(np.eye(len(tally.groups)))
    names = list(tally.groups)
    if seen is not None:
        mixes.insert(0, seen / seen.sum())
        names.insert(0, ALL)
    table = pd.DataFrame([model.row(mix) for mix in mixes])
    table.insert(0, "probe_group", names)
    table["watchlist_size"] = watchlist.size
    table["threshold"] = float(threshold)
    table["level"] = interval.level
    table["caution"] = MODEL_CAUTION
    _add_the_day(table, seen)
    return table[list(FORECAST_COLUMNS)]


class _Model:
    """FPIR of a mix of people searched, with its interval, from one tally's cells."""

    def __init__(
        self, errors: PairErrors, counts: Int64s, interval: Interval, rng: np.random.Generator
    ) -> None:
        part = resampling_for(interval)
        self._errors, self._counts, self._level = errors, counts, interval.level
        self._lookup = errors.trials.cells.lookup
        self._fmr = divide(errors.errors, errors.comparisons)
        self._drawn = drawn_rates(errors, part, rng)
        self._name = f"{WilsonEffective.name} by {part.name}"
        self._rng = rng

    def row(self, mix: Float64s) -> dict[str, float | str]:
        """The model's columns for people searched in these proportions (float64 [G], sum 1)."""
        cells = np.unique(self._lookup[np.ix_(mix > 0, self._counts > 0)]).astype(np.int64)
        rate = -float(np.expm1(-self._exponent(self._fmr[None], mix)[0]))
        low, high, name = self._bounds(cells, mix)
        errors = int(self._errors.errors[cells].sum())
        people = int(self._errors.subjects[cells].min())
        status = status_of(np.array([rate]), np.array([errors]), np.array([people]))[0]
        return {
            "rate": rate,
            "low": low,
            "high": high,
            "interval": name,
            "errors": errors,
            "false_candidates": self._candidates(mix),
            "status": status,
        }

    def _exponent(self, fmr: Float64s, mix: Float64s) -> Float64s:
        """float64 [R]: -log(1 - FPIR), which keeps its digits where FPIR is all but 1.

        For false-match rates float64 [R, C]; NaN where a cell that matters is.
        """
        listed, seen = self._counts > 0, np.flatnonzero(mix > 0)
        each = [fmr[:, self._lookup[probe][listed]] for probe in seen]
        survival = [special.xlog1py(self._counts[listed], -part).sum(axis=1) for part in each]
        together = special.logsumexp(np.stack(survival), axis=0, b=mix[seen][:, None])
        return -np.asarray(together, dtype=np.float64)

    def _candidates(self, mix: Float64s) -> float:
        listed, seen = self._counts > 0, mix > 0
        fmr = self._fmr[self._lookup[np.ix_(seen, listed)]]
        return float(mix[seen] @ fmr @ self._counts[listed])

    def _bounds(self, cells: Int64s, mix: Float64s) -> tuple[float, float, str]:
        if np.isnan(self._fmr[cells]).any():
            return 0.0, 1.0, self._name
        risk = 1.0 - self._level
        silent = cells[self._errors.errors[cells] == 0]
        low, high = self._wilson(self._fmr, self._drawn, mix, risk)
        if len(silent) == 0:
            return low, high, self._name
        # half of the upper end's chance of error is for the silent cells, or all if all are silent
        spent = risk if len(silent) == len(cells) else risk / 2
        closed = WilsonEffective(level=1.0 - spent / len(silent))
        ceiling = closed.bounds(self._errors, rng=self._rng).high[silent]
        raised, drawn = self._fmr.copy(), self._drawn.copy()
        raised[silent], drawn[:, silent] = ceiling, ceiling
        if spent == risk:
            high = -float(np.expm1(-self._exponent(raised[None], mix)[0]))
        else:
            high = self._wilson(raised, drawn, mix, risk - spent)[1]
        return low, high, f"{self._name}, cells without errors by Bonferroni: {len(silent)}"

    def _wilson(
        self, fmr: Float64s, drawn: Float64s, mix: Float64s, risk: float
    ) -> tuple[float, float]:
        """The interval at level 1 - risk of FPIR, by way of the one FMR that would give it."""
        size = int(self._counts.sum())
        rate: Float64s = -np.expm1(-self._exponent(fmr[None], mix) / size)
        variance = np.var(-np.expm1(-self._exponent(drawn, mix) / size), keepdims=True)
        number = divide(rate * (1 - rate), variance)
        z = np.atleast_1d(stats.t.ppf(1.0 - risk / 2, self._degrees(mix)))
        ends = score_interval(rate, number, level=1.0 - risk, z=z)
        with np.errstate(divide="ignore"):  # an end of 1 stands for FPIR 1
            low, high = (-np.expm1(size * np.log1p(-end[0])) for end in (ends.low, ends.high))
        return float(low), float(high)

    def _degrees(self, mix: Float64s) -> float:
        """Student's degrees of freedom of the cells together, by Satterthwaite's rule.

        Each cell adds a V with a the reference images times the share of people they meet,
        squared, V its variance, known from as many persons as carry its errors.
        """
        factor = np.zeros(len(self._fmr))
        np.add.at(factor, self._lookup, mix[:, None] * self._counts)
        part = np.nan_to_num(factor**2 * self._errors.variance)
        known = (part > 0) & (self._errors.errors > 0)
        if not known.any():
            return 1.0
        # persons who all err alike carry no variance between them: the normal quantile, as in
        # the cell's own interval
        carriers = np.maximum(np.nan_to_num(self._errors.carriers[known], nan=np.inf), 1.0)
        weight = float(np.sum(part[known] ** 2 / carriers))
        return max(float(part[known].sum()) ** 2 / weight, 1.0) if weight > 0 else math.inf


def drawn_rates(errors: PairErrors, part: Resampling, rng: np.random.Generator) -> Float64s:
    """float64 [R, C]: the cells' rates under resampled persons, with the closed form's spread.

    Weights of persons multiply, so that a pair's own part of the variance comes out three times
    too large ((1 + 1)^2 - 1); each cell's replicates are therefore drawn in towards its rate, on
    the log scale, until their variance is the plug-in one of ``PairErrors.variance``.
    """
    weights = part.weights(errors.persons, rng=rng)
    drawn = errors.resampled(weights, self_pairs=part.self_pairs)
    rate = divide(errors.errors, errors.comparisons)
    with np.errstate(divide="ignore", invalid="ignore"):
        known = np.where(np.isnan(drawn), rate, drawn)
        spread = known.var(axis=0)
        scale = np.sqrt(np.minimum(errors.variance / spread, 1.0))
        drawn_in = rate * (known / rate) ** np.where(spread > 0, scale, 1.0)
    return np.where(rate > 0, np.minimum(drawn_in, 1.0), known)


def _people(stream: Mapping[str, float] | None, groups: tuple[str, ...]) -> Float64s | None:
    if stream is None:
        return None
    require_known(stream, groups, "the stream")
    seen = np.array([float(stream.get(name, 0.0)) for name in groups])
    if not np.all(np.isfinite(seen) & (seen >= 0)) or seen.sum() == 0:
        raise InputError(
            "the people seen per day must be numbers of at least 0, and not all 0; the stream is "
            + ", ".join(f"{name}: {n}" for name, n in stream.items())
        )
    return seen


def _add_the_day(table: pd.DataFrame, seen: Float64s | None) -> None:
    """Alerts per day are people times FPIR; shares show on whom they fall."""
    people = np.full(len(table), np.nan) if seen is None else np.r_[seen.sum(), seen]
    table["people_per_day"] = people
    for column, rate in [("per_day", "rate"), ("low", "low"), ("high", "high")]:
        alerts = people * table[rate]
        # nobody seen, no alerts, even where the rate is unknown
        table[f"false_alerts_{column}"] = np.where(people == 0, 0.0, alerts)
    total = table["false_alerts_per_day"].iloc[0] if seen is not None else np.nan
    table["share_of_people"] = people / people[0]
    shares = table["false_alerts_per_day"] / total if total > 0 else np.nan
    table["share_of_false_alerts"] = shares
