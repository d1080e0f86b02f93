"""Do comparison scores still lie where they lay when the system was approved?"""

from __future__ import annotations

from typing import Any

from frbench.formatting import decimal
from frbench.guidance import WORKS_AS_INTENDED, About
from frbench.monitor_rules import MonitorEvidence
from frbench.values import Finding


class ScoreDrift:
    """Gates on the population stability index of the scores, per group, mated and non-mated.

    Args:
        watch, flag: index from which a shift is watched, and flagged.
        fewest: comparisons below which a group's scores are shown, not judged.
    """

    code = "score_drift"
    about = About(
        question="Do comparison scores still lie where they lay when the system was approved?",
        measure=(
            "Population stability index of the scores of a run beside the approved run's, over "
            "ten bins of equal share, per group, mated and non-mated."
        ),
        threshold="Watched from {watch}, flagged from {flag}; an effect size, not a test.",
        evidence="{fewest} comparisons of a kind in a group; with fewer it is shown, not judged.",
        severity="flag, watch, or note.",
        next_step="Look at capture, lighting and the people seen before trusting the threshold.",
        answers=WORKS_AS_INTENDED,
        gravest="flag",
    )

    def __init__(self, *, watch: float = 0.1, flag: float = 0.25, fewest: int = 1000) -> None:
        if not 0 < watch <= flag:
            raise ValueError(f"watch={watch} must lie above 0 and not above flag={flag}")
        self.watch, self.flag, self.fewest = watch, flag, fewest

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"watch": self.watch, "flag": self.flag, "fewest": self.fewest}

    def findings(self, evidence: MonitorEvidence) -> list[Finding]:
        """One answer for the last run."""
        if evidence.scores.empty:
            return []
        rows = evidence.scores[evidence.scores["run"] == evidence.scores["run"].iloc[-1]]
        rows = rows[rows["comparisons"] >= self.fewest]
        if rows.empty:
            return []
        worst = rows.loc[rows["psi"].idxmax()]
        psi = float(worst["psi"])
        level = "flag" if psi >= self.flag else "watch" if psi >= self.watch else "note"
        verb = "have shifted" if level != "note" else "lie much where they lay"
        text = (
            f"Scores {verb} in {worst['run']}: stability index at most {decimal(psi)} (largest "
            f"distance of the distributions {decimal(float(worst['ks']))}), for "
            f"{worst['comparison']} comparisons of “{worst['group']}”; "
            f"{self.watch:g} is moderate, {self.flag:g} major."
        )
        keys = {"run": worst["run"], "group": worst["group"], "comparison": worst["comparison"]}
        return [Finding(self.code, level, text, keys, self.parameters())]
