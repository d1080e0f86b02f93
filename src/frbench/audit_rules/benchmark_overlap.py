"""Are people of the benchmark set in the training set?"""

from __future__ import annotations

from typing import Any

from frbench.audit_rules import AuditEvidence
from frbench.formatting import integer, percent
from frbench.guidance import WORKS_AS_INTENDED, About
from frbench.values import Finding


class BenchmarkOverlap:
    """A matcher knows the people it was trained on; a benchmark that holds them hides its bias.

    Args:
        share: of the benchmark's persons or images from which the finding is a flag.
    """

    code = "benchmark_overlap"
    about = About(
        question="Are people of the benchmark set in the training set?",
        measure=(
            "Persons or images that both sets hold: by id, by identical file, by likeness, by "
            "template."
        ),
        threshold=(
            "More than chance allows; a flag above the share {share} of the benchmark, else a "
            "watch."
        ),
        evidence=(
            "A benchmark set with the column or files in question; what was not checked is "
            "undecided."
        ),
        severity="flag, watch, undecided, or note where nothing is shared.",
        next_step=(
            "Leave them out of one set or the other: a test on known people hides the bias."
        ),
        answers=WORKS_AS_INTENDED,
    )

    def __init__(self, *, share: float = 0.0) -> None:
        self.share = share

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"share": self.share}

    def findings(self, evidence: AuditEvidence) -> list[Finding]:
        """One answer per way of looking (person, exact file, near-duplicate, embedding)."""
        return [self._one(dict(row)) for _, row in evidence.overlap.iterrows()]

    def _one(self, row: dict[str, Any]) -> Finding:
        keys = {"way": row["way"]}
        if not row["checked"]:
            text = f"Overlap by {row['way']} was not checked: {row['note']}."
            return Finding(self.code, "undecided", text, keys, self.parameters(), None)
        shared, whole = int(row["shared"]), int(row["of"])
        note = f" {row['note']}" if row["note"] else ""
        if shared <= row["by_chance"]:
            text = (
                f"By {row['way']}, {integer(shared)} of the benchmark's {integer(whole)} "
                f"{row['unit']} are in the training set.{note}"
            )
            return Finding(self.code, "note", text, keys, self.parameters(), False)
        text = (
            f"By {row['way']}, {integer(shared)} of the benchmark's {integer(whole)} "
            f"{row['unit']} ({percent(shared / whole)}) are in the training set too: results on "
            f"them flatter the matcher; leave them out of one or the other.{note}"
        )
        level = "flag" if shared / whole > self.share else "watch"
        return Finding(self.code, level, text, keys, self.parameters(), True)
