"""Images of two persons that are one file, byte for byte."""

from __future__ import annotations

from typing import Any

import pandas as pd

from frbench.values import EmbeddingSet, FaceSet


def repeated_files(faces: FaceSet, templates: EmbeddingSet) -> dict[str, Any] | None:
    """How many files stand under two persons, and in which groups; no id and no name.

    None where nothing is known of the files: stored vectors, or templates of several images.
    """
    if templates.digests is None:
        return None
    table = pd.DataFrame(
        {
            "digest": templates.digests,
            "person": faces.faces["subject_id"].to_numpy(),
            "group": faces.faces["group"].astype("str").to_numpy(),
        }
    )
    table = table[table["digest"] != ""]
    persons = table.groupby("digest")["person"].nunique()
    shared = table[table["digest"].isin(persons[persons > 1].index)]
    return {
        "files": int(shared["digest"].nunique()),
        "images": len(shared),
        "groups": sorted(shared["group"].unique().tolist()),
    }
