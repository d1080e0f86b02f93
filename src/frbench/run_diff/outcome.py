"""All that a comparison found, as plain data, findings and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from frbench.formatting import decimal, label_text, shorten
from frbench.page.tables import group_name, records
from frbench.run_diff.inputs import Difference, said
from frbench.run_diff.loaded import LoadedRun
from frbench.run_diff.moved import CORRECTIONS
from frbench.run_diff.ranking import Approved
from frbench.runs import plain
from frbench.values import Finding

MEASURES = {
    "max_min_ratio": "highest over lowest group",
    "worst_to_geometric_mean": "worst group over geometric mean",
    "gini_corrected": "Gini index (corrected)",
}


@dataclass(frozen=True)
class Compared:
    """What was found; a part that was not asked for is None.

    Attributes:
        runs: the first is the one that the others are compared with.
        inputs: what differs between the inputs.
        cells: table of ``moved.CELL_COLUMNS``.
        ranking: table of ``ranking.RANKING_COLUMNS``.
        paired: letters of the runs with the comparisons of the first.
        notes: what was left out or taken for granted.
    """

    runs: Sequence[LoadedRun]
    inputs: Sequence[Difference]
    cells: pd.DataFrame | None
    ranking: pd.DataFrame | None
    paired: frozenset[str]
    notes: Sequence[str]
    approved: Approved
    correction: str
    level: float

    @property
    def moved(self) -> pd.DataFrame:
        """The cells that moved, the clearest first."""
        if self.cells is None:
            return pd.DataFrame(columns=["moved"])
        return self.cells[self.cells["moved"]].sort_values("p_adjusted", kind="stable")

    def changed(self, area: str) -> list[Difference]:
        """The differences of one area."""
        return [each for each in self.inputs if each.area == area]

    def answer(self) -> str:
        """How many cells moved, in a sentence."""
        if self.cells is None:
            return ""
        tested = int(self.cells["p_value"].notna().sum())
        if self.moved.empty:
            return f"None of {tested} cells moved beyond noise."
        return f"{len(self.moved)} of {tested} cells moved beyond noise."

    def findings(self) -> list[Finding]:
        """A finding for each cell that moved (watch where it rose), or that none did."""
        if self.cells is None:
            return []
        rule = {"correction": self.correction, "level": self.level}
        found = [
            Finding(
                "cell_moved",
                "watch" if row["direction"] == "rose" else "note",
                cell_words(row),
                {key: row[key] for key in ("second", "operating_point", "kind", "probe_group")},
                rule,
                True,
            )
            for row in records(self.moved)
        ]
        if not found:
            found = [Finding("nothing_moved", "note", self.answer(), {}, rule, None)]
        return sorted(found, key=lambda each: each.level == "note")

    def as_json(self) -> dict[str, Any]:
        """Plain data with a schema version."""
        return {
            "schema_version": 1,
            "runs": [
                {
                    "letter": run.letter,
                    "run_id": run.record.get("run_id"),
                    "arm": run.arm,
                    "folder": str(run.folder),
                    "matcher": run.matcher.get("name"),
                    "paired_with_first": run.letter in self.paired,
                }
                for run in self.runs
            ],
            "inputs": {
                area: [
                    {"key": one.key, "values": one.values, "follows_from": list(one.follows)}
                    for one in self.changed(area)
                ]
                for area in ("setting", "content", "surroundings")
            },
            "cells": None if self.cells is None else plain(records(self.cells)),
            "family": {
                "correction": self.correction,
                "meaning": CORRECTIONS[self.correction],
                "level": self.level,
            },
            "ranking": None if self.ranking is None else plain(_ranked(self.ranking)),
            "criteria": plain(self.approved),
            "notes": list(self.notes),
        }

    def inputs_table(self) -> pd.DataFrame:
        """A row per difference, a column per run."""
        rows = [
            {
                "area": each.area,
                "key": each.key,
                **{run.letter: said(each.values[run.letter]) for run in self.runs},
                "follows_from": ", ".join(each.follows),
            }
            for each in self.inputs
        ]
        columns = ["area", "key", *[run.letter for run in self.runs], "follows_from"]
        return pd.DataFrame(rows, columns=columns, dtype="str")


def _ranked(table: pd.DataFrame) -> list[dict[str, Any]]:
    return records(
        table.astype({"rank_from": object, "rank_to": object}).where(table.notna(), None)
    )


def cell_name(row: Mapping[str, Any]) -> str:
    """A cell in words: the group, two groups, or the measure."""
    probe, reference = str(row["probe_group"]), str(row["reference_group"])
    if str(row["kind"]).endswith(" gap"):
        return MEASURES.get(probe, probe.replace("_", " "))
    if probe == reference:
        return group_name(probe)
    return f"{group_name(probe)} × {group_name(reference)}"


def cell_words(row: Mapping[str, Any]) -> str:
    """A moved cell in a sentence."""
    kind, ends = str(row["kind"]), (float(row["low"]), float(row["high"]))
    point = "" if kind == "FTE" else f" at {label_text(row['operating_point'])}"
    name = shorten(cell_name(row), 80)
    return (
        f"{row['second']} against {row['first']}{point}: {kind} of “{name}” {row['direction']}, "
        f"×{decimal(float(row['ratio']))} ({decimal(ends[0])} to {decimal(ends[1])})."
    )


def rank_text(row: Mapping[str, Any]) -> str:
    """``1``, ``1–2 (tied)`` or ``–``."""
    first, last = row["rank_from"], row["rank_to"]
    if pd.isna(first):
        return "–"
    return f"{first}" if first == last else f"{first}–{last} (tied)"
