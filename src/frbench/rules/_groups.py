"""What the rules about differences between groups share: one question per operating point."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from frbench.formatting import decimal, integer, one_in, percent
from frbench.rules import Evidence
from frbench.rules._limits import FEW_PERSONS, Answer, Measured, against, rounded_up
from frbench.values import ALL, UNLABELLED, Finding, Threshold

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
        rare: where no group's rate is above ``least``, a group whose whole interval lies below
            this errs too rarely to be compared; for the FMR the target is taken if there is one.
        least: rates up to this are too small to matter.
        others: whether the group is compared with other groups, so that it takes two.
    """

    code: str
    kind: str
    limit: float
    level: float
    severity: str
    parameters: Mapping[str, Any]
    versus: str
    rare: float = 0.05
    least: float = 0.0
    others: bool = True

    def ask(
        self,
        evidence: Evidence,
        family_at: Callable[[str, Threshold], Sequence[Measured] | None],
    ) -> list[Finding]:
        """A finding per group beyond the limit, one for the undecided, one if all are within.

        The undecided are those whose interval straddles the limit, and those of whom there is no
        ratio at all. Nothing is asked where ``family_at`` gives None or the rate is not measured.
        """
        found: list[Finding] = []
        for arm, threshold in evidence.points():
            family = family_at(arm, threshold)
            rates = own_rates(evidence.rates_at(arm, threshold, self.kind))
            if family is None or rates.empty:
                continue
            answers = against(self.limit, family, level=self.level) if family else []
            by_group = {each.group: each for each in family}
            context = Context(self, arm, threshold, rates, by_group)
            worst_first = sorted(answers, key=lambda one: -by_group[one.group].value)
            found += [context.beyond(one) for one in worst_first if one.beyond is True]
            open_ones = [one for one in worst_first if one.beyond is None]
            silent = [name for name in evidence.present() if name not in by_group]
            if not family and context.all_rare(silent):
                found.append(context.too_rare(silent))
            elif open_ones or silent or not family:
                found.append(context.undecided(open_ones, silent))
            elif all(one.beyond is False for one in answers):
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

    def undecided(self, answers: Sequence[Answer], silent: Sequence[str] = ()) -> Finding:
        """Intervals straddle the limit, or there is no ratio; how many persons would settle it."""
        parts = [self._open(answer) for answer in answers] + [self._none(name) for name in silent]
        statement = (
            f"{self._start()} it cannot be told whether the {NOUNS[self.question.kind]} exceeds "
            f"{self.question.limit:g} times {self.question.versus} for "
            f"{'; '.join(parts) or self._nobody()}."
        )
        groups = [*(one.group for one in answers), *silent]
        return self._finding("undecided", statement, groups, None)

    def all_rare(self, silent: Sequence[str]) -> bool:
        """Whether no rate matters, and every group's whole interval lies below ``rare``."""
        known = [self._row(name) for name in silent if name in self.rates.index]
        enough = len(known) >= (2 if self.question.others else 1) and len(known) == len(silent)
        return enough and all(
            row["comparisons"] > 0
            and row["rate"] <= self.question.least
            and row["high"] <= self.rare()
            for row in known
        )

    def too_rare(self, silent: Sequence[str]) -> Finding:
        """There is nothing to compare, and that rests on enough persons to say so."""
        widest = max(silent, key=lambda name: float(self._row(name)["high"]))
        high = float(self._row(widest)["high"])
        statement = (
            f"{self._start()} no group's {NOUNS[self.question.kind]} {self._above()}, too little "
            f"to be compared; the interval that reaches furthest is that of “{widest}”, up to "
            f"{rate_shown(self.question.kind, high)}."
        )
        return self._finding("note", statement, list(silent), None)

    def _row(self, group: str) -> Any:
        return self.rates.loc[group]

    def _above(self) -> str:
        return f"is above {percent(self.question.least) if self.question.least else '0'}"

    def rare(self) -> float:
        """The target for an FMR that has one, else the question's own."""
        target = self.threshold.target_fmr if self.question.kind == "FMR" else None
        return self.question.rare if target is None else target

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
        words += f"; {answer.needed()} persons per group would tell, it has {integer(each.persons)}"
        return words + ")"

    def _none(self, group: str) -> str:
        """A group without a ratio: why, and what it would take."""
        if group not in self.rates.index or self._row(group)["comparisons"] == 0:
            return f"“{group}” (nothing to compare; {FEW_PERSONS} persons would be the least)"
        row = self._row(group)
        if self.question.others and self._compared() < 2:
            return f"“{group}” (there is no other group; {FEW_PERSONS} persons of one would tell)"
        return (
            f"“{group}” (no group's rate {self._above()}, and its own interval reaches "
            f"{rate_shown(self.question.kind, float(row['high']))}; about "
            f"{integer(persons_for(row, self.rare()))} persons per group would tell, "
            f"it has {integer(row['subjects'])})"
        )

    def _compared(self) -> int:
        """Groups with a name and a comparison."""
        named = self.rates[~self.rates.index.isin([ALL, UNLABELLED])]
        return int((named["comparisons"] > 0).sum())

    def _nobody(self) -> str:
        return f"anybody, since no image has a group; {FEW_PERSONS} persons each of two would tell"

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


def persons_for(row: Any, rate: float) -> int:
    """Persons with whom a group's interval would reach no further than ``rate``.

    Without errors the upper end falls at least as fast as persons are added (the rule of three on
    persons); with some, with their square root.
    """
    times_less = max(float(row["high"]) / rate, 1.0) ** (2 if row["errors"] else 1)
    return rounded_up(max(float(row["subjects"]) * times_less, FEW_PERSONS))


def rate_shown(kind: str, rate: float) -> str:
    """A false-match rate as one in so many, others as a percentage."""
    return (one_in(rate) or "none") if kind == "FMR" else percent(rate)


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
    shown = rate_shown(kind, rate)
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
        rare: where nobody errs, a rate below which groups are too good to be compared; the FMR
            takes the target of the threshold where there is one.
    """

    code: ClassVar[str]
    kind: ClassVar[str]

    def __init__(
        self,
        *,
        limit: float = 1.5,
        level: float = 0.95,
        severity: str = "flag",
        rare: float = 0.05,
    ) -> None:
        self.limit, self.level, self.severity, self.rare = limit, level, severity, rare

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {
            "limit": self.limit,
            "level": self.level,
            "rare": self.rare,
            "multiplicity": "holm over groups",
        }

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
            self.rare,
        )
        return question.ask(evidence, lambda a, t: ratios_to_others(evidence, a, t, self.kind))
