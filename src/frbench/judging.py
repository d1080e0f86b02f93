"""From tables to findings: every rule is asked, and the gravest answers come first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from frbench.guidance import gravest_of
from frbench.rules import Evidence, Rule
from frbench.values import Finding

__all__ = ["LEVELS", "Evidence", "exit_status", "judge", "left_open", "reaches"]

LEVELS = ("flag", "watch", "undecided", "note")
"""Levels of findings, gravest first."""


def judge(evidence: Evidence, rules: Mapping[str, Rule]) -> list[Finding]:
    """The findings of all rules, by level, then in the order of the rules."""
    found = [
        replace(finding, gravest=gravest_of(rule))
        for rule in rules.values()
        for finding in rule.findings(evidence)
    ]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def exit_status(findings: Sequence[Finding], gate: str) -> int:
    """0 nothing at the gate, 1 a finding at or above it, 3 a gated question left undecided."""
    if any(reaches(finding.level, gate) for finding in findings):
        return 1
    return 3 if any(left_open(finding, gate) for finding in findings) else 0


def reaches(level: str, gate: str) -> bool:
    """Whether a note, watch or flag stands at or above the gate; nothing reaches ``none``."""
    order = ("note", "watch", "flag")
    return gate != "none" and level in order[order.index(gate) :]


def left_open(finding: Finding, gate: str) -> bool:
    """Whether an undecided question could have been answered at or above the gate."""
    return finding.level == "undecided" and reaches(finding.gravest, gate)
