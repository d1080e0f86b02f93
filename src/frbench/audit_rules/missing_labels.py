"""For how many images is a label unknown?"""

from __future__ import annotations

from typing import Any

from frbench.audit_rules import AuditEvidence
from frbench.formatting import integer, percent
from frbench.guidance import LIMITED_DATA, About
from frbench.values import UNLABELLED, Finding


class MissingLabels:
    """A group can only be seen where it is labelled; missing labels can hide any bias.

    Args:
        watch, flag: share of images without a label from which the finding is one.
    """

    code = "missing_labels"
    about = About(
        question="For how many images is a label unknown?",
        measure="The share of images without the label.",
        threshold=(
            "watch from {watch}, flag from {flag}. It is a count of the whole set, so that chance"
            " plays no part."
        ),
        evidence="None: every image is counted.",
        severity="flag, watch or note.",
        next_step=(
            "Find out why they are missing and whose they are; they could turn every other answer."
        ),
        answers=LIMITED_DATA,
    )

    def __init__(self, *, watch: float = 0.05, flag: float = 0.2) -> None:
        self.watch, self.flag = watch, flag

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"watch": self.watch, "flag": self.flag}

    def findings(self, evidence: AuditEvidence) -> list[Finding]:
        """One answer per label of which some are missing."""
        rows = evidence.composition[evidence.composition["group"] == UNLABELLED]
        found = []
        for _, row in rows[rows["images"] > 0].iterrows():
            share = float(row["share_images"])
            level = "flag" if share >= self.flag else "watch" if share >= self.watch else "note"
            text = (
                f"{row['label']} is unknown for {integer(row['images'])} images "
                f"({percent(share)}) of {integer(row['subjects'])} persons; they are counted as a "
                "group of their own, and what they are could turn every other answer."
            )
            keys = {"label": row["label"], "group": UNLABELLED}
            found.append(
                Finding(self.code, level, text, keys, self.parameters(), share >= self.watch)
            )
        return found
