"""Is one group missed more often than the others?"""

from __future__ import annotations

from frbench.guidance import WORKS_AS_INTENDED, About
from frbench.rules._groups import GapToOthers


class FnmrGap(GapToOthers):
    """Flags a group whose FNMR exceeds ``limit`` times the mean of the other groups."""

    code = "fnmr_gap"
    kind = "FNMR"
    about = About(
        question="Is one group missed more often than the others?",
        measure=(
            "The group's FNMR over the mean FNMR of the other groups, at each operating point, "
            "with a person-level interval; failures to enrol count as misses."
        ),
        threshold=(
            "Beyond when the whole interval lies above {limit}, within when it lies below; it is "
            "undecided while the interval straddles the limit. Tests are one-sided, and Holm's "
            "method holds the chance of any wrong flag among the groups at 1 - {level}."
        ),
        evidence=(
            "Two groups of persons with two images, and misses in one of them. Without any it "
            "cannot be told, unless every group's whole interval lies below {rare}. An undecided "
            "answer names the persons that would settle it."
        ),
        severity=("{severity} beyond the limit, undecided, or note where all groups are within."),
        next_step=(
            "Look at image quality and enrolment of the group first, then at its share of the "
            "training data."
        ),
        answers=WORKS_AS_INTENDED,
    )
