"""Run -> report: one offline HTML page for a chief officer and for a statistician.

The page needs no network, no script and no colour to be read. It holds aggregate counts only:
no face and no subject id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from frbench.page import sentences as text
from frbench.page.document import digest, house_templates, pretty
from frbench.page.embedding import embedded
from frbench.page.model import Page
from frbench.page.sections import sections
from frbench.page.threshold_points import threshold_points
from frbench.values import Finding, Histogram, Threshold


@dataclass(frozen=True)
class ReportData:
    """Everything that the page shows.

    Attributes:
        record: content of ``run.json``; keys that are missing are printed as not recorded.
        rates: RateTable (``tables.RATE_COLUMNS``).
        gaps: GapTable (``tables.GAP_COLUMNS``), may be empty.
        findings: answers of the rules.
        thresholds: per arm, its operating points; the first is the one the page opens with.
        groups: names of the groups, in the order of the histograms' axes.
        counts: columns group, subjects, images, failed: a row per group.
        histograms: per arm, the histogram of all scores or None.
        change: paired change between two arms (``paired.CHANGE_COLUMNS``), or None.
        ordered: True when probe and reference had different roles.
        tables: the run's further tables by file name (``extras.py``).
    """

    record: Mapping[str, Any]
    rates: pd.DataFrame
    gaps: pd.DataFrame
    findings: Sequence[Finding]
    thresholds: Mapping[str, Sequence[Threshold]]
    groups: Sequence[str]
    counts: pd.DataFrame
    histograms: Mapping[str, Histogram | None] = field(default_factory=dict)
    change: pd.DataFrame | None = None
    ordered: bool = False
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def write_report(run: ReportData, path: Path) -> Path:
    """Write the page; returns its path."""
    path.write_text(render_report(run), encoding="utf-8", newline="\n")
    return path


def render_report(run: ReportData) -> str:
    """The page as one HTML text without any external reference."""
    environment = house_templates()
    style = environment.get_template("report.css.j2").render()
    script = resources.files("frbench").joinpath("templates/report.js").read_text("utf-8")
    page = Page(
        rates=run.rates,
        gaps=run.gaps,
        thresholds=run.thresholds,
        groups=run.groups,
        histograms=run.histograms,
        change=run.change,
        ordered=run.ordered,
        tables=run.tables,
    )
    benchmark = run.record.get("benchmark") or {}
    points, sliders = threshold_points(run.histograms, run.groups, run.thresholds)
    downloads = _downloads(run) | ({"thresholds": points} if len(points) else {})
    return environment.get_template("report.html.j2").render(
        run=run,
        record=run.record,
        benchmark=benchmark,
        page=page,
        sections=sections(page, run.counts),
        verdict=text.verdict(run.findings),
        story=text.change_sentence(run.change, page.arms, run.groups),
        thin=text.thin_evidence(page.headline(), run.findings),
        findings=sorted(run.findings, key=lambda one: text.LEVELS.index(one.level)),
        levels={level: sum(one.level == level for one in run.findings) for level in text.LEVELS},
        words=text.LEVEL_WORDS,
        threshold_sentence=text.threshold_sentence,
        limits=text.not_tested(run.rates, run.counts, benchmark),
        methods=text.METHODS,
        glossary=text.GLOSSARY,
        style=Markup(style),
        script=Markup(script),
        style_hash=digest(style),
        script_hash=digest(script),
        tables=embedded(downloads),
        downloads=list(downloads),
        sliders=sliders,
    )


def _downloads(run: ReportData) -> dict[str, pd.DataFrame]:
    tables = {
        "rates": run.rates,
        "gaps": run.gaps,
        "counts": run.counts,
        "findings": _findings_table(run.findings),
    }
    if run.change is not None:
        tables["change"] = run.change
    tables |= dict(sorted(run.tables.items()))
    return {name: table for name, table in tables.items() if len(table)}


def _findings_table(findings: Sequence[Finding]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "level": one.level,
            "code": one.code,
            "statement": one.statement,
            "keys": pretty(one.keys),
            "rule": pretty(one.rule),
        }
        for one in findings
    )
