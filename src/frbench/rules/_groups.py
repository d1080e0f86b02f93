"""What the rules about differences between groups share: one question per operating point."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from frbench.formatting import decimal, integer, one_in, percent
from frbench.rules import Evidence
from frbench.rules._limits import Answer, Measured, against
from frbench.values import Finding, Threshold

NOUNS = {"FMR": "false-match rate", "FNMR": "miss rate (FNMR)", "FTE": "failure-to-enrol rate"}


@dataclass(frozen=True)
class Question:
    """Does a group's ``measure`` of ``kind`` exceed ``limit``?

    Attributes:
        code: of the rule.
        kind: FMR, FNMR or FTE.
        limit: a ratio.
        level: of the family of groups, by Holm.
        severity: of a finding beyond the limit.
        parameters: for the record.
        versus: how a sentence names what the group is compared with.
    """

    code: str
    kind: str
    limit: float
    level: float
    severity: str
    parameters: Mapping[str, Any]
    versus: str

    def ask(
        self,
        evidence: Evidence,
        family_at: Callable[[str, Threshold], Sequence[Measured]],
    ) -> list[Finding]:
        """A finding per group beyond the limit, one for the undecided, one if all are within."""
        found: list[Finding] = []
        for arm, threshold in evidence.points():
            family = family_at(arm, threshold)
            if not family:
                continue
            answers = against(self.limit, family, level=self.level)
            by_group = {each.group: each for each in family}
            rates = own_rates(evidence.rates_at(arm, threshold, self.kind))
            context = Context(self, arm, threshold, rates, by_group)
            worst_first = sorted(answers, key=lambda one: -by_group[one.group].value)
            found += [context.beyond(one) for one in worst_first if one.beyond is True]
            open_ones = [one for one in worst_first if one.beyond is None]
            if open_ones:
                found.append(context.undecided(open_ones))
            if all(one.beyond is False for one in answers):
                found.append(context.within(worst_first[0]))
        return found


@dataclass(frozen=True)
class Context:
    """One question at one operating point of one arm: builds the sentences."""

    question: Question
    arm: str
    threshold: Threshold
    rates: pd.DataFrame
    measured: Mapping[str, Measured]

    def beyond(self, answer: Answer) -> Finding:
        """The limit is exceeded, and chance does not explain it."""
        each = self.measured[answer.group]
        statement = (
            f"{self._start()} the {NOUNS[self.question.kind]} of “{each.group}” is "
            f"{times(each.value)} {self.question.versus} ({interval_words(each)}), "
            f"beyond the limit of {self.question.limit:g}: "
            f"{rate_words(self.question.kind, self.rates.loc[each.group])}. "
            f"{holm_words(len(self.measured), self.question.level)}"
        )
        return self._finding(self.question.severity, statement, [each.group], True)

    def undecided(self, answers: Sequence[Answer]) -> Finding:
        """Intervals straddle the limit; how many persons would settle it."""
        parts = [self._open(answer) for answer in answers]
        statement = (
            f"{self._start()} it cannot be told whether the {NOUNS[self.question.kind]} exceeds "
            f"{self.question.limit:g} times {self.question.versus} for "
            f"{'; '.join(parts)}."
        )
        return self._finding("undecided", statement, [one.group for one in answers], None)

    def within(self, answer: Answer) -> Finding:
        """Every group's interval lies within the limit."""
        each = self.measured[answer.group]
        statement = (
            f"{self._start()} no group's {NOUNS[self.question.kind]} exceeds "
            f"{self.question.limit:g} times {self.question.versus}; the highest is "
            f"“{each.group}” at {decimal(each.value)} times ({interval_words(each)}). Each group "
            f"was tested one-sided at {percent_level(self.question.level)}."
        )
        return self._finding("note", statement, list(self.measured), False)

    def _open(self, answer: Answer) -> str:
        each = self.measured[answer.group]
        words = f"“{each.group}” ({times(each.value)}, {interval_words(each)}"
        if answer.persons_needed is not None:
            words += f"; about {integer(answer.persons_needed)} persons per group would tell"
            words += f", it has {integer(each.persons)}"
        return words + ")"

    def _start(self) -> str:
        target = self.threshold.target_fmr
        point = f"FMR {target:g} pooled" if target is not None else self.threshold.label
        if self.question.kind == "FTE":
            return f"In “{self.arm}”," if self.arm else "Among the images,"
        whose = f" in “{self.arm}”" if self.arm else ""
        return f"At one global threshold ({point}){whose},"

    def _finding(
        self, level: str, statement: str, groups: Sequence[str], beyond: bool | None
    ) -> Finding:
        keys = {
            "arm": self.arm,
            "operating_point": self.threshold.label,
            "kind": self.question.kind,
            "group": groups[0] if len(groups) == 1 else list(groups),
        }
        return Finding(self.question.code, level, statement, keys, self.question.parameters, beyond)


def own_rates(rates: pd.DataFrame) -> pd.DataFrame:
    """The rows of groups with themselves (and the pooled one), by group."""
    return rates[rates["probe_group"] == rates["reference_group"]].set_index("probe_group")


def ratios_to_others(
    evidence: Evidence, arm: str, threshold: Threshold, kind: str
) -> list[Measured]:
    """Each group's rate over the mean of the others'; infinite where only the others have no
    errors, so that the one group that errs is not left out. None where no group errs."""
    gaps = evidence.gaps_at(arm, threshold, kind)
    gaps = gaps[(gaps["measure"] == "ratio_to_others") & gaps["value"].notna()]
    rates = own_rates(evidence.rates_at(arm, threshold, kind))
    return [
        Measured(
            group=str(row["worst_group"]),
            value=float(row["value"]),
            low=float(row["low"]),
            high=float(row["high"]),
            level=float(row["level"]),
            persons=int(rates.loc[row["worst_group"], "subjects"]),
        )
        for _, row in gaps.iterrows()
    ]


def times(value: float) -> str:
    """``2.4 times``."""
    return f"{decimal(value)} times" if math.isfinite(value) else "infinitely many times"


def interval_words(each: Measured) -> str:
    """``95 % interval 2.1 to 8.3``."""
    return f"{percent_level(each.level)} interval {decimal(each.low)} to {decimal(each.high)}"


def percent_level(level: float) -> str:
    """``95 %``."""
    return f"{100 * level:g} %"


def rate_words(kind: str, row: Any) -> str:
    """The group's rate with the counts it rests on."""
    rate = float(row["rate"])
    shown = (one_in(rate) or "none") if kind == "FMR" else percent(rate)
    unit = "images" if kind == "FTE" else "comparisons"
    return (
        f"{shown} ({integer(row['errors'])} of {integer(row['comparisons'])} {unit}, "
        f"{integer(row['subjects'])} persons)"
    )


def holm_words(groups: int, level: float) -> str:
    """How multiplicity was handled."""
    return (
        f"The chance of any wrong flag among the {groups} groups at this operating point is held "
        f"at {percent_level(round(1 - level, 6))} (one-sided tests, Holm)."
    )


class GapToOthers:
    """A rule that asks whether one group's rate exceeds ``limit`` times the mean of the others.

    A rule of this kind names its ``code`` and the ``kind`` of error; the rest is the same.

    Args:
        limit: ratio.
        level: of the family of groups, by Holm.
        severity: level of a finding beyond the limit.
    """

    code: ClassVar[str]
    kind: ClassVar[str]

    def __init__(self, *, limit: float = 1.5, level: float = 0.95, severity: str = "flag") -> None:
        self.limit, self.level, self.severity = limit, level, severity

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"limit": self.limit, "level": self.level, "multiplicity": "holm over groups"}

    def findings(self, evidence: Evidence) -> list[Finding]:
        """Per operating point: who is beyond, who cannot be told, or that all are within."""
        question = Question(
            self.code,
            self.kind,
            self.limit,
            self.level,
            self.severity,
            self.parameters(),
            "the mean of the other groups",
        )
        return question.ask(evidence, lambda a, t: ratios_to_others(evidence, a, t, self.kind))
