"""Does the score that a vendor states for a false-match rate keep it, for every group?"""

from __future__ import annotations

from typing import Any

from frbench.formatting import integer
from frbench.guidance import BUYING, About
from frbench.rules import Evidence
from frbench.rules._groups import holm_words, own_rates, percent_level, rate_words
from frbench.rules._limits import FEW_PERSONS, Answer, Measured, against
from frbench.values import ALL, UNLABELLED, Finding, Threshold


class StatedThresholdHolds:
    """Holds a stated pair of false-match rate and score against what was measured at that score.

    The question is asked of all comparisons together, and of each group's own. A rate stated
    without the word "between whom" is usually one over all comparisons; a group whose own rate is
    beyond it is what an operator needs to know all the same.

    Args:
        times: the measured rate may be this many times the stated one.
        level: of the pooled rate, and of the family of groups by Holm.
        severity: level of a finding beyond the limit.
    """

    code = "stated_threshold"
    about = About(
        question=(
            "Does the score that a vendor states for a false-match rate keep it, for every group?"
        ),
        measure=(
            "The FMR measured at the stated score over the stated rate: of all comparisons, and "
            "within each group."
        ),
        threshold=(
            "It does not hold when the whole interval lies above {times}, and holds when it lies "
            "below; it is undecided while the interval straddles the limit. Tests are one-sided, "
            "and Holm's method holds the chance of any wrong flag among the groups at 1 - "
            "{level}."
        ),
        evidence=(
            "Comparisons at a stated threshold; other thresholds are not asked. An undecided "
            "answer names the persons that would settle it."
        ),
        severity="{severity} where it does not hold, undecided, or note where it holds.",
        next_step=(
            "Ask the vendor on whom the rate was measured, and set the threshold on people like "
            "those it will be used on."
        ),
        answers=BUYING,
    )

    def __init__(self, *, times: float = 1.0, level: float = 0.95, severity: str = "flag") -> None:
        self.times, self.level, self.severity = times, level, severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"times": self.times, "level": self.level, "multiplicity": "holm over groups"}

    def findings(self, evidence: Evidence) -> list[Finding]:
        """Per stated threshold: where it does not hold, cannot be told, or that it holds."""
        found = []
        for arm, threshold in evidence.points():
            if threshold.rule != "stated" or threshold.target_fmr is None:
                continue
            rates = own_rates(evidence.rates_at(arm, threshold, "FMR"))
            rates = rates[rates["status"] != "empty"]
            groups = [name for name in rates.index if name not in (ALL, UNLABELLED)]
            for family in ([ALL] if ALL in rates.index else [], groups):
                measured = [_over_stated(rates.loc[name], name, threshold) for name in family]
                if measured:
                    answers = against(self.times, measured, level=self.level)
                    found += self._told(arm, threshold, rates, answers, measured)
            silent = [name for name in (ALL, *evidence.present()) if name not in rates.index]
            if silent:
                found.append(self._silent(arm, threshold, silent))
        return found

    def _silent(self, arm: str, threshold: Threshold, groups: list[str]) -> Finding:
        statement = (
            f"{_start(arm, threshold)} it cannot be told whether the stated rate holds for "
            f"{', '.join(map(_whom, groups))}: nothing was compared; {FEW_PERSONS} persons would "
            "be the least."
        )
        return self._finding("undecided", statement, arm, threshold, groups, None)

    def _told(
        self,
        arm: str,
        threshold: Threshold,
        rates: Any,
        answers: list[Answer],
        measured: list[Measured],
    ) -> list[Finding]:
        start = _start(arm, threshold)
        persons = {each.group: each.persons for each in measured}
        limit = "" if self.times == 1 else f"{self.times:g} times "
        family = holm_words(len(answers), self.level) if len(answers) > 1 else ""
        found = []
        for each in answers:
            if each.beyond is True:
                statement = (
                    f"{start} the stated rate does not hold for {_whom(each.group)}: measured "
                    f"{_measured(rates.loc[each.group])}, beyond {limit}the stated "
                    f"{threshold.target_fmr:g}. {family}"
                )
                level = self.severity
                found.append(self._finding(level, statement, arm, threshold, [each.group], True))
        open_ones = [each for each in answers if each.beyond is None]
        if open_ones:
            parts = [_open(each, rates.loc[each.group], persons[each.group]) for each in open_ones]
            statement = f"{start} it cannot be told whether the stated rate holds for "
            statement += "; ".join(parts) + "."
            names = [each.group for each in open_ones]
            found.append(self._finding("undecided", statement, arm, threshold, names, None))
        if all(each.beyond is False for each in answers):
            shown = "; ".join(
                f"{_whom(each.group)}, {_measured(rates.loc[each.group])}" for each in answers
            )
            statement = f"{start} the stated rate holds for {shown}."
            names = [each.group for each in answers]
            found.append(self._finding("note", statement, arm, threshold, names, False))
        return found

    def _finding(
        self,
        level: str,
        statement: str,
        arm: str,
        threshold: Threshold,
        groups: list[str],
        beyond: bool | None,
    ) -> Finding:
        keys = {
            "arm": arm,
            "operating_point": threshold.label,
            "kind": "FMR",
            "group": groups[0] if len(groups) == 1 else groups,
        }
        return Finding(self.code, level, statement.strip(), keys, self.parameters(), beyond)


def _over_stated(row: Any, name: str, threshold: Threshold) -> Measured:
    stated = threshold.target_fmr
    assert stated is not None
    return Measured(
        group=name,
        value=float(row["rate"]) / stated,
        low=float(row["low"]) / stated,
        high=float(row["high"]) / stated,
        level=float(row["level"]),
        persons=int(row["subjects"]),
    )


def _start(arm: str, threshold: Threshold) -> str:
    whose = f" in “{arm}”" if arm else ""
    by = threshold.stated_by or "the vendor"
    return (
        f"At {threshold.value:.6g}, the score that {by} states for FMR "
        f"{threshold.target_fmr:g}{whose},"
    )


def _whom(group: str) -> str:
    return "all comparisons together" if group == ALL else f"“{group}”"


def _measured(row: Any) -> str:
    return (
        f"{rate_words('FMR', row)}, {percent_level(float(row['level']))} interval "
        f"{float(row['low']):.2g} to {float(row['high']):.2g}"
    )


def _open(answer: Answer, row: Any, persons: int) -> str:
    words = f"{_whom(answer.group)} ({_measured(row)}"
    words += f"; {answer.needed()} persons would tell, it has {integer(persons)}"
    return words + ")"
