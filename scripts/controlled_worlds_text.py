"""The page of the controlled worlds: text and plot, made from the CSV files beside it alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frbench.formatting import decimal

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "docs" / "controlled-worlds"
PICTURE = ROOT / "docs" / "images" / "controlled-worlds.svg"
SHARES = (0.05, 0.10, 0.20, 0.35, 0.50)
PEOPLE = 200
GROUP = "darker"
NULL_SEEDS = 20


def write_page() -> None:
    """The page and the plot, from the files alone."""
    read = {file.stem: pd.read_csv(file) for file in DATA.glob("*.csv")}
    PICTURE.write_text(plot(read["points"], read["worlds"]), encoding="utf-8")
    (ROOT / "docs" / "controlled-worlds.md").write_text(text(read), encoding="utf-8")


def _spread(row: Any) -> str:
    return f"×{decimal(row['ratio'])} ({decimal(row['low'])} to {decimal(row['high'])})"


def text(read: dict[str, pd.DataFrame]) -> str:
    """The page as Markdown."""
    worlds, networks, null = read["worlds"], read["networks"], read["no_bias"]
    lines = [
        "# Controlled worlds: from the training images to the errors",
        "",
        "Rendered faces of people who do not exist; nothing here is a statement about real people,",
        "and nothing about the renderer's groups is one either. The question is whether the",
        "instrument finds a cause that was planted, and leaves alone what was not.",
        "",
        f"The same small network is retrained {len(networks)} times with the same budget",
        f"({networks['steps'].iloc[0]} steps, {networks['images_seen'].iloc[0]:,} images seen, "
        f"{PEOPLE} persons).",
        f"Only the share of one group (“{GROUP}”) among those persons and the",
        "seed (who is drawn, and in which order) differ. All are measured on one balanced set of",
        "240 other rendered persons, each at its own global threshold for an FMR of 1 % over all",
        "comparisons.",
        "",
        "## The share falls, the group's false-match rate rises",
        "",
        "![FMR ratio against share of the training images](images/controlled-worlds.svg)",
        "",
        f"FMR ratio: the false-match rate of “{GROUP}” over that of the other group. The interval",
        "is that of the change from before to after retraining; it holds the persons measured on",
        f"and the {int(worlds['seeds'].min())} seeds.",
        "",
        "| share in training | FMR ratio before | after, mean over the seeds | change (95 % "
        "paired interval) | excludes 1 | flagged |",
        "|---|---|---|---|---|---|",
    ]
    for row in worlds.to_dict("records"):
        excludes = "yes" if row["low"] > 1 or row["high"] < 1 else "no"
        lines.append(
            f"| {row['recipe']} | {decimal(row['before'])} | {decimal(row['after'])} | "
            f"{_spread(row)} | {excludes} | {'yes' if row['flagged'] else 'no'} |"
        )
    lines += ["", *bars(worlds, null), "", *_links(read["association"]), ""]
    lines += ["## No planted bias, no flag?", ""]
    for way, rows in null.groupby("way", sort=False):
        flagged = int((rows["flags"] > 0).sum())
        lines.append(f"- {way}: {flagged} of {len(rows)} flagged at equal shares.")
    count = int(null["way"].str.contains("evaluate").sum())
    if count < NULL_SEEDS:
        lines.append(
            f"- {count} of the {NULL_SEEDS} trainings that were asked for are made so far: too few "
            "to say that false flags stay at or below 5 %."
        )
    lines += [
        "",
        "`frbench evaluate` compares two given matchers: its intervals hold persons only, since",
        "it cannot know how another seed would have turned out. `frbench retrain` has the seeds.",
        "",
    ]
    if "recipes" in read:
        lines += recipe_lines(read)
    lines += [
        "## Where the numbers come from",
        "",
        "`scripts/controlled_worlds train`, `recipes` and `page` write every file of "
        "[controlled-worlds/](controlled-worlds/) and this page from them. Trainings took "
        f"{networks['seconds'].sum():,.0f} s in all (median {networks['seconds'].median():.0f} s "
        "each, one thread of "
        f"{read['machine']['processor'].iloc[0]}, shared with other work).",
        "",
    ]
    return "\n".join(lines)


def bars(worlds: pd.DataFrame, null: pd.DataFrame) -> list[str]:
    """What was asked of the experiment beforehand, and whether it held."""
    by = worlds.set_index("recipe")
    falling = bool((np.diff(by.loc[[f"{s:.0%}" for s in SHARES], "after"]) < 0).all())
    scarce = bool((by.loc[["5%", "10%"], "low"] > 1).all())
    level = bool(by.loc["50%", "low"] <= 1 <= by.loc["50%", "high"])
    follows = bool(by.loc[["5%", "10%"], "flagged"].all() and not by.loc["50%", "flagged"])
    alone = null[null["way"].str.contains("evaluate")]
    share = float((alone["flags"] > 0).mean())
    experiments = null[~null["way"].str.contains("evaluate")]
    among = float((experiments["flags"] > 0).mean())
    asked = [
        ("The ratio rises with every step down of the share", falling),
        ("The interval excludes 1 at 5 % and at 10 %", scarce),
        ("The interval covers 1 at 50 %", level),
        ("The flag is raised at 5 % and 10 % and not at 50 %", follows),
        (f"False flags at equal shares, one by one: {share:.0%}, at most 5 %", share <= 0.05),
        (f"False flags at equal shares, by experiments: {among:.0%}, at most 5 %", among <= 0.05),
    ]
    if len(alone) < NULL_SEEDS:
        asked = asked[:4]
    return [
        "Asked beforehand:",
        "",
        *[f"- {q}: {'held' if h else '**not held**'}." for q, h in asked],
    ]


def _links(links: pd.DataFrame) -> list[str]:
    rows = links[(links["kind"] == "FMR") & (links["status"] != "undefined")]
    return [str(each) for each in rows["sentence"]]


def recipe_lines(read: dict[str, pd.DataFrame]) -> list[str]:
    """The review of the options to retrain."""
    rows = read["recipes"]
    lines = [
        "## The options to retrain",
        "",
        "Rendered custody images: darker and younger people are arrested three times as often",
        "each, released without charge more often, and everything is kept. Groups are skin tone ×",
        "age band; the same base network, budget and benchmark as above; "
        f"{int(read['recipe_changes']['seeds'].min())} seeds.",
        "",
        "| rank | option | persons | disparity after | over before | over as_retained | FNMR |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows.to_dict("records"):
        beside = (
            "–"
            if row["recipe"] == "as_retained"
            else f"×{decimal(row['against_first'])} ({decimal(row['against_first_low'])} to "
            f"{decimal(row['against_first_high'])})"
        )
        lines.append(
            f"| {row['rank']} | {row['recipe']} | {row['persons']} | {decimal(row['after'])} | "
            f"{_spread(row)} | {beside} | {100 * row['fnmr']:.2g} % |"
        )
    lines += ["", "Disparity: the highest group's FMR over the geometric mean of all groups'.", ""]
    by = rows.set_index("recipe")
    for name in ("lawfully_retained", "population_matched"):
        if name not in by.index:
            continue
        row = by.loc[name]
        low, high = float(row["against_first_low"]), float(row["against_first_high"])
        verdict = (
            "reduces the disparity beside as_retained"
            if high < 1
            else "makes the disparity larger than as_retained does"
            if low > 1
            else "is **not shown** to reduce the disparity beside as_retained, as the interval "
            "covers 1"
        )
        lines.append(
            f"- `{name}` {verdict} (×{decimal(float(row['against_first']))}, "
            f"{decimal(low)} to {decimal(high)})."
        )
    for sentence in _links(read["recipe_association"]):
        lines += ["", sentence]
    return [*lines, ""]


def plot(points: pd.DataFrame, worlds: pd.DataFrame) -> str:
    """Seeds as dots, their mean as a line, on two logarithmic axes; no colour is needed."""
    wide, high, left, base = 640, 340, 70, 290
    largest = max(points["fmr_ratio"].max(), 2.0) * 1.15
    least = min(points["fmr_ratio"].min(), 0.8) / 1.1

    def x(share: float) -> float:
        return left + 20 + (wide - left - 50) * np.log(share / 0.05) / np.log(10)

    def y(ratio: float) -> float:
        return base - (base - 30) * np.log(ratio / least) / np.log(largest / least)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" role="img" '
        'font-family="sans-serif" font-size="13">',
        "<title>FMR ratio of the group against its share of the training persons</title>",
        f'<rect width="{wide}" height="{high}" fill="#fff"/>',
    ]
    for tick in (0.5, 1, 2, 3, 5, 10):
        if least <= tick <= largest:
            dash = "" if tick == 1 else ' stroke-dasharray="2 4"'
            parts.append(
                f'<line x1="{left}" x2="{wide - 20}" y1="{y(tick):.1f}" '
                f'y2="{y(tick):.1f}" stroke="#888"{dash}/>'
            )
            parts.append(
                f'<text x="{left - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">×{tick:g}</text>'
            )
    parts += [
        f'<text x="{x(share):.1f}" y="{base + 20}" text-anchor="middle">{share:.0%}</text>'
        for share in SHARES
    ]
    parts += [
        f'<circle cx="{x(row["share"]):.1f}" cy="{y(row["fmr_ratio"]):.1f}" r="4" '
        'fill="none" stroke="#1d4f91" stroke-width="1.5"/>'
        for row in points.to_dict("records")
    ]
    means = points.groupby("share")["fmr_ratio"].apply(lambda each: np.exp(np.log(each).mean()))
    way = " ".join(f"{x(share):.1f},{y(ratio):.1f}" for share, ratio in means.items())
    parts.append(f'<polyline points="{way}" fill="none" stroke="#1d4f91" stroke-width="2"/>')
    start = float(worlds["before"].iloc[0])
    parts.append(
        f'<line x1="{left}" x2="{wide - 20}" y1="{y(start):.1f}" y2="{y(start):.1f}" '
        'stroke="#b3541e" stroke-width="1.5" stroke-dasharray="8 4"/>'
    )
    parts.append(
        f'<text x="{left + 8}" y="{y(start) + 17:.1f}" fill="#b3541e">before retraining</text>'
    )
    parts.append(
        f'<text x="{wide / 2}" y="{high - 10}" text-anchor="middle">'
        "share of the group among the training persons</text>"
    )
    parts.append(
        f'<text x="{left - 50}" y="18">FMR over the other group\'s '
        "(dots: seeds, line: their mean)</text>"
    )
    return "\n".join([*parts, "</svg>", ""])
