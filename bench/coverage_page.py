"""The page that says what ``bench/coverage`` found, written from its results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

PAGE = Path(__file__).parents[1] / "docs" / "methodology" / "coverage.md"
BAND = 93.0, 97.0

HEAD = """# Coverage: do the intervals hold what they say?

This page is written by `scripts/bench coverage` from `bench/results/coverage.json`; edit
`bench/coverage_page.py` instead. Populations are simulated whose true rates are known, samples of
persons are drawn from them, and it is counted how often a 95 % interval holds the truth of the
*population*. No face and no score is simulated: only which comparisons err (`coverage_worlds.py`).

A person's propensity to be mistaken has variance 0 ("none"), 0.5 ("moderate") or 0.8 ("strong")
about a mean of 1, multiplied over both persons of a comparison. 10 % of the image comparisons of
two look-alikes match, so errors come in clumps by pair of persons too; persons have 4 to 20
images, evenly. Rows are cells with at least ten expected errors. `below`: the interval lay below
the truth, which for a rate is the dangerous side. The goal is {low:g} to {high:g} %. Chance moves a
share of 400 samples by about one point, so a single row at 92 or 98 % proves nothing.
"""


def write_page(rows: list[dict[str, Any]]) -> None:
    """Fill the page's tables."""
    table = pd.DataFrame(rows)
    table["coverage"] = 100 * table["covered"] / table["samples"]
    table["below_share"] = 100 * table["below"] / table["samples"]
    table["errors"] = table["expected_errors"]
    parts = [HEAD.format(low=BAND[0], high=BAND[1])]
    for part, build in (
        ("rates", _rates),
        ("measures", _measures),
        ("changes", _changes),
        ("findings", _findings),
    ):
        here = table[table["part"] == part]
        if len(here):
            parts.append(build(here))
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def _rates(table: pd.DataFrame) -> str:
    table = table.assign(
        quantity=table["quantity"].where(
            ~table["cell"].str.contains(" x "), table["quantity"] + " across groups"
        )
    )
    default = table[table["method"] == "wilson_effective"]
    return "\n".join(
        [
            "## Rates",
            "",
            f"{_samples(table)} samples of each of {table['world'].nunique()} populations with "
            "groups of 25, 50, 100 and 200 persons.",
            "",
            _markdown(_summary(table, ["quantity", "method"])),
            "",
            "The default (`wilson_effective`) by persons of the cell and person effects:",
            "",
            _markdown(
                _summary(
                    default.assign(effects=default["world"].str.extract(r", (\w+) effects")[0]),
                    ["quantity", "cell", "effects"],
                )
            ),
            "",
            _outside(default, "The default"),
            "",
        ]
    )


def _measures(table: pd.DataFrame) -> str:
    return "\n".join(
        [
            "## Measures over groups",
            "",
            f"{_samples(table)} samples of each of {table['world'].nunique()} populations of four "
            "unequal groups, 400 replicates. Where all groups are equal the truth is the measure's "
            "own end, an interval can miss it on one side only, and 97.5 % and more is what to "
            "expect.",
            "",
            _markdown(_summary(table, ["quantity", "world"])),
            "",
            _outside(table, "The interval"),
            "",
        ]
    )


def _changes(table: pd.DataFrame) -> str:
    return "\n".join(
        [
            "## The paired change from one matcher to another",
            "",
            f"{_samples(table)} samples; 70 % of the rarer matcher's look-alikes are the other's "
            "too. A measure's change errs to the wide side by construction: two intervals are "
            "joined.",
            "",
            _markdown(_summary(table, ["quantity", "world"])),
            "",
            _outside(table, "The interval"),
            "",
        ]
    )


def _findings(table: pd.DataFrame) -> str:
    shown = table.assign(share=table["coverage"].map("{:.1f} %".format))
    wide = shown.pivot_table(index="world", columns="quantity", values="share", aggfunc="first")
    return "\n".join(
        [
            "## Findings",
            "",
            f"Share of {_samples(table)} samples in which `fmr_gap` and `fnmr_gap` (limit 1, "
            "family-wise 5 %) answer so, by the path of an evaluation. `fnmr` never differs here.",
            "",
            _markdown(wide.reset_index()),
            "",
        ]
    )


def _summary(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    found = table.groupby(keys, sort=True).agg(
        cells=("coverage", "size"),
        lowest=("coverage", "min"),
        mean=("coverage", "mean"),
        highest=("coverage", "max"),
        below=("below_share", "mean"),
    )
    for column in ("lowest", "mean", "highest", "below"):
        found[column] = found[column].map("{:.1f} %".format)
    return found.reset_index()


def _outside(table: pd.DataFrame, who: str) -> str:
    """How many cells lie outside the band by more than chance, and the lowest of them."""
    error = 100 * (0.95 * 0.05 / table["samples"]) ** 0.5
    low = table[table["coverage"] < BAND[0] - 2 * error]
    high = table[table["coverage"] > BAND[1] + 2 * error]
    inside = table["coverage"].between(*BAND).sum()
    text = (
        f"{who} is within {BAND[0]:g} to {BAND[1]:g} % in {inside} of {len(table)} rows, below by "
        f"more than two standard errors of the simulation in {len(low)}, above in {len(high)} "
        "(too wide, not too bold)."
    )
    if len(low):
        worst = low.sort_values("coverage").head(8)
        shown = worst[["world", "cell", "quantity", "errors", "coverage", "below_share"]]
        text += " The lowest:\n\n" + _markdown(shown.round(1))
    return text


def _samples(table: pd.DataFrame) -> str:
    return f"{int(table['samples'].max()):,}"


def _markdown(table: pd.DataFrame) -> str:
    rows = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy()]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
