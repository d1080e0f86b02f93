"""Which groups are too small for a share to mean anything?"""

from __future__ import annotations

from typing import Any

from frbench.audit_rules import AuditEvidence
from frbench.formatting import integer
from frbench.guidance import LIMITED_DATA, About
from frbench.values import Finding


class TooFewPersons:
    """Names groups with fewer than ``fewest`` persons.

    Args:
        fewest: persons.
    """

    code = "too_few_persons"
    about = About(
        question="Which groups are too small for a share to mean anything?",
        measure="Persons of each group.",
        threshold="Fewer than {fewest}.",
        evidence="None: this is the rule that says what is lacking.",
        severity="undecided, always.",
        next_step=(
            "Bring more persons of these groups, or say plainly that nothing is known about them."
        ),
        answers=LIMITED_DATA,
    )

    def __init__(self, *, fewest: int = 20) -> None:
        self.fewest = fewest

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"fewest": self.fewest}

    def findings(self, evidence: AuditEvidence) -> list[Finding]:
        """One answer per label with such groups."""
        found = []
        for label, rows in evidence.groups():
            few = rows[rows["subjects"] < self.fewest]
            if few.empty:
                continue
            shown = [f"“{r.group}” ({integer(r.subjects)})" for r in few.head(12).itertuples()]
            more = f" and {len(few) - 12} more" if len(few) > 12 else ""
            text = (
                f"Fewer than {self.fewest} persons are in the training set for {', '.join(shown)}"
                f"{more} ({label}): nothing can be said about how they are treated."
            )
            keys = {"label": label, "group": [str(group) for group in few["group"]]}
            found.append(Finding(self.code, "undecided", text, keys, self.parameters(), None))
        return found
