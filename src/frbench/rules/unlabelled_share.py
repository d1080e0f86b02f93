"""How much of the set belongs to no group?"""

from __future__ import annotations

from typing import Any

from frbench.formatting import integer, percent
from frbench.guidance import LIMITED_DATA, About
from frbench.rules import Evidence
from frbench.values import UNLABELLED, Finding


class UnlabelledShare:
    """Watches for images without a label: a difference can hide among them.

    Args:
        limit: share of images, a fraction, above which the finding is a ``watch``.
    """

    code = "unlabelled_share"
    about = About(
        question="How much of the set belongs to no group?",
        measure="The share of images without a label.",
        threshold=(
            "A watch above {limit}. It is a count of the whole set, so that chance plays no part."
        ),
        evidence="None: every image is counted.",
        severity=("watch above the limit, else note; no finding where every image has a group."),
        next_step=(
            "Label them, or show that the unlabelled are like the others; a difference can hide "
            "among them."
        ),
        answers=LIMITED_DATA,
        gravest="watch",
    )

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
