"""The sections on tests between groups and on thresholds that were estimated on other people."""

from __future__ import annotations

from collections.abc import Mapping

from frbench.page.evidence_tables import carried_table, omnibus_table, pairs_table
from frbench.page.model import Page, Part, Section
from frbench.page.tables import MOST_ROWS


def tests_section(page: Page, heads: Mapping[str, str]) -> Section | None:
    """From ``tests.csv``: whether groups differ, and what could have been found."""
    table = page.tables.get("tests")
    if table is None:
        return None
    parts = []
    for point in page.points:
        rows = table[(table["operating_point"] == point) & (table["verdict"] != "no errors")]
        whole, pairs = rows[rows["test"] == "omnibus"], rows[rows["test"] == "pairwise"]
        arms = len(page.arms) > 1
        captions = f"Are all groups alike at {point}?", f"Pairs of groups at {point}"
        if len(whole):
            own = omnibus_table(whole, captions[0], arms=arms)
            parts.append(Part(point, heads[point], table=own))
        if len(pairs):
            surest = pairs.sort_values("p_holm", kind="stable").head(MOST_ROWS)
            two = pairs_table(surest, captions[1], arms=arms)
            parts.append(Part(point, "Two groups at a time", table=two, folded=True))
    return Section(
        "tests",
        "Which groups differ for sure, and what would have been seen? (tests)",
        (
            "“Cannot tell” is not “no difference”: read beside it the smallest ratio that could "
            "have been found four times in five. “Equivalent” means that a difference beyond the "
            "margin is excluded. Persons are the units; p-values are adjusted over the pairs of "
            "one kind of error, by Holm (any wrong answer) and by Benjamini and Hochberg, BH (the "
            "share of wrong ones).",
        ),
        parts,
    )


def carried_section(page: Page, heads: Mapping[str, str]) -> Section | None:
    """From ``threshold_uncertainty.csv``; None where every threshold is of the set itself."""
    table = page.tables.get("threshold_uncertainty")
    if table is None:
        return None
    own = table[table["probe_group"] == table["reference_group"]]
    parts = []
    for point in page.points:
        rows = own[own["operating_point"] == point]
        if len(rows):
            caption = f"Rates at {point}, the threshold's uncertainty included"
            shown = carried_table(rows, caption, arms=len(page.arms) > 1)
            parts.append(Part(point, heads[point], table=shown))
    return Section(
        "carried",
        "What if the threshold had been set on other people?",
        (
            "The threshold was estimated on other persons, and others again would have put it a "
            "little higher or lower. The wider interval holds the rate at the threshold that has "
            "the target rate.",
        ),
        parts,
    )
