"""Templates made of several images, as IJB-C's: the mean of unit vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from frbench.digests import digest_of
from frbench.values import EmbeddingSet, FaceSet, Float64s, Int64s

_VERSION = 1


def images_of(faces: FaceSet) -> FaceSet:
    """The set of single images behind the templates; the set itself where each row is one image.

    An image that is part of several templates occurs once. Its ``image_id`` is its path.
    """
    if faces.members is None:
        return faces
    wanted = faces.members["template_id"].isin(faces.faces["image_id"])
    paths = pd.Series(sorted(set(faces.members.loc[wanted, "path"])), dtype="str")
    table = pd.DataFrame({"image_id": paths, "subject_id": paths, "path": paths})
    return replace(faces, faces=table, pairs=None, members=None)


def pooled(vectors: EmbeddingSet, faces: FaceSet) -> EmbeddingSet:
    """One vector per template, in the order of ``faces.faces``.

    The unit vectors of a template's images are averaged within each medium (a video's frames
    would else outvote the photographs), then over its media, and brought to unit length again.
    Images that failed to enrol are passed over; a template fails where all its images did, or
    where their mean is the zero vector. Computed in float64, in the order of the image paths.

    Args:
        vectors: of ``images_of(faces)``; handed back unchanged where the set has no templates.
        faces: the set of templates.
    """
    if faces.members is None:
        return vectors
    names = faces.faces["image_id"]
    members = faces.members.sort_values(["template_id", "medium", "path"], kind="stable")
    template = members["template_id"].map(pd.Series(np.arange(len(names)), index=names))
    image = members["path"].map(pd.Series(np.arange(len(vectors.image_id)), vectors.image_id))
    inside = template.notna().to_numpy()
    template_of = template.to_numpy()[inside].astype(np.int64)
    image_of = image.to_numpy()[inside].astype(np.int64)
    medium_of = pd.factorize(members["medium"].to_numpy()[inside])[0]
    good = vectors.enrolled[image_of]
    means = _means(vectors, template_of[good], medium_of[good], image_of[good], len(names))
    length = np.linalg.norm(means, axis=1, keepdims=True)
    enrolled = length[:, 0] > 0
    unit = np.divide(means, length, out=np.zeros_like(means), where=length > 0)
    reason = _reasons(vectors, template_of, image_of, len(names))
    return EmbeddingSet(
        vectors=unit.astype(np.float32),
        enrolled=enrolled,
        failure=np.where(enrolled, "", reason),
        image_id=names.to_numpy(dtype=np.str_),
        matcher=vectors.matcher,
        fingerprint=digest_of(
            {
                "pooling": _VERSION,
                "vectors": vectors.fingerprint,
                "members": [list(map(str, members[each])) for each in sorted(members.columns)],
            }
        ),
    )


def _means(
    vectors: EmbeddingSet, template: Int64s, medium: Int64s, image: Int64s, templates: int
) -> Float64s:
    """float64 [T, D]: mean over media of the mean within each; zero for an empty template."""
    means = np.zeros((templates, vectors.vectors.shape[1]))
    if not len(template):
        return means
    pair = pd.MultiIndex.from_arrays([template, medium])
    codes, order = pd.factorize(pair)
    owner = np.array([each[0] for each in order], dtype=np.int64)
    within = np.zeros((len(order), means.shape[1]))
    np.add.at(within, codes, vectors.vectors[image].astype(np.float64))
    within /= np.bincount(codes, minlength=len(order))[:, None]
    np.add.at(means, owner, within)
    media = np.bincount(owner, minlength=templates)
    return np.asarray(means / np.maximum(media, 1)[:, None], dtype=np.float64)


def _reasons(
    vectors: EmbeddingSet, template: Int64s, image: Int64s, templates: int
) -> npt.NDArray[np.str_]:
    """Why each template would fail: its first image's reason."""
    reason = np.full(templates, "no image", dtype=object)
    for place, which in zip(template[::-1], image[::-1], strict=True):
        reason[place] = f"no image enrolled, the first: {vectors.failure[which]}"
    return reason.astype(np.str_)
