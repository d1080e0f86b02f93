"""What in the simulation was stated instead of measured?"""

from __future__ import annotations

from typing import Any

from frbench.guidance import WORKS_AS_INTENDED, About
from frbench.simulation_rules import SimulationEvidence
from frbench.values import Finding


class StatedInputs:
    """Notes it, so that no simulated number passes for a measured one."""

    code = "stated_inputs"
    about = About(
        question="What in the simulation was stated instead of measured?",
        measure="Whether rates and response come from files of measurements.",
        threshold="Whatever was stated.",
        evidence="None.",
        severity="note, always.",
        next_step="Replace what is stated by the force's own figures and a matcher's own runs.",
        answers=WORKS_AS_INTENDED,
        gravest="note",
    )

    def parameters(self) -> dict[str, Any]:
        """For the record: it has none."""
        return {}

    def findings(self, evidence: SimulationEvidence) -> list[Finding]:
        """One note, always: a simulation shows what follows from its assumptions."""
        text = (
            "A simulation shows what follows from its assumptions, not what happened anywhere; "
            f"stated, not measured: {', '.join(evidence.stated)}."
        )
        return [Finding(self.code, "note", text, {"stated": list(evidence.stated)})]
