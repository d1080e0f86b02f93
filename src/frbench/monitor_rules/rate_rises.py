"""Has the error rate of a group risen since the system was approved?"""

from __future__ import annotations

from typing import Any

from frbench.guidance import MONITORS, About
from frbench.monitor_rules import MonitorEvidence
from frbench.monitor_rules._alarms import of_runs, of_series
from frbench.values import Finding


class RateRises:
    """Tells the alarms of the groups' rates.

    Args:
        severity: level of an alarm.
    """

    code = "rate_rises"
    about = About(
        question="Has the error rate of a group risen since the system was approved?",
        measure=(
            "Each group's rate beside its baseline: day by day in a series, run by run in a list "
            "of runs."
        ),
        threshold=(
            "An alarm, whose chance of ever being false is held for all groups and for as long as "
            "one watches (docs/monitor.md)."
        ),
        evidence=(
            "A baseline from which a doubling could be told, and as many days as that takes; with "
            "fewer it is undecided and says how many."
        ),
        severity="{severity} on an alarm, undecided, or note.",
        next_step="Stop relying on alerts for that group until the cause is known; evaluate anew.",
        answers=MONITORS,
    )

    def __init__(self, *, severity: str = "flag") -> None:
        if severity not in ("note", "watch", "flag"):
            raise ValueError(f"severity={severity} is unknown; take note, watch or flag")
        self.severity = severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"severity": self.severity}

    def findings(self, evidence: MonitorEvidence) -> list[Finding]:
        """One answer per group of a series, or per operating point and kind of runs."""
        found = of_series(self.code, "rate", evidence, self.severity, self.parameters())
        if len(evidence.runs):
            rows = evidence.runs[~evidence.runs["kind"].str.endswith("gap")]
            found += of_runs(self.code, rows, evidence, self.severity, self.parameters())
        return found
