"""The page of pooled bundles."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from frbench.exchange.counts import Bundle
from frbench.formatting import NOT_MEASURABLE, integer, one_in, percent
from frbench.page.charts import Interval, interval_chart
from frbench.page.document import Document, page_table
from frbench.page.model import Part, Section
from frbench.values import ALL

TITLES = {
    "FMR": "How often are two different people taken for one? (FMR)",
    "FNMR": "How often is a person not recognised? (FNMR)",
    "FTE": "Whose images could not be used? (FTE)",
}
LIMITS = (
    "People of different sources are taken to be different people; somebody who is in two of them "
    "makes the intervals too narrow.",
    "Sources hold back counts below their limit. They do so where errors are few, so that a rate "
    "over the sources that show their counts leans upwards (status “selected”); “rate at least” "
    "counts the others as free of errors.",
    "The interval speaks of these sources together. Where sources differ, another force's rate can "
    "lie anywhere in the range given for it, and from two sources no such range follows.",
    "Without person-level data no covariate, no other threshold and no paired comparison can be "
    "computed.",
)


def pooled_page(
    table: pd.DataFrame, bundles: Sequence[Bundle], record: Mapping[str, Any]
) -> Document:
    """The page of a pooled table."""
    synthetic = any(each.about.get("synthetic") for each in bundles)
    sections = []
    for kind, title in TITLES.items():
        rows = table[table["kind"] == kind]
        parts = [
            _part(rows[rows["operating_point"] == point], kind, str(point), at)
            for at, point in enumerate(rows["operating_point"].unique())
        ]
        if parts:
            sections.append(Section(kind.lower(), title, (), parts))
    return Document(
        kind="pooled counts of several sources",
        title="What several forces measured together",
        lead=", ".join(each.source for each in bundles),
        findings=(),
        sections=[_sources(bundles), *sections],
        record=record,
        facts=[
            ("Matcher", str(bundles[0].about.get("matcher", ""))),
            ("Sources", str(len(bundles))),
            ("Persons", integer(sum(each.totals[0] for each in bundles))),
            ("Labels", str(bundles[0].about.get("labels", ""))),
        ],
        banner="Synthetic faces: no real person was measured." if synthetic else "",
        limits=LIMITS,
        downloads={"pooled": table},
    )


def _sources(bundles: Sequence[Bundle]) -> Section:
    table = pd.DataFrame(
        {
            "source": each.source,
            "set": str(each.about.get("set", "")),
            "persons": each.totals[0],
            "images": each.totals[1],
            "k": each.k,
            "held": sum(cell.errors is None for cell in each.cells),
        }
        for each in bundles
    )
    columns = {
        "source": "Source",
        "set": "Set",
        "persons": "Persons",
        "images": "Images",
        "k": "Smallest count shown",
        "held": "Counts held back",
    }
    shown = page_table(table, "The bundles that were pooled", columns)
    return Section("sources", "Whose counts are these?", (), [Part(table=shown)])


def _part(rows: pd.DataFrame, kind: str, point: str, at: int) -> Part:
    own = rows[(rows["probe_group"] == rows["reference_group"]) & rows["rate"].notna()]
    words = one_in if kind == "FMR" else percent
    figure = None
    drawn = [_drawn(row) for row in own.to_dict("records") if row["rate"] > 0 or kind != "FMR"]
    if any(each.value > 0 for each in drawn):
        figure = interval_chart(
            drawn,
            uid=f"{kind.lower()}-{at}",
            title=f"{kind} {point}".strip(),
            log=kind == "FMR",
            words=words,
        )
    table = page_table(
        rows,
        f"{kind} {point}: pooled rates".replace(" :", ":"),
        {
            "probe_group": "Group",
            "reference_group": "Compared with",
            "sources": "Sources",
            "held_back": "Held back",
            "errors": "Errors",
            "comparisons": "Comparisons",
            "rate": ("Rate", _share),
            "low": ("Interval from", _share),
            "high": ("to", _share),
            "rate_at_least": ("Rate at least", _share),
            "q_p": "Do sources differ? p",
            "another_low": ("Another source, from", _share),
            "another_high": ("to (another)", _share),
            "status": "Status",
        },
    )
    return Part(op=point, heading=point, figure=figure, table=table)


def _drawn(row: Mapping[Hashable, Any]) -> Interval:
    together = row["probe_group"] == ALL
    return Interval(
        "all together" if together else str(row["probe_group"]),
        float(row["rate"]),
        float(row["low"]),
        float(row["high"]),
        f"{row['sources']} sources",
    )


def _share(rate: float) -> str:
    return percent(rate) if math.isfinite(rate) else NOT_MEASURABLE
