"""From a manifest to faces that a network can be trained on, and to what recipes choose from."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from frbench.auditing.composition import group_rows
from frbench.auditing.manifest import TrainingSet
from frbench.choosing import check_choice
from frbench.digests import digest_bytes
from frbench.errors import InputError
from frbench.matchers import Faces
from frbench.mixes import Candidates
from frbench.prefetching import prepared_files
from frbench.preparing import Preparation, Source
from frbench.progress import Report
from frbench.training import Trainable, starting_vectors
from frbench.values import Float32s, Int64s


@dataclass(frozen=True)
class Pool:
    """The faces of one manifest.

    Attributes:
        training: the manifest.
        faces: uint8 [F, S, S, 3].
        vectors: float32 [F, d], of the matcher before retraining.
        rows: int64 [F], the row of the manifest behind each face.
        candidates: what recipes choose from, one entry a face.
        digest: of the faces' bytes.
        failed: rows without a usable face.
    """

    training: TrainingSet
    faces: Faces
    vectors: Float32s
    rows: Int64s
    candidates: Candidates
    digest: str
    failed: int


def pool(
    training: TrainingSet,
    root: Path,
    base: Trainable,
    detector: Any,
    *,
    by: Sequence[str],
    population: Any,
    choice: str,
    device: str,
    progress: Report,
) -> Pool:
    """The faces, held in memory, in the order of the manifest.

    Args:
        by: labels that make the groups, as the benchmark's.
        population: a part of the shelf ``references``, or None.

    Raises:
        InputError: fewer than two persons with a usable face, or an unknown label.
    """
    found, faces = _faces(training, root, base, detector, choice, progress)
    rows = np.array(found, dtype=np.int64)
    person = training.person[rows].astype(np.int64)
    if len(np.unique(person)) < 2:
        raise InputError(
            f"{training.name}: a face was found for fewer than two persons below {root}; check "
            "training_set.root and the detector"
        )
    grouped = group_rows(training, by)[-1]
    expected = population.expected(grouped.label, grouped.groups) if population else None
    shares = None
    if expected is not None:
        sizes: dict[str, int] = {}
        for category in expected.category.values():
            sizes[category] = sizes.get(category, 0) + 1
        # where several groups of the manifest are one category, each has its part of the share
        shares = {
            group: expected.shares[category] / sizes[category]
            for group, category in expected.category.items()
        }
    disposal = None
    if training.disposed:
        disposal = training.table["disposal"].astype("str").to_numpy(dtype=np.str_)[rows]
    candidates = Candidates(
        training.name, person, grouped.code[rows], grouped.groups, disposal, shares
    )
    vectors = starting_vectors(base, faces, device=device)
    failed = len(training.table) - len(rows)
    return Pool(training, faces, vectors, rows, candidates, digest_bytes(faces.tobytes()), failed)


def _faces(
    training: TrainingSet,
    root: Path,
    base: Trainable,
    detector: Any,
    choice: str,
    progress: Report,
) -> tuple[list[int], Faces]:
    preprocess = base.preprocess
    if detector.name == "precropped":
        # whoever cut the picture out has aligned it; only its size is still ours
        preprocess = replace(preprocess, alignment="none")
    paths = [str(path) for path in training.table["path"].fillna("")]
    listed = [at for at, path in enumerate(paths) if path]
    sources = [Source(root / paths[at], (paths[at],)) for at in listed]
    ready = Preparation(detector, check_choice(choice), preprocess, ())
    found, crops = [], []
    with closing(prepared_files(sources, ready, ahead=64)) as items:
        for done, (at, item) in enumerate(zip(listed, items, strict=True), start=1):
            if item.crop is not None:
                found.append(at)
                crops.append(item.crop)
            progress(done, len(sources))
    side = preprocess.input_size
    return found, np.array(crops, dtype=np.uint8).reshape(-1, side, side, 3)
