"""The page of a retraining experiment: the options ranked, who gains, who pays, seed or data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from frbench.formatting import decimal, integer, percent
from frbench.page.charts import Interval, interval_chart
from frbench.page.document import Document, page_table
from frbench.page.model import Part, Section
from frbench.page.tables import group_name, records
from frbench.retraining.effects import BEFORE
from frbench.values import Finding

METHODS = (
    (
        "Equal budgets",
        "Every option starts from the same matcher, takes the same number of steps and sees the "
        "same number of images; options with fewer persons see each of them more often.",
    ),
    (
        "Paired intervals",
        "All matchers are measured on the same persons. An interval holds two sources of chance: "
        "which persons are in the benchmark set, resampled together for all matchers, and the "
        "seed of the training, from its scatter over the seeds.",
    ),
    (
        "Disparity",
        "The highest group's false-match rate over the geometric mean of all groups' rates; 1 "
        "means that all groups have the same.",
    ),
    (
        "Data or seed",
        "The variance between options beside the variance between seeds of one option, with the "
        "exact interval of the intraclass correlation.",
    ),
)

LIMITS = (
    "The experiment shows what the data do to this matcher with this budget on this benchmark set; "
    "a longer training, another network or other photographs may answer otherwise.",
    "That an option is kept in the ranking does not make it lawful; whether images may be used is "
    "a question of law that comes before this page.",
)

BANNER = "Synthetic faces: error rates on them say nothing about real people."


def retraining_page(
    tables: Mapping[str, pd.DataFrame],
    findings: Sequence[Finding],
    record: Mapping[str, Any],
    *,
    lead: str,
    facts: Sequence[tuple[str, str]],
    synthetic: bool,
) -> Document:
    """What stands on the page."""
    sections = [
        _options(tables["recipes"]),
        _groups(tables["changes"]),
        _data(tables["shares"], tables["associations"]),
        _variance(tables["variance"]),
        _networks(tables["networks"]),
    ]
    return Document(
        kind="review of the options to retrain",
        title="On whose images should the matcher be retrained?",
        lead=lead,
        findings=findings,
        sections=[each for each in sections if each is not None],
        record=record,
        facts=facts,
        facts_heading="What was tried",
        banner=BANNER if synthetic else "",
        limits=LIMITS,
        methods=METHODS,
        downloads=tables,
    )


def _options(recipes: pd.DataFrame) -> Section:
    parts = []
    for number, (point, rows) in enumerate(recipes.groupby("operating_point", sort=False)):
        chart = interval_chart(
            [
                Interval(f"{row['rank']}. {row['recipe']}", row["ratio"], row["low"], row["high"])
                for row in records(rows)
            ],
            uid=f"options-{number}",
            title=f"Disparity after over before retraining, at {point}",
            log=True,
            reference=1.0,
            reference_text="as before retraining",
            words=_times,
        )
        shown = rows.assign(
            change=[_ratio(row, "ratio", "low", "high") for row in records(rows)],
            beside=[
                _ratio(row, "against_first", "against_first_low", "against_first_high")
                for row in records(rows)
            ],
        )
        table = page_table(
            shown,
            f"The options, at {point}",
            {
                "rank": "Rank",
                "recipe": "Option",
                "persons": "Persons",
                "images": "Images",
                "after": ("Disparity", decimal),
                "change": "Over before",
                "beside": "Over the first option",
                "fnmr": ("FNMR, all", percent),
                "status": "Evidence",
            },
        )
        parts.append(Part(heading=f"At {point}", figure=chart, table=table))
    return Section(
        "options",
        "Which option leaves the smallest differences?",
        ("The disparity that each option leaves, over the disparity before retraining.",),
        parts,
    )


def _groups(changes: pd.DataFrame) -> Section:
    parts = []
    point = changes["operating_point"].iloc[0] if len(changes) else ""
    here = changes[(changes["operating_point"] == point) & (changes["against"] == BEFORE)]
    for kind in ("FMR", "FNMR"):
        for number, (recipe, rows) in enumerate(
            here[here["kind"] == kind].groupby("recipe", sort=False)
        ):
            chart = interval_chart(
                [
                    Interval(group_name(row["group"]), row["ratio"], row["low"], row["high"])
                    for row in records(rows)
                ],
                uid=f"groups-{kind}-{number}",
                title=f"{kind} after over before, {recipe}, at {point}",
                log=True,
                reference=1.0,
                reference_text="unchanged",
                words=_times,
            )
            shown = rows.assign(
                name=rows["group"].map(group_name),
                change=[_ratio(row, "ratio", "low", "high") for row in records(rows)],
            )
            table = page_table(
                shown,
                f"{kind} by group, {recipe}, at {point}",
                {
                    "name": "Group",
                    "before": "Before",
                    "after": "After",
                    "change": "After over before",
                    "status": "Evidence",
                },
            )
            heading = f"{kind}, “{recipe}”, at {point}"
            parts.append(Part(heading=heading, figure=chart, table=table, folded=True))
    return Section(
        "groups",
        "Who gains, and who pays?",
        ("Each group's error rates after retraining over those before.",),
        parts,
    )


def _data(shares: pd.DataFrame, associations: pd.DataFrame) -> Section:
    means = shares.groupby(["recipe", "group"], sort=False).mean(numeric_only=True).reset_index()
    table = page_table(
        means,
        "Share of the images that each group had in training, mean over the seeds",
        {
            "recipe": "Option",
            "group": "Group",
            "persons": "Persons",
            "images": "Images",
            "training_share": ("Share of the images drawn", percent),
        },
    )
    sentences = [
        f"At {row['operating_point']}: {row['sentence']}"
        for row in records(associations)
        if row["sentence"]
    ]
    return Section(
        "data",
        "Do the shares in training explain the differences?",
        sentences or ("The options' shares do not differ enough to tell.",),
        [Part(table=table, folded=True)],
    )


def _variance(variance: pd.DataFrame) -> Section | None:
    rows = variance[variance["status"] == "ok"]
    rows = rows[rows["kind"].isin(["FMR", "FNMR", "FMR gap"])]
    if rows.empty:
        return None
    shown = rows.assign(
        share=[
            f"{percent(row['data_share'])} ({percent(row['low'])} to {percent(row['high'])})"
            for row in records(rows)
        ],
        name=rows["group"].map(group_name),
    )
    table = page_table(
        shown,
        "How much of the differences between trained matchers the data explains",
        {
            "operating_point": "Operating point",
            "kind": "Quantity",
            "name": "Group or measure",
            "share": "Explained by the data",
            "p_value": ("p", decimal),
        },
    )
    return Section(
        "variance",
        "Is it the data or the seed?",
        (
            "Training with another seed gives another matcher. Of all differences between the "
            "retrained matchers, the share that goes with the option and not with the seed.",
        ),
        [Part(table=table, folded=True)],
    )


def _networks(networks: pd.DataFrame) -> Section:
    table = page_table(
        networks,
        "The trained networks",
        {
            "recipe": "Option",
            "seed": ("Seed", lambda value: f"{value:g}"),
            "sha256": "SHA-256 of the weights",
            "steps": "Steps",
            "images_seen": "Images seen",
            "loss": ("Last loss", decimal),
        },
    )
    return Section("networks", "Which networks came of it?", (), [Part(table=table, folded=True)])


def _times(value: float) -> str:
    return f"×{decimal(value)}"


def _ratio(row: Mapping[str, Any], value: str, low: str, high: str) -> str:
    if not math.isfinite(row[value]):
        return "not measurable"
    return f"{_times(row[value])} ({decimal(row[low])} to {decimal(row[high])})"


def facts_of(
    base: str, benchmark: str, pools: Mapping[str, Any], budget: Any, seeds: Sequence[int]
) -> list[tuple[str, str]]:
    """Terms and texts beside the findings."""
    told = [("Matcher before retraining", base), ("Measured on", benchmark)]
    for name, each in pools.items():
        text = (
            f"{each.training.name}: {integer(len(each.training.subjects))} persons, "
            f"{integer(len(each.faces))} images"
            + (f"; {integer(each.failed)} without a usable face" if each.failed else "")
        )
        told.append((name.replace("_", " ").capitalize(), text))
    spent = f"{integer(budget.steps)} steps of {integer(budget.batch)} images, {budget.loss}"
    told.append(("Budget of each training", spent))
    told.append(("Seeds", ", ".join(map(str, seeds))))
    return told
