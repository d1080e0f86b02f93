"""Did the newer matcher make the differences between groups larger?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from frbench.formatting import decimal, integer, one_in
from frbench.guidance import REVIEW_OPTIONS, About
from frbench.rules import Evidence
from frbench.rules._groups import holm_words, interval_words, percent_level
from frbench.rules._limits import FEW_PERSONS, Measured, against
from frbench.values import ALL, UNLABELLED, Finding

WORDS = {
    "worst_to_geometric_mean": "highest group's FMR over the geometric mean of all groups",
    "max_min_ratio": "highest group's FMR over the lowest's",
    "gini_corrected": "Gini coefficient of the groups' FMRs",
}


class RetrainingWidensGap:
    """Flags a disparity that grew from the first matcher to the second, and who bears it.

    Both matchers saw the same images, so the intervals are paired: what the persons share cancels.

    Args:
        measures: the disparity, in order of preference; the first that is defined is used.
        rise: a group's FMR is reported when it rose by more than this ratio.
        level: of the family of groups, by Holm.
        severity: level of a disparity that grew, and of a group whose rate rose.
    """

    code = "retraining_gap"
    about = About(
        question="Did the newer matcher make the differences between groups larger?",
        measure=(
            "The disparity of the groups' FMRs ({measures}, the first that is defined) after over"
            " before, and each group's FMR after over before, paired on the same persons."
        ),
        threshold=(
            "The disparity grew when its whole interval lies above 1, shrank when it lies below. "
            "A group's FMR rose when its whole interval lies above {rise}, by Holm at 1 - "
            "{level}."
        ),
        evidence=(
            "Two matchers on the same images, and false matches of both. Without them it cannot "
            "be told. An undecided answer names the persons that would settle it."
        ),
        severity=(
            "{severity} where the disparity or a group's rate grew, undecided, or note where it "
            "shrank."
        ),
        next_step=(
            "Do not release the newer matcher. Audit what it was trained on and compare recipes "
            "for retraining."
        ),
        answers=REVIEW_OPTIONS,
    )

    def __init__(
        self,
        *,
        measures: Sequence[str] = ("worst_to_geometric_mean", "gini_corrected"),
        rise: float = 1.25,
        level: float = 0.95,
        severity: str = "flag",
    ) -> None:
        self.measures, self.rise = tuple(measures), rise
        self.level, self.severity = level, severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {
            "measures": list(self.measures),
            "rise": self.rise,
            "level": self.level,
            "multiplicity": "holm over groups",
        }

    def findings(self, evidence: Evidence) -> list[Finding]:
        """Per operating point: the disparity, then the groups whose rate rose."""
        if evidence.change is None:
            return []
        arms = list(evidence.thresholds)
        persons = _persons(evidence, arms[-1])
        found = []
        for point, change in evidence.change.groupby("operating_point", sort=False):
            found += self._disparity(str(point), change, arms, persons, evidence)
            found += self._groups(str(point), change, arms, persons)
        return found

    def _disparity(
        self,
        point: str,
        change: pd.DataFrame,
        arms: Sequence[str],
        persons: dict[str, int],
        evidence: Evidence,
    ) -> list[Finding]:
        rows = _by_group(change, "FMR gap")
        names = [name for name in self.measures if name in rows]
        least = min((persons.get(name, 0) for name in evidence.present()), default=0)
        if not names:
            statement = (
                f"From “{arms[0]}” to “{arms[-1]}”, at {point}, it cannot be told whether the "
                "groups' false-match rates moved apart: before or after, too few groups have a "
                f"false match; more than {integer(max(least, FEW_PERSONS))} persons per group "
                f"would tell, the smallest has {integer(least)}."
            )
            keys = {"operating_point": point, "kind": "FMR gap", "group": self.measures[0]}
            return [Finding(self.code, "undecided", statement, keys, self.parameters())]
        row = rows[names[0]]
        low, high = float(row["low"]), float(row["high"])
        wider = True if low > 1 else False if high < 1 else None
        level = {True: self.severity, False: "note", None: "undecided"}[wider]
        verb = {
            True: "grew",
            False: "shrank",
            None: "may have grown or shrunk: it went",
        }[wider]
        statement = (
            f"From “{arms[0]}” to “{arms[-1]}”, at {point}, the {WORDS.get(names[0], names[0])} "
            f"{verb} from {decimal(float(row['before']))} to {decimal(float(row['after']))} "
            f"({decimal(float(row['ratio']))} times as large; {percent_level(float(row['level']))} "
            f"paired interval {decimal(low)} to {decimal(high)})."
        )
        if wider is None:
            value, at = float(row["ratio"]), float(row["level"])
            one = against(1.0, [Measured(names[0], value, low, high, at, least)], level=self.level)
            needed = one[0].needed() if one[0].persons_needed is not None else "somewhat more than "
            statement += (
                f" {needed[:1].upper()}{needed[1:]} persons per group would tell, the smallest has "
                f"{integer(least)}."
            )
        keys = {"operating_point": point, "kind": "FMR gap", "group": names[0]}
        return [Finding(self.code, level, statement, keys, self.parameters(), wider)]

    def _groups(
        self, point: str, change: pd.DataFrame, arms: Sequence[str], persons: dict[str, int]
    ) -> list[Finding]:
        rows = _by_group(change, "FMR")
        family = [
            Measured(
                group,
                float(row["ratio"]),
                float(row["low"]),
                float(row["high"]),
                float(row["level"]),
                persons.get(str(group), 0),
            )
            for group, row in rows.items()
            if group not in (ALL, UNLABELLED)
        ]
        risen = [one for one in against(self.rise, family, level=self.level) if one.beyond]
        by_group = {each.group: each for each in family}
        found = []
        for answer in risen:
            each, row = by_group[answer.group], rows[answer.group]
            statement = (
                f"From “{arms[0]}” to “{arms[-1]}”, at {point}, the false-match rate of "
                f"“{each.group}” rose to {decimal(each.value)} times what it was "
                f"({interval_words(each)}, paired): from {one_in(float(row['before']))} to "
                f"{one_in(float(row['after']))}. {holm_words(len(family), self.level)}"
            )
            keys = {"operating_point": point, "kind": "FMR", "group": each.group}
            finding = Finding(self.code, self.severity, statement, keys, self.parameters(), True)
            found.append(finding)
        return found + self._from_none(point, change, arms)

    def _from_none(self, point: str, change: pd.DataFrame, arms: Sequence[str]) -> list[Finding]:
        """Groups without a false match before: there is no ratio, but silence would hide a rise."""
        rows = change[(change["kind"] == "FMR") & (change["before"] == 0) & (change["after"] > 0)]
        rows = rows[~rows["group"].isin([ALL, UNLABELLED])]
        return [
            Finding(
                self.code,
                "undecided",
                f"From “{arms[0]}” to “{arms[-1]}”, at {point}, the false-match rate of “{group}” "
                f"rose from no false match at all to {one_in(float(after))}; no ratio says by "
                "how much.",
                {"operating_point": point, "kind": "FMR", "group": str(group)},
                self.parameters(),
            )
            for group, after in zip(rows["group"], rows["after"], strict=True)
        ]


def _by_group(change: pd.DataFrame, kind: str) -> dict[str, dict[str, Any]]:
    """The defined rows of one kind, by group or by name of the measure."""
    rows = change[(change["kind"] == kind) & (change["status"] != "undefined")]
    return {
        str(row["group"]): {str(k): v for k, v in row.items()} for row in rows.to_dict("records")
    }


def _persons(evidence: Evidence, arm: str) -> dict[str, int]:
    """Persons of each group in the pooled sense of its within-group FMR."""
    rates = evidence.rates
    own = rates[(rates["arm"] == arm) & (rates["kind"] == "FMR")]
    own = own[own["probe_group"] == own["reference_group"]]
    return {
        str(group): int(count)
        for group, count in zip(own["probe_group"], own["subjects"], strict=True)
    }
