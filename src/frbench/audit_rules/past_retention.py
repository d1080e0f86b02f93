"""Are images in the set that should have been deleted by now?"""

from __future__ import annotations

from typing import Any

from frbench.audit_rules import AuditEvidence
from frbench.formatting import integer, percent
from frbench.guidance import IMAGES_KEPT, About
from frbench.values import ALL, Finding


class PastRetention:
    """Flags images kept beyond the date that the manifest itself gives for them."""

    code = "past_retention"
    about = About(
        question="Are images in the set that should have been deleted by now?",
        measure="Images past the date in retained_until.",
        threshold="Any.",
        evidence=("A column retained_until with at least one date; without it it cannot be told."),
        severity="flag, undecided, or note where none is past its date.",
        next_step="Delete them, and train again without them.",
        answers=IMAGES_KEPT,
    )

    def parameters(self) -> dict[str, Any]:
        """For the record: it has none."""
        return {}

    def findings(self, evidence: AuditEvidence) -> list[Finding]:
        """One answer; it cannot be told where no image has such a date."""
        until = evidence.training.table["retained_until"]
        if not until.notna().any():
            text = (
                f"None of the {integer(len(until))} images has a date of deletion (retained_until)"
                ": it cannot be told whether any is past it; at least 1 such date is needed."
            )
            return [Finding(self.code, "undecided", text, {"group": ALL}, {}, None)]
        row = evidence.composition[evidence.composition["group"] == ALL].iloc[0]
        overdue, dated = int(row["overdue_images"]), int(until.notna().sum())
        if overdue == 0:
            text = f"None of the {integer(dated)} images with a date of deletion is past it."
            return [Finding(self.code, "note", text, {"group": ALL}, {}, False)]
        text = (
            f"{integer(overdue)} of {integer(dated)} images with a date of deletion "
            f"({percent(overdue / dated)}) are past it and still in the training set; delete them "
            "and train again without them."
        )
        return [Finding(self.code, "flag", text, {"group": ALL}, {}, True)]
