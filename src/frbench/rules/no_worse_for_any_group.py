"""Is the newer matcher no worse than the earlier one, for every group?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from frbench.formatting import decimal, integer
from frbench.guidance import MONITORS, About
from frbench.rules import Evidence
from frbench.rules._groups import interval_words, own_rates
from frbench.rules._limits import FEW_PERSONS, Answer, Measured, against
from frbench.values import ALL, UNLABELLED, Finding

WORDS = {"FMR": "false-match rate", "FNMR": "miss rate"}


class NoWorseForAnyGroup:
    """Non-inferiority per group: every group's rate stays below ``margin`` times what it was.

    The claim is about all groups at once, so each may be tested at the full level (an
    intersection-union test); that some group is worse is tested by Holm. Intervals are paired.

    Args:
        margin: the ratio, after over before, that counts as worse; above 1.
        kinds: kinds of error asked about.
        level: of each group's one-sided interval.
        severity: level where a group is worse by more than the margin.
    """

    code = "no_worse_for_any_group"
    about = About(
        question="Is the newer matcher no worse than the earlier one, for every group?",
        measure="Each group's rate ({kinds}) after over before, paired on the same persons.",
        threshold=(
            "No worse when every group's one-sided interval lies below {margin} (an intersection-"
            "union test at {level}); worse when some group's lies above, by Holm."
        ),
        evidence=(
            "Two matchers on the same images, 20 persons in every group, and errors of the earlier "
            "matcher. An undecided answer names the persons that would settle it."
        ),
        severity="{severity} where a group is worse, undecided, or note where none is.",
        next_step=(
            "Release only on a note. Where it is undecided, measure more persons of the groups "
            "that are named."
        ),
        answers=MONITORS,
    )

    def __init__(
        self,
        *,
        margin: float = 1.25,
        kinds: Sequence[str] = ("FMR", "FNMR"),
        level: float = 0.95,
        severity: str = "flag",
    ) -> None:
        if margin <= 1:
            raise ValueError(f"margin={margin} must lie above 1; 1.25 allows a quarter more errors")
        unknown = [kind for kind in kinds if kind not in WORDS]
        if unknown:
            raise ValueError(f"kinds names {unknown[0]}; take FMR or FNMR")
        self.margin, self.kinds, self.level = margin, tuple(kinds), level
        self.severity = severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {
            "margin": self.margin,
            "kinds": list(self.kinds),
            "level": self.level,
            "test": "intersection-union over groups; holm for a group that is worse",
        }

    def findings(self, evidence: Evidence) -> list[Finding]:
        """One answer per operating point and kind of error; none for a single matcher."""
        if evidence.change is None:
            return []
        arms = list(evidence.thresholds)
        found = []
        for point, change in evidence.change.groupby("operating_point", sort=False):
            for kind in self.kinds:
                rows = change[change["kind"] == kind]
                rows = rows[~rows["group"].isin([ALL, UNLABELLED])].sort_values("group")
                if len(rows):
                    found.append(self._answer(str(point), kind, rows, arms, evidence))
        return found

    def _answer(
        self, point: str, kind: str, rows: pd.DataFrame, arms: Sequence[str], evidence: Evidence
    ) -> Finding:
        persons = _persons(evidence, arms[-1], kind)
        known = rows[rows["status"] != "undefined"]
        family = [
            Measured(
                str(row["group"]),
                float(row["ratio"]),
                float(row["low"]),
                float(row["high"]),
                float(row["level"]),
                persons.get(str(row["group"]), 0),
            )
            for _, row in known.iterrows()
        ]
        by_group = {each.group: each for each in family}
        answers = [
            # a few persons who did not change have an interval of no width, and show nothing
            replace(one, beyond=None, persons_needed=FEW_PERSONS)
            if one.beyond is False and by_group[one.group].persons < FEW_PERSONS
            else one
            for one in (against(self.margin, family, level=self.level) if family else [])
        ]
        silent = [str(name) for name in rows["group"] if str(name) not in by_group]
        worse = [by_group[one.group] for one in answers if one.beyond]
        open_ = [one for one in answers if one.beyond is None]
        start = (
            f"From “{arms[0]}” to “{arms[-1]}”, at {point}, the {WORDS[kind]} (margin "
            f"{decimal(self.margin)}) "
        )
        keys: dict[str, Any] = {"operating_point": point, "kind": kind}
        if worse:
            keys["group"] = worse[0].group
            listed = "; ".join(
                f"“{each.group}” {decimal(each.value)} times ({interval_words(each)}, paired)"
                for each in worse
            )
            statement = f"{start}is worse for some group: {listed}."
            return Finding(self.code, self.severity, statement, keys, self.parameters(), True)
        if not open_ and not silent:
            statement = f"{start}is no worse for any of the {len(family)} groups."
            return Finding(self.code, "note", statement, keys, self.parameters(), False)
        reasons = [_unsure(by_group[one.group], one) for one in open_]
        before = own_rates(evidence.rates_at_point(arms[0], point, kind))
        reasons += [
            f"“{name}”: no ratio, since no error or no comparison before"
            f"{_persons_wanted(before, name)}"
            for name in silent
        ]
        statement = f"{start}cannot be shown to be no worse for every group: {'; '.join(reasons)}."
        return Finding(self.code, "undecided", statement, keys, self.parameters())


def _unsure(each: Measured, answer: Answer) -> str:
    wish = f"; {answer.needed()} persons would decide"
    return f"“{each.group}” {decimal(each.value)} times ({interval_words(each)}, paired{wish})"


def _persons_wanted(rates: pd.DataFrame, group: str) -> str:
    """How many persons would be the least for a group without a ratio."""
    if group not in rates.index or rates.loc[group, "comparisons"] == 0:
        return f"; {FEW_PERSONS} persons would be the least"
    row: Any = rates.loc[group]
    return f"; more than {integer(max(int(row['subjects']), FEW_PERSONS))} persons would decide"


def _persons(evidence: Evidence, arm: str, kind: str) -> dict[str, int]:
    rates = evidence.rates
    own = rates[(rates["arm"] == arm) & (rates["kind"] == kind)]
    own = own[own["probe_group"] == own["reference_group"]]
    return dict(zip(own["probe_group"].astype(str), own["subjects"].astype(int), strict=True))
