"""The door for stored vectors: what comes in is checked, and nothing in the file is run."""

from __future__ import annotations

import os
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from frbench.errors import InputError
from frbench.matchers.embeddings import StoredEmbeddings

IDS = np.array(["a", "b", "c"])
VECTORS = np.array([[3.0, 4.0], [0.0, -2.0], [1.0, 0.0]], dtype=np.float32)


def stored(folder, **arrays):
    """A matcher over a file with these arrays."""
    np.savez(folder / "v.npz", **{"vectors": VECTORS, "image_id": IDS, **arrays})
    return StoredEmbeddings(path=str(folder / "v.npz"))


def refusal(matcher, ids=IDS):
    """The sentence that looking up ends with."""
    with pytest.raises(InputError) as caught:
        matcher.lookup(ids)
    return str(caught.value)


def test_vectors_come_in_the_order_asked_for(tmp_path):
    """At unit length, float32; ids that nobody asks for are ignored."""
    found = stored(tmp_path).lookup(np.array(["b", "a"]))
    np.testing.assert_allclose(found.vectors, [[0, -1], [0.6, 0.8]], atol=1e-7)
    assert found.vectors.dtype == np.float32
    assert found.enrolled.tolist() == [True, True]
    assert found.image_id.tolist() == ["b", "a"]
    assert found.matcher == "v"


def test_rows_without_direction_are_failures(tmp_path):
    """NaN, infinite and zero rows keep their place with a reason and a zero vector."""
    vectors = np.array([[np.nan, 1], [0, 0], [np.inf, 1]])
    found = stored(tmp_path, vectors=vectors).lookup(IDS)
    assert found.enrolled.tolist() == [False, False, False]
    assert ["finite" in reason for reason in found.failure] == [True, False, True]
    assert "zero" in found.failure[1]
    assert (found.vectors == 0).all()


def test_declared_failures(tmp_path):
    """enrolled=False is a failure whatever the row holds; numbers 0 and 1 will do."""
    vectors = VECTORS.copy()
    vectors[1] = np.nan
    found = stored(tmp_path, vectors=vectors, enrolled=np.array([1, 0, 0])).lookup(IDS)
    assert found.enrolled.tolist() == [True, False, False]
    assert found.failure[0] == ""
    assert "declared" in found.failure[1]


def test_a_file_that_contradicts_itself(tmp_path):
    """A row declared as enrolled without a usable vector is refused by row and id."""
    vectors = VECTORS.copy()
    vectors[1] = np.nan
    message = refusal(stored(tmp_path, vectors=vectors, enrolled=np.ones(3, bool)))
    assert "row 2, image_id 'b'" in message


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"vectors": np.zeros((2, 2), np.float32)}, "2 vectors, but 3 image_id"),
        ({"vectors": np.zeros(3, np.float32)}, "must be float [N, D]"),
        ({"vectors": np.zeros((3, 0), np.float32)}, "must be float [N, D]"),
        ({"vectors": np.zeros((3, 2), np.int64)}, "must be float [N, D]"),
        ({"vectors": np.zeros((3, 2), np.complex64)}, "must be float [N, D]"),
        ({"image_id": np.array(["a", "b", "b"])}, "more than once:\n  - 'b'"),
        ({"image_id": np.array([["a", "b", "c"]])}, "one text (or number) an image"),
        ({"image_id": np.array([0.5, 1.5, 2.5])}, "one text (or number) an image"),
        ({"image_id": np.array(["a", None, "c"], dtype=object)}, "Python objects"),
        ({"enrolled": np.array([True, False])}, "enrolled has shape (2,)"),
        ({"enrolled": np.array([0, 1, 2])}, "True and False"),
        ({"enrolled": np.array(["y", "y", "n"])}, "True and False"),
    ],
)
def test_wrong_arrays(tmp_path, arrays, words):
    """Each is refused with what is wrong."""
    assert words in refusal(stored(tmp_path, **arrays))


def test_absent_images_are_listed(tmp_path):
    """All of them, by id."""
    message = refusal(stored(tmp_path), np.array(["a", "x", "y"]))
    assert "2 of 3 images" in message
    assert "'x'" in message
    assert "'y'" in message


def test_ids_as_numbers_or_bytes(tmp_path):
    """Whole numbers and ASCII bytes become text."""
    assert stored(tmp_path, image_id=np.array([7, 8, 9])).lookup(np.array(["8"])).enrolled.all()
    assert stored(tmp_path, image_id=IDS.astype("S")).lookup(IDS).enrolled.all()


class _Trap:
    """Unpickling this runs a command."""

    def __init__(self, target):
        self._target = str(target)

    def __reduce__(self):
        return os.mkdir, (self._target,)


def test_objects_in_the_file_are_not_run(tmp_path):
    """A pickle in the file is refused and stays unopened."""
    trap = np.array([_Trap(tmp_path / "sprung")], dtype=object)
    for name in ("vectors", "image_id", "enrolled"):
        assert "Python objects" in refusal(stored(tmp_path, **{name: trap}))
    assert not (tmp_path / "sprung").exists()


def test_places_that_hold_no_vectors(tmp_path):
    """Absent, a folder, another format, cut short, an empty archive."""
    assert "cannot be read" in refusal(StoredEmbeddings(path=str(tmp_path / "none.npz")))
    assert "folder" in refusal(StoredEmbeddings(path=str(tmp_path)))
    np.save(tmp_path / "one.npy", VECTORS)
    assert "matcher.ids" in refusal(StoredEmbeddings(path=str(tmp_path / "one.npy")))
    (tmp_path / "one.txt").write_text("1 2 3")
    assert "not an .npz" in refusal(StoredEmbeddings(path=str(tmp_path / "one.txt")))
    stored(tmp_path)
    whole = (tmp_path / "v.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refusal(StoredEmbeddings(path=str(tmp_path / "cut.npz")))
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    assert "no array 'vectors'" in refusal(StoredEmbeddings(path=str(tmp_path / "empty.npz")))


def test_the_fingerprint_follows_the_file(tmp_path):
    """Other vectors or other images give another fingerprint; the same give the same."""
    first = stored(tmp_path).lookup(IDS).fingerprint
    assert stored(tmp_path).lookup(IDS).fingerprint == first
    assert stored(tmp_path).lookup(IDS[:2]).fingerprint != first
    assert stored(tmp_path, vectors=VECTORS + 1).lookup(IDS).fingerprint != first


@settings(deadline=None, max_examples=80)
@given(
    nps.arrays(
        st.sampled_from([np.float16, np.float32, np.float64]),
        st.tuples(st.integers(1, 5), st.integers(1, 4)),
        elements={"allow_subnormal": True},
    )
)
def test_any_floats_become_unit_vectors_or_failures(tmp_path_factory, vectors):
    """Overflowing, subnormal and special numbers included; a row is never neither."""
    ids = np.array([str(n) for n in range(len(vectors))])
    found = stored(tmp_path_factory.mktemp("any"), vectors=vectors, image_id=ids).lookup(ids)
    lengths = np.linalg.norm(found.vectors.astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, found.enrolled.astype(float), atol=1e-5)
    usable = np.isfinite(vectors).all(axis=1) & (vectors != 0).any(axis=1)
    assert found.enrolled.tolist() == usable.tolist()
    assert ((found.failure == "") == found.enrolled).all()
