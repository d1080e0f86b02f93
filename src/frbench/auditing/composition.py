"""Who is in a training set: persons and images per group beside a population's shares.

Images of one person are not independent, so every interval is over persons. For a ratio
r = Σ a_p / Σ b_p over persons p the variance is Σ (a_p − r b_p)² / (Σ b_p)² (Cochran, Sampling
Techniques, §6.3, without a finite-population term: the set stands for the process that fills it),
turned into Wilson's interval with the effective number of units and Student's quantile.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from scipy import stats

from frbench.auditing.manifest import WITHOUT_CHARGE, TrainingSet
from frbench.errors import InputError
from frbench.groups import SEPARATOR
from frbench.intervals.wilson import score_interval
from frbench.values import ALL, UNLABELLED, Bools, Float64s, Int64s

FEW_SUBJECTS = 20

COMPOSITION_COLUMNS = (
    *("label", "group", "images", "subjects", "images_per_subject"),
    *("share_images", "share_images_low", "share_images_high"),
    *("share_subjects", "share_subjects_low", "share_subjects_high", "expected_share"),
    *("representation", "representation_low", "representation_high", "representation_images"),
    *("released_images", "released_share", "released_low", "released_high"),
    *("overdue_images", "undated_images", "retention_days_median", "retention_days_90"),
    *("level", "status"),
)
"""CompositionTable, a row per label and group, and per label the row ``all``.

images, subjects: int64. share_*: float64 fractions with person-level intervals.
expected_share: of the reference population, NaN where it says nothing of this group.
representation: share of the persons whose label is known over the expected share;
representation_images: the same of images.
released_images: images of people released without charge (or with no further action) that are
in the set; released_share: over the group's images. overdue_images: kept beyond their own date.
undated_images: no capture date. retention_days_*: age of the images at the day of the audit.
status: ok; few_subjects (fewer than 20 persons); empty; no_reference.
"""


@dataclass(frozen=True)
class Grouped:
    """The rows of a training set sorted into the groups of one label or combination.

    Attributes:
        label: name, parts joined by ``/``.
        groups: names, ``unlabelled`` ones included.
        code: int64 [N], position in ``groups`` of each row.
        contradicted: persons whose rows carry two values and who took the commoner.
    """

    label: str
    groups: tuple[str, ...]
    code: Int64s
    contradicted: int = 0


@dataclass(frozen=True)
class Shares:
    """A ratio per group with its interval, float64 [G] each."""

    value: Float64s
    low: Float64s
    high: Float64s


@dataclass(frozen=True)
class Expected:
    """Shares of a population for one label.

    Attributes:
        label: which.
        shares: category -> share, a fraction; they sum to 1.
        category: group of the manifest -> category of the population; several groups may share
            one, as IC1 and IC2 are both White.
        size: persons behind the shares; infinite for a census.
        source: where they come from, for the record and the page.
    """

    label: str
    shares: Mapping[str, float]
    category: Mapping[str, str]
    size: float
    source: str


def crossed_labels(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series[str]:
    """The values of several columns joined as the groups of a combination are named."""
    joined = table[columns[0]]
    for column in columns[1:]:
        joined = joined + SEPARATOR + table[column]
    return joined


def label_parts(label: str) -> list[str]:
    """The single labels of a combination: ``ethnicity/sex`` has two."""
    return label.split(SEPARATOR)


def is_unlabelled(group: str) -> bool:
    """Whether a group, or any part of a combination, has no name.

    >>> is_unlabelled("White/unlabelled"), is_unlabelled("White/female")
    (True, False)
    """
    return UNLABELLED in group.split(SEPARATOR)


def group_rows(
    training: TrainingSet,
    by: Sequence[str],
    *,
    varies: Sequence[str] = (),
    categories: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Grouped]:
    """One grouping per label, and with several labels their combination last.

    Args:
        training: the set.
        by: labels.
        varies: labels that may differ between images of one person.
        categories: label -> value -> the population's category; a person with images of two
            spellings of one category does not contradict themselves.

    Raises:
        InputError: a label that the manifest does not have, or none at all.
    """
    if not by:
        raise InputError("by names no label; name some, as by=[ethnicity], or leave it out.")
    for setting, names in (("by", by), ("varies", varies)):
        absent = [label for label in names if label not in training.labels]
        if absent:
            raise InputError(
                f"{setting} names {', '.join(absent)}, but {training.name} has no such column; it "
                f"has: {', '.join(training.labels) or 'no labels at all'}."
            )
    told = categories or {}
    single = [
        _one_label(training, label, settle=label not in varies, names=told.get(label, {}))
        for label in dict.fromkeys(by)
    ]
    return [*single, _crossed(single)] if len(single) > 1 else single


def _one_label(
    training: TrainingSet, label: str, *, settle: bool, names: Mapping[str, str]
) -> Grouped:
    values = training.table[label].cat
    written = [names.get(str(each), str(each)) for each in values.categories]
    if ALL in written:
        raise InputError(
            f"label {label} has the value {ALL!r}, which names the pooled row of every table; "
            "call it something else."
        )
    levels = sorted({*written} - {UNLABELLED})
    at = {UNLABELLED: -1, **{level: number for number, level in enumerate(levels)}}
    # one place more than categories: the code -1 of a missing label falls on it
    place = np.array([*(at[each] for each in written), -1], np.int64)
    code = place[values.codes.to_numpy()]
    contradicted = 0
    if settle:
        code, contradicted = _settled(code, training.person.astype(np.int64), len(levels))
    if (code < 0).any():
        levels.append(UNLABELLED)
        code = np.where(code < 0, len(levels) - 1, code)
    return Grouped(label, tuple(levels), code, contradicted)


def _settled(code: Int64s, person: Int64s, levels: int) -> tuple[Int64s, int]:
    """Every row with its person's commonest value; ties are unlabelled (-1)."""
    known = code >= 0
    keys, images = np.unique(person[known] * max(levels, 1) + code[known], return_counts=True)
    owner, value = np.divmod(keys, max(levels, 1))
    order = np.lexsort((-images, owner))
    owner, value, images = owner[order], value[order], images[order]
    first = np.r_[True, owner[1:] != owner[:-1]] if len(owner) else np.zeros(0, np.bool_)
    second = np.r_[False, first[:-1]] & ~first if len(owner) else first
    chosen = np.full(int(person.max()) + 1, -1, np.int64)
    chosen[owner[first]] = value[first]
    at = np.flatnonzero(second)
    tied = at[images[at] == images[at - 1]]
    chosen[owner[tied]] = -1
    return chosen[person], int(second.sum())


def _crossed(parts: Sequence[Grouped]) -> Grouped:
    code = np.zeros(len(parts[0].code), np.int64)
    for part in parts:
        code = code * len(part.groups) + part.code
    names = [SEPARATOR.join(each) for each in itertools.product(*(p.groups for p in parts))]
    present = np.unique(code)
    return Grouped(
        SEPARATOR.join(part.label for part in parts),
        tuple(names[at] for at in present),
        np.searchsorted(present, code).astype(np.int64),
        max(part.contradicted for part in parts),
    )


def in_categories(grouped: Grouped, expected: Expected | None) -> Grouped:
    """The rows under the population's categories, absent ones included; unlabelled ones last.

    A group of a combination that lacks one of its labels keeps its name.
    """
    if expected is None:
        return grouped
    names = [*expected.shares, *filter(is_unlabelled, grouped.groups)]
    place = [names.index(expected.category.get(group, group)) for group in grouped.groups]
    code = np.array(place, np.int64)[grouped.code]
    return Grouped(grouped.label, tuple(names), code, grouped.contradicted)


def composition(
    training: TrainingSet,
    grouped: Grouped,
    expected: Expected | None,
    *,
    as_of: date,
    level: float = 0.95,
) -> pd.DataFrame:
    """The CompositionTable of one grouping; the row ``all`` comes first."""
    cells = _Cells(training, grouped)
    released = _released(training)
    share_images = cells.share_of_images(level)
    share_subjects = cells.share_of_subjects(level)
    # the whole set is all of itself, without any doubt
    for share in (share_images, share_subjects):
        share.low[0] = share.high[0] = 1.0
    of_released = cells.ratio(released, level)
    told = expected.shares if expected and expected.label == grouped.label else {}
    wanted = np.array([told.get(group, np.nan) for group in cells.names])
    wanted[0] = np.nan
    size = expected.size if expected else np.inf
    known = np.array([group != ALL and not is_unlabelled(group) for group in cells.names])
    among_labelled = cells.share_of_subjects(level, among=known)
    representation = _representation(among_labelled, wanted, size, level)
    ages = _ages(training, as_of)
    overdue = (training.table["retained_until"] < pd.Timestamp(as_of)).to_numpy(dtype=np.bool_)
    undated = training.table["captured"].isna().to_numpy()
    table = pd.DataFrame(
        {
            "label": grouped.label,
            "group": list(cells.names),
            "images": cells.images,
            "subjects": cells.subjects,
            "images_per_subject": cells.images / np.maximum(cells.subjects, 1),
            "share_images": share_images.value,
            "share_images_low": share_images.low,
            "share_images_high": share_images.high,
            "share_subjects": share_subjects.value,
            "share_subjects_low": share_subjects.low,
            "share_subjects_high": share_subjects.high,
            "expected_share": wanted,
            "representation": representation.value,
            "representation_low": representation.low,
            "representation_high": representation.high,
            "representation_images": cells.images / max(cells.images[known].sum(), 1) / wanted,
            "released_images": cells.counted(released),
            "released_share": of_released.value if training.disposed else np.nan,
            "released_low": of_released.low if training.disposed else np.nan,
            "released_high": of_released.high if training.disposed else np.nan,
            "overdue_images": cells.counted(overdue),
            "undated_images": cells.counted(undated),
            "retention_days_median": cells.quantile(ages, 0.5),
            "retention_days_90": cells.quantile(ages, 0.9),
            "level": level,
        }
    )
    few = np.where(cells.subjects < FEW_SUBJECTS, "few_subjects", "ok")
    unmatched = np.isnan(wanted) & bool(told) & (np.arange(len(wanted)) > 0)
    table["status"] = np.where(unmatched & (few == "ok"), "no_reference", few)
    return table[list(COMPOSITION_COLUMNS)]


class _Cells:
    """Images per person and group, as one sparse list; position 0 is everybody."""

    def __init__(self, training: TrainingSet, grouped: Grouped) -> None:
        self.code, self.person = grouped.code, training.person.astype(np.int64)
        self.names = (ALL, *grouped.groups)
        count = len(grouped.groups)
        keys, self.row_key, self.m = np.unique(
            self.person * count + self.code, return_inverse=True, return_counts=True
        )
        self.owner, self.cell = np.divmod(keys, count)
        self.per_person = np.bincount(self.person).astype(np.float64)
        self.images = self._with_all(np.bincount(self.code, minlength=count))
        self.subjects = self._with_all(np.bincount(self.cell, minlength=count))
        self.subjects[0] = len(self.per_person)
        self.count = count

    @staticmethod
    def _with_all(counts: Int64s) -> Int64s:
        return np.concatenate([[counts.sum()], counts]).astype(np.int64)

    def counted(self, chosen: Bools) -> Int64s:
        """int64 [1 + G]: chosen rows."""
        return self._with_all(np.bincount(self.code[chosen], minlength=self.count))

    def share_of_images(self, level: float) -> Shares:
        """Of all images, those of each group."""
        share = self.images / self.images[0]
        own = self.m - share[1:][self.cell] * self.per_person[self.owner]
        inside = np.bincount(self.cell, weights=own**2, minlength=self.count)
        there = np.bincount(
            self.cell, weights=self.per_person[self.owner] ** 2, minlength=self.count
        )
        outside = share[1:] ** 2 * ((self.per_person**2).sum() - there)
        variance = np.concatenate([[0.0], (inside + outside) / self.images[0] ** 2])
        return _wilson(share, variance, np.full(len(share), self.subjects[0]), level)

    def share_of_subjects(self, level: float, *, among: Bools | None = None) -> Shares:
        """Of all persons, or of those in some groups, the ones with an image in each group."""
        whole = self.subjects[0] if among is None else max(self.subjects[among].sum(), 1)
        share = np.minimum(self.subjects / whole, 1.0)
        variance = share * (1 - share) / whole
        return _wilson(share, variance, np.full(len(share), whole), level)

    def ratio(self, chosen: Bools, level: float) -> Shares:
        """Of each group's images, the chosen ones."""
        hits = np.bincount(self.row_key, weights=chosen, minlength=len(self.m))
        total = self.counted(chosen).astype(np.float64)
        images = np.maximum(self.images, 1)
        value = total / images
        off = hits - value[1:][self.cell] * self.m
        own = np.bincount(self.cell, weights=off**2, minlength=self.count)
        whole = np.bincount(self.person, weights=chosen) - value[0] * self.per_person
        variance = np.concatenate([[(whole**2).sum()], own]) / images**2.0
        return _wilson(value, variance, self.subjects, level)

    def quantile(self, values: Float64s, share: float) -> Float64s:
        """float64 [1 + G], of the known values; NaN where none is known."""
        known = np.isfinite(values)
        found = [values[known]]
        found += [values[known & (self.code == at)] for at in range(self.count)]
        return np.array([np.quantile(each, share) if len(each) else np.nan for each in found])


def _wilson(value: Float64s, variance: Float64s, persons: Int64s, level: float) -> Shares:
    """Wilson's interval with the effective number of units; persons where no variance is seen."""
    seen = (variance > 0) & (value > 0) & (value < 1)
    units = np.where(seen, value * (1 - value) / np.where(seen, variance, 1.0), persons)
    freedom = np.maximum(persons - 1, 1)
    z = stats.t.ppf((1 + level) / 2, freedom)
    bounds = score_interval(value, units.astype(np.float64), level=level, z=z)
    return Shares(value, bounds.low, bounds.high)


def _representation(share: Shares, expected: Float64s, size: float, level: float) -> Shares:
    """Share over expected share; a sampled reference widens the interval on the log scale."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value, low, high = (each / expected for each in (share.value, share.low, share.high))
        if np.isfinite(size):
            z = stats.norm.ppf((1 + level) / 2)
            reach = z**2 * (1 - expected) / (size * expected)
            centre = np.log(value)
            low = np.exp(centre - np.sqrt((centre - np.log(low)) ** 2 + reach))
            high = np.where(
                value > 0,
                np.exp(centre + np.sqrt((np.log(high) - centre) ** 2 + reach)),
                high * np.exp(np.sqrt(reach)),
            )
            low = np.where(value > 0, low, 0.0)
    return Shares(value, low, high)


def _ages(training: TrainingSet, as_of: date) -> Float64s:
    days = (pd.Timestamp(as_of) - training.table["captured"]).dt.total_seconds() / 86400
    found: Float64s = days.to_numpy(dtype=np.float64, na_value=np.nan)
    return found


def _released(training: TrainingSet) -> Bools:
    disposal = training.table["disposal"].cat
    without = np.array([*(str(each) in WITHOUT_CHARGE for each in disposal.categories), False])
    found: Bools = without[disposal.codes.to_numpy()]
    return found
