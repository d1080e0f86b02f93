"""The templates that the benchmarks run on: random directions, and real faces where available."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.linalg import expm

from frbench.values import EmbeddingSet, FaceSet, Float32s

PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "data" / "frll" / "manifest.csv"
GROUPS = tuple(f"g{n}" for n in range(8))


def labelled(vectors: Float32s, subject: np.ndarray) -> tuple[EmbeddingSet, pd.DataFrame]:
    """Templates and faces of these persons, in 8 groups by person."""
    names = np.array([f"i{n}" for n in range(len(vectors))])
    faces = pd.DataFrame(
        {
            "image_id": names,
            "subject_id": np.array([f"s{n}" for n in subject]),
            "group": pd.Categorical.from_codes(subject % 8, categories=list(GROUPS)),
        }
    )
    enrolled = np.ones(len(vectors), bool)
    return EmbeddingSet(vectors, enrolled, np.full(len(names), ""), names, "bench", "b"), faces


def random_directions(n: int, d: int) -> tuple[EmbeddingSet, pd.DataFrame]:
    """Unit vectors without any structure, four images a person."""
    x = np.random.default_rng(0).standard_normal((n, d), dtype=np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return labelled(x, np.arange(n) // 4)


def real_faces(n: int, turn: float = 0.15) -> tuple[EmbeddingSet, pd.DataFrame] | None:
    """dlib's templates of the London set's front views, repeated under small random rotations.

    Each repetition turns all templates by one random rotation of about ``turn`` radians; the
    repeated images belong to the same persons, so that non-mated scores are those of different
    people. None where the photographs or dlib are absent.
    """
    base = _dlib_templates()
    if base is None:
        return None
    x, person = base
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(-(-n // len(x))):
        a = rng.standard_normal((x.shape[1], x.shape[1])) * turn / np.sqrt(2 * x.shape[1])
        parts.append(x @ expm(a - a.T))
    y = np.concatenate(parts)[:n]
    y = (y / np.linalg.norm(y, axis=1, keepdims=True)).astype(np.float32)
    return labelled(y, np.tile(person, len(parts))[:n])


def _dlib_templates() -> tuple[np.ndarray, np.ndarray] | None:
    if not PHOTOGRAPHS.exists():
        return None
    from frbench.benchmarks.manifest import ManifestBenchmark
    from frbench.detectors.dlib_hog import DlibHogDetector
    from frbench.embedding import embed
    from frbench.errors import InputError
    from frbench.matchers.dlib_resnet import DlibMatcher

    faces: FaceSet = ManifestBenchmark(path=str(PHOTOGRAPHS)).load()
    front = faces.faces[faces.faces["label_view"] == "front"].reset_index(drop=True)
    # outside the project: templates of real people are never kept in it
    cache = Path(tempfile.gettempdir()) / "frbench-bench-templates"
    try:
        found = embed(replace(faces, faces=front), DlibHogDetector(), DlibMatcher(), cache=cache)
    except InputError:
        return None
    person = pd.factorize(front["subject_id"])[0]
    x = found.vectors[found.enrolled].astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True), person[found.enrolled]
