"""What was wrong with the manifest itself?"""

from __future__ import annotations

from typing import Any

from frbench.audit_rules import AuditEvidence
from frbench.formatting import integer, percent
from frbench.guidance import BIASED_DATA, About
from frbench.values import Finding


class ManifestFaults:
    """One finding per fault: how many rows, and what was done with them.

    Missing labels have a rule of their own.

    Args:
        flag: share of rows from which a fault is a flag; below it is a watch.
    """

    code = "manifest_faults"
    about = About(
        question="What was wrong with the manifest itself?",
        measure="Rows with each kind of fault, and what was done with them.",
        threshold="A flag from the share {flag} of rows, else a watch.",
        evidence="None: every row is counted.",
        severity="flag or watch.",
        next_step="Mend the rows that the finding names and audit again.",
        answers=BIASED_DATA,
    )

    def __init__(self, *, flag: float = 0.05) -> None:
        self.flag = flag

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"flag": self.flag}

    def findings(self, evidence: AuditEvidence) -> list[Finding]:
        """None where the manifest is clean."""
        faults = evidence.training.faults
        return [
            self._one(dict(row), evidence.training.rows)
            for _, row in faults[faults["fault"] != "label missing"].iterrows()
        ]

    def _one(self, row: dict[str, Any], rows: int) -> Finding:
        share = row["rows"] / rows
        text = (
            f"Column {row['column']}: {row['fault']} in {integer(row['rows'])} of {integer(rows)} "
            f"rows ({percent(share)}; the first is {row['example']}): {row['done']}."
        )
        level = "flag" if share >= self.flag else "watch"
        keys = {"column": row["column"], "fault": row["fault"]}
        return Finding(self.code, level, text, keys, self.parameters(), None)
