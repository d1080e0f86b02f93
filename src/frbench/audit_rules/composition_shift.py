"""Taken together, how far is the training set from the population?"""

from __future__ import annotations

import math
from typing import Any

from scipy import stats

from frbench.audit_rules import AuditEvidence
from frbench.formatting import decimal, integer
from frbench.guidance import LIMITED_DATA, About
from frbench.values import Finding


class CompositionShift:
    """Reads the population stability index by its usual gates, beside what chance alone gives.

    Args:
        watch, flag: PSI from which a shift is moderate, and major.
    """

    code = "composition_shift"
    about = About(
        question="Taken together, how far is the training set from the population?",
        measure=(
            "The population stability index over the groups of a label, beside what chance alone "
            "reaches in 95 % of samples."
        ),
        threshold="watch from {watch}, flag from {flag}, if also beyond chance.",
        evidence=(
            "So many persons that chance alone stays below {watch}; fewer, it cannot be told, and"
            " the number is named."
        ),
        severity="flag, watch, undecided, or note for a small shift.",
        next_step="See which groups move it in the finding on representation.",
        answers=LIMITED_DATA,
    )

    def __init__(self, *, watch: float = 0.1, flag: float = 0.25) -> None:
        self.watch, self.flag = watch, flag

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"watch": self.watch, "flag": self.flag}

    def findings(self, evidence: AuditEvidence) -> list[Finding]:
        """One answer per label with a reference."""
        return [self._one(dict(row)) for _, row in evidence.divergence.iterrows()]

    def _one(self, row: dict[str, Any]) -> Finding:
        psi, chance = float(row["psi"]), float(row["psi_by_chance"])
        keys = {"label": row["label"]}
        start = (
            f"By {row['label']} the training set stands at a population stability index of "
            f"{decimal(psi)} from {row['reference']} (effect size w {decimal(row['effect_w'])}, "
            f"{integer(row['subjects'])} persons)"
        )
        if chance >= self.watch and psi < chance:
            needed = stats.chi2.ppf(0.95, row["groups"] - 1) / self.watch
            text = (
                f"{start}; with so few persons chance alone reaches {decimal(chance)}, so that it "
                f"cannot be told; about {integer(math.ceil(needed))} persons would tell."
            )
            return Finding(self.code, "undecided", text, keys, self.parameters(), None)
        level, words = "note", "no more than a small shift"
        if psi >= self.flag and psi > chance:
            level, words = "flag", "a major shift"
        elif psi >= self.watch and psi > chance:
            level, words = "watch", "a moderate shift"
        text = f"{start}: {words} (gates {self.watch:g} and {self.flag:g})."
        return Finding(self.code, level, text, keys, self.parameters(), level != "note")
