"""Does the share of a group in the set grow as it fills?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from scipy import stats

from frbench.audit_rules import AuditEvidence
from frbench.auditing.composition import is_unlabelled
from frbench.formatting import decimal, integer, percent
from frbench.guidance import ACCUMULATES, About
from frbench.rules._limits import Answer, Measured, against
from frbench.values import Finding, Float64s

QUARTERS = 4
"""Quarters below which nothing is said of a trend."""


class RisingShare:
    """Compares the later half of the quarters with the earlier: bias that accumulates shows here.

    Persons with an image in a quarter are its units; a person who returns in many quarters makes
    the comparison a little too sure, which the factor ``limit`` allows for.

    Args:
        limit: ratio of the later share to the earlier from which a rise is worth a finding.
        level: of the family of groups, by Holm.
        severity: level of the finding.
    """

    code = "rising_share"
    about = About(
        question="Does the share of a group in the set grow as it fills?",
        measure=(
            "The group's share of persons in the later half of the quarters over that in the "
            "earlier half."
        ),
        threshold=(
            "Rising when the ratio is beyond {limit} by a one-sided test. Tests are one-sided, "
            "and Holm's method holds the chance of any wrong flag among the groups at 1 - "
            "{level}."
        ),
        evidence=(
            "Four quarters with images; fewer, it cannot be told. An undecided answer names the "
            "persons that would settle it."
        ),
        severity="{severity} where a share rises, undecided, or note where none does.",
        next_step=(
            "Compare with stops and arrests of the same quarters, and run `frbench simulate` for "
            "where it leads."
        ),
        answers=ACCUMULATES,
    )

    def __init__(self, *, limit: float = 1.1, level: float = 0.95, severity: str = "watch") -> None:
        self.limit, self.level, self.severity = limit, level, severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"limit": self.limit, "level": self.level, "multiplicity": "holm over groups"}

    def findings(self, evidence: AuditEvidence) -> list[Finding]:
        """Per label: whose share rose, of whom it cannot be told, or that nobody's did."""
        found: list[Finding] = []
        for label, rows in evidence.history.groupby("label", sort=False):
            # without a label nobody has a share: where labelling got better, every share would rise
            known = rows[~rows["group"].astype(str).map(is_unlabelled) & (rows["images"] > 0)]
            periods = sorted(known["period"].unique())
            if len(periods) < QUARTERS:
                found.append(self._too_short(str(label), len(periods)))
            else:
                found += self._label(str(label), known, periods[len(periods) // 2])
        if evidence.history.empty:
            found.append(self._too_short("any label", 0))
        return found

    def _too_short(self, label: str, quarters: int) -> Finding:
        text = (
            f"It cannot be told whether the share of a group rises ({label}): the dates of capture "
            f"fill {quarters} quarters, and {QUARTERS} are needed."
        )
        return Finding(self.code, "undecided", text, {"label": label}, self.parameters(), None)

    def _label(self, label: str, rows: pd.DataFrame, middle: str) -> list[Finding]:
        late = rows["period"] >= middle
        halves = [
            rows[half].groupby("group", sort=True)["subjects"].sum() for half in (~late, late)
        ]
        names = [str(name) for name in sorted(rows["group"].unique())]
        totals = [int(half.sum()) for half in halves]
        counts = [half.reindex(names, fill_value=0).to_numpy(dtype=float) for half in halves]
        shares = [each / max(total, 1) for each, total in zip(counts, totals, strict=True)]
        family = [self._ratio(names[at], counts, shares, at) for at in range(len(names))]
        answers = against(self.limit, family, level=self.level)
        found = [
            self._risen(label, answer.group, middle, [each[at] for each in shares])
            for at, answer in enumerate(answers)
            if answer.beyond
        ]
        unsure = [answer for answer in answers if answer.beyond is None]
        if unsure:
            persons = {each.group: each.persons for each in family}
            found.append(self._unsure(label, unsure, persons))
        if not found and names:
            text = (
                f"No group's share of the persons newly or again in the set rose by more than a "
                f"factor of {self.limit:g} ({label})."
            )
            keys = {"label": label, "group": names}
            found.append(Finding(self.code, "note", text, keys, self.parameters(), False))
        return found

    def _ratio(
        self, name: str, counts: Sequence[Float64s], shares: Sequence[Float64s], at: int
    ) -> Measured:
        """The later share over the earlier, with the interval of a log ratio of two shares."""
        error = math.sqrt(
            sum((1 - s[at]) / max(c[at], 0.5) for c, s in zip(counts, shares, strict=True))
        )
        early, late = float(shares[0][at]), float(shares[1][at])
        ratio = late / early if early > 0 else math.inf if late > 0 else 0.0
        reach = math.exp(float(stats.norm.ppf(0.5 + self.level / 2)) * error)
        known = early > 0 and late > 0
        low, high = (ratio / reach, ratio * reach) if known else (0.0, math.inf)
        persons = int(counts[0][at] + counts[1][at])
        return Measured(name, ratio, low, high, self.level, persons)

    def _risen(self, label: str, name: str, middle: str, share: Sequence[float]) -> Finding:
        text = (
            f"The share of “{name}” ({label}) among persons newly or again in the set "
            f"rose from {percent(share[0])} before {middle} to {percent(share[1])} "
            f"from then on, {decimal(share[1] / share[0])} times (limit {self.limit:g})."
        )
        keys = {"label": label, "group": name}
        return Finding(self.code, self.severity, text, keys, self.parameters(), True)

    def _unsure(self, label: str, answers: Sequence[Answer], persons: dict[str, int]) -> Finding:
        words = [
            f"“{one.group}” ({one.needed()} persons would tell, it has "
            f"{integer(persons[one.group])})"
            for one in answers
        ]
        text = (
            f"It cannot be told whether the share rose by more than a factor of {self.limit:g} "
            f"for {'; '.join(words)} ({label})."
        )
        keys = {"label": label, "group": [one.group for one in answers]}
        return Finding(self.code, "undecided", text, keys, self.parameters(), None)
