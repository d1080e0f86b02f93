"""The tiny matcher: its weights, its vectors, its errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from frbench.errors import InputError
from frbench.matchers.tiny import EMBEDDING, TinyMatcher, TinyNet
from frbench.rendering.identity import GROUPS
from frbench.rendering.render import Shot, render

PEOPLE, TRIES = 16, 3


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """Three pictures each of 16 people of a stream that no training used."""
    shots = [Shot(p, GROUPS[p % 8], k) for p in range(PEOPLE) for k in range(TRIES)]
    return render(shots, seed=11, stream="test-tiny")


@pytest.mark.parametrize("weights", ["balanced", "custody"])
def test_mated_comparisons_score_higher(weights: str, faces: np.ndarray) -> None:
    """Under the shipped weights, nearly every mated score is above nearly every non-mated one."""
    vectors = TinyMatcher(weights=weights).embed(faces)
    scores = vectors @ vectors.T
    person = np.arange(len(faces)) // TRIES
    mated = scores[(person[:, None] == person[None]) & ~np.eye(len(faces), dtype=bool)]
    other = scores[person[:, None] != person[None]]
    assert np.quantile(mated, 0.05) > np.quantile(other, 0.98)


def test_vectors_are_unit_and_repeatable(faces: np.ndarray) -> None:
    """Shape, type and length are as promised; a second matcher gives the same bytes."""
    first = TinyMatcher().embed(faces)
    assert first.shape == (len(faces), EMBEDDING)
    assert first.dtype == np.float32
    assert np.allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    assert np.array_equal(first, TinyMatcher().embed(faces))


def test_the_batch_does_not_matter(faces: np.ndarray) -> None:
    """One by one, reversed or all together, vectors differ by rounding only."""
    matcher = TinyMatcher()
    together = matcher.embed(faces)
    alone = np.concatenate([matcher.embed(faces[i : i + 1]) for i in range(len(faces))])
    backwards = matcher.embed(faces[::-1])[::-1]
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(together - backwards).max() < 1e-5


def test_no_faces_give_no_vectors() -> None:
    """An empty batch is answered with an empty array of the right width."""
    assert TinyMatcher().embed(np.zeros((0, 112, 112, 3), np.uint8)).shape == (0, EMBEDDING)


def test_the_two_weights_differ_and_so_do_their_identities(faces: np.ndarray) -> None:
    """Retraining changed the vectors, and the cache key tells the two apart."""
    one, two = TinyMatcher(weights="balanced"), TinyMatcher(weights="custody")
    assert np.abs(one.embed(faces) - two.embed(faces)).max() > 0.05
    assert one.identity()["weights_sha256"] != two.identity()["weights_sha256"]
    assert one.name != two.name


def test_the_weights_are_small_and_half_precision() -> None:
    """All shipped weights together stay within 2 MB, so that the package stays light."""
    folder = TinyMatcher().path.parent
    assert sum(f.stat().st_size for f in folder.iterdir()) <= 2_000_000
    for file in folder.glob("*.safetensors"):
        kinds = {t.dtype for t in load_file(file).values() if t.is_floating_point()}
        assert kinds == {torch.float16}


def test_nothing_is_read_on_construction(tmp_path: Path) -> None:
    """A missing weights file is noticed at first use, with the remedy."""
    matcher = TinyMatcher(weights=str(tmp_path / "absent.safetensors"))
    with pytest.raises(InputError, match="cannot read the weights file"):
        matcher.embed(np.zeros((1, 112, 112, 3), np.uint8))
    with pytest.raises(InputError, match="absent"):
        matcher.identity()


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    """A file of torch.save, which could run code, is refused as no safetensors file."""
    path = tmp_path / "weights.safetensors"
    torch.save(TinyNet().state_dict(), path)
    with pytest.raises(InputError, match="is not a safetensors file"):
        TinyMatcher(weights=str(path)).embed(np.zeros((1, 112, 112, 3), np.uint8))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    """Absent, foreign and misshapen tensors are all named at once."""
    state = TinyNet().state_dict()
    state["foreign"] = torch.zeros(2)
    del state["places.weight"]
    state["head.1.weight"] = torch.zeros(3, 3)
    path = tmp_path / "other.safetensors"
    save_file(state, path)
    with pytest.raises(InputError) as caught:
        TinyMatcher(weights=str(path)).embed(np.zeros((1, 112, 112, 3), np.uint8))
    for name in ("foreign", "places.weight", "head.1.weight"):
        assert name in str(caught.value)


def test_weights_from_a_path_are_used(tmp_path: Path, faces: np.ndarray) -> None:
    """A copy of the shipped file gives the same vectors under the file's name."""
    path = tmp_path / "copy.safetensors"
    path.write_bytes(TinyMatcher().path.read_bytes())
    matcher = TinyMatcher(weights=str(path))
    assert matcher.name == "tiny_copy"
    assert np.array_equal(matcher.embed(faces[:4]), TinyMatcher().embed(faces[:4]))


@pytest.mark.parametrize(
    "bad", [np.zeros((1, 112, 112, 3), np.float32), np.zeros((1, 64, 64, 3), np.uint8)]
)
def test_faces_of_another_kind_are_refused(bad: np.ndarray) -> None:
    """Wrong type or size is an error that says what to hand in."""
    with pytest.raises(InputError, match="hand in uint8"):
        TinyMatcher().embed(bad)
