"""From tables to findings: every rule is asked, and the gravest answers come first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from frbench.rules import Evidence, Rule
from frbench.values import Finding

__all__ = ["LEVELS", "Evidence", "exit_status", "judge"]

LEVELS = ("flag", "watch", "undecided", "note")
"""Levels of findings, gravest first."""


def judge(evidence: Evidence, rules: Mapping[str, Rule]) -> list[Finding]:
    """The findings of all rules, by level, then in the order of the rules."""
    found = [finding for rule in rules.values() for finding in rule.findings(evidence)]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def exit_status(findings: Sequence[Finding], gate: str) -> int:
    """0 nothing at the gate, 1 a finding at or above it, 3 a question left undecided."""
    order = ("note", "watch", "flag")
    if gate == "none":
        return 0
    levels = {finding.level for finding in findings}
    if levels.intersection(order[order.index(gate) :]):
        return 1
    return 3 if "undecided" in levels else 0
