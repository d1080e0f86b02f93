"""The page of an audit: shares beside the population's, what was kept, when and from where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from frbench.auditing.composition import Expected
from frbench.auditing.manifest import TrainingSet
from frbench.formatting import decimal, integer, label_text, percent
from frbench.page.charts import Interval, Line, interval_chart, line_chart, vertical_span
from frbench.page.document import Document, Words, page_table
from frbench.page.model import Part, Section
from frbench.page.tables import group_name, records
from frbench.values import ALL, Finding

MOST_LINES = 12
"""Groups that get a small chart of their own over time."""

BANNER = "Synthetic people: nobody in this training set is real."

METHODS = (
    (
        "Persons, then images",
        "A person with many images is still one person. Shares are given both ways, and every "
        "interval is over persons.",
    ),
    (
        "Representation",
        "The share of a group among the persons of the set over its share of the population: 1 is "
        "level, 2 is twice as many as its share predicts.",
    ),
    (
        "Population stability index",
        "One number for all groups of a label, Σ (q − p) ln(q / p): under 0.1 small, 0.1 to 0.25 "
        "moderate, above 0.25 major. A group without anybody counts as half a person.",
    ),
    (
        "Released without charge",
        "Disposals “released without charge” and “no further action”. An image in the manifest is "
        "an image that was kept.",
    ),
)

LIMITS = (
    "A set that mirrors the population is not thereby fair to train on, and one that does not is "
    "not thereby unlawful; what the matcher does with it is measured by frbench evaluate and "
    "retrain.",
    "Nothing here says why a group is over-represented: stops, arrests, charging and retention all "
    "come before this file.",
    "Labels are taken as they stand; who assigned them, and how often they are wrong, the manifest "
    "does not say.",
)


def audit_page(
    training: TrainingSet,
    tables: Mapping[str, pd.DataFrame],
    expected: Sequence[Expected],
    findings: Sequence[Finding],
    record: Mapping[str, Any],
    as_of: date,
) -> Document:
    """What stands on the page."""
    composition = tables["composition"]
    sections = [
        _shares(composition, expected),
        _kept(composition, training),
        _history(tables["history"]),
        _sources(tables["sources"]),
        _overlap(tables["overlap"]),
        _faults(training.faults),
    ]
    return Document(
        kind="training-set audit",
        title="Whose images would the matcher be trained on?",
        lead=f"{training.name} · as of {as_of:%d %B %Y}",
        findings=findings,
        sections=[each for each in sections if each is not None],
        record=record,
        facts=_facts(training, expected, as_of),
        banner="Synthetic people: nobody in this training set is real."
        if training.synthetic
        else "",
        limits=[*not_looked_at(training, composition), *_untested(composition), *LIMITS],
        methods=METHODS,
        downloads={**tables, "faults": training.faults},
    )


def _facts(
    training: TrainingSet, expected: Sequence[Expected], as_of: date
) -> list[tuple[str, str]]:
    reference = "; ".join(dict.fromkeys(each.source for each in expected)) or "none: see the limits"
    return [
        (
            "Persons and images",
            f"{integer(len(training.subjects))} persons, {integer(len(training.table))} images",
        ),
        ("Compared with", reference),
        ("Day of the audit", f"{as_of:%d %B %Y}"),
        ("Rows left out", integer(training.rows - len(training.table))),
    ]


def not_looked_at(training: TrainingSet, composition: pd.DataFrame) -> list[str]:
    """A sentence where the manifest has labels that the audit was not asked for."""
    left = [label for label in training.labels if label not in set(composition["label"])]
    if not left:
        return []
    shown = ", ".join(f"“{label_text(each)}”" for each in left[:8])
    more = f" and {len(left) - 8} more" if len(left) > 8 else ""
    return [f"The manifest's columns {shown}{more} were not looked at; by=[…] names them."]


def _untested(composition: pd.DataFrame) -> list[str]:
    silent = [
        label
        for label, rows in composition.groupby("label", sort=False)
        if rows["expected_share"].isna().all()
    ]
    if not silent:
        return []
    names = ", ".join(f"“{label_text(each)}”" for each in silent)
    return [f"No population was given for {names}: those shares are shown, not judged."]


def _shares(composition: pd.DataFrame, expected: Sequence[Expected]) -> Section:
    parts = []
    for number, (label, rows) in enumerate(composition.groupby("label", sort=False)):
        groups = rows[rows["group"] != ALL]
        compared = groups["expected_share"].notna()
        figure = None
        if compared.any():
            figure = interval_chart(
                [
                    Interval(
                        str(row["group"]),
                        row["representation"],
                        row["representation_low"],
                        row["representation_high"],
                    )
                    for row in records(groups[compared])
                ],
                uid=f"representation-{number}",
                title=f"Share of persons over share of the population, by {label}",
                log=True,
                reference=1.0,
                reference_text="level with the population",
                words=lambda value: f"×{decimal(value)}",
            )
        parts.append(Part(heading=f"By {label}", figure=figure, table=_share_table(rows, label)))
    return Section(
        "shares",
        "Who is in the set, and who would be if it mirrored the population?",
        (
            "Each mark is a group's share of the persons over its share of the population, with "
            "its interval; the scale is logarithmic.",
        )
        if expected
        else ("No population was given to compare with.",),
        parts,
    )


def _share_table(rows: pd.DataFrame, label: object) -> Any:
    shown = rows.assign(
        name=rows["group"].map(group_name),
        by_person=[_interval(row, "share_subjects") for row in records(rows)],
        by_image=[_interval(row, "share_images") for row in records(rows)],
    )
    return page_table(
        shown,
        f"Persons and images by {label}",
        {
            "name": "Group",
            "subjects": "Persons",
            "images": "Images",
            "images_per_subject": "Images a person",
            "share_subjects": ("Share of persons", _percent),
            "by_person": "Interval of persons",
            "share_images": ("Share of images", _percent),
            "by_image": "Interval of images",
            "expected_share": ("Share of population", _percent),
            "representation": ("Representation", _times),
        },
    )


def _interval(row: Mapping[str, Any], key: str) -> str:
    """From where to where; nothing for the whole set, which is all of itself."""
    if row["group"] == ALL:
        return "–"
    low, high = percent(row[f"{key}_low"]), percent(row[f"{key}_high"])
    return f"{low.removesuffix(' %')} to {high}"


def _times(value: float) -> str:
    return f"×{decimal(value)}" if value == value else "–"


def _percent(value: float) -> str:
    return percent(value) if value == value else "–"


def _kept(composition: pd.DataFrame, training: TrainingSet) -> Section | None:
    if not (training.disposed or training.dated):
        return None
    parts = []
    for number, (label, rows) in enumerate(composition.groupby("label", sort=False)):
        figure = None
        if training.disposed:
            figure = interval_chart(
                [
                    Interval(
                        group_name(row["group"]),
                        row["released_share"],
                        row["released_low"],
                        row["released_high"],
                    )
                    for row in records(rows[rows["images"] > 0])
                ],
                uid=f"released-{number}",
                title=f"Images of people released without charge, by {label}",
                words=percent,
            )
        table = page_table(
            rows.assign(name=rows["group"].map(group_name)),
            f"Released without charge and age of the images, by {label}",
            {
                "name": "Group",
                "released_images": "Images of people released",
                "released_share": ("Share of the group's images", _percent),
                "overdue_images": "Past their date of deletion",
                "retention_days_median": ("Median age, days", _days),
                "retention_days_90": ("Nine in ten younger than, days", _days),
                "undated_images": "Without a capture date",
            },
        )
        parts.append(Part(heading=f"By {label}", figure=figure, table=table))
    return Section(
        "kept",
        "Whose images were kept although they were released?",
        (
            "Of each group's images in the set, those of people released without charge or against "
            "whom no further action was taken.",
        ),
        parts,
    )


def _days(value: float) -> str:
    return f"{value:,.0f}" if value == value else "–"


def _history(history: pd.DataFrame) -> Section | None:
    if history.empty or history["period"].nunique() < 2:
        return None
    parts = []
    for number, (label, rows) in enumerate(history.groupby("label", sort=False)):
        periods = list(dict.fromkeys(rows["period"]))
        groups = rows.groupby("group")["images"].sum().nlargest(MOST_LINES).index
        lines = {
            group: Line(
                str(group), range(len(periods)), list(rows[rows["group"] == group]["share_images"])
            )
            for group in groups
        }
        span = vertical_span(list(lines.values()), log=False)
        panels = [
            line_chart(
                [line],
                uid=f"history-{number}-{at}",
                title=str(group),
                x_name="quarter",
                y_name="share of images",
                words=percent,
                x_words=_nth(periods),
                span=span,
            )
            for at, (group, line) in enumerate(lines.items())
        ]
        table = page_table(
            rows,
            f"Images per quarter by {label}",
            {
                "period": "Quarter",
                "group": "Group",
                "images": "Images",
                "subjects": "Persons",
                "share_images": ("Share of the quarter's images", _percent),
            },
        )
        parts.append(Part(heading=f"By {label}", panels=panels, table=table, folded=True))
    return Section(
        "history",
        "How did the set fill over time?",
        (
            "Share of each quarter's images by group; bias that accumulates shows as a line that "
            "climbs.",
        ),
        parts,
    )


def _nth(names: Sequence[str]) -> Words:
    return lambda at: names[round(at)]


def _sources(sources: pd.DataFrame) -> Section | None:
    if sources.empty:
        return None
    parts = [
        Part(
            table=page_table(
                rows.sort_values("images", ascending=False),
                f"Images per source by {label}",
                {
                    "source": "Source",
                    "group": "Group",
                    "images": "Images",
                    "subjects": "Persons",
                    "share_of_source": ("Share of the source", _percent),
                    "share_of_group": ("Share of the group", _percent),
                },
                most=60,
            ),
            heading=f"By {label}",
            folded=True,
        )
        for label, rows in sources.groupby("label", sort=False)
    ]
    return Section(
        "sources",
        "Where did the images come from?",
        (
            "A group that comes mostly from one source is known to the matcher mostly by that "
            "source's cameras.",
        ),
        parts,
    )


def _overlap(overlap: pd.DataFrame) -> Section | None:
    if overlap.empty:
        return None
    table = page_table(
        overlap.assign(checked=overlap["checked"].map({True: "yes", False: "no"})),
        "Overlap of the training set with the benchmark set",
        {
            "way": "Looked at by",
            "checked": "Checked",
            "shared": "Found",
            "of": "Of",
            "unit": "Unit",
            "by_chance": "By chance at most",
            "note": "Note",
        },
    )
    return Section(
        "overlap",
        "Are people of the benchmark in the training set?",
        ("A matcher knows whom it was trained on, so that results on them flatter it.",),
        [Part(table=table)],
    )


def _faults(faults: pd.DataFrame) -> Section | None:
    if faults.empty:
        return None
    table = page_table(
        faults,
        "What was wrong with the manifest",
        {
            "fault": "Fault",
            "column": "Column",
            "rows": "Rows",
            "done": "What was done",
            "example": "First",
        },
    )
    return Section(
        "faults",
        "What was wrong with the manifest?",
        ("Nothing is left out in silence.",),
        [Part(table=table)],
    )
