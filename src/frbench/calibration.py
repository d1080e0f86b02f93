"""Persons on whom thresholds are chosen, and persons on whom rates are measured: never the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from frbench.errors import InputError
from frbench.values import Bools, FaceSet


def split_persons(
    faces: FaceSet, share: float, rng: np.random.Generator
) -> tuple[FaceSet, FaceSet | None]:
    """(test set, calibration set) with every person in exactly one; (faces, None) at share 0.

    Stratified: of each group's persons ``share`` are drawn for calibration, rounded by chance so
    that small groups are not always rounded the same way. A person with images in several groups
    belongs to the commonest, the first of them in the order of the groups where tied.

    Args:
        faces: after ``assign_groups``.
        share: in [0, 1).

    Raises:
        InputError: a side would be left without two persons.
    """
    if share == 0:
        return faces, None
    chosen = _drawn(faces.faces, share, rng)
    for side, mask in (("calibration", chosen), ("test", ~chosen)):
        persons = faces.faces["subject_id"][mask].nunique()
        if persons < 2:
            raise InputError(
                f"operating_point.calibration.share={share:g} of {faces.name} leaves {persons} "
                f"persons for the {side} side; add persons or move the share towards 0.5"
            )
    return _part(faces, ~chosen, "test"), _part(faces, chosen, "calibration")


def _drawn(table: pd.DataFrame, share: float, rng: np.random.Generator) -> Bools:
    """bool [N]: the images of persons drawn for calibration."""
    codes = pd.Series(np.asarray(table["group"].cat.codes), index=table.index)
    counts = pd.crosstab(table["subject_id"], codes)
    home = counts.idxmax(axis=1)
    picked: list[str] = []
    for _, persons in home.groupby(home):
        names = np.sort(persons.index.to_numpy(dtype=str))
        size = int(np.floor(share * len(names) + rng.random()))
        picked += list(rng.permutation(names)[:size])
    return np.asarray(table["subject_id"].astype(str).isin(picked), dtype=bool)


def _part(faces: FaceSet, mask: Bools, side: str) -> FaceSet:
    table = faces.faces[mask].reset_index(drop=True)
    persons = table["subject_id"].nunique(), faces.faces["subject_id"].nunique()
    about = {
        **faces.about,
        "split": f"{side} side of a split by persons: {persons[0]} of {persons[1]} persons",
    }
    ids = set(table["image_id"])
    pairs, members = faces.pairs, faces.members
    if pairs is not None:  # a comparison across the two sides belongs to neither
        kept = pairs["probe_id"].isin(ids) & pairs["reference_id"].isin(ids)
        pairs = pairs[kept].reset_index(drop=True)
    if members is not None:
        members = members[members["template_id"].isin(ids)].reset_index(drop=True)
    return replace(faces, faces=table, about=about, pairs=pairs, members=members)
