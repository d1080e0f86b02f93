"""Which policies end with a smaller disparity than going on as now, and which with a larger one?"""

from __future__ import annotations

from typing import Any

from frbench.formatting import decimal
from frbench.guidance import REVIEW_OPTIONS, About
from frbench.simulation_rules import SimulationEvidence, shown
from frbench.values import Finding


class PolicyHelps:
    """Compares each policy's disparity at the end with the current policy's, paired by seed.

    Args:
        limit: factor, above 1, from which a difference is worth telling.
    """

    code = "policy_helps"
    about = About(
        question="Which policies end with less disparity than going on as now?",
        measure=(
            "Largest over smallest false-alert rate at the end, over that of the current policy, "
            "paired by seed."
        ),
        threshold="Better or worse when the interval lies beyond a factor of {limit}.",
        evidence="Two seeds; where they do not tell the policies apart it is undecided.",
        severity="note for a policy that helps or changes nothing, watch for one that harms.",
        next_step="Read the ranking with what each policy costs in true alerts.",
        answers=REVIEW_OPTIONS,
        gravest="watch",
    )

    def __init__(self, *, limit: float = 1.05) -> None:
        if limit < 1:
            raise ValueError(f"limit={limit} must be at least 1")
        self.limit = limit

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"limit": self.limit}

    def findings(self, evidence: SimulationEvidence) -> list[Finding]:
        """One answer per policy but the current one."""
        rows = evidence.ranking[evidence.ranking["policy"] != evidence.current]
        found = []
        for row in rows.to_dict("records"):
            low, high = row["against_low"], row["against_high"]
            better, worse = high < 1 / self.limit, low > self.limit
            alike = low > 1 / self.limit and high < self.limit
            word = (
                "ends with a smaller disparity of false-alert rates than"
                if better
                else "ends with a larger disparity of false-alert rates than"
                if worse
                else "makes no difference that counts beside"
                if alike
                else "cannot be told from"
            )
            text = (
                f"“{shown(row['policy'])}” {word} “{shown(evidence.current)}”: "
                f"{decimal(row['against_as_is'])} times ({decimal(low)}–{decimal(high)}, paired by "
                "seed)."
            )
            level = "note" if better or alike else "watch" if worse else "undecided"
            known = True if worse else False if better or alike else None
            keys = {"policy": row["policy"]}
            found.append(Finding(self.code, level, text, keys, self.parameters(), known))
        return found
