"""Shares written down in the configuration: a census table, or a force area's own figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from frbench.auditing.composition import Expected, is_unlabelled
from frbench.errors import InputError


class StatedShares:
    """Shares per label and category, with the spellings that each category goes by."""

    def __init__(
        self,
        *,
        name: str,
        source: str,
        shares: Mapping[str, Mapping[str, float]],
        spellings: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
        labels: Mapping[str, str] | None = None,
        persons: float | None = None,
    ) -> None:
        """Check the shares.

        Args:
            name: of the population.
            source: where the figures come from, printed beside every comparison.
            shares: label -> category -> share or count; counts are divided by their sum.
            spellings: label -> category -> what the manifest may call it.
            labels: name of a column of the manifest -> the label of ``shares`` it holds.
            persons: persons behind the shares where they come from a sample.
        """
        self.name, self._source = name, source
        self._shares = {label: _scaled(label, given) for label, given in shares.items()}
        self._spellings = spellings or {}
        self._labels = dict(labels or {})
        self._persons = float(persons) if persons else math.inf

    def expected(self, label: str, groups: Sequence[str]) -> Expected | None:
        """The shares under the manifest's names. Raises InputError for a value in no category."""
        known = self._labels.get(label, label)
        if known not in self._shares:
            return None
        shares = self._shares[known]
        names = {_bare(category): category for category in shares}
        for category, also in self._spellings.get(known, {}).items():
            names |= {_bare(each): category for each in also}
        named = [group for group in groups if not is_unlabelled(group)]
        strange = [group for group in named if _bare(group) not in names]
        if strange:
            raise InputError(
                f"reference {self.name}: label {label} has the values "
                f"{', '.join(map(repr, strange[:8]))}, which are no category of "
                f"{known} ({', '.join(shares)}); list them under reference.spellings.{known} or "
                "mend the labels."
            )
        categories = {group: names[_bare(group)] for group in named}
        return Expected(label, shares, categories, self._persons, f"{self.name}: {self._source}")


def _bare(text: str) -> str:
    return " ".join(text.lower().replace("_", " ").replace("-", " ").split())


def _scaled(label: str, given: Mapping[str, float]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    # "white" and "White" of one table are one category, under the first of the two names
    names: dict[str, str] = {}
    for category, value in given.items():
        name = names.setdefault(_bare(str(category)), str(category))
        numbers[name] = numbers.get(name, 0.0) + float(value)
    wrong = [category for category, value in numbers.items() if not value > 0]
    if wrong or not numbers:
        raise InputError(f"shares.{label}: {', '.join(wrong) or 'nothing'} has no share above zero")
    total = sum(numbers.values())
    return {category: value / total for category, value in numbers.items()}
