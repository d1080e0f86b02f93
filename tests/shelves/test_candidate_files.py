"""Candidate lists of somebody else's search: read back to the same rates, or refused by line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.candidate_files import HEADER, read_candidates, write_candidates
from frbench.candidates import search
from frbench.errors import InputError
from frbench.galleries import Gallery
from frbench.groups import GroupSpec, assign_groups
from frbench.identification import identification_rates
from frbench.intervals.wilson import Wilson
from frbench.values import EmbeddingSet, FaceSet


def world(seed: int) -> tuple[FaceSet, Gallery, EmbeddingSet]:
    """Persons of two groups, some enrolled, some images failed."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(8), 3)
    table = pd.DataFrame(
        {
            "image_id": [f"i{n}" for n in range(24)],
            "subject_id": person.astype(str),
            "path": "",
            "label_sex": pd.Series(np.array(["f", "m"])[person % 2], dtype="str"),
        }
    )
    faces = assign_groups(FaceSet("w", "1", Path(), table), GroupSpec(by=("sex",)))
    gallery = Gallery.of(faces.faces, np.arange(0, 15, 3))
    vectors = rng.standard_normal((8, 6))[person] + rng.standard_normal((24, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    enrolled = rng.random(24) < 0.9
    vectors[~enrolled] = 0
    ids = table["image_id"].to_numpy(dtype=str)
    failure = np.where(enrolled, "", "no face")
    stored = EmbeddingSet(vectors.astype(np.float32), enrolled, failure, ids, "m", "x")
    return faces, gallery, stored


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 2**32 - 1))
def test_lists_that_are_written_give_the_same_rates(seed, tmp_path_factory) -> None:
    """FPIR, FNIR and TPIR per group, at several thresholds and ranks."""
    faces, gallery, vectors = world(seed)
    lists = search(vectors, gallery, rank=3)
    path = tmp_path_factory.mktemp("lists") / "candidates.log"
    write_candidates(lists, faces, path)
    again = read_candidates(path, faces, gallery)
    settings_ = {
        "thresholds": [-np.inf, 0.2, 0.6],
        "ranks": (1, again.rank),
        "interval": Wilson(),
    }
    tables = [
        identification_rates(each, rng=np.random.default_rng(0), **settings_)
        for each in (lists, again)
    ]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("i99 0 0 1 i0 0.5", "line 2, searchId: 'i99' is no image"),
        ("i0 0 0 1 i3 0.5", "line 2, searchId: 'i0' is in the gallery itself"),
        ("i1 0 0 1 i2 0.5", "line 2, templateId: 'i2' is not enrolled"),
        ("i1 0 0 1 i0 high", "line 2, score: 'high' is not a finite number"),
        ("i1 0 0 yes i0 0.5", "line 2, isAssigned: 'yes'"),
        ("i1 0 0 1 i0 0.5\ni1 1 0 1 i3 0.9", "line 3: a score above"),
        ("i1 0 0 1 i0", "line 2"),
    ],
)
def test_lines_that_do_not_fit_are_named(tmp_path, line: str, words: str) -> None:
    """Each with what is wrong."""
    faces, gallery, _ = world(1)
    path = tmp_path / "candidates.log"
    path.write_text(f"{' '.join(HEADER)}\n{line}\n")
    with pytest.raises(InputError) as caught:
        read_candidates(path, faces, gallery)
    assert words in str(caught.value)


def test_failed_searches_and_unassigned_candidates(tmp_path) -> None:
    """A return code is a failed search; a place that is not assigned holds nobody."""
    faces, gallery, _ = world(1)
    path = tmp_path / "candidates.log"
    header = " ".join([*HEADER, "decision"])
    path.write_text(f"{header}\ni1 0 0 1 i0 0.5 1\ni1 1 0 0 none -1 0\ni2 0 4 0 none -1 0\n")
    lists = read_candidates(path, faces, gallery)
    assert lists.completed.tolist() == [True, False]
    assert lists.mate_rank.tolist() == [1, 0]
    assert lists.reference.tolist() == [[0], [-1]]
