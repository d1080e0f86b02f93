"""Do the images of one group fail to give a template more often than the others'?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from frbench.guidance import WORKS_AS_INTENDED, About
from frbench.rules import Evidence
from frbench.rules._groups import Question, own_rates, ratios_to_others
from frbench.rules._limits import Measured
from frbench.values import Finding, Threshold


class EnrolmentGap:
    """Flags a group whose failure-to-enrol rate exceeds ``limit`` times the mean of the others.

    Faces that are not found drop out of every later rate, so this bias hides in tables that
    leave failures out. Asked once per arm: enrolment knows no threshold.

    Args:
        limit: ratio.
        least: rates below this fraction are too small to matter.
        level: of the family of groups, by Holm.
        severity: level of a finding beyond the limit.
        rare: where all rates are below ``least``, no interval may reach further than this.
    """

    code = "enrolment_gap"
    about = About(
        question=(
            "Do the images of one group fail to give a template more often than the others'?"
        ),
        measure=(
            "The group's failure-to-enrol rate over the mean of the other groups, once per matcher."
        ),
        threshold=(
            "Beyond when the whole interval lies above {limit}, within when it lies below; it is "
            "undecided while the interval straddles the limit. Rates below {least} in all groups "
            "are too small to matter. Tests are one-sided, and Holm's method holds the chance of "
            "any wrong flag among the groups at 1 - {level}."
        ),
        evidence=(
            "Two groups, of which one reaches {least}. Otherwise it cannot be told, unless every "
            "group's whole interval lies below {rare}. An undecided answer names the persons that "
            "would settle it. A list of scores shows no failures, and is not asked."
        ),
        severity=("{severity} beyond the limit, undecided, or note where all groups are within."),
        next_step=(
            "Look at the images that failed: detector, lighting, camera. Faces that are never "
            "found drop out of every later rate."
        ),
        answers=WORKS_AS_INTENDED,
    )

    def __init__(
        self,
        *,
        limit: float = 1.5,
        least: float = 0.005,
        level: float = 0.95,
        severity: str = "flag",
        rare: float = 0.05,
    ) -> None:
        self.limit, self.least, self.level, self.severity = limit, least, level, severity
        self.rare = rare

    def parameters(self) -> Mapping[str, Any]:
        """For the record."""
        return {
            "limit": self.limit,
            "least": self.least,
            "rare": self.rare,
            "level": self.level,
            "multiplicity": "holm over groups",
        }

    def findings(self, evidence: Evidence) -> list[Finding]:
        """Per arm: who is beyond, who cannot be told, or that all are within or too small."""
        question = Question(
            self.code,
            "FTE",
            self.limit,
            self.level,
            self.severity,
            self.parameters(),
            "the mean of the other groups",
            self.rare,
            self.least,
        )
        first = {arm: list(points)[:1] for arm, points in evidence.thresholds.items()}
        once = replace(evidence, thresholds=first)
        return question.ask(once, lambda arm, threshold: self._family(once, arm, threshold))

    def _family(self, evidence: Evidence, arm: str, threshold: Threshold) -> list[Measured]:
        rates = own_rates(evidence.rates_at(arm, threshold, "FTE"))["rate"]
        family = ratios_to_others(evidence, arm, threshold, "FTE")
        return family if any(rates[each.group] >= self.least for each in family) else []
