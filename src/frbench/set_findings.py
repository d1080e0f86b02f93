"""What is wrong with a labelled set, or limits what it can show, as findings before any run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from frbench.errors import InputError
from frbench.formatting import integer, one_in, percent
from frbench.groups import MOST_CONTRADICTED, GroupSpec, label_names
from frbench.image_hashes import ImageHash
from frbench.near_duplicates import alike, near_pairs
from frbench.values import UNLABELLED, FaceSet, Finding, Int64s

FEW_PERSONS = 20
"""Persons below which a group's rates are called uncertain everywhere in frbench."""


@dataclass(frozen=True)
class CheckSpec:
    """What is looked for (config node ``check``).

    Attributes:
        images: decode every image and look for duplicates.
        distance: bits of 64 in which the perceptual hashes of two pictures may differ, and four
            times as many of 256, for them to be reported as alike; 0 to 15; None looks for none.
        unlabelled: share of images, a fraction, above which missing labels are a ``watch``.
    """

    images: bool = True
    distance: int | None = 4
    unlabelled: float = 0.05

    def __post_init__(self) -> None:
        if self.distance is not None and not 0 <= self.distance < 16:
            raise InputError(f"distance={self.distance} is out of range; take 0 to 15 or null")
        if not 0 <= self.unlabelled <= 1:
            raise InputError(f"unlabelled={self.unlabelled} must lie between 0 and 1")


@dataclass(frozen=True)
class Files:
    """The image files behind a set, one row each.

    Attributes:
        table: columns ``path, image_id, subject_id``.
        hashes: what each file is.
    """

    table: pd.DataFrame
    hashes: Sequence[ImageHash]


@dataclass
class Report:
    """Findings, and under each code the cases, which may name people: for the screen and for the
    user's own file, never for a record that is passed on."""

    findings: list[Finding] = field(default_factory=list)
    cases: dict[str, list[str]] = field(default_factory=dict)

    def add(
        self, code: str, level: str, statement: str, cases: Sequence[str] = (), **keys: Any
    ) -> None:
        """One more answer."""
        self.findings.append(Finding(code, level, statement, keys))
        if cases:
            self.cases[code] = list(cases)


def files_of(faces: FaceSet) -> pd.DataFrame:
    """A row per image file: the set's rows, or the images behind its templates."""
    table = faces.faces[["image_id", "subject_id", "path"]]
    if faces.members is None:
        return table.reset_index(drop=True)
    person = table.set_index("image_id")["subject_id"]
    members = faces.members.rename(columns={"template_id": "image_id"})
    members = members.assign(subject_id=members["image_id"].map(person))
    return members[["image_id", "subject_id", "path"]].reset_index(drop=True)


def about_files(files: Files, distance: int | None, report: Report) -> None:
    """Unusable files, byte-identical files and pictures that look alike."""
    _unusable(files, report)
    _identical(files, report)
    if distance is not None:
        _alike(files, distance, report)


def about_labels(
    faces: FaceSet, spec: GroupSpec, by: Sequence[str], limit: float, report: Report
) -> None:
    """Contradictions within persons and missing labels.

    Args:
        faces: the set before groups were assigned.
        spec: how it is grouped.
        by: the labels that make the groups.
        limit: share of unlabelled images above which the finding is a ``watch``.
    """
    table = faces.faces
    persons = table["subject_id"].nunique()
    for label in label_names(table):
        if label in spec.varies or label in spec.bands:
            continue
        values = table.groupby("subject_id")[f"label_{label}"].nunique()
        torn = [str(person) for person in values[values > 1].index]
        if not torn or (label not in by and len(torn) / persons > MOST_CONTRADICTED):
            continue
        level = "flag" if label in by and spec.on_conflict == "error" else "watch"
        remedy = "mend them, or choose with groups.on_conflict what becomes of these persons"
        report.add(
            f"contradicting_label.{label}",
            level,
            f"{integer(len(torn))} of {integer(persons)} persons carry two values of {label}; "
            f"{remedy if label in by else 'the label does not make the groups'}.",
            torn,
            label=label,
        )
    for label in by:
        missing = int(table[f"label_{label}"].isna().sum())
        if missing:
            share = missing / len(table)
            report.add(
                f"missing_label.{label}",
                "watch" if share > limit else "note",
                f"{integer(missing)} of {integer(len(table))} images ({percent(share)}) have no "
                f"{label}; a difference can hide among them.",
                label=label,
            )


def about_groups(
    faces: FaceSet, groups: pd.DataFrame, cells: tuple[Int64s, Int64s], report: Report
) -> None:
    """Groups without comparisons, groups of few persons, persons with one image."""
    named = groups[(groups["group"] != UNLABELLED) & (groups["images"] > 0)]
    gone = [str(name) for name in groups.loc[groups["images"] == 0, "group"]]
    if gone:
        report.add("absent_group", "note", f"Nobody is in {_listed(gone)}.", groups=gone)
    for word, column in (("mated", "mated"), ("non-mated", "non_mated")):
        none = [str(name) for name in named.loc[named[column] == 0, "group"]]
        if none:
            rate = "FNMR" if column == "mated" else "FMR"
            report.add(
                f"no_{column}",
                "watch",
                f"There is no {word} comparison within {_listed(none)}, so the {rate} of "
                f"{'this group' if len(none) == 1 else 'these groups'} cannot be measured.",
                groups=none,
            )
    absent = [
        f"{groups['group'].iloc[a]} and {groups['group'].iloc[b]}"
        for a, b in combinations(range(len(groups)), 2)
        if cells[1][a, b] == 0 and groups["images"].iloc[a] and groups["images"].iloc[b]
    ]
    if absent:
        report.add(
            "no_cross_group",
            "watch",
            f"{integer(len(absent))} pairs of groups are never compared with each other, such as "
            f"{absent[0]}: the FMR across groups cannot be measured there.",
            absent,
        )
    few = named[(named["persons"] < FEW_PERSONS)]
    if len(few):
        best = few.sort_values("persons").iloc[-1]
        report.add(
            "few_persons",
            "watch",
            f"{_listed([str(name) for name in few['group']])} "
            f"{'has' if len(few) == 1 else 'have'} fewer than {FEW_PERSONS} persons. Without one "
            f"false match, {_least(best)}.",
            groups=[str(name) for name in few["group"]],
        )
    # not the sum over groups: a person whose label is missing on one image stands in two of them
    images = faces.faces["subject_id"].value_counts()
    alone, persons = int((images == 1).sum()), len(images)
    if alone:
        report.add(
            "one_image",
            "note",
            f"{integer(alone)} of {integer(persons)} persons ({percent(alone / persons)}) have one "
            "image and no mated comparison; they count for false matches only.",
        )


def _least(row: pd.Series[Any]) -> str:
    """What the largest of the small groups could show."""
    who = f"the {integer(row['persons'])} of “{row['group']}”"
    limit = float(row["smallest_fmr"])
    if not limit < 1:
        return f"even {who} would show nothing of the FMR"
    return f"{who} could show no FMR below {percent(limit)} ({one_in(limit)})"


def _unusable(files: Files, report: Report) -> None:
    bad = [
        f"{path}: {item.fault}"
        for path, item in zip(files.table["path"], files.hashes, strict=True)
        if item.fault
    ]
    if bad:
        report.add(
            "unusable_image",
            "flag",
            f"{integer(len(bad))} of {integer(len(files.table))} images are missing or cannot be "
            "read; mend or remove them, or count them with embedding.unreadable=fail_to_enrol.",
            bad,
        )


def _identical(files: Files, report: Report) -> None:
    digests = pd.Series([item.digest for item in files.hashes], dtype="str")
    rows = files.table.assign(digest=digests)
    rows = rows[(rows["digest"] != "") & rows.duplicated("digest", keep=False).to_numpy()]
    one: list[str] = []
    two: list[str] = []
    for _, same in rows.groupby("digest", sort=False):
        if same["path"].nunique() < 2 and same["subject_id"].nunique() < 2:
            continue
        words = "; ".join(
            f"{path} of {person}"
            for path, person in zip(same["path"], same["subject_id"], strict=True)
        )
        (two if same["subject_id"].nunique() > 1 else one).append(words)
    if two:
        report.add(
            "same_file_two_persons",
            "flag",
            f"{integer(len(two))} {'file stands' if len(two) == 1 else 'files stand'}, byte for "
            "byte, under two persons: each makes a false match that no matcher can avoid; mend "
            "the labels or remove a copy.",
            two,
        )
    if one:
        report.add(
            "same_file_one_person",
            "watch",
            f"{integer(len(one))} {'file stands' if len(one) == 1 else 'files stand'} more than "
            "once, byte for byte, under one person: copies always match, so the FNMR looks better "
            "than it is; remove them.",
            one,
        )


def _alike(files: Files, distance: int, report: Report) -> None:
    """Different files whose pictures look alike, once per content."""
    rows = files.table.assign(
        digest=[item.digest for item in files.hashes],
        row=range(len(files.table)),
    )
    decoded = [item.coarse is not None for item in files.hashes]
    rows = rows[decoded].drop_duplicates("digest").reset_index(drop=True)
    hashes = [files.hashes[row] for row in rows["row"]]
    pairs, more = near_pairs(np.array([h.coarse for h in hashes], dtype=np.uint64), distance)
    pairs = alike([h.fine or 0 for h in hashes], pairs, distance)
    person = rows["subject_id"].to_numpy(dtype=object)
    across = person[pairs[:, 0]] != person[pairs[:, 1]]
    least = "at least " if more else ""
    for chosen, code, level, words in (
        (
            across,
            "alike_two_persons",
            "watch",
            "under two persons: look at them, since one person "
            "under two names makes false matches that are none",
        ),
        (
            ~across,
            "alike_one_person",
            "note",
            "of one person: nearly the same picture matches "
            "easily, and the FNMR looks better than it is",
        ),
    ):
        count = int(chosen.sum())
        if count:
            told = list(_told(rows, pairs[chosen][:1000]))
            report.add(
                code,
                level,
                f"{least}{integer(count)} pairs of files look alike (perceptual hashes within "
                f"{distance} of 64 and {4 * distance} of 256 bits) {words}.",
                told,
                distance=distance,
            )


def _told(rows: pd.DataFrame, pairs: Int64s) -> Iterator[str]:
    for a, b in pairs:
        yield "; ".join(
            f"{rows['path'].iloc[row]} of {rows['subject_id'].iloc[row]}" for row in (a, b)
        )


def _listed(names: Sequence[str], shown: int = 5) -> str:
    """Up to five names in quotes; the rest is counted."""
    words = [f"“{name}”" for name in names[:shown]]
    if len(names) > shown:
        words.append(f"{len(names) - shown} more groups")
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
