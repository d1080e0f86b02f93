"""exported: a program gives what its network gives, by its own reader, or ends in a sentence."""

from __future__ import annotations

import io
import json
import warnings
import zipfile

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from frbench.errors import InputError
from frbench.exported_archive import WRITING
from frbench.matchers.exported import ExportedMatcher
from network_worlds import SIZES, prepared, reference, small_net, some_faces


def exported(net, path, pixels, *, free=True):
    """The network as .pt2, for any number of faces or for as many as ``pixels``."""
    axes = ({0: torch.export.Dim("n", min=1)},) if free else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(net, (pixels,), dynamic_shapes=axes)
        torch.export.save(program, path)
    return path


def scripted(net, path, *, traced_on=None):
    """The network as TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has put TorchScript aside
        made = torch.jit.script(net) if traced_on is None else torch.jit.trace(net, traced_on)
        torch.jit.save(made, path)
    return path


@pytest.fixture(scope="module")
def net():
    """One small network."""
    return small_net()


@pytest.fixture(scope="module")
def files(net, tmp_path_factory):
    """It in every form."""
    folder = tmp_path_factory.mktemp("exported")
    pixels = torch.zeros(2, 3, 112, 112)
    exported(net, folder / "any.pt2", pixels)
    exported(net, folder / "one.pt2", pixels[:1], free=False)
    exported(net, folder / "three.pt2", pixels[:1].expand(3, -1, -1, -1), free=False)
    exported(net, folder / "large.pt2", torch.zeros(2, 3, 160, 160))
    scripted(net, folder / "script.pt")
    scripted(net, folder / "trace.pt", traced_on=pixels)
    return folder


def matcher(path, style="insightface", **options):
    """The matcher on that file under that convention."""
    return ExportedMatcher(path=str(path), convention=style, **options)


@pytest.mark.parametrize("style", sorted(SIZES))
@pytest.mark.parametrize("kind", ["pt2", "script"])
def test_a_program_gives_the_vectors_of_its_network(net, files, style, kind):
    """Through each convention, within 1e-5 of the network in memory."""
    size = SIZES[style]
    file = "script.pt" if kind == "script" else ("any.pt2" if size == 112 else "large.pt2")
    faces = some_faces(5, size)
    found = matcher(files / file, style).embed(faces)
    expected = reference(net, style, faces)
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("file", ["any.pt2", "one.pt2", "three.pt2", "trace.pt", "script.pt"])
def test_the_batch_of_the_file_changes_nothing(net, files, file):
    """Free or fixed, exported, traced or scripted."""
    faces = some_faces(7, 112)
    found = matcher(files / file).embed(faces)
    np.testing.assert_allclose(found, reference(net, "insightface", faces), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 8), seed=st.integers(0, 99))
def test_a_face_has_one_vector_in_every_batch(files, count, seed):
    """A batch of 1 bit for bit, the others to rounding."""
    faces = some_faces(count, 112, seed)
    one, free = matcher(files / "one.pt2"), matcher(files / "any.pt2")
    np.testing.assert_array_equal(one.embed(faces)[-1], one.embed(faces[-1:])[0])
    np.testing.assert_allclose(free.embed(faces)[-1], free.embed(faces[-1:])[0], atol=1e-5)
    assert one.batch_invariant
    assert not free.batch_invariant


class Attention(nn.Module):
    """What transformers are made of: patches, attention, normalisation, reshapes by the batch."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 16, 16)
        self.place = nn.Parameter(torch.randn(1, 50, 32))
        self.token = nn.Parameter(torch.randn(1, 1, 32))
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, dropout=0.1)
        self.norm = nn.LayerNorm(32)

    def forward(self, pixels):
        seen = self.patches(pixels)
        seen = seen.reshape(seen.shape[0], 32, -1).permute(0, 2, 1)
        token = self.token.expand(seen.shape[0], -1, -1)
        seen = torch.cat([token, seen], dim=1) + self.place
        first, second = self.layer(seen).chunk(2, dim=2)
        return self.norm(torch.cat([second, first], dim=2))[:, 0]


def _seeded(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return make().eval()


@pytest.mark.parametrize(
    "make",
    [
        Attention,
        lambda: torchvision.models.resnet18(num_classes=8),
        lambda: torchvision.models.mobilenet_v3_small(num_classes=8),
    ],
    ids=["attention", "resnet18", "mobilenet_v3_small"],
)
def test_networks_of_every_kind_are_read(make, tmp_path):
    """Convolutions, gates and attention, for any number of faces: as torch."""
    net = _seeded(make)
    path = exported(net, tmp_path / "n.pt2", torch.zeros(2, 3, 112, 112))
    faces = some_faces(3, 112)
    with torch.no_grad():
        expected = net(prepared("imagenet", faces)).numpy()
    found = matcher(path, "imagenet").embed(faces)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("flip", ["sum", "concatenate"])
def test_the_mirrored_face(net, files, flip):
    """Added or put behind, as the vectors of the turned image."""
    faces = some_faces(3, 112)
    straight = reference(net, "insightface", faces)
    mirrored = reference(net, "insightface", faces[:, :, ::-1].copy())
    expected = straight + mirrored if flip == "sum" else np.hstack([straight, mirrored])
    found = matcher(files / "any.pt2", flip=flip).embed(faces)
    np.testing.assert_allclose(found, expected, atol=1e-5)


class Bytes(nn.Module):
    """Takes bytes, channels last, and returns a vector and its square."""

    def forward(self, pixels):
        vector = pixels.float().mean((1, 2))
        return vector, vector.square().sum(1, keepdim=True)


@pytest.mark.parametrize("kind", ["pt2", "script"])
def test_outputs_kinds_and_layouts(tmp_path, kind):
    """Bytes with the colours last, and two outputs of which one is named."""
    net = Bytes()
    faces = some_faces(2, 112)
    if kind == "pt2":
        pixels = torch.zeros(2, 112, 112, 3, dtype=torch.uint8)
        path, settings = exported(net, tmp_path / "n.pt2", pixels), {}
    else:
        path, settings = scripted(net, tmp_path / "n.pt"), {"layout": "NHWC"}
    found = matcher(path, "sface", output=0, **settings).embed(faces)
    np.testing.assert_allclose(found, faces.mean(axis=(1, 2)), rtol=1e-5)
    assert matcher(path, "sface", output=1, **settings).embed(faces).shape == (2, 1)
    for wrong in (None, 2, "norm"):
        with pytest.raises(InputError, match=r"2 outputs.*matcher\.output"):
            matcher(path, "sface", output=wrong, **settings).embed(faces)


def test_the_convention_must_be_confirmed(files):
    """What the file shows is told, and the exact word to type."""
    with pytest.raises(InputError, match=r"\[1, 3, 112, 112\].*matcher\.convention=insightface"):
        ExportedMatcher(path=str(files / "one.pt2"))
    with pytest.raises(InputError, match=r"not stated.*matcher\.convention=insightface"):
        ExportedMatcher(path=str(files / "script.pt"))
    with pytest.raises(InputError, match="takes images of 160 pixels"):
        matcher(files / "large.pt2")


def test_the_identity_covers_file_and_settings(files):
    """Another file, convention, flip or batch is another matcher."""
    made = [
        matcher(files / "any.pt2"),
        matcher(files / "any.pt2", "adaface"),
        matcher(files / "any.pt2", flip="sum"),
        matcher(files / "one.pt2", name="any"),
        matcher(files / "any.pt2", batch=1),
    ]
    assert len({str(dict(each.identity())) for each in made}) == len(made)


def test_a_network_in_training_is_refused(tmp_path):
    """Dropout and batch statistics would give a face another vector every time."""
    drop = nn.Sequential(nn.Flatten(), nn.Linear(3 * 112 * 112, 4), nn.Dropout(0.5)).train()
    norm = small_net().train()
    for name, net in (("drop", drop), ("norm", norm)):
        path = exported(net, tmp_path / f"{name}.pt2", torch.zeros(2, 3, 112, 112))
        with pytest.raises(InputError, match=r"network\.eval\(\)"):
            matcher(path)


class Traced(nn.Module):
    """Its reshape holds for one face only."""

    def forward(self, pixels):
        return pixels.mean((2, 3)).reshape(1, 3)


def test_a_program_for_one_face_at_a_time(tmp_path):
    """The sentence says what to set, and that helps."""
    path = scripted(Traced(), tmp_path / "n.pt", traced_on=torch.zeros(1, 3, 112, 112))
    faces = some_faces(2, 112)
    with pytest.raises(InputError, match=r"matcher\.batch=1"):
        matcher(path, "sface").embed(faces)
    found = matcher(path, "sface", batch=1).embed(faces)
    np.testing.assert_allclose(found, faces.mean(axis=(1, 2)), rtol=1e-5)
    with pytest.raises(InputError, match=r"matcher\.batch=0"):
        matcher(path, "sface", batch=0)


def rewritten(source, path, change):
    """A copy of an archive whose entries went through ``change(name, data)``."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, change(entry.partition("/")[2], old.read(entry)))
    return path


def with_program(source, path, change):
    """A copy of a .pt2 file whose JSON was changed in place."""

    def edit(name, data):
        if name != "models/model.json":
            return data
        program = json.loads(data)
        change(program)
        return json.dumps(program).encode()

    return rewritten(source, path, edit)


def _target(name):
    def change(program):
        program["graph_module"]["graph"]["nodes"][0]["target"] = name

    return change


@pytest.mark.parametrize(
    "target",
    [
        "torch.os.system",
        "torch.ops.aten.from_file.default",
        "torch.ops.quantized.add.default",
        "torch.ops.aten.__class__.__init__",
        "torch.ops.aten.nothing.default",
        "torch.ops.aten.add.nothing",
        "_operator.attrgetter",
        "print",
        "#extension:call",
    ],
)
def test_nothing_but_torchs_own_operators_is_called(files, tmp_path, target):
    """Names that lead elsewhere are refused before anything runs."""
    path = with_program(files / "any.pt2", tmp_path / "n.pt2", _target(target))
    with pytest.raises(InputError, match="none of torch's own tensor operators"):
        matcher(path)


def test_all_of_torchs_operators_that_take_a_file_name_are_known():
    """A new one in torch fails here, and is then added to the list."""
    wanted = {
        schema.name.partition("::")[2]
        for schema in torch._C._jit_get_all_schemas()
        for argument in schema.arguments
        if "file" in argument.name and str(argument.type) == "str"
    }
    assert wanted == set(WRITING)


@pytest.mark.parametrize(
    "change",
    [
        lambda program: program["schema_version"].update(major=7),
        lambda program: program.pop("graph_module"),
        lambda program: program["graph_module"]["graph"]["nodes"].pop(0),
        lambda program: program["graph_module"]["signature"]["input_specs"].pop(0),
        lambda program: program["graph_module"]["signature"]["input_specs"].pop(),
        lambda program: program["graph_module"]["graph"]["nodes"][0].update(inputs=[{}]),
    ],
)
def test_damaged_programs_end_in_a_sentence(files, tmp_path, change):
    """Another version, missing parts, nonsense in the place of arguments."""
    path = with_program(files / "any.pt2", tmp_path / "n.pt2", change)
    with pytest.raises(InputError):
        matcher(path).embed(some_faces(2, 112))


@pytest.mark.parametrize("name", ["any.pt2", "script.pt"])
@pytest.mark.parametrize("keep", [0, 10, 2000])
def test_cut_files_end_in_a_sentence(files, tmp_path, name, keep):
    """A download that broke off."""
    path = tmp_path / name
    path.write_bytes((files / name).read_bytes()[:keep])
    with pytest.raises(InputError):
        matcher(path).embed(some_faces(2, 112))


def test_weights_that_are_too_short(files, tmp_path):
    """Raw bytes that do not fill their tensor are noticed."""

    def cut(name, data):
        return data[:8] if name == "data/weights/weight_0" else data

    path = rewritten(files / "any.pt2", tmp_path / "n.pt2", cut)
    with pytest.raises(InputError, match="damaged or unusual export"):
        matcher(path)


def test_absent_files(tmp_path):
    """No network runs with random weights."""
    with pytest.raises(InputError, match="no weights at"):
        matcher(tmp_path / "n.pt2")


def test_the_reader_agrees_with_torchs_own_loader(files):
    """Bit for bit, on a file that is safe to hand to torch."""
    faces = some_faces(4, 112)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.load(io.BytesIO((files / "any.pt2").read_bytes()))
    with torch.no_grad():
        expected = program.module()(prepared("sface", faces).contiguous()).numpy()
    np.testing.assert_array_equal(matcher(files / "any.pt2", "sface").embed(faces), expected)
