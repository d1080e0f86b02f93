"""The comparisons that a verification protocol lists, scored and counted; nothing else is."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd

from frbench.comparison import ComparisonSpec
from frbench.counting.images import code_images, group_column
from frbench.counting.score import scores
from frbench.errors import InputError
from frbench.fold_accuracy import fold_accuracy
from frbench.values import Bools, EmbeddingSet, FaceSet, Int64s, ScoredPairs, ScoreTally


def compare_listed(vectors: EmbeddingSet, faces: FaceSet, spec: ComparisonSpec) -> ScoreTally:
    """The pairs of ``faces.pairs``, with the engine's own definition of a score.

    A pair has no roles, so cells are unordered. A pair with a failed template keeps its place in
    the list without a score. Pairs of persons whom the grouping left out are dropped and counted
    in ``work``, as are comparisons of an image with itself.

    Args:
        vectors: templates in the order of ``faces.faces``.
        faces: the grouped set.
        spec: only its impostor policy is looked at: a list leaves nothing to choose.

    Raises:
        InputError: an impostor policy was set, or no pair is left.
    """
    assert faces.pairs is not None
    if spec.same:
        raise InputError(
            f"comparison.same: the protocol of {faces.name} lists its comparisons; take "
            "comparison=all_pairs with it, or benchmark.protocol=all to choose them yourself"
        )
    images = code_images(vectors, faces.faces, ())
    first, second, fold, left_out = _places(faces)
    if not len(first):
        raise InputError(
            f"no pair that the protocol of {faces.name} lists is among the persons that are "
            "left; take benchmark.protocol=all, or keep more persons"
        )
    completed = images.enrolled[first] & images.enrolled[second]
    score = np.full(len(first), np.nan, np.float32)
    score[completed] = scores(
        np.ascontiguousarray(vectors.vectors, np.float32),
        first[completed],
        second[completed],
        workers=spec.workers or len(os.sched_getaffinity(0)),
    )
    pairs = ScoredPairs(first.astype(np.int32), second.astype(np.int32), score)
    mated: Bools = images.subject[first] == images.subject[second]
    groups = tuple(str(name) for name in group_column(faces.faces).cat.categories)
    return ScoreTally(
        groups=groups,
        subject=images.subject,
        group=images.group,
        stratum=images.stratum,
        enrolled=images.enrolled,
        mated=pairs.take(mated & completed),
        tail=pairs.take(~mated & completed),
        floor=-np.inf,
        policy="as listed",
        listed=pairs,
        work={
            "engine": "listed pairs",
            "comparisons": len(pairs),
            "left_out": left_out,
            **_accuracies(pairs, mated, fold, images.group, groups),
        },
    )


def _places(faces: FaceSet) -> tuple[Int64s, Int64s, Int64s, int]:
    """Rows of both images and the fold of each pair that is compared, and how many are not."""
    assert faces.pairs is not None
    place = pd.Series(np.arange(len(faces.faces)), index=faces.faces["image_id"])
    sides = [faces.pairs[side].map(place) for side in ("probe_id", "reference_id")]
    kept = (sides[0].notna() & sides[1].notna() & (sides[0] != sides[1])).to_numpy()
    first, second = (side.to_numpy()[kept].astype(np.int64) for side in sides)
    fold = faces.pairs["fold"].to_numpy(dtype=np.int64)[kept]
    return first, second, fold, int((~kept).sum())


def _accuracies(
    pairs: ScoredPairs, mated: Bools, fold: Int64s, group: Any, groups: tuple[str, ...]
) -> dict[str, float | int | str]:
    """Accuracy over folds, of all pairs and of each group's own, for comparison with papers."""
    if len(np.unique(fold)) < 2:
        return {}
    found: dict[str, float | int | str] = {}
    parts = {"all": np.ones(len(mated), dtype=np.bool_)}
    for code, name in enumerate(groups):
        parts[name] = (group[pairs.first] == code) & (group[pairs.second] == code)
    for name, part in parts.items():
        accuracy = fold_accuracy(pairs.score[part], mated[part], fold[part])
        if accuracy is None:
            continue
        found[f"fold accuracy, {name}"] = accuracy.sentence()
        part = part & ~np.isnan(pairs.score)
        completed = fold_accuracy(pairs.score[part], mated[part], fold[part])
        if completed is not None:
            found[f"fold accuracy of completed pairs, {name}"] = completed.sentence()
    if found:
        found["fold accuracy is"] = (
            "the share of right decisions at the threshold that is best on the other folds, mean "
            "and standard deviation (ddof 0) over folds, as papers on LFW and RFW print it; a "
            "failed comparison is the answer “not mated”; no operating point, and no rate in this "
            "run's tables rests on it"
        )
    return found
