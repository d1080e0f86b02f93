"""The page of a sweep: all runs beside each other, then a figure per parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from frbench.formatting import label_text, percent, ratio_text, scientific, shorten
from frbench.page.charts import Interval, interval_chart
from frbench.page.document import Document
from frbench.page.model import Part, Section
from frbench.page.tables import Cell, Column, PageTable, records
from frbench.values import Finding

if TYPE_CHECKING:
    from frbench.run_collection.sweep import Sweep

MOST_ROWS = 60
"""Runs in a figure; all are in the table."""

LIMITS = (
    "The runs of a sweep are made for exploring. Picking the best of many runs makes it look "
    "better than it is; check it on persons that none of them has seen.",
    "A figure per parameter shows the spread over the other settings, which is no interval: it "
    "says nothing about other persons.",
    "frbench diff says which of two runs' cells differ beyond noise, and ranks runs of one set.",
)

METHODS = (
    (
        "Worst group",
        "The labelled group with the highest false-match rate among its own members, at the run's "
        "one threshold for everybody, with its 95 % interval over persons.",
    ),
    (
        "Per parameter",
        "For each value: the median over the runs that have it, from the lowest to the highest of "
        "them.",
    ),
)


def sweep_page(
    sweep: Sweep, table: pd.DataFrame, findings: Sequence[Finding], record: Mapping[str, Any]
) -> Document:
    """What stands on the page."""
    shown = table[table["first_point"]].reset_index(drop=True)
    names = {key: short_values(list(values)) for key, values in sweep.parameters.items()}
    synthetic = any((run.record.get("benchmark") or {}).get("synthetic") for run in sweep.runs)
    sections = [_all(shown, table, names)]
    sections += [
        _parameter(number, key, shown, names[key]) for number, key in enumerate(sweep.parameters)
    ]
    count = len(sweep.runs)
    return Document(
        kind="sweep",
        title="What does the sweep show?",
        lead=f"{sweep.root.resolve().name} · {count} run{'s' * (count != 1)}",
        findings=findings,
        sections=sections,
        record=record,
        facts=[
            ("Runs", f"{count}" + (f"; {len(sweep.missing)} missing" if sweep.missing else "")),
            *[
                (key, ", ".join(dict.fromkeys(names[key][value] for value in values)))
                for key, values in sweep.parameters.items()
            ],
        ],
        facts_heading="What was swept",
        banner="Synthetic faces: nothing here measures a real person." if synthetic else "",
        limits=LIMITS,
        methods=METHODS,
        downloads={"sweep": table},
    )


def short_values(values: Sequence[str]) -> dict[str, str]:
    """Value -> what figures call it: of paths the last part, where that tells them apart."""
    distinct = list(dict.fromkeys(values))
    last = [PurePath(value).name or value for value in distinct]
    if any("/" in value for value in distinct) and len(set(last)) == len(distinct):
        return dict(zip(distinct, last, strict=True))
    return {value: value for value in distinct}


def _called(row: Mapping[str, Any], names: Mapping[str, Mapping[str, str]]) -> str:
    """A run by what was swept, and its arm where it has two."""
    given = [names[key][str(row[f"param:{key}"])] for key in names]
    return " · ".join([*(given or [str(row["run"])]), *([str(row["arm"])] if row["arm"] else [])])


def _all(
    shown: pd.DataFrame, table: pd.DataFrame, names: Mapping[str, Mapping[str, str]]
) -> Section:
    rows = records(shown.head(MOST_ROWS))
    worst = [
        Interval(
            _called(row, names),
            float(row["worst_fmr"]),
            float(row["worst_low"]),
            float(row["worst_high"]),
            f"group {shorten(label_text(row['worst_group']), 20)}",
        )
        for row in rows
    ]
    missed = [
        Interval(
            _called(row, names), float(row["fnmr"]), float(row["fnmr_low"]), float(row["fnmr_high"])
        )
        for row in rows
    ]
    parts = [
        Part(
            heading="Worst group's false-match rate",
            figure=interval_chart(
                worst,
                uid="all-worst",
                title="Worst group's false-match rate per run",
                log=True,
                words=scientific,
            ),
        ),
        Part(
            heading="False non-match rate of all",
            figure=interval_chart(
                missed, uid="all-fnmr", title="False non-match rate per run", words=percent
            ),
        ),
        Part(table=_table(table, names)),
    ]
    plain = [
        "Each run at its first operating point; the table has all of them.",
        "Bars are 95 % intervals over persons.",
    ]
    return Section("runs", "All runs", plain, parts)


def _table(table: pd.DataFrame, names: Mapping[str, Mapping[str, str]]) -> PageTable:
    heads = [Column("Run", words=True), *[Column(key, words=True) for key in names]]
    heads += [Column(name, words=True) for name in ("Matcher", "Set", "At")]
    heads += [Column(name) for name in ("Threshold", "FMR", "FNMR", "FTE", "Worst group's FMR")]
    heads += [Column("Worst group", words=True), Column("FMR, highest over lowest")]
    heads += [Column("Gravest finding", words=True)]
    body = []
    for row in records(table):
        arm = f" ({row['arm']})" if row["arm"] else ""
        cells = [Cell(shorten(label_text(row["run"]), 32) + label_text(arm) * bool(arm))]
        cells += [Cell(label_text(names[key][str(row[f"param:{key}"])])) for key in names]
        cells += [Cell(label_text(row[key])) for key in ("matcher", "set", "operating_point")]
        cells.append(Cell(f"{float(row['threshold']):.4g}", float(row["threshold"])))
        cells += [
            _number(row["fmr"], scientific),
            _number(row["fnmr"], percent),
            _number(row["fte"], percent),
            _number(row["worst_fmr"], scientific),
            Cell(label_text(row["worst_group"]) if isinstance(row["worst_group"], str) else "–"),
            Cell(
                ratio_text(
                    *(float(row[k]) for k in ("fmr_max_min_ratio", "ratio_low", "ratio_high"))
                ),
                float(row["fmr_max_min_ratio"]),
            ),
            Cell(label_text(row["gravest"] or "–")),
        ]
        body.append(tuple(cells))
    return PageTable("All runs at all their operating points", tuple(heads), tuple(body))


def _number(value: object, words: Any) -> Cell:
    number = float(value)  # type: ignore[arg-type]
    return Cell(words(number) if np.isfinite(number) else "not measurable", number)


def _parameter(number: int, key: str, shown: pd.DataFrame, names: Mapping[str, str]) -> Section:
    """Per value of one parameter: median, lowest and highest over the other settings."""
    parts = []
    for column, heading, log, words in (
        ("worst_fmr", "Worst group's false-match rate", True, scientific),
        ("fnmr", "False non-match rate of all", False, percent),
    ):
        rows = []
        for value, runs in shown.groupby(f"param:{key}", sort=False):
            rates = runs[column].dropna().to_numpy(np.float64)
            if len(rates):
                rows.append(
                    (names[str(value)], np.median(rates), rates.min(), rates.max(), len(rates))
                )
        figure = interval_chart(
            [Interval(n, float(m), float(lo), float(hi), f"{c} runs") for n, m, lo, hi, c in rows],
            uid=f"parameter-{number}-{column.replace('_', '-')}",
            title=f"{heading} by {key}",
            log=log,
            words=words,
        )
        heads = (
            Column(key, words=True),
            Column("Median"),
            Column("Lowest"),
            Column("Highest"),
            Column("Runs"),
        )
        body = [
            (Cell(label_text(n)), *[_number(x, words) for x in (m, lo, hi)], Cell(str(c), float(c)))
            for n, m, lo, hi, c in rows
        ]
        table = PageTable(f"{heading} by {label_text(key)}", heads, tuple(body))
        parts.append(Part(heading=heading, figure=figure, table=table, folded=True))
    plain = [
        "The mark is the median over the runs with this value, the bar their lowest and highest."
    ]
    return Section(f"parameter-{number}", f"By {key}", plain, parts)
