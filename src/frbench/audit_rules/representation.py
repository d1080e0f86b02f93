"""Does the share of a group in the training set depart from its share of the population?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from frbench.audit_rules import AuditEvidence
from frbench.formatting import decimal, percent
from frbench.guidance import ARRESTED_MORE, About
from frbench.page.tables import records
from frbench.rules._limits import Answer, Measured, against
from frbench.values import Finding

Row = Mapping[str, Any]


class Representation:
    """Flags groups with more, or fewer, than ``limit`` times the persons their share predicts.

    Over-representation is how the guidance's example begins; under-representation is what a
    matcher then knows least about. Both directions of all groups of a label are one family.

    Args:
        limit: ratio above 1; below, its inverse counts.
        level: of the family, by Holm.
        severity: level of a finding beyond the limit.
    """

    code = "representation"
    about = About(
        question=(
            "Does the share of a group in the training set depart from its share of the population?"
        ),
        measure=(
            "The group's share among persons with a label over its share of the reference "
            "population, with an interval over persons."
        ),
        threshold=(
            "Beyond when the whole interval lies above {limit} or below its inverse, within when "
            "it lies between; otherwise undecided. Tests are one-sided, and Holm's method holds "
            "the chance of any wrong flag among the groups at 1 - {level}."
        ),
        evidence=(
            "A reference population that knows the label; other labels are shown and not judged. "
            "An undecided answer names the persons that would settle it."
        ),
        severity=("{severity} beyond the limit, undecided, or note where all groups are within."),
        next_step=(
            "Ask how arrests, disposals and retention brought the group there, and weigh "
            "population-matched or equal recipes for retraining."
        ),
        answers=ARRESTED_MORE,
    )

    def __init__(self, *, limit: float = 1.25, level: float = 0.95, severity: str = "flag") -> None:
        self.limit, self.level, self.severity = limit, level, severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"limit": self.limit, "level": self.level, "multiplicity": "holm over groups"}

    def findings(self, evidence: AuditEvidence) -> list[Finding]:
        """Per label with a reference: who is beyond, who cannot be told, or that none is."""
        found: list[Finding] = []
        for label, rows in evidence.groups():
            known = rows[rows["representation"].notna()]
            if len(known):
                found += self._label(label, known)
        return found

    def _label(self, label: str, rows: pd.DataFrame) -> list[Finding]:
        family = [_measured(row, over) for over in (True, False) for row in records(rows)]
        ways = [over for over in (True, False) for _ in range(len(rows))]
        answers = against(self.limit, family, level=self.level)
        by_group = {str(row["group"]): row for row in records(rows)}
        found = [
            self._beyond(label, by_group[answer.group], answer.group, over)
            for answer, over in zip(answers, ways, strict=True)
            if answer.beyond
        ]
        beyond = {answer.group for answer in answers if answer.beyond}
        unsure = [one for one in answers if one.beyond is None and one.group not in beyond]
        if unsure:
            found.append(self._undecided(label, by_group, unsure))
        if not beyond and not unsure:
            found.append(self._within(label, rows))
        return found

    def _beyond(self, label: str, row: Row, group: str, over: bool) -> Finding:
        way = "over" if over else "under"
        images = (
            f" By images the share is {percent(row['share_images'])}."
            if abs(math.log(max(row["share_images"], 1e-12) / max(row["share_subjects"], 1e-12)))
            > math.log(1.1)
            else ""
        )
        statement = (
            f"“{group}” ({label}) is {way}-represented in the training set: "
            f"{percent(row['share_subjects'])} of its persons against "
            f"{percent(row['expected_share'])} of the population, {_ratio(row)}, beyond the "
            f"limit of {self.limit if over else 1 / self.limit:.3g}.{images}"
        )
        return self._finding(label, self.severity, statement, group, True)

    def _undecided(self, label: str, rows: Mapping[str, Row], answers: Sequence[Answer]) -> Finding:
        words = []
        for group in dict.fromkeys(answer.group for answer in answers):
            own = [answer for answer in answers if answer.group == group]
            most = max(own, key=lambda answer: answer.persons_needed or 0)
            words.append(
                f"“{group}” ({_ratio(rows[group])}; {most.needed()} persons in all would tell)"
            )
        statement = (
            f"It cannot be told whether the share of {'; '.join(words)} departs from the "
            f"population's by more than a factor of {self.limit:g} ({label})."
        )
        groups = list(dict.fromkeys(answer.group for answer in answers))
        return self._finding(label, "undecided", statement, groups, None)

    def _within(self, label: str, rows: pd.DataFrame) -> Finding:
        worst = max(records(rows), key=lambda row: abs(math.log(row["representation"])))
        statement = (
            f"No group of {label} departs from its share of the population by more than a factor "
            f"of {self.limit:g}; the furthest is “{worst['group']}”, {_ratio(worst)}."
        )
        return self._finding(label, "note", statement, list(rows["group"]), False)

    def _finding(
        self, label: str, level: str, statement: str, group: Any, beyond: bool | None
    ) -> Finding:
        keys = {"label": label, "group": group}
        return Finding(self.code, level, statement, keys, self.parameters(), beyond)


def _measured(row: Row, over: bool) -> Measured:
    """The ratio, or for under-representation its inverse; persons are those of the whole set."""
    value, low, high = (
        float(row[key]) for key in ("representation", "representation_low", "representation_high")
    )
    if not over:
        value, low, high = (1 / each if each > 0 else math.inf for each in (value, high, low))
    persons = round(row["subjects"] / row["share_subjects"]) if row["share_subjects"] else 0
    return Measured(str(row["group"]), value, low, high, float(row["level"]), persons)


def _ratio(row: Row) -> str:
    return (
        f"{decimal(row['representation'])} times ({100 * row['level']:g} % interval "
        f"{decimal(row['representation_low'])} to {decimal(row['representation_high'])})"
    )
