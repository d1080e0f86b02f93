"""Are the people seen still those for whom the system was approved?"""

from __future__ import annotations

from typing import Any

from frbench.formatting import decimal, percent
from frbench.guidance import WORKS_AS_INTENDED, About
from frbench.monitor_rules import MonitorEvidence
from frbench.values import Finding


class PopulationDrift:
    """Gates on the population stability index of the groups' shares.

    Args:
        watch, flag: index from which a shift is watched, and flagged, if it is beyond chance.
    """

    code = "population_drift"
    about = About(
        question="Are the people seen still those for whom the system was approved?",
        measure=(
            "Population stability index of the groups' shares of persons (in a series: of "
            "searches) beside the baseline's."
        ),
        threshold="Watched from {watch}, flagged from {flag}, where it is beyond chance.",
        evidence="Any; an index that chance alone could give is only noted.",
        severity="flag, watch, or note.",
        next_step="Evaluate on people like those seen now.",
        answers=WORKS_AS_INTENDED,
        gravest="flag",
    )

    def __init__(self, *, watch: float = 0.1, flag: float = 0.25) -> None:
        if not 0 < watch <= flag:
            raise ValueError(f"watch={watch} must lie above 0 and not above flag={flag}")
        self.watch, self.flag = watch, flag

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"watch": self.watch, "flag": self.flag}

    def findings(self, evidence: MonitorEvidence) -> list[Finding]:
        """One answer for the last run, or for the days after the baseline."""
        if evidence.people.empty or not evidence.people["psi"].iloc[-1] >= 0:
            return []
        row = evidence.people.iloc[-1]
        psi, beyond = float(row["psi"]), row["psi"] > row["psi_by_chance"]
        level = "flag" if psi >= self.flag else "watch" if psi >= self.watch else "note"
        level = level if beyond else "note"
        text = (
            f"The people seen {'have changed' if level != 'note' else 'are much the same'}: "
            f"stability index {decimal(psi)}; the share of “{row['most_grown']}” went from "
            f"{percent(float(row['share_before']))} to {percent(float(row['share_now']))}."
        )
        keys = {"run": row["run"], "group": row["most_grown"]}
        return [Finding(self.code, level, text, keys, self.parameters())]
