"""What the command line prints when a run is done: rates per group, findings, the report's path."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from frbench.formatting import (
    NOT_MEASURABLE,
    integer,
    label_text,
    percent,
    rate_in_words,
    rate_text,
    shorten,
)
from frbench.page.model import Page
from frbench.page.sentences import LEVELS, change_sentence, threshold_sentence, verdict
from frbench.page.tables import group_name, records
from frbench.reporting import ReportData
from frbench.values import ALL, Finding

STYLES = {"flag": "bold red", "watch": "yellow", "undecided": "magenta", "note": "cyan"}
WIDE = 104
"""Columns beside the longest group name from which the terminal shows the whole table."""

NAME = 26
"""Columns that a group name gets before it is folded."""

SIGNS = {"flag": "⚑", "watch": "!", "undecided": "?", "note": "i"}


def print_summary(run: ReportData, report: Path, console: Console) -> None:
    """Print every operating point's rates, the findings by level, and where the report lies."""
    page = Page(run.rates, run.gaps, run.thresholds, run.groups)
    if (run.record.get("benchmark") or {}).get("synthetic"):
        console.print(Text("Synthetic faces: no real person was measured.", style="bold yellow"))
    wide = console.width >= WIDE + min(NAME, max(map(len, run.groups), default=0))
    for point in page.points:
        console.print(rates_table(page, point, wide=wide))
    for arm, points in run.thresholds.items():
        if points:
            start = f"{label_text(arm)}: " if arm else ""
            console.print(Text(start + threshold_sentence(points[0]), style="dim"))
    for made in run.record.get("comparisons") or ():
        if sentence := equal_error_sentence(made.get("equal_error")):
            start = f"{label_text(made['arm'])}: " if made["arm"] else ""
            console.print(Text(start + sentence, style="dim"))
    story = change_sentence(run.change, page.arms, run.groups)
    if story:
        console.print(Text(story, style="bold"))
    for line in findings_lines(run.findings):
        console.print(line)
    console.print(Text.assemble("Report: ", (str(report), "bold")), soft_wrap=True)


def equal_error_sentence(found: Mapping[str, Any] | None) -> str:
    """Where FMR and FNMR of all comparisons meet; "" where that is not known."""
    if found is None or found["rate"] is None or not math.isfinite(found["rate"]):
        return ""
    low, high = percent(found["low"]), percent(found["high"])
    bounds = "" if found["exact"] else f" (surely between {low} and {high})"
    return (
        f"FMR and FNMR of all comparisons meet at {percent(found['rate'])}{bounds}, at a score of "
        f"{found['threshold']:.4f}: the equal-error rate, by which a matcher is recognised."
    )


def rates_table(page: Page, point: str, *, wide: bool = True) -> Table:
    """FMR, FNMR and FTE per group (and arm) at one operating point, the highest FMR first.

    ``wide`` adds the FMR in words, the interval of FTE and the number of persons.
    """
    table = Table(
        title=Text(f"Error rates per group at {point}, with {page.level} intervals"),
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    arms = [arm for arm in page.arms if arm]
    longest = max((len(group_name(each)) for each in page.groups), default=0)
    table.add_column("group", overflow="fold", max_width=44, min_width=min(NAME, longest))
    if arms:
        table.add_column("arm", no_wrap=True)
    for name in ("FMR", "in words", "FNMR", "FTE", "persons") if wide else ("FMR", "FNMR", "FTE"):
        table.add_column(name, justify="right", no_wrap=True)
    cells = {kind: _by_group(page.within(point, kind)) for kind in ("FMR", "FNMR", "FTE")}
    for (group, arm), row in cells["FMR"].items():
        fmr, fnmr, fte = (cells[kind].get((group, arm)) for kind in ("FMR", "FNMR", "FTE"))
        table.add_row(
            Text(shorten(group_name(group), 60)),
            *([Text(label_text(arm))] if arms else []),
            Text(rate_text(row), style=_strength(row)),
            *([Text(rate_in_words(row))] if wide else []),
            Text(rate_text(fnmr), style=_strength(fnmr)) if fnmr else "–",
            _failures(fte, wide=wide),
            *([integer(_persons(fmr, fnmr, fte))] if wide else []),
            end_section=group == ALL and arm == page.arms[-1],
        )
    return table


def _by_group(rows: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    return {(str(row["probe_group"]), str(row["arm"])): row for row in records(rows)}


def _failures(row: dict[str, Any] | None, *, wide: bool) -> Text:
    if row is None or not math.isfinite(row["rate"]):
        return Text("–" if row is None else NOT_MEASURABLE, style="dim")
    return Text(rate_text(row) if wide else percent(row["rate"]), style=_strength(row))


def _strength(row: dict[str, Any]) -> str:
    return "" if row["status"] == "ok" else "dim"


def _persons(*rows: dict[str, Any] | None) -> int | None:
    counts = [int(row["subjects"]) for row in rows if row]
    return max(counts) if counts else None


def findings_lines(findings: Sequence[Finding], *, shown: int = 8) -> list[Text]:
    """The verdict and the first findings, flags first; labels are text, never markup.

    What is beyond ``shown`` is counted, not told: the report has all of them.
    """
    answer = verdict(findings)
    style = STYLES.get(answer.level, "bold")
    lines = [Text.assemble((f"{answer.word}. ", style), answer.sentence)]
    ranked = sorted(findings, key=lambda each: LEVELS.index(each.level))
    for one in ranked[:shown]:
        head = f"  {SIGNS[one.level]} {one.level:<9} "
        lines.append(Text.assemble((head, STYLES[one.level]), label_text(one.statement)))
    if (left := len(ranked) - shown) > 0:
        lines.append(Text(f"  … and {left} more in the report", style="dim"))
    return lines
