"""From the FaceTable to codes: who is on each image, in which group, in which stratum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from frbench.errors import InputError
from frbench.values import UNLABELLED, Bools, EmbeddingSet, Int16s, Int32s

EVERY_LABEL = "*"
"""In the place of a label column: all of them."""


@dataclass(frozen=True)
class Images:
    """Who is on which image, as codes.

    Attributes:
        subject: int32 [N].
        group: int16 [N].
        stratum: int16 [N]; only images of one stratum make non-mated comparisons.
        enrolled: bool [N].
        references_from: images from this row on are references and the ones before it probes;
            None when each unordered pair of images is compared once.
    """

    subject: Int32s
    group: Int16s
    stratum: Int16s
    enrolled: Bools
    references_from: int | None = None


def code_images(
    embedded: EmbeddingSet,
    faces: pd.DataFrame,
    same: Sequence[str],
    references_from: int | None = None,
) -> Images:
    """Codes of all images.

    Raises:
        InputError: templates and faces do not belong together, a template is not finite, or a
            column is missing.
    """
    _check_templates(embedded, faces)
    return Images(
        subject=_subjects(faces),
        group=np.asarray(group_column(faces).cat.codes, np.int16),
        stratum=_strata(faces, same),
        enrolled=embedded.enrolled.astype(np.bool_),
        references_from=references_from,
    )


def group_column(faces: pd.DataFrame) -> pd.Series:
    """The group of each image, a category without missing values.

    Raises:
        InputError: the column is missing, not a category, or has gaps.
    """
    if "group" not in faces or not isinstance(faces["group"].dtype, pd.CategoricalDtype):
        raise InputError(
            "the faces have no column 'group' of fixed levels; assign groups before comparing"
        )
    group = faces["group"]
    if group.isna().any():
        row = int(np.flatnonzero(group.isna())[0])
        raise InputError(
            f"row {row} of the faces has no group; name the group {UNLABELLED!r} where a label "
            "is missing"
        )
    return group


def _check_templates(embedded: EmbeddingSet, faces: pd.DataFrame) -> None:
    if len(embedded.image_id) != len(faces) or embedded.vectors.shape[0] != len(faces):
        raise InputError(
            f"there are {embedded.vectors.shape[0]} templates for {len(faces)} faces; "
            "embed the same faces that are compared"
        )
    if "image_id" in faces:
        wrong = faces["image_id"].to_numpy(str) != embedded.image_id.astype(str)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InputError(
                f"row {row} of the faces is image {faces['image_id'].iloc[row]!r} but its "
                f"template belongs to {str(embedded.image_id[row])!r}; keep both in one order"
            )
    finite = np.isfinite(embedded.vectors).all(axis=1) | ~embedded.enrolled
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise InputError(
            f"the template of image {str(embedded.image_id[row])!r} (row {row}) holds a value "
            "that is not finite; mark the image as not enrolled or mend the matcher"
        )


def _subjects(faces: pd.DataFrame) -> Int32s:
    if "subject_id" not in faces:
        raise InputError("the faces have no column 'subject_id'; say who is on each image")
    codes, _ = pd.factorize(faces["subject_id"], sort=True)
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        raise InputError(f"row {row} of the faces has no subject_id; say who is on the image")
    return codes.astype(np.int32)


def _strata(faces: pd.DataFrame, same: Sequence[str]) -> Int16s:
    if not same:
        return np.zeros(len(faces), np.int16)
    labels = [str(name) for name in faces.columns if str(name).startswith("label_")]
    columns = labels
    if EVERY_LABEL not in same:
        columns = [f"label_{name.removeprefix('label_')}" for name in same]
    for column in columns:
        if column not in faces:
            raise InputError(
                f"comparison.same names {column.removeprefix('label_')!r} but the faces have no "
                f"such label; they have: {', '.join(labels) or 'none'}"
            )
    codes = np.zeros(len(faces), np.int64)
    for column in columns:
        values = faces[column].astype(object).where(faces[column].notna(), UNLABELLED)
        part, names = pd.factorize(values.astype(str), sort=True)
        codes = np.unique(codes * len(names) + part, return_inverse=True)[1]
    if codes.max(initial=0) > np.iinfo(np.int16).max:
        raise InputError(
            f"comparison.same splits the images into {int(codes.max()) + 1} strata, more than "
            "32767; name labels with fewer values"
        )
    return codes.astype(np.int16)
