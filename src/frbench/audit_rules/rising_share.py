"""Does the share of a group in the set grow as it fills?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from frbench.audit_rules import AuditEvidence
from frbench.formatting import decimal, percent
from frbench.guidance import ACCUMULATES, About
from frbench.rules._limits import holm
from frbench.values import UNLABELLED, Finding


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
        """One answer per group whose share rose."""
        found: list[Finding] = []
        for label, rows in evidence.history.groupby("label", sort=False):
            periods = sorted(rows["period"].unique())
            if len(periods) >= 4:
                found += self._label(str(label), rows, periods[len(periods) // 2])
        return found

    def _label(self, label: str, rows: pd.DataFrame, middle: str) -> list[Finding]:
        late = rows["period"] >= middle
        counts = np.array(
            [rows[half].groupby("group", sort=True)["subjects"].sum() for half in (~late, late)],
            dtype=np.float64,
        )
        names = sorted(rows["group"].unique())
        totals = counts.sum(axis=1, keepdims=True)
        if (totals == 0).any():
            return []
        with np.errstate(divide="ignore", invalid="ignore"):
            share = counts / totals
            error = np.sqrt(((1 - share) / np.maximum(counts, 0.5)).sum(axis=0))
            ratio = share[1] / share[0]
            z = (np.log(ratio) - math.log(self.limit)) / error
        p_values = np.where(np.isfinite(z), stats.norm.sf(z), 1.0)
        found = []
        for at in np.flatnonzero(holm(p_values) <= 1 - self.level):
            if names[at] == UNLABELLED:
                continue
            text = (
                f"The share of “{names[at]}” ({label}) among persons newly or again in the set "
                f"rose from {percent(share[0, at])} before {middle} to {percent(share[1, at])} "
                f"from then on, {decimal(float(ratio[at]))} times (limit {self.limit:g})."
            )
            keys = {"label": label, "group": names[at]}
            found.append(Finding(self.code, self.severity, text, keys, self.parameters(), True))
        return found
