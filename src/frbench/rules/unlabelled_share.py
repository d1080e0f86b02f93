"""How much of the set belongs to no group?"""

from __future__ import annotations

from typing import Any

from frbench.formatting import integer, percent
from frbench.rules import Evidence
from frbench.values import UNLABELLED, Finding


class UnlabelledShare:
    """Watches for images without a label: a difference can hide among them.

    Args:
        limit: share of images, a fraction, above which the finding is a ``watch``.
    """

    code = "unlabelled_share"

    def __init__(self, *, limit: float = 0.05) -> None:
        self.limit = limit

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"limit": self.limit}

    def findings(self, evidence: Evidence) -> list[Finding]:
        """None where every image has a group."""
        group = evidence.faces.faces["group"]
        missing = int((group == UNLABELLED).sum())
        if missing == 0:
            return []
        share = missing / len(group)
        level = "watch" if share > self.limit else "note"
        statement = (
            f"{integer(missing)} of {integer(len(group))} images ({percent(share)}) have no label "
            "and belong to no group that is compared; a difference can hide among them."
        )
        keys = {"group": UNLABELLED}
        return [Finding(self.code, level, statement, keys, self.parameters(), share > self.limit)]
