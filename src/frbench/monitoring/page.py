"""The timeline: alarms first, then every group's course beside its baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from frbench.formatting import decimal, percent, power, scientific
from frbench.page.charts import Line, line_chart, vertical_span
from frbench.page.document import Document, Words, page_table
from frbench.page.model import Part, Section
from frbench.page.tables import group_name
from frbench.values import Finding

MOST_POINTS = 400
"""Days that a chart draws; more are thinned, the table in the download holds all."""

METHODS = (
    (
        "An alarm",
        "A wager against “nothing has changed”: while that is true, one pound stays one pound on "
        "average however long one plays, so the chance that it ever grows to B pounds is at most "
        "1 / B. An alarm is raised at a B that shares the tolerated chance among all groups and "
        "measures.",
    ),
    (
        "Alarms over runs",
        "The k-th run after the approved one may use a k (k + 1)-th of the tolerated chance, "
        "shared by its tests, so that all runs to come together use it once.",
    ),
    (
        "Stability index",
        "Σ (q − p) ln(q / p) over bins or groups: under 0.1 small, 0.1 to 0.25 moderate, above "
        "0.25 major.",
    ),
)

LIMITS = (
    "No alarm is not proof that nothing changed: small changes take long to show.",
    "People who come again and again make days depend on each other; the wager takes the expected "
    "rate of a day, given the days before, to be at most the baseline's.",
    "Live counts of alerts hold false alerts only if each was checked by somebody; unchecked ones "
    "are not errors.",
)


def monitor_page(
    tables: Mapping[str, pd.DataFrame],
    lead: str,
    facts: Sequence[tuple[str, str]],
    cautions: Sequence[str],
    findings: Sequence[Finding],
    record: Mapping[str, Any],
    *,
    synthetic: bool,
) -> Document:
    """What stands on the page."""
    sections = []
    if "watched" in tables:
        sections += _series(tables["watched"])
    if "timeline" in tables:
        sections.append(_runs(tables["timeline"]))
    if len(tables.get("scores", ())):
        sections.append(_scores(tables["scores"]))
    if len(tables.get("people", ())):
        sections.append(_people(tables["people"]))
    return Document(
        kind="monitoring",
        title="Has anything changed for any group since the system was approved?",
        lead=lead,
        findings=findings,
        sections=sections,
        record=record,
        facts=facts,
        banner="Synthetic faces: no real person was measured." if synthetic else "",
        limits=[*cautions, *LIMITS],
        methods=METHODS,
        downloads=tables,
    )


def _series(watched: pd.DataFrame) -> list[Section]:
    sections = []
    told: dict[str, tuple[str, str, Words]] = {
        "rate": ("How did each group's rate go?", "rate", percent),
        "disparity": ("How did each group's rate go beside the others'?", "ratio", _times),
    }
    for measure, (heading, axis, words) in told.items():
        rows = watched[watched["measure"] == measure]
        if rows.empty:
            continue
        lines, evidence = {}, {}
        for group, each in rows.groupby("group", sort=False):
            thin = each.iloc[:: max(1, len(each) // MOST_POINTS)]
            week = each["value"].rolling(7, min_periods=1).mean().loc[thin.index]
            lines[str(group)] = Line(str(group), _days(each, thin), list(week))
            evidence[str(group)] = Line(
                f"{group}, evidence", _days(each, thin), list(thin["evidence"])
            )
        span = vertical_span(list(lines.values()), log=False)
        days = list(rows["when"].drop_duplicates())
        uppers = rows.groupby("group", sort=False)["upper"].first()
        panels = [
            line_chart(
                [line],
                uid=f"{measure}-{at}",
                title=group,
                x_name="day",
                y_name=f"{axis}, mean of 7 days",
                reference=float(uppers[group]) if np.isfinite(uppers[group]) else None,
                words=words,
                x_words=_day_of(days),
                span=span,
            )
            for at, (group, line) in enumerate(lines.items())
        ]
        bets = [
            line_chart(
                [line],
                uid=f"{measure}-evidence-{at}",
                title=group,
                log=True,
                x_name="day",
                y_name="wager",
                reference=float(rows["bar"].iloc[0]),
                words=_compact,
                x_words=_day_of(days),
            )
            for at, (group, line) in enumerate(evidence.items())
        ]
        sections.append(
            Section(
                measure,
                heading,
                ("The dashed line is the upper bound of the baseline.",),
                [
                    Part(panels=panels),
                    Part(
                        heading="Evidence of a rise, and the bar at which an alarm is raised",
                        panels=bets,
                        table=_alarms(rows),
                    ),
                ],
            )
        )
    return sections


def _days(each: pd.DataFrame, thin: pd.DataFrame) -> list[float]:
    places = {index: float(at) for at, index in enumerate(each.index)}
    return [places[index] for index in thin.index]


def _day_of(days: Sequence[str]) -> Words:
    return lambda at: days[min(round(at), len(days) - 1)]


def _alarms(rows: pd.DataFrame) -> Any:
    last = rows.groupby("group", sort=False).last().reset_index()
    first = rows[rows["alarm"]].groupby("group", sort=False)["when"].first()
    last["first"] = last["group"].map(first).fillna("none")
    return page_table(
        last,
        "Alarms by group",
        {
            "group": "Group",
            "first": "First alarm",
            "baseline": ("Baseline", decimal),
            "upper": ("Its upper bound", decimal),
            "evidence": ("Evidence at the end", decimal),
            "bar": ("Bar", decimal),
        },
    )


def _runs(timeline: pd.DataFrame) -> Section:
    parts = []
    runs = list(dict.fromkeys(timeline["run"]))
    place = {name: float(at) for at, name in enumerate(runs)}
    whens = [str(when)[:10] for when in timeline.drop_duplicates("run")["when"]]
    for number, ((point, kind), rows) in enumerate(
        timeline.groupby(["operating_point", "kind"], sort=False)
    ):
        gap = str(kind).endswith("gap")
        log = gap or kind == "FMR"
        words: Words = _times if gap else _compact if kind == "FMR" else percent
        lines = {
            str(group): Line(
                group_name(group),
                [place[name] for name in each["run"]],
                list(each["rate"]),
                list(each["low"]),
                list(each["high"]),
            )
            for group, each in rows.groupby("group", sort=False)
        }
        span = vertical_span(list(lines.values()), log=log)
        firsts = rows[rows["run"] == runs[0]].set_index("group")["rate"]
        panels = [
            line_chart(
                [line],
                uid=f"run-{number}-{at}",
                title=group_name(group),
                log=log,
                x_name="run",
                y_name="over the others'" if gap else str(kind),
                reference=float(firsts.get(group, np.nan)) if group in firsts else None,
                words=words,
                x_words=_day_of(whens),
                span=span,
            )
            for at, (group, line) in enumerate(lines.items())
        ]
        table = page_table(
            rows.assign(
                group=rows["group"].map(group_name),
                alarm=rows["alarm"].map({True: "alarm", False: ""}),
                paired=rows["paired"].map({True: "same images", False: "other images"}),
            ),
            f"{kind} at {point}, run by run",
            {
                "run": "Run",
                "group": "Group",
                "rate": (str(kind), words),
                "low": ("from", words),
                "high": ("to", words),
                "ratio": ("Beside the approved run", _times),
                "ratio_low": ("at least", _times),
                "ratio_high": ("at most", _times),
                "paired": "Compared on",
                "alarm": "Alarm",
            },
        )
        name = str(kind).replace(" gap", ", each group over the mean of the others,")
        parts.append(Part(heading=f"{name} at {point}", panels=panels, table=table, folded=True))
    return Section(
        "timeline",
        "How did the rates go, run by run?",
        ("The dashed line is the approved run's rate; bands are intervals over persons.",),
        parts,
    )


def _scores(scores: pd.DataFrame) -> Section:
    table = page_table(
        scores.assign(group=scores["group"].map(group_name)),
        "Scores of each run beside the approved run's",
        {
            "run": "Run",
            "group": "Group",
            "comparison": "Comparisons",
            "comparisons": "How many",
            "psi": "Stability index",
            "ks": "Largest distance",
        },
    )
    return Section(
        "scores",
        "Do scores still lie where they lay?",
        ("A shift moves everybody's error rates at a fixed threshold.",),
        [Part(table=table)],
    )


def _people(people: pd.DataFrame) -> Section:
    table = page_table(
        people,
        "Groups' shares beside the baseline's",
        {
            "run": "Run",
            "persons": "Persons (searches)",
            "psi": "Stability index",
            "psi_by_chance": "By chance at most",
            "most_grown": "Most grown",
            "share_before": ("Share before", percent),
            "share_now": ("Share now", percent),
        },
    )
    return Section(
        "people",
        "Are the people seen those for whom the system was approved?",
        ("A system approved for some people is not thereby approved for others.",),
        [Part(table=table)],
    )


def _times(value: float) -> str:
    return f"×{decimal(value)}" if value == value else "–"


def _compact(value: float) -> str:
    """A power of ten as such, short enough for an axis; other numbers in full."""
    exponent = math.log10(value) if value > 0 else math.nan
    return power(round(exponent)) if abs(exponent - round(exponent)) < 1e-9 else scientific(value)
