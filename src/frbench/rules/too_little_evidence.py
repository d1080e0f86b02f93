"""Which numbers rest on too little?"""

from __future__ import annotations

from typing import Any

import pandas as pd

from frbench.formatting import integer
from frbench.guidance import LIMITED_DATA, About
from frbench.rules import Evidence
from frbench.rules._groups import NOUNS, own_rates
from frbench.values import ALL, Finding, Threshold

WHY = {
    "empty": "nothing to compare",
    "few_subjects": "fewer than 20 persons",
    "few_errors": "fewer than 10 errors",
}


class TooLittleEvidence:
    """Names the groups whose rates rest on few persons or few errors, and shaky thresholds.

    A small number of errors in many comparisons may simply be a good matcher: it is reported so
    that nobody reads a difference into it.
    """

    code = "little_evidence"
    about = About(
        question="Which numbers rest on too little?",
        measure=(
            "Persons and errors behind each group's FMR and FNMR, and the false matches behind "
            "the threshold."
        ),
        threshold=(
            "Fewer than 20 persons, fewer than 10 errors, or nothing to compare; these bounds are"
            " fixed."
        ),
        evidence="None: this is the rule that says what is lacking.",
        severity="watch.",
        next_step=(
            "Read no difference into these numbers; `frbench plan` says how many persons would do."
        ),
        answers=LIMITED_DATA,
        gravest="watch",
    )

    def parameters(self) -> dict[str, Any]:
        """For the record: it has none."""
        return {}

    def findings(self, evidence: Evidence) -> list[Finding]:
        """Per operating point: one for the threshold, one per kind of error."""
        found = []
        for arm, threshold in evidence.points():
            keys = {"arm": arm, "operating_point": threshold.label}
            if threshold.caution:
                found.append(Finding(self.code, "watch", threshold.caution, keys))
            for kind in ("FMR", "FNMR"):
                weak = own_rates(evidence.rates_at(arm, threshold, kind))
                weak = weak[weak["status"].isin(list(WHY)) & (weak.index != ALL)]
                if len(weak):
                    found.append(self._weak(arm, threshold, kind, weak))
        return found

    def _weak(self, arm: str, threshold: Threshold, kind: str, weak: pd.DataFrame) -> Finding:
        reasons = [
            f"“{group}” ({WHY[str(row['status'])]}: {integer(row['errors'])} errors, "
            f"{integer(row['subjects'])} persons)"
            for group, row in weak.iterrows()
        ]
        whose = f" in “{arm}”" if arm else ""
        statement = (
            f"At {threshold.label}{whose}, the {NOUNS[kind]} rests on little evidence for "
            f"{'; '.join(reasons)}."
        )
        groups = [str(group) for group in weak.index]
        keys = {
            "arm": arm,
            "operating_point": threshold.label,
            "kind": kind,
            "group": groups[0] if len(groups) == 1 else groups,
        }
        return Finding(self.code, "watch", statement, keys)
