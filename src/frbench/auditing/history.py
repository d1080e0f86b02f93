"""When the images came in and from where: a set that fills from one source fills with its bias."""

from __future__ import annotations

import numpy as np
import pandas as pd

from frbench.auditing.composition import Grouped
from frbench.auditing.manifest import TrainingSet
from frbench.values import Bools, Int64s

HISTORY_COLUMNS = ("label", "period", "group", "images", "subjects", "share_images")
"""A row per quarter of a year (``2024Q1``) and group; ``subjects`` are persons with an image
captured in that quarter."""

SOURCE_COLUMNS = (
    "label",
    "source",
    "group",
    "images",
    "subjects",
    "share_of_source",
    "share_of_group",
)
"""A row per source and group: the group's share of the source, and the source's of the group."""


def history(training: TrainingSet, grouped: Grouped) -> pd.DataFrame:
    """Images per quarter and group; rows without a capture date are left out."""
    captured = training.table["captured"].to_numpy().astype("datetime64[M]")
    known = ~np.isnat(captured)
    if not known.any():
        return pd.DataFrame(columns=list(HISTORY_COLUMNS))
    quarter = captured.astype(np.int64) // 3
    first, last = int(quarter[known].min()), int(quarter[known].max())
    images, subjects = _counted(training, grouped, known, quarter - first, last - first + 1)
    names = [f"{1970 + each // 4}Q{each % 4 + 1}" for each in range(first, last + 1)]
    table = _tidy(names, grouped, images, subjects, "period")
    whole = np.repeat(images.sum(axis=1), len(grouped.groups))
    table["share_images"] = np.where(whole > 0, table["images"] / np.maximum(whole, 1), np.nan)
    return table[list(HISTORY_COLUMNS)]


def sources(training: TrainingSet, grouped: Grouped) -> pd.DataFrame:
    """Images per source and group; nothing where the manifest names no source."""
    source = training.table["source"].cat
    known = (source.codes >= 0).to_numpy()
    if not known.any():
        return pd.DataFrame(columns=list(SOURCE_COLUMNS))
    place = source.codes.to_numpy().astype(np.int64)
    images, subjects = _counted(training, grouped, known, place, len(source.categories))
    table = _tidy([str(each) for each in source.categories], grouped, images, subjects, "source")
    of_source = np.repeat(images.sum(axis=1), len(grouped.groups))
    of_group = np.tile(images.sum(axis=0), len(source.categories))
    table["share_of_source"] = table["images"] / np.maximum(of_source, 1)
    table["share_of_group"] = table["images"] / np.maximum(of_group, 1)
    return table.loc[table["images"] > 0, list(SOURCE_COLUMNS)].reset_index(drop=True)


def _counted(
    training: TrainingSet, grouped: Grouped, known: Bools, place: Int64s, places: int
) -> tuple[Int64s, Int64s]:
    """int64 [places, G] each: images and distinct persons."""
    count = len(grouped.groups)
    cell = place[known] * count + grouped.code[known]
    images = np.bincount(cell, minlength=places * count)
    people = np.int64(training.person.max()) + 1
    # sorting integers is several times faster than hashing them here
    pairs = np.sort(cell * people + training.person[known])
    once = pairs[np.flatnonzero(np.diff(pairs, prepend=-1))] // people
    subjects = np.bincount(once, minlength=places * count)
    return images.reshape(places, count), subjects.reshape(places, count)


def _tidy(
    names: list[str], grouped: Grouped, images: Int64s, subjects: Int64s, by: str
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": grouped.label,
            by: np.repeat(names, len(grouped.groups)),
            "group": list(grouped.groups) * len(names),
            "images": images.ravel(),
            "subjects": subjects.ravel(),
        }
    )
