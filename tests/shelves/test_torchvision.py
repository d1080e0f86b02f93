"""torchvision: a checkpoint gives what torchvision's own network gives with it, or a sentence."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision

from frbench.errors import InputError
from frbench.matchers.torchvision_backbone import TorchvisionMatcher
from network_worlds import SIZES, prepared, some_faces

WIDTH = 24


def made(architecture="resnet18", outputs=WIDTH, **settings):
    """torchvision's network with weights drawn from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return torchvision.models.get_model(
            architecture, weights=None, num_classes=outputs, **settings
        ).eval()


@pytest.fixture(scope="module")
def net():
    """A ResNet-18 whose last layer returns 24 numbers."""
    return made()


@pytest.fixture(scope="module")
def files(net, tmp_path_factory):
    """Its state dict, as training scripts leave it."""
    folder = tmp_path_factory.mktemp("torchvision")
    state = net.state_dict()
    torch.save(state, folder / "plain.pt")
    safetensors.torch.save_file(state, folder / "plain.safetensors")
    torch.save({"epoch": 3, "state_dict": state, "lr": 0.1}, folder / "nested.pt")
    torch.save({f"module.{key}": value for key, value in state.items()}, folder / "parallel.pt")
    trunk = {key: value for key, value in state.items() if not key.startswith("fc.")}
    torch.save(trunk, folder / "trunk.pt")
    old = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    torch.save(old, folder / "old.pt")
    return folder


def matcher(path, style="imagenet", architecture="resnet18", **settings):
    """The matcher with those weights."""
    return TorchvisionMatcher(
        architecture=architecture, weights=str(path), convention=style, **settings
    )


def of_torch(net, style, faces):
    """What torchvision's own network returns."""
    with torch.no_grad():
        return net(prepared(style, faces).contiguous()).numpy()


@pytest.mark.parametrize("style", sorted(SIZES))
def test_the_vectors_are_torchvisions(net, files, style):
    """Through each convention, within 1e-5."""
    faces = some_faces(3, SIZES[style])
    expected = of_torch(net, style, faces)
    found = matcher(files / "plain.pt", style).embed(faces)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("file", ["plain.safetensors", "nested.pt", "parallel.pt", "old.pt"])
def test_as_training_scripts_leave_it(net, files, file):
    """Other formats, a checkpoint around it, a wrapper's prefix, no batch counters."""
    faces = some_faces(2, 112)
    found = matcher(files / file).embed(faces)
    np.testing.assert_allclose(found, of_torch(net, "imagenet", faces), atol=1e-5)


@pytest.mark.parametrize("file", ["plain.pt", "trunk.pt"])
def test_what_goes_into_the_last_layer(net, files, file):
    """With or without a classifier in the checkpoint: the 512 numbers before it."""
    faces = some_faces(2, 112)
    found = matcher(files / file, embedding="penultimate").embed(faces)
    assert found.shape == (2, 512)
    last = net.fc.weight.detach().numpy().T
    expected = of_torch(net, "imagenet", faces)
    np.testing.assert_allclose(found @ last + net.fc.bias.detach().numpy(), expected, atol=1e-4)


def test_no_last_layer_to_take(files):
    """A trunk has no head, and the sentence says what to type."""
    with pytest.raises(InputError, match=r"matcher\.embedding=penultimate"):
        matcher(files / "trunk.pt").embed(some_faces(1, 112))


@pytest.mark.parametrize(
    ("architecture", "settings", "length"),
    [
        ("squeezenet1_1", {}, 512),
        ("mobilenet_v3_small", {}, 1024),
        ("shufflenet_v2_x0_5", {}, 1024),
        ("regnet_y_400mf", {}, 440),
        ("googlenet", {"init_weights": False}, 1024),
        ("mnasnet0_5", {}, 1280),
    ],
)
def test_other_architectures(tmp_path, architecture, settings, length):
    """Last layers that are convolutions, classifiers, auxiliary heads: as torchvision's own."""
    net = made(architecture, **settings)
    torch.save(net.state_dict(), tmp_path / "w.pt")
    faces = some_faces(2, 112)
    found = matcher(tmp_path / "w.pt", architecture=architecture).embed(faces)
    np.testing.assert_allclose(found, of_torch(net, "imagenet", faces), atol=1e-5)
    before = matcher(tmp_path / "w.pt", architecture=architecture, embedding="penultimate")
    assert before.embed(faces).shape == (2, length)


def test_every_architecture_is_known():
    """Each of torchvision's classification networks may be named; others get a hint."""
    names = torchvision.models.list_models(module=torchvision.models)
    assert len(names) >= 80
    for name in names:
        TorchvisionMatcher(architecture=name, weights="w.pt", convention="imagenet")
    with pytest.raises(InputError, match="did you mean resnet50"):
        TorchvisionMatcher(architecture="resnet5", weights="w.pt", convention="imagenet")
    with pytest.raises(InputError, match="no classification network"):
        TorchvisionMatcher(architecture="raft_large", weights="w.pt", convention="imagenet")


def test_no_network_runs_with_random_weights(tmp_path):
    """Without a checkpoint there is a sentence and no number."""
    with pytest.raises(InputError, match="runs no network with random weights"):
        matcher(tmp_path / "absent.pt").embed(some_faces(1, 112))
    with pytest.raises(InputError, match="runs no network with random weights"):
        matcher(tmp_path / "absent.pt").identity()


def test_other_tensors_are_listed(net, tmp_path):
    """Missing, foreign and misshapen tensors are named."""
    changed = dict(net.state_dict())
    changed["layer1.0.conv1.weight"] = torch.zeros(64, 64, 1, 1)
    changed["surprise"] = torch.zeros(1)
    del changed["bn1.running_var"]
    torch.save(changed, tmp_path / "w.pt")
    with pytest.raises(InputError) as caught:
        matcher(tmp_path / "w.pt").embed(some_faces(1, 112))
    for words in (
        "bn1.running_var: absent",
        "surprise: not part of this network",
        "layer1.0.conv1.weight: shape (64, 64, 1, 1), wanted (64, 64, 3, 3)",
    ):
        assert words in str(caught.value)


def test_weights_of_another_architecture(files):
    """Not half of them loaded, but none."""
    with pytest.raises(InputError, match="no state dict of torchvision's resnet50"):
        matcher(files / "plain.pt", architecture="resnet50").embed(some_faces(1, 112))


def test_the_dimension_can_be_stated(files):
    """A vector of another length than stated is refused."""
    assert matcher(files / "plain.pt", dimension=WIDTH).embed(some_faces(1, 112)).shape == (1, 24)
    with pytest.raises(InputError, match="vectors of 24 numbers, not of 512"):
        matcher(files / "plain.pt", dimension=512).embed(some_faces(1, 112))


def test_the_mirrored_face(net, files):
    """Added, as the vectors of the turned image."""
    faces = some_faces(2, 112)
    expected = of_torch(net, "imagenet", faces) + of_torch(
        net, "imagenet", faces[:, :, ::-1].copy()
    )
    found = matcher(files / "plain.pt", flip="sum").embed(faces)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_face_has_one_vector_in_every_batch(files):
    """Alone or among others, to rounding."""
    faces = some_faces(5, 112)
    ours = matcher(files / "plain.pt")
    alone = np.concatenate([ours.embed(faces[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(ours.embed(faces), alone, atol=1e-5)


def test_settings_and_identity(files):
    """Unknown settings are refused; every setting and every byte of the weights is told."""
    with pytest.raises(InputError, match=r"matcher\.convention=imagenet"):
        TorchvisionMatcher(architecture="resnet18", weights=str(files / "plain.pt"))
    with pytest.raises(InputError, match=r"matcher\.embedding=tail"):
        matcher(files / "plain.pt", embedding="tail")
    several = [
        matcher(files / "plain.pt"),
        matcher(files / "plain.pt", "insightface"),
        matcher(files / "plain.pt", embedding="penultimate"),
        matcher(files / "plain.pt", flip="sum"),
        matcher(files / "old.pt", name="resnet18_plain"),
        matcher(files / "plain.pt", architecture="resnet34", name="resnet18_plain"),
    ]
    assert len({str(dict(each.identity())) for each in several}) == len(several)


def test_the_draws_of_others_are_left_alone(files):
    """Building the network takes no random number from anybody."""
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    matcher(files / "plain.pt").embed(some_faces(1, 112))
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
