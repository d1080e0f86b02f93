"""The page of a simulation: policies ranked, then shares and rates over the rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from frbench.feedback.world import World
from frbench.formatting import decimal, percent, power, scientific
from frbench.page.charts import Interval, Line, interval_chart, line_chart, vertical_span
from frbench.page.document import Document, Words, page_table
from frbench.page.model import Part, Section
from frbench.simulation_rules import shown
from frbench.values import Finding

BANNER = "Simulated: these rounds happened in a model, not in any force."

METHODS = (
    (
        "One round",
        "People pass the cameras; those falsely matched with the watchlist, and those rightly "
        "matched, raise alerts; some alerts become stops, some stops arrests; people are charged "
        "or released; images are kept; the matcher is trained again on what is kept.",
    ),
    (
        "False-alert rate",
        "FPIR of a search: the chance that a person who is not on the watchlist matches somebody "
        "on it, from the false-match rates with each group and the watchlist of the round "
        "(binomial model).",
    ),
    (
        "Two ways in which bias feeds itself",
        "A group arrested more often fills more of the watchlist, and most false matches are "
        "within a group: its false alerts rise. A group with more training images is told apart "
        "better: its false matches fall, and others' rise. Which wins is for the figures to show.",
    ),
    (
        "Bands",
        "The band around a line holds the middle 95 % of the seeds: chance in the counts and, "
        "where it was fitted, doubt about the response to training.",
    ),
)

LIMITS = (
    "The model is as good as its inputs: arrests, disposals, footfall and how officers react to "
    "alerts are the force's own figures to give.",
    "Whom the police would have met without the matcher, and what anybody did, is not in the "
    "model; it shows how shares and rates move, not who is guilty of anything.",
    "Importance weights and caps change how much images count, not how many there are; the "
    "analytic learner does not see what too few images cost.",
    "A fixed watchlist size, one image a person, and searches whose comparisons are independent.",
)


def _compact(value: float) -> str:
    """A power of ten as such, short enough for an axis; other numbers in full."""
    exponent = math.log10(value) if value > 0 else math.nan
    return power(round(exponent)) if abs(exponent - round(exponent)) < 1e-9 else scientific(value)


PANELS = (
    ("share", "Who is in the training images?", "share of the images", percent, False),
    ("fmr", "How often are two people of a group taken for one?", "FMR", _compact, True),
    ("fpir", "How often does a search raise a false alert?", "FPIR", _compact, True),
)


def simulation_page(
    world: World,
    current: str,
    tables: Mapping[str, pd.DataFrame],
    facts: Sequence[tuple[str, str]],
    cautions: Sequence[str],
    findings: Sequence[Finding],
    record: Mapping[str, Any],
) -> Document:
    """What stands on the page."""
    course = tables["course"]
    sections = [_ranking(tables["ranking"])]
    sections += [_over_rounds(course, world, current, *panel) for panel in PANELS]
    sections.append(_growth(tables["growth"]))
    policies, rounds = course["policy"].nunique(), int(course["round"].max()) + 1
    return Document(
        kind="feedback-loop simulation",
        title="Does the bias feed itself, and what would stop it?",
        lead=f"{policies} policies · {rounds:,} rounds · {', '.join(world.groups)}",
        findings=findings,
        sections=sections,
        record=record,
        facts=facts,
        facts_heading="What it rests on",
        banner=BANNER,
        limits=[*cautions, *LIMITS],
        methods=METHODS,
        downloads={name: tables[name] for name in ("ranking", "growth", "course")},
    )


def _ranking(ranking: pd.DataFrame) -> Section:
    figure = interval_chart(
        [
            Interval(shown(row["policy"]), row["disparity_end"], row["low"], row["high"])
            for row in ranking.to_dict("records")
        ],
        uid="ranking",
        title="Largest over smallest false-alert rate at the end, by policy",
        log=True,
        reference=float(ranking["disparity_start"].iloc[0]),
        reference_text="at the start",
        words=_times,
    )
    table = page_table(
        ranking.assign(policy=ranking["policy"].map(shown)),
        "Policies by disparity at the end",
        {
            "policy": "Policy",
            "rank": "Rank",
            "disparity_end": ("Disparity at the end", _times),
            "against_as_is": ("Beside going on as now", _times),
            "against_low": ("from", _times),
            "against_high": ("to", _times),
            "worst_group": "Worst group",
            "false_alerts": ("False alerts", _count),
            "true_alerts": ("True alerts", _count),
            "false_alerts_gap": ("False alerts, worst group over mean", _times),
            "released_held_end": ("Images of people released, held", _count),
        },
    )
    return Section(
        "ranking",
        "Which policy ends with the smallest disparity?",
        (
            "The mark is the mean over seeds, the bar the middle of the seeds. Read it beside what "
            "a policy costs in true alerts: they are in the table.",
            "While a policy keeps the matcher off, its rates are what they would be if it ran.",
        ),
        [Part(figure=figure, table=table)],
    )


def _over_rounds(
    course: pd.DataFrame,
    world: World,
    current: str,
    measure: str,
    heading: str,
    axis: str,
    words: Words,
    log: bool,
) -> Section:
    rows = course[course["measure"] == measure]
    lines = {
        (str(policy), str(group)): Line(
            f"{shown(str(policy))}, {group}",
            list(each["round"] + 1),
            list(each["mean"]),
            list(each["low"]),
            list(each["high"]),
        )
        for (policy, group), each in rows.groupby(["policy", "group"], sort=False)
    }
    parts = []
    for at, group in enumerate(world.groups):
        of_group = {policy: line for (policy, name), line in lines.items() if name == group}
        reference = float(world.population[at]) if measure == "share" else None
        span = vertical_span(list(of_group.values()), log=log, reference=reference)
        panels = [
            line_chart(
                [line] if policy == current else [_plain(of_group[current]), line],
                uid=f"{measure}-{at}-{number}",
                title=shown(policy),
                log=log,
                x_name="round",
                y_name=axis,
                reference=reference,
                words=words,
                x_words=lambda x: f"{x:.0f}",
                span=span,
            )
            for number, (policy, line) in enumerate(of_group.items())
        ]
        parts.append(Part(heading=group, panels=panels))
    plain = {
        "share": "The straight dashed line is the group's share of the residents.",
        "fmr": "At the threshold of each round; the scale is logarithmic.",
        "fpir": "At the threshold and with the watchlist of each round; the scale is logarithmic.",
    }
    beside = f"Each policy beside “{shown(current)}”, which is dashed; one scale for a group."
    return Section(measure, heading, (plain[measure], beside), parts)


def _plain(line: Line) -> Line:
    """The current policy's line, dashed and without its band."""
    return Line(line.name, line.x, line.y, then=True)


def _growth(growth: pd.DataFrame) -> Section:
    names = {"fpir": "false-alert rate", "fmr": "false-match rate", "share": "training share"}
    table = page_table(
        growth.assign(measure=growth["measure"].map(names), policy=growth["policy"].map(shown)),
        "From the first round to the last, each group beside all residents",
        {
            "policy": "Policy",
            "group": "Group",
            "measure": "Measure",
            "start": ("At the start", _times),
            "end": ("At the end", _times),
            "growth": ("Growth", _times),
            "low": ("from", _times),
            "high": ("to", _times),
            "seeds_growing": ("Seeds in which it grew", percent),
        },
    )
    return Section(
        "growth",
        "Whose rates moved, beside everybody's?",
        ("Rates over the residents' mean, shares over the residents' shares: 1 is level.",),
        [Part(table=table, folded=True)],
    )


def _times(value: float) -> str:
    return f"×{decimal(value)}" if value == value else "–"


def _count(value: float) -> str:
    return f"{value:,.0f}"
