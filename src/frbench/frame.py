"""A notebook's view of error rates, in the manner of a metric frame: overall, by group, by pair."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frbench.errors import InputError
from frbench.intervals import Interval
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.rates import error_rates
from frbench.runs import read_findings, read_tally
from frbench.thresholds import choose_thresholds
from frbench.values import ALL, UNLABELLED, Finding, ScoreTally, Threshold

SHOWN = ["rate", "low", "high", "errors", "comparisons", "subjects", "status"]


@dataclass(frozen=True)
class ErrorRates:
    """One kind of error of a tally at one threshold.

    ``frame.by_group`` and ``frame.overall`` read like fairlearn's ``MetricFrame``; every rate comes
    with its interval, persons being the units.

    Attributes:
        tally: the counted comparisons.
        threshold: score units, at or above ``tally.floor``; match if ``score >= threshold``.
        kind: ``FMR``, ``FNMR`` or ``FTE``.
        method: interval method, by default ``wilson_effective`` at 95 %.
        seed: of interval methods that draw persons.
    """

    tally: ScoreTally
    threshold: float
    kind: str = "FMR"
    method: Interval | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("FMR", "FNMR", "FTE"):
            raise InputError(f"kind={self.kind} is unknown; take FMR, FNMR or FTE")

    @classmethod
    def at_fmr(cls, tally: ScoreTally, target: float, **more: Any) -> ErrorRates:
        """At the lowest threshold whose pooled FMR does not exceed ``target``."""
        (threshold,) = choose_thresholds(tally, [target], chosen_on="")
        return cls(tally, threshold.value, **more)

    def at(self, threshold: float) -> ErrorRates:
        """The same at another threshold."""
        return ErrorRates(self.tally, threshold, self.kind, self.method, self.seed)

    def of(self, kind: str) -> ErrorRates:
        """Another kind of error at the same threshold."""
        return ErrorRates(self.tally, self.threshold, kind, self.method, self.seed)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The RateTable of this kind (``tables.RATE_COLUMNS``)."""
        point = Threshold(self.threshold, "fixed", None, np.nan, 0, 0, "")
        rates = error_rates(
            self.tally,
            [point],
            self.method or WilsonEffective(),
            matcher="",
            benchmark="",
            rng=np.random.default_rng(self.seed),
        )
        return rates[rates["kind"] == self.kind].reset_index(drop=True)

    @property
    def overall(self) -> pd.Series[Any]:
        """The pooled rate with its interval and counts."""
        return self.table[self.table["probe_group"] == ALL].iloc[0][SHOWN]

    @property
    def by_group(self) -> pd.DataFrame:
        """A row per group: comparisons of the group within itself."""
        own = self.table[self.table["probe_group"] == self.table["reference_group"]]
        own = own[own["probe_group"] != ALL]
        return own.set_index("probe_group")[SHOWN].rename_axis("group")

    @property
    def by_pair(self) -> pd.DataFrame:
        """Rates of every pair of groups as a square table; unordered pairs stand on both sides."""
        cells = self.table[self.table["probe_group"] != ALL]
        square = cells.pivot(index="probe_group", columns="reference_group", values="rate")
        names = [name for name in self.tally.groups if name in square.index]
        square = square.reindex(index=names, columns=names)
        return square if self.tally.ordered else square.combine_first(square.T).loc[names, names]

    @property
    def interval(self) -> pd.DataFrame:
        """Lower and upper end per group."""
        return self.by_group[["low", "high"]]

    def group_max(self) -> float:
        """The highest rate of a labelled group."""
        return float(self._labelled().max())

    def group_min(self) -> float:
        """The lowest rate of a labelled group."""
        return float(self._labelled().min())

    def ratio(self) -> float:
        """Highest over lowest (NIST's; fairlearn's ``ratio`` is its inverse); inf over zero."""
        high, low = self.group_max(), self.group_min()
        if low > 0:
            return high / low
        return np.inf if high > 0 else np.nan

    def difference(self) -> float:
        """Highest less lowest."""
        return self.group_max() - self.group_min()

    def _labelled(self) -> pd.Series[float]:
        rates = self.by_group["rate"]
        return rates[rates.index != UNLABELLED].dropna()


@dataclass(frozen=True)
class Run:
    """A run folder for notebooks; files are read when they are asked for."""

    folder: Path

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """Content of ``run.json``."""
        found: dict[str, Any] = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        return found

    @cached_property
    def rates(self) -> pd.DataFrame:
        """``rates`` with its types."""
        return self.table("rates")

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """``gaps`` with its types."""
        return self.table("gaps")

    @cached_property
    def thresholds(self) -> pd.DataFrame:
        """A row per arm and operating point, with provenance."""
        return pd.DataFrame(self.record["thresholds"])

    @cached_property
    def findings(self) -> pd.DataFrame:
        """A row per answer of the rules, gravest first."""
        found = read_findings(self.folder / "findings.json")
        names = [each.name for each in fields(Finding)]
        return pd.DataFrame([{name: getattr(one, name) for name in names} for one in found])

    @property
    def tables(self) -> list[str]:
        """Names of the tables in the folder."""
        return sorted(path.stem for path in self.folder.glob("*.parquet"))

    def table(self, name: str) -> pd.DataFrame:
        """One table by name. Raises InputError naming those that are there."""
        path = self.folder / f"{name}.parquet"
        if not path.is_file():
            raise InputError(
                f"{self.folder}: the run has no table {name}; it has {', '.join(self.tables)}"
            )
        return pd.read_parquet(path)

    def tally(self, arm: str = "") -> ScoreTally:
        """The counted comparisons of one arm."""
        return read_tally(self.folder / "tally" / arm)

    def errors(
        self, kind: str = "FMR", *, threshold: float | None = None, arm: str = ""
    ) -> ErrorRates:
        """The frame at a threshold; by default the arm's first operating point."""
        if threshold is None:
            mine = [row for row in self.record["thresholds"] if row["arm"] == arm]
            if not mine:
                raise InputError(f"{self.folder}: the run has no threshold of arm {arm!r}")
            threshold = float(mine[0]["value"])
        return ErrorRates(self.tally(arm), threshold, kind)


def open_run(path: str | Path) -> Run:
    """The run in a folder. Raises InputError when there is none."""
    folder = Path(path).expanduser()
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder}: no run.json in it; name the folder of a finished run")
    return Run(folder)
