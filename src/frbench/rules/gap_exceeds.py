"""Is one group falsely matched more often than the others?"""

from __future__ import annotations

from frbench.guidance import WORKS_AS_INTENDED, About
from frbench.rules._groups import GapToOthers


class GapExceeds(GapToOthers):
    """Flags a group whose within-group FMR exceeds ``limit`` times the mean of the other groups."""

    code = "fmr_gap"
    kind = "FMR"
    about = About(
        question="Is one group falsely matched more often than the others?",
        measure=(
            "The group's within-group FMR over the mean FMR of the other groups, at each "
            "operating point, with a person-level interval."
        ),
        threshold=(
            "Beyond when the whole interval lies above {limit}, within when it lies below; it is "
            "undecided while the interval straddles the limit. Tests are one-sided, and Holm's "
            "method holds the chance of any wrong flag among the groups at 1 - {level}."
        ),
        evidence=(
            "Two groups, and false matches in one of them. Without any it cannot be told, unless "
            "every group's whole interval lies below the target, or below {rare} where there is no "
            "target. An undecided answer names the persons that would settle it."
        ),
        severity=("{severity} beyond the limit, undecided, or note where all groups are within."),
        next_step=(
            "Do not deploy at this threshold. Look at the frontier for a threshold at which the "
            "worst group is acceptable, audit the training data, and compare retraining recipes."
        ),
        answers=WORKS_AS_INTENDED,
    )
