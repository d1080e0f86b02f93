"""Does one file stand under two persons?"""

from __future__ import annotations

from typing import Any

from frbench.formatting import integer
from frbench.guidance import CHECKING_FACES, About
from frbench.rules import Evidence
from frbench.values import Finding


class SameFileTwoPersons:
    """Flags files that are the same byte for byte under different persons.

    Args:
        severity: level of the finding.
    """

    code = "same_file_two_persons"
    about = About(
        question="Does one file stand under two persons?",
        measure=(
            "Files that are the same byte for byte under different persons, by SHA-256, wherever "
            "image files are opened; `frbench check` asks the same before a run and lists them."
        ),
        threshold="Any. It is a count of the whole set, so that chance plays no part.",
        evidence="None: every file that is opened is counted. Stored vectors and scores have none.",
        severity="{severity}; no finding where no file stands twice.",
        next_step=(
            "Mend the labels or remove a copy: each makes a false match that no matcher can avoid."
        ),
        answers=CHECKING_FACES,
    )

    def __init__(self, *, severity: str = "flag") -> None:
        self.severity = severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"severity": self.severity}

    def findings(self, evidence: Evidence) -> list[Finding]:
        """One for the set, or none."""
        if not evidence.repeated or not evidence.repeated["files"]:
            return []
        files = int(evidence.repeated["files"])
        statement = (
            f"{integer(files)} {'file stands' if files == 1 else 'files stand'}, byte for byte, "
            "under two persons: each makes a false match that no matcher can avoid; mend the "
            "labels or remove a copy (`frbench check` lists them)."
        )
        keys = {"benchmark": evidence.faces.name, "group": list(evidence.repeated["groups"])}
        return [Finding(self.code, self.severity, statement, keys, self.parameters(), True)]
