"""Does the threshold keep its promise for every group?"""

from __future__ import annotations

from typing import Any

from frbench.guidance import WORKS_AS_INTENDED, About
from frbench.rules import Evidence
from frbench.rules._groups import Question, own_rates
from frbench.rules._limits import Measured
from frbench.values import ALL, UNLABELLED, Finding, Threshold


class GroupRateExceedsTarget:
    """Watches for a group whose own FMR exceeds ``times`` the target the threshold was set for.

    A threshold calibrated on all pairs understates the risk among people of one group for every
    group; a multiple well above 1 is ordinary, and worth knowing before deployment.

    Args:
        times: ratio of the group's within-group FMR to the target.
        level: of the family of groups, by Holm.
        severity: level of a finding beyond the limit.
    """

    code = "fmr_target"
    about = About(
        question="Does the threshold keep its promise for every group?",
        measure=(
            "The group's within-group FMR over the target FMR that the one threshold was set for."
        ),
        threshold=(
            "Beyond when the whole interval lies above {times}, within when it lies below; it is "
            "undecided while the interval straddles the limit. Tests are one-sided, and Holm's "
            "method holds the chance of any wrong flag among the groups at 1 - {level}."
        ),
        evidence=(
            "Comparisons within the group. An undecided answer names the persons that would "
            "settle it. A threshold without a target is not asked."
        ),
        severity=("{severity} beyond the limit, undecided, or note where all groups are within."),
        next_step=(
            "Say so to whoever relies on the target, or choose the threshold by the worst group."
        ),
        answers=WORKS_AS_INTENDED,
    )

    def __init__(self, *, times: float = 3.0, level: float = 0.95, severity: str = "watch") -> None:
        self.times, self.level, self.severity = times, level, severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"times": self.times, "level": self.level, "multiplicity": "holm over groups"}

    def findings(self, evidence: Evidence) -> list[Finding]:
        """Per operating point with a target: who is beyond, undecided, or that all are within."""
        question = Question(
            self.code,
            "FMR",
            self.times,
            self.level,
            self.severity,
            self.parameters(),
            "the threshold's target",
            others=False,
        )
        return question.ask(evidence, lambda arm, point: _multiples(evidence, arm, point))


def _multiples(evidence: Evidence, arm: str, threshold: Threshold) -> list[Measured] | None:
    """Each group's within-group FMR over the target; None for a threshold without a target."""
    target = threshold.target_fmr
    if target is None:
        return None
    own = own_rates(evidence.rates_at(arm, threshold, "FMR"))
    own = own[(own["status"] != "empty") & ~own.index.isin([ALL, UNLABELLED])]
    return [
        Measured(
            group=str(group),
            value=float(row["rate"]) / target,
            low=float(row["low"]) / target,
            high=float(row["high"]) / target,
            level=float(row["level"]),
            persons=int(row["subjects"]),
        )
        for group, row in own.iterrows()
    ]
