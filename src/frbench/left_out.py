"""Images that a policy leaves out of the set, and why images gave no template, per group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from frbench.choosing import LEFT_OUT
from frbench.errors import InputError
from frbench.values import EmbeddingSet, FaceSet


def without_left_out(faces: FaceSet, templates: Sequence[EmbeddingSet]) -> FaceSet:
    """The set without the images that ``embedding.choice=skip`` leaves out, for every matcher.

    An image goes if it was left out for one of the matchers, so that all of them are measured on
    the same images; ``about`` says how many went, per group.

    Raises:
        InputError: nothing is left, or the set has templates of several images.
    """
    if faces.members is not None or faces.pairs is not None:
        raise InputError(
            f"embedding.choice=skip: {faces.name} fixes its own comparisons, from which no image "
            "can be left out; use embedding.choice=only"
        )
    gone = np.zeros(len(faces.faces), dtype=np.bool_)
    for each in templates:
        gone |= np.char.startswith(each.failure, LEFT_OUT)
    if not gone.any():
        return faces
    if gone.all():
        raise InputError(
            f"embedding.choice=skip: every image of {faces.name} shows several faces; choose one "
            "with embedding.choice=largest or most_central"
        )
    counts = faces.faces["group"][gone].value_counts(sort=False)
    each_group = ", ".join(f"{group}: {number}" for group, number in counts.items() if number)
    said = f"{gone.sum()} images with several faces, not counted at all ({each_group})"
    kept = faces.faces[~gone].reset_index(drop=True)
    return replace(faces, faces=kept, about={**faces.about, "left_out": said})


def failures(faces: FaceSet, templates: EmbeddingSet) -> list[dict[str, Any]]:
    """Failures to enrol by group and reason, most frequent first: group, reason, images."""
    failed = ~templates.enrolled
    table = pd.DataFrame(
        {
            "group": faces.faces["group"].astype("str").to_numpy()[failed],
            "reason": templates.failure[failed],
        }
    )
    counts = table.value_counts(sort=False).reset_index(name="images")
    ordered = counts.sort_values(["group", "images", "reason"], ascending=[True, False, True])
    return [
        {"group": str(row.group), "reason": str(row.reason), "images": int(str(row.images))}
        for row in ordered.itertuples()
    ]
