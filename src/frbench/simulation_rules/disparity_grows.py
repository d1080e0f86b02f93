"""Does a group fall further behind the others, round after round?"""

from __future__ import annotations

from typing import Any

import pandas as pd

from frbench.formatting import decimal, percent
from frbench.guidance import ACCUMULATES, About
from frbench.rules._limits import Measured, against
from frbench.simulation_rules import SimulationEvidence, shown
from frbench.values import Finding

WORDS = {
    "fpir": "false-alert rate, beside the residents' mean,",
    "fmr": "false-match rate, beside the residents' mean,",
    "share": "share of the training images, beside its share of the residents,",
}


class DisparityGrows:
    """Compares the last round with the first, per policy and group that ends above level.

    Args:
        measure: ``fpir``, ``fmr`` or ``share``.
        limit: growth from the first round to the last that counts.
        level: of the family of groups, by Holm.
        severity: level for the current policy; other policies are watched.
    """

    code = "disparity_grows"
    about = About(
        question="Does a group fall further behind the others, round after round?",
        measure=(
            "The group's {measure}, beside the residents' mean (or its share of the residents), "
            "in the last round over that in the first, geometric mean over seeds."
        ),
        threshold=(
            "Growing when the ratio is beyond {limit} by a one-sided test over seeds, and the "
            "group ends above level. Holm's method holds the chance of any wrong flag among the "
            "groups at 1 - {level}."
        ),
        evidence="Two seeds. An undecided answer names the seeds that would settle it.",
        severity="{severity} for the current policy, at most watch for the others, or undecided.",
        next_step=(
            "Compare the policies' ranking, then try the best of them with real training: "
            "`frbench retrain`."
        ),
        answers=ACCUMULATES,
    )

    def __init__(
        self,
        *,
        measure: str = "fpir",
        limit: float = 1.1,
        level: float = 0.95,
        severity: str = "flag",
    ) -> None:
        if measure not in WORDS:
            raise ValueError(f"measure={measure} is unknown; take {', '.join(WORDS)}")
        if limit < 1:
            raise ValueError(f"limit={limit} must be at least 1")
        if severity not in ("note", "watch", "flag"):
            raise ValueError(f"severity={severity} is unknown; take note, watch or flag")
        self.measure, self.limit, self.level, self.severity = measure, limit, level, severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {
            "measure": self.measure,
            "limit": self.limit,
            "level": self.level,
            "multiplicity": "holm over groups",
        }

    def findings(self, evidence: SimulationEvidence) -> list[Finding]:
        """One answer per policy."""
        rows = evidence.growth[evidence.growth["measure"] == self.measure]
        return [
            self._answer(str(policy), each, evidence)
            for policy, each in rows.groupby("policy", sort=False)
        ]

    def _answer(self, policy: str, rows: pd.DataFrame, evidence: SimulationEvidence) -> Finding:
        family = [
            Measured(
                str(row["group"]),
                float(row["growth"]),
                float(row["low"]),
                float(row["high"]),
                float(row["level"]),
                int(row["seeds"]),
            )
            for row in rows.to_dict("records")
        ]
        answers = against(self.limit, family, level=self.level)
        # a group that rises to the others' level does not fall behind them
        behind = set(rows.loc[rows["end"] > 1, "group"])
        beyond = [
            each
            for each, one in zip(family, answers, strict=True)
            if one.beyond and each.group in behind
        ]
        start = (
            f"Under “{shown(policy)}”, over {evidence.rounds} rounds, the {WORDS[self.measure]} "
        )
        keys = {"policy": policy, "measure": self.measure}
        if beyond:
            worst = max(beyond, key=lambda each: each.value)
            row = rows[rows["group"] == worst.group].iloc[0]
            text = (
                f"{start}of “{worst.group}” grew {decimal(worst.value)} times "
                f"({decimal(worst.low)}–{decimal(worst.high)}, limit {self.limit:g}), in "
                f"{percent(float(row['seeds_growing']))} of {worst.persons} seeds."
            )
            level = self.severity if policy == evidence.current else _no_more(self.severity)
            keys |= {"group": worst.group}
            return Finding(self.code, level, text, keys, self.parameters(), True)
        open_ = [one for one in answers if one.beyond is None and one.group in behind]
        if open_:
            needed = [one.persons_needed for one in open_ if one.persons_needed]
            wish = f"; about {max(needed):,} seeds would decide" if needed else ""
            names = ", ".join(f"“{one.group}”" for one in open_)
            text = f"{start}of {names} cannot be told from the limit {self.limit:g}{wish}."
            return Finding(self.code, "undecided", text, keys, self.parameters())
        text = f"{start}grew beyond {self.limit:g} times for no group that ends above level."
        return Finding(self.code, "note", text, keys, self.parameters(), False)


def _no_more(severity: str) -> str:
    return "watch" if severity == "flag" else severity
