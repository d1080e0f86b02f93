"""The report's middle part: for each question a figure, how to read it, and its table."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from frbench import figures
from frbench.formatting import decimal, label_text, one_in
from frbench.page.curves import det_panels, error_curve
from frbench.page.difference_tables import PER_GROUP, change_table, gap_table
from frbench.page.evidence_sections import carried_section, tests_section
from frbench.page.frontier import frontier_figure, frontier_table
from frbench.page.model import Page, Part, Section
from frbench.page.scores import score_panels
from frbench.page.tables import (
    counts_table,
    cross_table,
    rate_table,
)
from frbench.values import ALL


def sections(page: Page, counts: pd.DataFrame) -> list[Section]:
    """The sections of the page in reading order, those without data left out."""
    heads = {point: _at(page, point) for point in page.points}
    every = [
        _change(page),
        _false_matches(page),
        _cross(page),
        _misses(page),
        _failures(page, counts),
        _gaps(page),
        tests_section(page, heads),
        carried_section(page, heads),
        _curves(page),
        _frontier(page),
        _scores(page),
    ]
    return [section for section in every if section is not None and section.parts]


def _false_matches(page: Page) -> Section:
    return Section(
        "fmr",
        "How often are two different people taken for one? (FMR)",
        (
            "The false-match rate. In use, a false match is a person wrongly picked out. The axis "
            "is logarithmic: each line to the right is ten times as often.",
        ),
        [
            Part(
                point,
                _at(page, point),
                figures.forest(
                    rows,
                    uid=f"fmr-{number}",
                    title=f"False-match rate, {point}",
                    target=page.target(point),
                ),
                legend=_legend(page, rows, page.target(point)),
                table=rate_table(
                    rows, "FMR", f"False-match rate per group at {point}", arms=len(page.arms) > 1
                ),
            )
            for number, point, rows in _each(page, "FMR")
        ],
    )


def _misses(page: Page) -> Section:
    return Section(
        "fnmr",
        "How often is a person not recognised? (FNMR)",
        (
            "The false non-match rate: two images of one person that the matcher fails to join. "
            "Images in which no face was found count as misses.",
        ),
        [
            Part(
                point,
                _at(page, point),
                figures.forest(rows, uid=f"fnmr-{number}", title=f"Miss rate, {point}"),
                legend=_legend(page, rows, None),
                table=rate_table(
                    rows,
                    "FNMR",
                    f"False non-match rate per group at {point}",
                    arms=len(page.arms) > 1,
                ),
            )
            for number, point, rows in _each(page, "FNMR")
        ],
    )


def _failures(page: Page, counts: pd.DataFrame) -> Section:
    people = Part(table=counts_table(counts, "Persons, images and failed images per group"))
    rows = next((rows for _, _, rows in _each(page, "FTE")), None)
    parts = [people]
    if rows is not None:
        parts.insert(
            0,
            Part(
                figure=figures.forest(rows, uid="fte", title="Failure to enrol"),
                legend=_legend(page, rows, None),
                table=rate_table(
                    rows, "FTE", "Failure to enrol per group", arms=len(page.arms) > 1
                ),
            ),
        )
    return Section(
        "fte",
        "Whose images could not be used? (FTE)",
        (
            "The failure-to-enrol rate: images from which no template could be made. It does not "
            "depend on the threshold.",
        ),
        parts,
    )


def _cross(page: Page) -> Section:
    parts: list[Part] = []
    for number, (_, point, rows) in enumerate(_each_pair(page)):
        target = page.target(point)
        for arm in page.arms:
            mine = rows[rows["arm"] == arm]
            title = f"False-match rate between groups, {point}{_of_arm(arm)}"
            scale = target if target is not None else _pooled(page, point, arm)
            if mine.empty or not scale or not math.isfinite(scale):
                continue
            heat = figures.heat_map(
                mine,
                page.groups,
                uid=f"heat-{number}-{len(parts)}",
                title=title,
                target=scale,
                ordered=page.ordered,
            )
            words = f"1× is {'the target' if target else 'the pooled rate'}, {one_in(scale)}"
            parts.append(
                Part(
                    point,
                    f"{_at(page, point) or point}{_of_arm(arm)}: {words}",
                    heat,
                    legend=("heat",),
                    table=cross_table(mine, title, scale),
                    folded=True,
                )
            )
    return Section(
        "cross",
        "Who is taken for whom? (group × group)",
        (
            "Each cell is the false-match rate between people of two groups, as a multiple of the "
            "target at which the threshold was set. The diagonal compares people within one "
            "group. An asterisk marks a cell with fewer than 10 errors or 20 persons.",
        ),
        parts,
    )


def _gaps(page: Page) -> Section | None:
    if page.gaps.empty:
        return None
    parts = []
    for point in page.points:
        rows = page.gaps[page.gaps["operating_point"] == point]
        alone = rows["measure"].astype(str).str.startswith(PER_GROUP)
        captions = f"Differentials between groups at {point}", f"Each group at {point}"
        for per_group, chosen in ((False, rows[~alone]), (True, rows[alone])):
            if len(chosen):
                caption = captions[per_group]
                table = gap_table(chosen, caption, arms=len(page.arms) > 1, per_group=per_group)
                heading = "Each group against the rest" if per_group else _at(page, point)
                parts.append(Part(point, heading, table=table, folded=per_group))
    return Section(
        "gaps",
        "How large are the gaps? (differentials)",
        (
            "Summary measures of the differences between groups. They do not replace the rates "
            "above: a single number hides who is affected.",
        ),
        parts,
    )


def _change(page: Page) -> Section | None:
    if page.change is None or len(page.arms) < 2 or page.change.empty:
        return None
    arms = (label_text(page.arms[0]), label_text(page.arms[1]))
    parts = [
        part
        for number, point in enumerate(page.points)
        for part in _change_parts(page, page.changes(point), number, point, arms)
    ]
    return Section(
        "change",
        f"What changed from “{arms[0]}” to “{arms[1]}”?",
        (
            "The same people, images and comparisons under both matchers, so that each group is "
            "its own control. A ratio of 2 means twice as often. ▲ and ▼ mark changes whose whole "
            "interval lies on one side of 1; ≈ marks changes that chance can explain.",
        ),
        parts,
    )


def _change_parts(
    page: Page, change: pd.DataFrame, number: int, point: str, arms: tuple[str, str]
) -> Iterator[Part]:
    where = f" at {point}" if len(page.points) > 1 else ""
    for kind, words in (("FMR", "False-match rate"), ("FNMR", "Miss rate")):
        rows = change[change["kind"] == kind]
        if rows.empty:
            continue
        title = f"{words}: {arms[0]} and {arms[1]}{where}"
        uid = f"change-{kind.lower()}-{number}"
        figure = figures.paired_change(rows, uid=uid, title=title, arms=arms)
        table = change_table(rows, title, arms)
        yield Part(point, title, figure, legend=("then", "now", "change"), table=table)
    rest = change[~change["kind"].isin(["FMR", "FNMR", "FTE"])]
    if len(rest):
        title = f"Disparity: {arms[0]} and {arms[1]}{where}"
        yield Part(point, title, table=change_table(rest, title, arms, disparity=True))


def _curves(page: Page) -> Section | None:
    curves = {
        arm: [error_curve(one, at) for at in range(len(page.groups))]
        for arm in page.arms
        if (one := page.histograms.get(arm)) is not None
    }
    if not curves:
        return None
    marks = {arm: page.thresholds[arm][0].value for arm in curves if page.thresholds[arm]}
    panels = det_panels(curves, page.groups, uid="det", thresholds=marks)
    legend = ("curve-now", "curve-then") if len(curves) > 1 else ("curve-now", "curve-others")
    return Section(
        "det",
        "What would other thresholds do? (error curves)",
        (
            "Misses (upwards) against false matches (to the right), both on logarithmic axes, for "
            "comparisons within each group; nearer to the lower left is better. The dot is the "
            "operating threshold. Dotted parts rest on fewer than 10 errors. Failed images are "
            "left out here.",
        ),
        [Part(panels=panels, legend=legend)],
    )


def _frontier(page: Page) -> Section | None:
    table = page.tables.get("frontier")
    if table is None:
        return None
    parts = []
    for number, arm in enumerate(page.arms):
        rows = table[table["arm"] == arm]
        title = f"Highest group's false-match rate against the share recognised{_of_arm(arm)}"
        figure = frontier_figure(rows, uid=f"frontier-{number}", title=title)
        if figure is not None:
            parts.append(
                Part(
                    heading=title,
                    figure=figure,
                    legend=("frontier",),
                    table=frontier_table(rows, title),
                    folded=True,
                )
            )
    return Section(
        "frontier",
        "What does fairness to the worst-off group cost? (frontier)",
        (
            "Each point is one threshold for everybody: to the right, how many people are "
            "recognised; upwards, the false-match rate of whichever group has the highest. The dot "
            "is the operating threshold. A stricter threshold moves down and to the left.",
        ),
        parts,
    )


def _scores(page: Page) -> Section | None:
    parts = []
    for number, arm in enumerate(page.arms):
        histogram = page.histograms.get(arm)
        if histogram is None:
            continue
        threshold = page.thresholds[arm][0].value if page.thresholds[arm] else None
        panels = score_panels(histogram, page.groups, uid=f"scores-{number}", threshold=threshold)
        heading = f"Scores{_of_arm(arm)}" if arm else ""
        parts.append(
            Part(heading=heading, panels=panels, legend=("mated", "non-mated", "threshold"))
        )
    return Section(
        "scores",
        "How are the scores distributed?",
        (
            "Share of the comparisons in each band of scores, within each group, also below the "
            "threshold: a group whose non-mated scores lie further right is nearer to false "
            "alerts even where none occurred.",
        ),
        parts,
    )


def _each(page: Page, kind: str) -> Iterator[tuple[int, str, pd.DataFrame]]:
    for number, point in enumerate(page.points):
        rows = page.within(point, kind)
        if len(rows):
            yield number, point, rows


def _each_pair(page: Page) -> Iterator[tuple[int, str, pd.DataFrame]]:
    for number, point in enumerate(page.points):
        rows = page.at(point, "FMR")
        rows = rows[
            rows["probe_group"].isin(page.groups) & rows["reference_group"].isin(page.groups)
        ]
        if len(rows) and len(page.groups) > 1:
            yield number, point, rows


def _pooled(page: Page, point: str, arm: str) -> float:
    rows = page.at(point, "FMR")
    rows = rows[(rows["arm"] == arm) & (rows["probe_group"] == ALL)]
    return float(rows["rate"].iloc[0]) if len(rows) else math.nan


def _at(page: Page, point: str) -> str:
    if len(page.points) < 2:
        return ""
    values = [one.value for each in page.thresholds.values() for one in each if one.label == point]
    scores = " and ".join(decimal(value) for value in dict.fromkeys(values))
    return f"At {point} (score {scores} or more)"


def _of_arm(arm: str) -> str:
    return f", {label_text(arm)}" if arm else ""


def _legend(page: Page, rows: pd.DataFrame, target: float | None) -> tuple[str, ...]:
    keys = ["then", "now"] if len(page.arms) > 1 else ["now"]
    keys += ["target"] if target is not None else []
    keys += ["thin"] if (rows["status"] != "ok").any() else []
    keys += ["zero"] if (rows["rate"] == 0).any() else []
    return tuple(keys)
