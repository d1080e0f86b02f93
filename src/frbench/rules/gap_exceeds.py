"""Is one group falsely matched more often than the others?"""

from __future__ import annotations

from typing import Any

from frbench.rules import Evidence
from frbench.rules._groups import Question, ratios_to_others
from frbench.values import Finding


class GapExceeds:
    """Flags a group whose within-group FMR exceeds ``limit`` times the mean of the other groups.

    Args:
        limit: ratio.
        level: of the family of groups, by Holm.
        severity: level of a finding beyond the limit.
    """

    code = "fmr_gap"

    def __init__(self, *, limit: float = 1.5, level: float = 0.95, severity: str = "flag") -> None:
        self.limit, self.level, self.severity = limit, level, severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"limit": self.limit, "level": self.level, "multiplicity": "holm over groups"}

    def findings(self, evidence: Evidence) -> list[Finding]:
        """Per operating point: who is beyond, who cannot be told, or that all are within."""
        question = Question(
            self.code,
            "FMR",
            self.limit,
            self.level,
            self.severity,
            self.parameters(),
            "the mean of the other groups",
        )
        return question.ask(evidence, lambda a, t: ratios_to_others(evidence, a, t, "FMR"))
