"""Has the distance between the groups grown since the system was approved?"""

from __future__ import annotations

from typing import Any

from frbench.guidance import MONITORS, About
from frbench.monitor_rules import MonitorEvidence
from frbench.monitor_rules._alarms import of_runs, of_series
from frbench.values import Finding


class DisparityRises:
    """Tells the alarms of the disparity.

    Args:
        severity: level of an alarm.
    """

    code = "disparity_rises"
    about = About(
        question="Has the distance between the groups grown since the system was approved?",
        measure=(
            "Each group's rate over that of all others (in runs: over the geometric mean of the "
            "others')."
        ),
        threshold=(
            "An alarm, whose chance of ever being false is held together with those of the rates."
        ),
        evidence="As for the rates; with less it is undecided and says how many days it takes.",
        severity="{severity} on an alarm, undecided, or note.",
        next_step="Suspend the use and ask what changed: the data, the site or the model.",
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
        found = of_series(self.code, "disparity", evidence, self.severity, self.parameters())
        if len(evidence.runs):
            rows = evidence.runs[evidence.runs["kind"].str.endswith("gap")]
            found += of_runs(self.code, rows, evidence, self.severity, self.parameters())
        return found
