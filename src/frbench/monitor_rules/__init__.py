"""The shelf of monitor rules: documented questions to a system's course over time.

Alarms come from tests whose chance of any false alarm holds over all groups and for as long as one
watches (``monitoring.betting``, ``monitoring.changes``); that no alarm was raised proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pandas as pd

from frbench.guidance import About, gravest_of
from frbench.values import Finding


@dataclass(frozen=True)
class MonitorEvidence:
    """What monitor rules may look at; tables that do not arise are empty.

    Attributes:
        watched: of a series, ``monitoring.series.WATCH_COLUMNS``.
        needed: of a series, days to an alarm if the rate doubled, by ``measure/group``.
        days: of a series, days after its baseline.
        runs: of runs, ``monitoring.changes.RUN_COLUMNS``.
        scores, people: ``monitoring.drift``.
        limit: factor on the baseline that the alarms tolerate.
        level: 1 less the chance of any false alarm.
    """

    watched: pd.DataFrame = field(default_factory=pd.DataFrame)
    needed: Mapping[str, int | None] = field(default_factory=dict)
    days: int = 0
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    people: pd.DataFrame = field(default_factory=pd.DataFrame)
    limit: float = 1.0
    level: float = 0.95


class MonitorRule(Protocol):
    """One question. ``code`` is printed with each answer; ``about`` is its catalogue entry."""

    code: str
    about: About

    def findings(self, evidence: MonitorEvidence) -> list[Finding]:
        """The answers; empty when the question does not arise."""
        ...

    def parameters(self) -> Mapping[str, Any]:
        """What the answers depend on besides the evidence, for the record."""
        ...


def judge_monitor(evidence: MonitorEvidence, rules: Mapping[str, MonitorRule]) -> list[Finding]:
    """The findings of all rules, gravest first, then in the order of the rules."""
    order = ("flag", "watch", "undecided", "note")
    found = [
        replace(finding, gravest=gravest_of(rule))
        for rule in rules.values()
        for finding in rule.findings(evidence)
    ]
    return sorted(found, key=lambda finding: order.index(finding.level))
