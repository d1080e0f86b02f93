"""The shelf of audit rules: documented questions to the composition of a training set.

As with the rules of an evaluation a flag needs a whole interval beyond the limit, and thin
evidence is answered ``undecided`` with the number of persons that would settle it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pandas as pd

from frbench.auditing.manifest import TrainingSet
from frbench.guidance import About, gravest_of
from frbench.values import ALL, UNLABELLED, Finding


@dataclass(frozen=True)
class AuditEvidence:
    """What audit rules may look at.

    Attributes:
        training: the set.
        composition: CompositionTable of every label and combination.
        divergence: a row per label with a reference (``workflows.audit``).
        history: images per quarter and group.
        overlap: what training set and benchmark set share, a row per way of looking; may be empty.
    """

    training: TrainingSet
    composition: pd.DataFrame
    divergence: pd.DataFrame
    history: pd.DataFrame
    overlap: pd.DataFrame = field(default_factory=pd.DataFrame)

    def groups(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Per label its groups that have a name: neither the pooled row nor the unlabelled."""
        for label, rows in self.composition.groupby("label", sort=False):
            named = ~rows["group"].astype(str).str.split("/").map(lambda p: UNLABELLED in p)
            yield str(label), rows[named & (rows["group"] != ALL)]


class AuditRule(Protocol):
    """One question. ``code`` is printed with each answer; ``about`` is its catalogue entry."""

    code: str
    about: About

    def findings(self, evidence: AuditEvidence) -> list[Finding]:
        """The answers; empty when the question does not arise."""
        ...

    def parameters(self) -> Mapping[str, Any]:
        """What the answers depend on besides the evidence, for the record."""
        ...


def judge_audit(evidence: AuditEvidence, rules: Mapping[str, AuditRule]) -> list[Finding]:
    """The findings of all rules, gravest first, then in the order of the rules."""
    order: Sequence[str] = ("flag", "watch", "undecided", "note")
    found = [
        replace(finding, gravest=gravest_of(rule))
        for rule in rules.values()
        for finding in rule.findings(evidence)
    ]
    return sorted(found, key=lambda finding: order.index(finding.level))
