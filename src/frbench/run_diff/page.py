"""The page of a comparison: what differs, what moved, side by side, and the ranking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from frbench.formatting import decimal, label_text, percent, rate_text, scientific, shorten
from frbench.page.charts import Interval, interval_chart
from frbench.page.document import Document, page_table
from frbench.page.model import Part, Section
from frbench.page.tables import Cell, Column, PageTable, group_name, records
from frbench.run_diff.inputs import said
from frbench.run_diff.markdown import share
from frbench.run_diff.moved import CORRECTIONS
from frbench.run_diff.outcome import Compared, cell_name, rank_text
from frbench.values import ALL

MOST_CHARTED = 60

METHODS = (
    (
        "Paired",
        "Where both runs compared the same pairs of the same images, what the persons have in "
        "common cancels: the change of each cell is judged by how each person's share of the "
        "errors moved.",
    ),
    (
        "Two samples",
        "Otherwise, and where a cell has fewer than 5 errors on a side, the two rates with their "
        "person-level intervals are compared as independent samples.",
    ),
    (
        "Beyond noise",
        "A cell is named only if its change survives a correction for all cells that were looked "
        "at. The interval beside it is for that cell alone.",
    ),
    (
        "Ranking",
        "Every run is put at its lowest threshold at which no group's false-match rate can, at "
        "the stated confidence, exceed the approved rate. Its yield there is the share of "
        "comparisons of a person with themselves that match; failures to enrol are misses. Spans "
        "of ranks are what pairwise tests leave open.",
    ),
)

LIMITS = (
    "A cell that is not named may have changed by less than the smallest ratio that this evidence "
    "shows; the download has that ratio for every cell.",
    "Thresholds that were chosen on the same comparisons are taken as given; their own "
    "uncertainty is in each run's report.",
    "The ranking knows one criterion. Cost, speed, failures in the field and the people who "
    "decide on an alert are not in it.",
)


def diff_page(found: Compared, record: Mapping[str, Any]) -> Document:
    """What stands on the page."""
    sections = [_ranking(found), _moved(found), _inputs(found), *_side_by_side(found)]
    first = found.runs[0].letter
    facts = [
        (
            run.letter,
            f"{run.name}, matcher {run.matcher.get('name', 'not recorded')}"
            + ("" if run.letter == first or found.cells is None else _how(found, run.letter)),
        )
        for run in found.runs
    ]
    synthetic = [r.letter for r in found.runs if (r.record.get("benchmark") or {}).get("synthetic")]
    tables = {"inputs": found.inputs_table()}
    tables |= {} if found.cells is None else {"cells": found.cells}
    tables |= {} if found.ranking is None else {"ranking": found.ranking}
    return Document(
        kind="comparison of runs",
        title="What changed between these runs?",
        lead=" · ".join(f"{run.letter}: {run.name}" for run in found.runs),
        findings=found.findings(),
        sections=[section for section in sections if section is not None],
        record=record,
        facts=facts,
        facts_heading="The runs",
        story=" ".join(part for part in (_first_of(found), found.answer()) if part),
        banner="Synthetic faces: nothing here measures a real person." if synthetic else "",
        limits=[*found.notes, *LIMITS],
        methods=(*METHODS, ("Correction", CORRECTIONS[found.correction])),
        downloads=tables,
    )


def _how(found: Compared, letter: str) -> str:
    return "; same comparisons" if letter in found.paired else "; other comparisons"


def _first_of(found: Compared) -> str:
    """Who may stand first, in a sentence."""
    if found.ranking is None:
        return ""
    first = found.ranking[(found.ranking["rank_from"] == 1).fillna(value=False)]
    rate = f"{found.approved.worst_group_fmr:g}"
    if first.empty:
        return f"No run is shown to keep every group's false-match rate at or below {rate}."
    names = ", ".join(f"{row['run']} ({row['matcher']})" for row in records(first))
    if len(first) == 1:
        return f"At a worst-group rate of {rate}, {names} yields most."
    return f"At a worst-group rate of {rate}, {names} cannot be told apart at the top."


def _inputs(found: Compared) -> Section:
    rows = []
    for one in found.inputs:
        follows = ", ".join(one.follows) or ("by itself" if one.area == "content" else "–")
        values = [Cell(label_text(said(one.values[run.letter]))) for run in found.runs]
        cells = [Cell(label_text(one.key)), Cell(one.area), *values, Cell(label_text(follows))]
        rows.append(tuple(cells))
    heads = ["Input", "Area", *[run.letter for run in found.runs], "Follows from"]
    settings = len(found.changed("setting"))
    counted = "1 setting differs" if settings == 1 else f"{settings} settings differ"
    plain = [f"{counted}. Where a run is written, and its cache, are no settings of it."]
    table = PageTable(
        "Inputs that are not the same in all runs",
        tuple(Column(head, words=True) for head in heads),
        tuple(rows),
    )
    return Section("inputs", "What differs in the inputs?", plain, [Part(table=table)])


def _moved(found: Compared) -> Section | None:
    if found.cells is None:
        return None
    moved = found.moved
    tested = found.cells[found.cells["p_value"].notna() & found.cells["ratio"].gt(0)]
    own = tested[
        (tested["probe_group"] == tested["reference_group"]) & tested["kind"].isin(["FMR", "FNMR"])
    ]
    parts = [_table(moved, "Cells that moved")] if len(moved) else []
    for (point, kind), rows in own.groupby(["operating_point", "kind"], sort=False):
        parts.append(_ratios(rows, str(point), str(kind), len(parts)))
    plain = [
        found.answer(),
        "A ratio of 2 means that the later run's rate is twice the first one's.",
    ]
    return Section("moved", "Which cells moved beyond noise?", plain, parts)


def _ratios(rows: pd.DataFrame, point: str, kind: str, number: int) -> Part:
    ordered = rows.sort_values("p_value", kind="stable").head(MOST_CHARTED)
    shown = [
        Interval(
            f"{row['second']} · {cell_name(row)}",
            float(row["ratio"]),
            float(row["low"]),
            float(row["high"]),
            "moved" if row["moved"] else "within noise",
        )
        for row in records(ordered)
    ]
    heading = f"{kind} over the first run's, at {point}"
    figure = interval_chart(
        [one for one in shown if one.high < float("inf") and one.low > 0] or shown[:1],
        uid=f"ratio-{number}",
        title=heading,
        log=True,
        reference=1.0,
        reference_text="no change",
    )
    return Part(heading=heading, figure=figure, table=_cells(ordered, heading), folded=True)


def _table(rows: pd.DataFrame, caption: str) -> Part:
    return Part(table=_cells(rows, caption))


def _cells(rows: pd.DataFrame, caption: str) -> PageTable:
    shown = rows.assign(
        cell=[cell_name(row) for row in records(rows)],
        rose=rows["direction"].replace("", "within noise"),
    )
    return page_table(
        shown,
        caption,
        {
            "cell": "Cell",
            "second": "Run",
            "operating_point": "At",
            "kind": "Rate",
            "rose": "Change",
            "rate_first": ("First run", _rate),
            "rate_second": ("This run", _rate),
            "ratio": ("Ratio", _times),
            "low": "from",
            "high": "to",
            "p_adjusted": ("p, all cells", lambda value: f"{value:.2g}"),
            "method": "Judged as",
        },
    )


def _rate(value: float) -> str:
    return scientific(value) if 0 < value < 0.01 else decimal(value)


def _times(value: float) -> str:
    return f"×{decimal(value)}"


def _side_by_side(found: Compared) -> list[Section]:
    """A section per kind of error: every run's rates beside each other, with their intervals."""
    if found.cells is None:
        return []
    points = [point for point in dict.fromkeys(found.cells["operating_point"]) if point != "any"]
    sections = []
    for kind, heading in (
        ("FMR", "False matches side by side"),
        ("FNMR", "Misses side by side"),
        ("FTE", "Failures to enrol side by side"),
    ):
        parts = [_beside(found, point, kind) for point in (points[:1] if kind == "FTE" else points)]
        kept = [part for part in parts if part is not None]
        if kept:
            plain = ["Each run's own rates with their 95 % intervals over persons."]
            sections.append(Section(f"side-{kind.lower()}", heading, plain, kept))
    return sections


def _beside(found: Compared, point: str, kind: str) -> Part | None:
    tables = []
    for run in found.runs:
        rows = run.rates[(run.rates["operating_point"] == point) & (run.rates["kind"] == kind)]
        rows = rows[rows["probe_group"] == rows["reference_group"]]
        tables.append({str(row["probe_group"]): row for row in records(rows)})
    names = list(dict.fromkeys(name for each in tables for name in each))
    names.sort(key=lambda name: name != ALL)
    if not names or all(row["status"] == "empty" for each in tables for row in each.values()):
        return None
    shown = [
        Interval(
            f"{group_name(name)} · {run.letter}",
            float(each[name]["rate"]),
            float(each[name]["low"]),
            float(each[name]["high"]),
        )
        for name in names
        for run, each in zip(found.runs, tables, strict=True)
        if name in each
    ][:MOST_CHARTED]
    body = [
        tuple(
            [Cell(group_name(name))]
            + [
                Cell(rate_text(each[name]), float(each[name]["rate"]))
                if name in each
                else Cell("–")
                for each in tables
            ]
        )
        for name in names
    ]
    heads = [Column("Group", words=True), *[Column(run.letter) for run in found.runs]]
    heading = "" if kind == "FTE" else f"At {label_text(point)}"
    figure = interval_chart(
        shown,
        uid=f"side-{kind}-{point}".replace(" ", "-").replace(".", "-"),
        title=f"{kind} {heading}".strip(),
        log=kind == "FMR",
        words=scientific if kind == "FMR" else percent,
    )
    table = PageTable(f"{kind} per group and run", tuple(heads), tuple(body))
    return Part(heading=heading, figure=figure, table=table, folded=True)


def _short(label: object) -> str:
    """A label beside numbers: isolated, so that one written right to left leaves them in place."""
    return f"\u2068{shorten(label_text(label), 60)}\u2069"


def _ranking(found: Compared) -> Section | None:
    if found.ranking is None:
        return None
    rows = []
    for row in records(found.ranking):
        meets = row["answer"] == "meets"
        rows.append(
            (
                Cell(f"{row['run']}: {_short(row['matcher'])}"),
                Cell(rank_text(row)),
                Cell("meets the rate" if meets else "not shown to meet it"),
                Cell(f"{float(row['threshold']):.4g}" if meets else "–", float(row["threshold"])),
                Cell(share(row, "tmr") if meets else "–", float(row["tmr"])),
                Cell(f"{_short(row['least_group'])}: {share(row, 'least')}" if meets else "–"),
                Cell(f"{_short(row['worst_group'])}: at most {float(row['worst_high']):.2g}"),
            )
        )
    heads = (
        Column("Run", words=True),
        Column("Rank", words=True),
        Column("Criterion", words=True),
        Column("Threshold"),
        Column("Yield (TMR)"),
        Column("Recognised least", words=True),
        Column("Worst group's FMR", words=True),
    )
    able = [row for row in records(found.ranking) if row["answer"] == "meets"]
    figure = None
    if able:
        figure = interval_chart(
            [
                Interval(
                    f"{row['run']} · {row['matcher']}",
                    float(row["tmr"]),
                    float(row["tmr_low"]),
                    float(row["tmr_high"]),
                    f"rank {rank_text(row)}",
                )
                for row in able
            ],
            uid="ranking",
            title="Yield at the approved worst-group rate",
            words=percent,
        )
    rate = found.approved.worst_group_fmr
    plain = [
        f"Approved: no group's false-match rate above {rate:g}. Each run stands at the lowest "
        "threshold at which the upper limit of its worst group meets that.",
        _first_of(found),
        *[f"{row['run']}: {row['reason']}." for row in records(found.ranking) if row["reason"]],
    ]
    table = PageTable("Runs by yield at the approved rate", heads, tuple(rows))
    return Section("ranking", "Who yields most?", plain, [Part(figure=figure, table=table)])
