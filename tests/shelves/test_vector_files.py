"""Vectors in every format that frbench reads, written and read back, and damaged files refused."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from frbench.errors import InputError
from frbench.matchers.embeddings import StoredEmbeddings
from frbench.values import EmbeddingSet
from frbench.vector_files import write_vectors

IDS = np.array(["a/1.jpg", "b, two", "=c"])
VECTORS = np.array([[0.6, 0.8], [0.0, 0.0], [-1.0, 0.0]], dtype=np.float32)


def templates(vectors=VECTORS, ids=IDS) -> EmbeddingSet:
    """An EmbeddingSet; rows of zeros are failures to enrol."""
    enrolled = (vectors != 0).any(axis=1)
    failure = np.where(enrolled, "", "no face")
    return EmbeddingSet(vectors, enrolled, failure, ids, "any", "print")


def matcher_of(path: Path) -> StoredEmbeddings:
    """The matcher over a written file, with its index where the format has one."""
    index = path.with_suffix(".ids.csv")
    return StoredEmbeddings(path=str(path), ids=str(index) if path.suffix == ".npy" else None)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 8), width=st.integers(1, 5))
@pytest.mark.parametrize("ending", ["npz", "npy", "parquet", "safetensors"])
def test_what_is_written_is_read_back(ending, seed, count, width, tmp_path_factory):
    """The same unit vectors and the same failures, whatever the format."""
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((count, width))
    raw[rng.random(count) < 0.2] = 0
    length = np.linalg.norm(raw, axis=1, keepdims=True)
    vectors = (raw / np.where(length == 0, 1, length)).astype(np.float32)
    ids = np.array([f"image {n}" for n in range(count)])
    path = tmp_path_factory.mktemp("vectors") / f"v.{ending}"
    write_vectors(templates(vectors, ids), path)
    found = matcher_of(path).lookup(ids[::-1])
    np.testing.assert_allclose(found.vectors, vectors[::-1], atol=2e-7)
    assert found.enrolled.tolist() == (raw != 0).any(axis=1)[::-1].tolist()


def refusal(matcher: StoredEmbeddings) -> str:
    """The sentence that looking up ends with."""
    with pytest.raises(InputError) as caught:
        matcher.lookup(IDS)
    return str(caught.value)


def test_an_index_of_text_lines(tmp_path):
    """One id a line, in the order of the rows; a blank line is named."""
    np.save(tmp_path / "v.npy", VECTORS)
    index = tmp_path / "ids.txt"
    index.write_text("\n".join(IDS) + "\n")
    matcher = StoredEmbeddings(path=str(tmp_path / "v.npy"), ids=str(index))
    assert matcher.lookup(IDS[2:]).vectors.tolist() == [[-1.0, 0.0]]
    before = matcher.lookup(IDS).fingerprint
    index.write_text("\n".join(IDS[[2, 1, 0]]) + "\n")
    assert matcher.lookup(IDS).fingerprint != before
    index.write_text("a/1.jpg\n\n=c\n")
    assert "line 2 is blank" in refusal(matcher)
    index.write_text("a/1.jpg\n")
    assert "3 vectors, but 1 image_id" in refusal(matcher)


def test_an_index_that_is_missing_or_idle(tmp_path):
    """Vectors without ids need one; a file with its own ids refuses it."""
    np.save(tmp_path / "v.npy", VECTORS)
    assert "name its index with matcher.ids" in refusal(matcher_of_plain(tmp_path / "v.npy"))
    write_vectors(templates(), tmp_path / "v.npz")
    (tmp_path / "ids.txt").write_text("x\n")
    both = StoredEmbeddings(path=str(tmp_path / "v.npz"), ids=str(tmp_path / "ids.txt"))
    assert "remove matcher.ids" in refusal(both)
    (tmp_path / "ids.csv").write_text("name\nx\n")
    wrong = StoredEmbeddings(path=str(tmp_path / "v.npy"), ids=str(tmp_path / "ids.csv"))
    assert "no column image_id" in refusal(wrong)
    (tmp_path / "ids.csv").write_text("image_id,enrolled\na/1.jpg,yes\nx,maybe\ny,no\n")
    assert "row 2 (line 3): enrolled is 'maybe'" in refusal(wrong)


def matcher_of_plain(path: Path) -> StoredEmbeddings:
    """The matcher over a file, without an index."""
    return StoredEmbeddings(path=str(path))


def test_parquet_with_a_column_per_dimension(tmp_path):
    """Every other column of floats is one dimension, in the order of the file."""
    table = pd.DataFrame({"image_id": IDS, "v0": VECTORS[:, 0], "v1": VECTORS[:, 1]})
    table.to_parquet(tmp_path / "v.parquet")
    found = matcher_of_plain(tmp_path / "v.parquet").lookup(IDS)
    np.testing.assert_allclose(found.vectors, VECTORS)
    assert found.enrolled.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"name": ["a"], "vector": [[1.0]]}, "no column image_id"),
        ({"image_id": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}, "row 2: 2 numbers, but row 1"),
        ({"image_id": ["a"], "vector": [["x"]]}, "not of floats"),
        ({"image_id": ["a"], "vector": ["x"]}, "not lists"),
        ({"image_id": ["a", None], "vector": [[1.0], [1.0]]}, "row 2: image_id is blank"),
        ({"image_id": ["a"], "n": [1]}, "no columns of floats"),
    ],
)
def test_parquet_files_that_do_not_fit(tmp_path, table, words):
    """Each is refused with what is wrong, and where."""
    pd.DataFrame(table).to_parquet(tmp_path / "v.parquet")
    assert words in refusal(matcher_of_plain(tmp_path / "v.parquet"))


def test_a_list_that_is_missing_is_a_failure(tmp_path):
    """Null in the place of a vector is a failure to enrol."""
    table = pd.DataFrame({"image_id": IDS, "vector": [[1.0, 0.0], None, [0.0, 1.0]]})
    table.to_parquet(tmp_path / "v.parquet")
    found = matcher_of_plain(tmp_path / "v.parquet").lookup(IDS)
    assert found.enrolled.tolist() == [True, False, True]


def test_safetensors_that_do_not_fit(tmp_path):
    """No vectors, ids that are no list, a header that lies about its length."""
    path = tmp_path / "v.safetensors"
    save_file({"other": VECTORS}, path)
    assert "no array 'vectors'; it holds other" in refusal(matcher_of_plain(path))
    save_file({"vectors": VECTORS}, path, metadata={"image_id": json.dumps({"a": 1})})
    assert "no JSON list" in refusal(matcher_of_plain(path))
    save_file({"vectors": VECTORS}, path)
    assert "matcher.ids" in refusal(matcher_of_plain(path))
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{" + b" " * 100)
    assert "is damaged" in refusal(matcher_of_plain(path))
    path.write_bytes(struct.pack("<Q", 4) + b"{nox")
    assert "is damaged" in refusal(matcher_of_plain(path))


def test_files_cut_short_are_damaged(tmp_path):
    """Half of any file is no file."""
    for ending in ("npy", "parquet", "safetensors"):
        path = tmp_path / f"v.{ending}"
        write_vectors(templates(), path)
        path.write_bytes(path.read_bytes()[:-10])
        assert "damaged" in refusal(matcher_of(path)), ending


def test_a_foreign_ending_is_not_written(tmp_path):
    """Nothing is guessed from an unknown ending."""
    with pytest.raises(InputError, match="vectors are written as"):
        write_vectors(templates(), tmp_path / "v.txt")
