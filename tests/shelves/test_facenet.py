"""facenet: the loading code proved with state dicts of the right shape made here.

The released weights cannot be had in the test environment, so nothing here says how well they
recognise; what is proved is that a file with those tensors gives exactly what facenet-pytorch's
own class gives with them, and that every other file ends in a sentence.
"""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch
from facenet_pytorch import InceptionResnetV1, fixed_image_standardization

from frbench.errors import InputError
from frbench.matchers.facenet import FacenetMatcher


@pytest.fixture(scope="module")
def state():
    """A network with random weights, as the released files lay theirs out: classifier included."""
    torch.manual_seed(11)
    network = InceptionResnetV1(pretrained=None, classify=True, num_classes=8631)
    return network.state_dict()


@pytest.fixture(scope="module")
def weights(state, tmp_path_factory):
    """The same state dict as .pt and as .safetensors."""
    folder = tmp_path_factory.mktemp("weights")
    torch.save(state, folder / "w.pt")
    safetensors.torch.save_file(dict(state), folder / "w.safetensors")
    return folder


@pytest.fixture(scope="module")
def faces():
    """Four random crops."""
    return np.random.default_rng(2).integers(0, 256, (4, 160, 160, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_the_vectors_are_the_package_own(state, weights, faces, name):
    """Same weights, same standardisation, same vectors as facenet-pytorch's class."""
    network = InceptionResnetV1(pretrained=None).eval()
    network.load_state_dict({k: v for k, v in state.items() if not k.startswith("logits")})
    with torch.no_grad():
        pixels = torch.from_numpy(faces).permute(0, 3, 1, 2).float()
        expected = network(fixed_image_standardization(pixels)).numpy()
    found = FacenetMatcher(weights="vggface2", path=str(weights / name)).embed(faces)
    assert found.dtype == np.float32
    assert found.shape == (4, 512)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_a_row_does_not_depend_on_its_place(weights, faces):
    """In a batch of one size, each face has one vector, bit for bit, wherever it stands."""
    matcher = FacenetMatcher(weights="vggface2", path=str(weights / "w.pt"))
    straight = matcher.embed(faces)
    turned = matcher.embed(faces[::-1])[::-1]
    alone = matcher.embed(np.concatenate([faces[:1], np.repeat(faces[3:4], 3, axis=0)]))[0]
    np.testing.assert_array_equal(straight, turned)
    np.testing.assert_array_equal(straight[0], alone)


def test_absent_weights(tmp_path, monkeypatch):
    """The sentence names the file, where it comes from and its licence; nothing is fetched."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError) as caught:
        FacenetMatcher(weights="vggface2").identity()
    message = str(caught.value)
    assert str(tmp_path / "checkpoints" / "20180402-114759-vggface2.pt") in message
    assert "GitHub" in message
    assert "MIT" in message
    assert "matcher.path=FILE" in message
    assert list(tmp_path.iterdir()) == []


def test_the_package_own_cache_is_looked_into(weights, tmp_path, monkeypatch):
    """A file where facenet-pytorch keeps it needs no path."""
    (tmp_path / "checkpoints").mkdir()
    os.link(weights / "w.pt", tmp_path / "checkpoints" / "20180402-114759-vggface2.pt")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    given = FacenetMatcher(weights="vggface2", path=str(weights / "w.pt")).identity()
    assert FacenetMatcher(weights="vggface2").identity() == given


class _Trap:
    """Unpickling this runs a command."""

    def __init__(self, target):
        self._target = target

    def __reduce__(self):
        return os.mkdir, (str(self._target),)


@pytest.mark.parametrize("wrap", [lambda trap: trap, lambda trap: {"conv2d_1a": trap}])
@pytest.mark.parametrize("save", ["torch", "pickle"])
def test_a_crafted_pickle_is_refused_and_not_run(tmp_path, wrap, save):
    """Code in a weights file is never executed."""
    sprung, path = tmp_path / "sprung", tmp_path / "w.pt"
    content = wrap(_Trap(sprung))
    if save == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match="cannot be loaded safely"):
        FacenetMatcher(weights="vggface2", path=str(path)).embed(
            np.zeros((1, 160, 160, 3), np.uint8)
        )
    assert not sprung.exists()


def _saved(tmp_path, content):
    path = tmp_path / "w.pt"
    torch.save(content, path)
    return str(path)


def test_other_tensors_are_listed(state, tmp_path):
    """Missing, foreign and misshapen tensors are named."""
    changed = dict(state)
    changed["last_linear.weight"] = torch.zeros(128, 1792)
    changed["surprise"] = torch.zeros(1)
    del changed["last_bn.bias"]
    with pytest.raises(InputError) as caught:
        FacenetMatcher(weights="vggface2", path=_saved(tmp_path, changed)).embed(
            np.zeros((1, 160, 160, 3), np.uint8)
        )
    message = str(caught.value)
    for words in ("last_bn.bias: absent", "surprise: not part", "shape (128, 1792)"):
        assert words in message


def test_the_other_weights_are_recognised(weights):
    """A classifier of 8,631 people is VGGFace2's, whatever the configuration says."""
    with pytest.raises(InputError, match="8631 people"):
        FacenetMatcher(weights="casia-webface", path=str(weights / "w.pt")).embed(
            np.zeros((1, 160, 160, 3), np.uint8)
        )


@pytest.mark.parametrize(
    "content", [b"", b"not weights at all", b"PK\x03\x04 broken zip", b"\x10\0\0\0\0\0\0\0{broken"]
)
def test_damaged_files_end_in_a_sentence(tmp_path, content):
    """Empty, foreign and truncated files."""
    path = tmp_path / "w.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match="facenet_vggface2"):
        FacenetMatcher(weights="vggface2", path=str(path)).embed(
            np.zeros((1, 160, 160, 3), np.uint8)
        )


def test_not_a_state_dict(tmp_path):
    """A lone tensor is no network."""
    with pytest.raises(InputError, match="no state dict"):
        FacenetMatcher(weights="vggface2", path=_saved(tmp_path, torch.zeros(3))).embed(
            np.zeros((1, 160, 160, 3), np.uint8)
        )


def test_one_changed_weight_changes_the_identity(state, weights, tmp_path):
    """The identity is the bytes of the file."""
    changed = dict(state)
    changed["last_bn.bias"] = changed["last_bn.bias"] + 1
    one = FacenetMatcher(weights="vggface2", path=str(weights / "w.pt")).identity()
    other = FacenetMatcher(weights="vggface2", path=_saved(tmp_path, changed)).identity()
    assert one["weights"] != other["weights"]


def test_wrong_settings():
    """Unknown weights and crops of another size."""
    with pytest.raises(InputError, match=r"matcher\.weights=ms1m"):
        FacenetMatcher(weights="ms1m")
    with pytest.raises(InputError, match="160 x 160"):
        FacenetMatcher(weights="vggface2").embed(np.zeros((1, 112, 112, 3), np.uint8))
