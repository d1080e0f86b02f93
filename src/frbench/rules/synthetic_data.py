"""Was a real person measured at all?"""

from __future__ import annotations

from typing import Any

from frbench.rules import Evidence
from frbench.values import Finding


class SyntheticData:
    """Notes that a synthetic set says nothing about a matcher's rates on people."""

    code = "synthetic_data"

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
