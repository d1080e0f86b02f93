"""Is anybody real in the training set?"""

from __future__ import annotations

from typing import Any

from frbench.audit_rules import AuditEvidence
from frbench.guidance import BIASED_DATA, About
from frbench.values import Finding


class SyntheticPeople:
    """Notes that a made-up training set says nothing about a force's images."""

    code = "synthetic_people"
    about = About(
        question="Is anybody real in the training set?",
        measure="Whether the set is said to be synthetic.",
        threshold="Any synthetic set.",
        evidence="None.",
        severity="note, always.",
        next_step=("Take the shares as a check of the tool, and audit the force's own manifest."),
        answers=BIASED_DATA,
        gravest="note",
    )

    def parameters(self) -> dict[str, Any]:
        """For the record: it has none."""
        return {}

    def findings(self, evidence: AuditEvidence) -> list[Finding]:
        """One note for a synthetic set, always."""
        if not evidence.training.synthetic:
            return []
        text = (
            f"The training set “{evidence.training.name}” is synthetic: nobody in it is real, and "
            "its shares say nothing about any force."
        )
        return [Finding(self.code, "note", text, {"training_set": evidence.training.name})]
