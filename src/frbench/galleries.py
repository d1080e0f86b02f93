"""Who is on the list: galleries of a given size and composition, drawn from a labelled set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from frbench.counting.images import group_column
from frbench.errors import InputError
from frbench.values import Bools, Int16s, Int32s, Int64s


@dataclass(frozen=True)
class Gallery:
    """The reference images of a 1:N search, and who everybody else in the set is.

    Attributes:
        groups: names of the groups, length G; an absent group keeps its place.
        subject: int32 [N], code of the person on each image of the FaceTable.
        group: int16 [N], position in ``groups`` of each image's group.
        references: int64 [M], row numbers of the enrolled images, ascending.
    """

    groups: tuple[str, ...]
    subject: Int32s
    group: Int16s
    references: Int64s

    @classmethod
    def of(cls, faces: pd.DataFrame, references: npt.ArrayLike) -> Gallery:
        """The gallery of the given images (row numbers, or a bool per row).

        Raises:
            InputError: no image, an image twice, or a row that the table does not have; or the
                faces have no groups yet.
        """
        rows = row_numbers(references, len(faces), "the gallery")
        if len(rows) == 0:
            raise InputError("the gallery holds no image; enrol at least one")
        rows = np.sort(rows)
        twice = rows[:-1][np.diff(rows) == 0]
        if len(twice):
            name = faces["image_id"].iloc[int(twice[0])]
            raise InputError(f"the gallery lists image {name} twice; list each image once")
        return cls(*codes_of(faces), rows)

    @cached_property
    def listed(self) -> Bools:
        """bool [S]: whether the person has a reference image, be it one that failed."""
        found = np.zeros(int(self.subject.max(initial=-1)) + 1, dtype=bool)
        found[self.subject[self.references]] = True
        return found

    @property
    def size(self) -> int:
        """How many persons are enrolled, those whose every image failed included."""
        return int(self.listed.sum())

    @property
    def composition(self) -> dict[str, int]:
        """Persons per group, a person counting where the first reference image counts."""
        _, first = np.unique(self.subject[self.references], return_index=True)
        counts = np.bincount(self.group[self.references[first]], minlength=len(self.groups))
        return {name: int(n) for name, n in zip(self.groups, counts, strict=True)}

    @property
    def probes(self) -> Int64s:
        """int64: every image that is no reference image."""
        free = np.ones(len(self.subject), dtype=bool)
        free[self.references] = False
        return np.flatnonzero(free)

    def mated(self, probes: Int64s) -> Bools:
        """bool: whether each probe shows a person on the list."""
        return self.listed[self.subject[probes]]


def draw_gallery(
    faces: pd.DataFrame,
    *,
    size: int | None = None,
    per_group: Mapping[str, int] | None = None,
    images_per_person: int = 1,
    rng: np.random.Generator,
) -> Gallery:
    """A random gallery of ``size`` persons, or of so many persons per group.

    A person belongs to the group of most of their images (ties: the earlier level), and is
    enrolled with images of that group, drawn at random, whether or not they gave a template.

    Args:
        faces: FaceTable with ``group``.
        size: persons in all, each person of the set having the same chance.
        per_group: group -> persons; groups not named supply nobody. Not together with ``size``.
        images_per_person: reference images per person.

    Raises:
        InputError: a group that the set does not have, or more persons than it can supply; the
            message lists each such group with the number asked for and the number available.
    """
    groups, subject, group = codes_of(faces)
    if (size is None) == (per_group is None):
        raise InputError("a gallery needs either size or per_group, and not both")
    if images_per_person < 1:
        raise InputError(f"images_per_person={images_per_person} must be at least 1")
    images = np.zeros((int(subject.max(initial=-1)) + 1, len(groups)), dtype=np.int64)
    np.add.at(images, (subject, group), 1)
    home = images.argmax(axis=1)
    able = images.max(axis=1) >= images_per_person
    if per_group is None:
        asked = {"the set": int(size or 0)}
        supply = {"the set": np.flatnonzero(able)}
    else:
        asked = {str(name): int(n) for name, n in per_group.items()}
        supply = {g: np.flatnonzero(able & (home == k)) for k, g in enumerate(groups)}
    _require_supply(asked, {name: len(v) for name, v in supply.items()}, images_per_person)
    drawn = [
        rng.choice(supply[name], size=asked[name], replace=False)
        for name in supply
        if name in asked
    ]
    chosen = np.zeros(len(images), dtype=bool)
    chosen[np.concatenate(drawn)] = True
    usable = np.flatnonzero(chosen[subject] & (group == home[subject]))
    order = usable[np.lexsort((rng.random(len(usable)), subject[usable]))]
    starts = np.flatnonzero(np.r_[True, np.diff(subject[order]) > 0])
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    return Gallery(groups, subject, group, np.sort(order[place < images_per_person]))


def codes_of(faces: pd.DataFrame) -> tuple[tuple[str, ...], Int32s, Int16s]:
    """Group names, int32 [N] code of each image's person, int16 [N] position of its group.

    Raises:
        InputError: the faces have no groups, or an image has no person.
    """
    column = group_column(faces)
    subject, _ = pd.factorize(faces["subject_id"], sort=True)
    if (subject < 0).any():
        row = int(np.flatnonzero(subject < 0)[0])
        raise InputError(f"row {row} of the faces has no subject_id; say who is on the image")
    groups = tuple(str(name) for name in column.cat.categories)
    return groups, subject.astype(np.int32), np.asarray(column.cat.codes, dtype=np.int16)


def row_numbers(rows: npt.ArrayLike, count: int, what: str) -> Int64s:
    """int64: the rows, given by number or by a bool per row. Raises InputError outside 0..count."""
    given = np.asarray(rows)
    if given.dtype == bool:
        if given.shape != (count,):
            raise InputError(f"{what}: {len(given)} marks for {count} images; give one per image")
        return np.flatnonzero(given)
    found = given.astype(np.int64).reshape(-1)
    outside = found[(found < 0) | (found >= count)]
    if len(outside):
        raise InputError(f"{what}: row {outside[0]} is not among the {count} images of the set")
    return found


def _require_supply(asked: Mapping[str, int], available: Mapping[str, int], images: int) -> None:
    unknown = [name for name in asked if name not in available]
    if unknown:
        raise InputError(
            f"the gallery asks for {', '.join(unknown)}, but the set has no such group; "
            f"it has: {', '.join(available)}"
        )
    negative = [f"{name}: {n}" for name, n in asked.items() if n < 0]
    if negative or sum(asked.values()) < 1:
        raise InputError(
            "a gallery needs at least one person and no negative numbers; it asks for "
            + (", ".join(negative) or "nobody")
        )
    short = [
        f"{name}: {n} asked for, {available[name]} available"
        for name, n in asked.items()
        if n > available[name]
    ]
    if short:
        raise InputError.listing(
            f"the set cannot supply this gallery (persons with at least {images} "
            f"image{'s' if images > 1 else ''}); make it smaller:",
            short,
        )
