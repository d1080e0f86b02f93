"""The page of every verb but ``evaluate``: a title, findings, facts, sections, provenance.

A verb says what is on its page as a ``Document``; the look, the accessibility, the downloads and
the guard against hostile labels are the same for all of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from frbench.formatting import NOT_MEASURABLE, decimal, integer, label_text
from frbench.page.embedding import embedded
from frbench.page.model import Section
from frbench.page.sentences import LEVEL_WORDS, LEVELS, verdict
from frbench.page.tables import MOST_ROWS, Cell, Column, PageTable
from frbench.values import Finding

Words = Callable[[Any], str]


@dataclass(frozen=True)
class Document:
    """What stands on the page, in reading order; every text is escaped when it is printed.

    Attributes:
        kind: what sort of page it is, beside the name frbench: "training-set audit".
        title: the question that the page answers, as its heading.
        lead: what was looked at, in a line.
        findings: answers of the rules; the verdict follows from them.
        sections: figures and tables.
        record: content of ``run.json``, folded away at the end.
        facts: term and text, beside the findings.
        story: the one sentence a chief officer should read after the verdict, or "".
        banner: warning across the top, or ""; synthetic data always have one.
        limits: what the page does not show, a sentence each.
        methods: term and explanation.
        downloads: tables that the page carries as CSV.
    """

    kind: str
    title: str
    lead: str
    findings: Sequence[Finding]
    sections: Sequence[Section]
    record: Mapping[str, Any]
    facts: Sequence[tuple[str, str]] = ()
    facts_heading: str = "What was looked at"
    story: str = ""
    banner: str = ""
    limits: Sequence[str] = ()
    methods: Sequence[tuple[str, str]] = ()
    downloads: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def write_document(page: Document, path: Path) -> Path:
    """Write the page; returns its path."""
    path.write_text(render_document(page), encoding="utf-8", newline="\n")
    return path


def render_document(page: Document) -> str:
    """The page as one HTML text without any external reference."""
    environment = house_templates()
    style = environment.get_template("report.css.j2").render()
    script = resources.files("frbench").joinpath("templates/report.js").read_text("utf-8")
    findings = sorted(page.findings, key=lambda one: LEVELS.index(one.level))
    downloads = {name: table for name, table in page.downloads.items() if len(table)}
    return environment.get_template("document.html.j2").render(
        page=page,
        verdict=verdict(page.findings),
        findings=findings,
        levels={level: sum(one.level == level for one in findings) for level in LEVELS},
        words=LEVEL_WORDS,
        style=Markup(style),
        script=Markup(script),
        style_hash=digest(style),
        script_hash=digest(script),
        tables=embedded(downloads),
        downloads=list(downloads),
    )


def house_templates() -> jinja2.Environment:
    """The templates with escaping on and the filters that make labels harmless."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("frbench"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"label": label_text, "integer": integer, "pretty": pretty}
    return environment


def pretty(value: object) -> str:
    """A nested value of the record as indented text, labels made harmless."""
    plain = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return "\n".join(label_text(line) for line in plain.splitlines())


def digest(content: str) -> str:
    """The hash by which the page's own policy admits exactly this script or style."""
    return base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")


def page_table(
    table: pd.DataFrame,
    caption: str,
    columns: Mapping[str, str | tuple[str, Words]],
    *,
    most: int = MOST_ROWS,
) -> PageTable:
    """A table of the page from a DataFrame.

    Args:
        table: any rows.
        caption: names the table; says so when rows are left to the download.
        columns: column of ``table`` -> heading, or heading and how a value is written. Without
            the latter whole numbers are grouped by thousands, other numbers get three significant
            digits, and text stays text.
        most: rows shown at the most.
    """
    heads, chosen = [], []
    for name, told in columns.items():
        heading, words = (told, None) if isinstance(told, str) else told
        numeric = pd.api.types.is_numeric_dtype(table[name])
        heads.append(Column(heading, words=not numeric))
        chosen.append((table[name], words, numeric))
    rows = [
        tuple(_cell(values.iloc[row], words, numeric=numeric) for values, words, numeric in chosen)
        for row in range(min(len(table), most))
    ]
    if len(table) > most:
        caption += f" (the first {most} of {len(table):,}; all are in the download)"
    return PageTable(caption, tuple(heads), tuple(rows))


def _cell(value: Any, words: Words | None, *, numeric: bool) -> Cell:
    if not numeric:
        missing = value is None or value is pd.NA or value != value
        return Cell("–" if missing else label_text(words(value) if words else value))
    number = math.nan if value is pd.NA else float(value)
    if words:
        return Cell(words(value), number)
    if not math.isfinite(number):
        return Cell("∞" if math.isinf(number) else NOT_MEASURABLE, number)
    return Cell(integer(int(number)) if number.is_integer() else decimal(number), number)
