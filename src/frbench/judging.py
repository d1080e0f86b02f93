"""From tables to findings: every rule is asked, and the gravest answers come first."""

from __future__ import annotations

from collections.abc import Mapping

from frbench.rules import Evidence, Rule
from frbench.values import Finding

__all__ = ["LEVELS", "Evidence", "judge"]

LEVELS = ("flag", "watch", "undecided", "note")
"""Levels of findings, gravest first."""


def judge(evidence: Evidence, rules: Mapping[str, Rule]) -> list[Finding]:
    """The findings of all rules, by level, then in the order of the rules."""
    found = [finding for rule in rules.values() for finding in rule.findings(evidence)]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))
