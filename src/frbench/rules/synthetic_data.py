"""Was a real person measured at all?"""

from __future__ import annotations

from typing import Any

from frbench.guidance import WORKS_AS_INTENDED, About
from frbench.rules import Evidence
from frbench.values import Finding


class SyntheticData:
    """Notes that a synthetic set says nothing about a matcher's rates on people."""

    code = "synthetic_data"
    about = About(
        question="Was a real person measured at all?",
        measure="Whether the set is synthetic.",
        threshold="Any synthetic set.",
        evidence="None.",
        severity="note, always.",
        next_step=(
            "Take the numbers as a check of the tool, and measure real people before deciding "
            "anything."
        ),
        answers=WORKS_AS_INTENDED,
        gravest="note",
    )

    def parameters(self) -> dict[str, Any]:
        """For the record: it has none."""
        return {}

    def findings(self, evidence: Evidence) -> list[Finding]:
        """One note for a synthetic set, always."""
        if not evidence.faces.synthetic:
            return []
        statement = (
            f"The set “{evidence.faces.name}” is synthetic: no real person was measured, and the "
            "rates do not carry over to people."
        )
        return [Finding(self.code, "note", statement, {"benchmark": evidence.faces.name})]
