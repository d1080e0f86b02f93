"""The shelf of rules: a documented question to the tables, answered with its evidence.

A rule reads intervals, never bare numbers: it flags when the whole interval lies beyond its
limit, notes when the whole interval lies within, and otherwise says ``undecided`` and what it
would take to decide. Rules that ask a family of groups take each interval one-sided at their
level, by Holm where they flag; the two-sided interval that a sentence shows may reach further.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd

from frbench.guidance import About
from frbench.values import UNLABELLED, FaceSet, Finding, Threshold


@dataclass(frozen=True)
class Evidence:
    """What rules may look at.

    Attributes:
        rates: RateTable of all arms.
        gaps: GapTable of all arms.
        thresholds: per arm, its operating points.
        faces: the set, with who is on it and what is known of its labels.
        change: ChangeTable from the first arm to the second, or None.
        training: per arm, names of the collections that its matcher says it was trained on.
        repeated: files under two persons (``repeated_files``), or None where no file was opened.
    """

    rates: pd.DataFrame
    gaps: pd.DataFrame
    thresholds: Mapping[str, Sequence[Threshold]]
    faces: FaceSet
    change: pd.DataFrame | None = None
    training: Mapping[str, Sequence[str]] = field(default_factory=dict)
    repeated: Mapping[str, Any] | None = None

    def points(self) -> Iterator[tuple[str, Threshold]]:
        """Every arm with each of its operating points."""
        for arm, thresholds in self.thresholds.items():
            for threshold in thresholds:
                yield arm, threshold

    def present(self) -> list[str]:
        """The groups that have a name and an image in the set."""
        found = {str(name) for name in self.faces.faces["group"].unique()}
        return sorted(found - {UNLABELLED})

    def rates_at(self, arm: str, threshold: Threshold, kind: str) -> pd.DataFrame:
        """The rows of one kind of error at one operating point."""
        return _at(self.rates, arm, threshold.label, kind)

    def rates_at_point(self, arm: str, label: str, kind: str) -> pd.DataFrame:
        """The same, by the operating point's name."""
        return _at(self.rates, arm, label, kind)

    def gaps_at(self, arm: str, threshold: Threshold, kind: str) -> pd.DataFrame:
        """The differentials of one kind of error at one operating point."""
        return _at(self.gaps, arm, threshold.label, kind)


def _at(table: pd.DataFrame, arm: str, label: str, kind: str) -> pd.DataFrame:
    here = (table["arm"] == arm) & (table["operating_point"] == label)
    return table[here & (table["kind"] == kind)]


class Rule(Protocol):
    """One question. ``code`` is printed with each answer; ``about`` is its catalogue entry."""

    code: str
    about: About

    def findings(self, evidence: Evidence) -> list[Finding]:
        """The answers; empty when the question does not arise."""
        ...

    def parameters(self) -> Mapping[str, Any]:
        """What the answers depend on besides the evidence, for the record."""
        ...
