"""The shelf of simulation rules: documented questions to the rounds of a feedback loop.

Seeds are the units: an answer holds for the model as configured, and its interval says how well
the seeds have pinned down the model's mean, not how well the model describes a force.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pandas as pd

from frbench.guidance import About, gravest_of
from frbench.values import Finding


@dataclass(frozen=True)
class SimulationEvidence:
    """What simulation rules may look at.

    Attributes:
        growth, ranking: tables of ``feedback.summary``.
        current: name of the policy that stands for what the force does now.
        stated: what rests on statements instead of measurements, a phrase each.
        rounds: how many.
    """

    growth: pd.DataFrame
    ranking: pd.DataFrame
    current: str
    stated: tuple[str, ...]
    rounds: int


def shown(policy: str) -> str:
    """Name of a policy as people read it."""
    return policy.replace("_", " ")


class SimulationRule(Protocol):
    """One question. ``code`` is printed with each answer; ``about`` is its catalogue entry."""

    code: str
    about: About

    def findings(self, evidence: SimulationEvidence) -> list[Finding]:
        """The answers; empty when the question does not arise."""
        ...

    def parameters(self) -> Mapping[str, Any]:
        """What the answers depend on besides the evidence, for the record."""
        ...


def judge_simulation(
    evidence: SimulationEvidence, rules: Mapping[str, SimulationRule]
) -> Sequence[Finding]:
    """The findings of all rules, gravest first, then in the order of the rules."""
    order = ("flag", "watch", "undecided", "note")
    found = [
        replace(finding, gravest=gravest_of(rule))
        for rule in rules.values()
        for finding in rule.findings(evidence)
    ]
    return sorted(found, key=lambda finding: order.index(finding.level))
