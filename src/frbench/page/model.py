"""The page's view of a run, and the sections and parts that the template prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from markupsafe import Markup

from frbench.page.tables import PageTable, by_rate, level_of
from frbench.values import ALL, Histogram, Threshold


@dataclass(frozen=True)
class Part:
    """One figure with its table, at one operating point ("" where none applies).

    Attributes:
        op: name of the operating point, by which the page's chooser shows the part.
        heading: heading above it, or "".
        figure: the SVG, or several small ones.
        legend: names of the keys to explain: now, then, target, thin, zero, heat.
        table: the same numbers as a table.
        folded: whether the table starts closed.
    """

    op: str = ""
    heading: str = ""
    figure: Markup | None = None
    panels: Sequence[Markup] = ()
    legend: Sequence[str] = ()
    table: PageTable | None = None
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """One question: heading, what it means in plain words, and its parts."""

    id: str
    heading: str
    plain: Sequence[str]
    parts: Sequence[Part]


@dataclass(frozen=True)
class Page:
    """The tables that the sections are drawn from (see ``reporting.ReportData``)."""

    rates: pd.DataFrame
    gaps: pd.DataFrame
    thresholds: Mapping[str, Sequence[Threshold]]
    groups: Sequence[str]
    histograms: Mapping[str, Histogram | None] = field(default_factory=dict)
    change: pd.DataFrame | None = None
    ordered: bool = False
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms in the order of their thresholds: the earlier first."""
        return tuple(self.thresholds)

    @property
    def points(self) -> tuple[str, ...]:
        """Names of the operating points, the headline first."""
        return tuple(dict.fromkeys(one.label for each in self.thresholds.values() for one in each))

    @property
    def level(self) -> str:
        """Confidence level of the intervals, as ``95 %``."""
        return level_of(self.rates)

    def headline(self) -> pd.DataFrame:
        """RateTable rows at the first operating point, or all where there is none."""
        if not self.points:
            return self.rates
        return self.rates[self.rates["operating_point"] == self.points[0]]

    def changes(self, point: str) -> pd.DataFrame:
        """Rows of the paired change at one operating point, the pooled row first."""
        if self.change is None:
            return pd.DataFrame()
        rows = self.change[self.change["operating_point"] == point]
        return rows.sort_values("group", key=lambda group: group != ALL, kind="stable")

    def target(self, point: str) -> float | None:
        """Target FMR of an operating point, None for a fixed threshold."""
        every = (one for each in self.thresholds.values() for one in each)
        return next((one.target_fmr for one in every if one.label == point), None)

    def at(self, point: str, kind: str) -> pd.DataFrame:
        """RateTable rows of one kind at one operating point; arms in order."""
        rows = self.rates[(self.rates["kind"] == kind) & (self.rates["operating_point"] == point)]
        return rows.sort_values("arm", key=lambda arm: arm.map(self._place), kind="stable")

    def _place(self, arm: str) -> int:
        return self.arms.index(arm) if arm in self.arms else len(self.arms)

    def within(self, point: str, kind: str) -> pd.DataFrame:
        """Pooled row first, then the groups from the highest rate to the lowest."""
        rows = self.at(point, kind)
        rows = rows[rows["probe_group"] == rows["reference_group"]]
        order = [ALL, *by_rate(rows, self.groups)]
        rows = rows[rows["probe_group"].isin(order)]
        return rows.sort_values(
            "probe_group", key=lambda group: group.map(order.index), kind="stable"
        )
