"""onnx: a file gives what the network gave that it was exported from, or ends in a sentence."""

from __future__ import annotations

import os
import shutil

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from torch import nn

from frbench import cli
from frbench.conventions import convention, known
from frbench.digests import digest_bytes
from frbench.embedding import embed
from frbench.errors import InputError
from frbench.matchers.onnx import OnnxMatcher
from network_worlds import (
    SIZES,
    reference,
    saved_beside,
    small_net,
    some_faces,
    to_onnx,
)
from real_photographs import SHARED, needs

REAL = SHARED / "models" / "mobilefacenet" / "MobileFaceNet.onnx"


@pytest.fixture(scope="module")
def net():
    """One small network."""
    return small_net()


@pytest.fixture(scope="module")
def files(net, tmp_path_factory):
    """It as ONNX: any batch, batch 1, batch 4, and with its weights in a file beside it."""
    folder = tmp_path_factory.mktemp("onnx")
    pixels = torch.zeros(1, 3, 112, 112)
    onnx.save_model(to_onnx(net, pixels), str(folder / "any.onnx"))
    onnx.save_model(to_onnx(net, pixels, batch=1), str(folder / "one.onnx"))
    onnx.save_model(to_onnx(net, pixels.expand(4, -1, -1, -1), batch=4), str(folder / "four.onnx"))
    onnx.save_model(to_onnx(net, torch.zeros(1, 3, 160, 160)), str(folder / "large.onnx"))
    saved_beside(to_onnx(net, pixels), folder / "beside.onnx")
    return folder


def matcher(path, style="insightface", **settings):
    """The matcher on that file under that convention."""
    return OnnxMatcher(path=str(path), convention=style, **settings)


def bare_model(nodes, shape, *, kind=TensorProto.FLOAT, outputs=("out",), weights=()):
    """A model of a few nodes on the input ``data``."""
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    data = helper.make_tensor_value_info("data", kind, shape)
    graph = helper.make_graph(nodes, "g", [data], made, list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def written(model, path):
    """The model's file."""
    path.write_bytes(model.SerializeToString())
    return path


def pooling(shape, **settings):
    """The mean of each colour: the smallest network there is."""
    node = helper.make_node("GlobalAveragePool", ["data"], ["out"])
    return bare_model([node], shape, **settings)


def test_every_convention_is_tested():
    """A convention added to the folder is added to the tests' formulas."""
    assert set(SIZES) == set(known())
    assert {name: convention(name).input_size for name in known()} == SIZES


@pytest.mark.parametrize("name", sorted(SIZES))
def test_a_file_gives_the_vectors_of_its_network(net, files, name):
    """Through each convention, within 1e-5 of torch on pixels prepared by its makers' formula."""
    faces = some_faces(5, SIZES[name])
    file = "large.onnx" if SIZES[name] == 160 else "any.onnx"
    found = matcher(files / file, name).embed(faces)
    assert found.dtype == np.float32
    expected = reference(net, name, faces)
    # raw bytes are two orders larger than scaled ones, and so are the vectors
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("file", ["one.onnx", "four.onnx", "any.onnx", "beside.onnx"])
def test_the_batch_of_the_file_changes_nothing(net, files, file):
    """A batch fixed at 1, at 4 or free, and weights in a file beside it: the same vectors."""
    faces = some_faces(7, 112)
    found = matcher(files / file).embed(faces)
    np.testing.assert_allclose(found, reference(net, "insightface", faces), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_face_has_one_vector_in_every_batch(files, count, seed):
    """Alone or among others: a batch of 1 bit for bit, a free batch to rounding."""
    faces = some_faces(count, 112, seed)
    one, free = matcher(files / "one.onnx"), matcher(files / "any.onnx")
    np.testing.assert_array_equal(one.embed(faces)[-1], one.embed(faces[-1:])[0])
    np.testing.assert_allclose(free.embed(faces)[-1], free.embed(faces[-1:])[0], atol=1e-5)


def test_who_sees_each_face_by_itself(files):
    """Only a batch fixed at 1 lets the cache forget the batch."""
    assert matcher(files / "one.onnx").batch_invariant
    assert not matcher(files / "four.onnx").batch_invariant
    assert not matcher(files / "any.onnx").batch_invariant


def test_no_faces(files):
    """An empty batch has no rows."""
    assert len(matcher(files / "any.onnx").embed(some_faces(0, 112))) == 0
    assert len(matcher(files / "one.onnx").embed(some_faces(0, 112))) == 0


@pytest.mark.parametrize("flip", ["none", "sum", "concatenate"])
def test_the_mirrored_face(net, files, flip):
    """Added or put behind, as the vectors of the turned image."""
    faces = some_faces(3, 112)
    straight = reference(net, "insightface", faces)
    mirrored = reference(net, "insightface", faces[:, :, ::-1].copy())
    expected = {
        "none": straight,
        "sum": straight + mirrored,
        "concatenate": np.hstack([straight, mirrored]),
    }[flip]
    found = matcher(files / "any.onnx", flip=flip).embed(faces)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("layout", "shape", "given"),
    [
        ("NHWC", ["n", 112, 112, 3], None),
        ("NCHW", ["n", 3, 112, 112], None),
        ("NHWC", ["n", "h", "w", "c"], "NHWC"),
        ("NCHW", ["n", "c", "h", "w"], "NCHW"),
    ],
)
def test_where_the_colours_are(tmp_path, layout, shape, given):
    """Told by the axis of three, or by the user where all axes are free."""
    axes = [1, 2] if layout == "NHWC" else [2, 3]
    node = helper.make_node("ReduceMean", ["data"], ["out"], axes=axes, keepdims=0)
    path = written(bare_model([node], shape), tmp_path / "m.onnx")
    faces = some_faces(2, 112)
    found = matcher(path, "sface", layout=given).embed(faces)
    np.testing.assert_allclose(found, faces.mean(axis=(1, 2)), rtol=1e-5)


def test_colours_that_could_be_anywhere(tmp_path):
    """A shape without one axis of three needs the user's word."""
    path = written(pooling(["n", "c", "h", "w"]), tmp_path / "m.onnx")
    with pytest.raises(InputError, match=r"matcher\.layout=NCHW"):
        matcher(path)
    with pytest.raises(InputError, match=r"matcher\.layout=CHWN"):
        matcher(path, layout="CHWN")


@pytest.mark.parametrize("kind", ["UINT8", "FLOAT16", "DOUBLE"])
def test_kinds_of_pixels(tmp_path, kind):
    """Bytes, halves and doubles reach the network as such."""
    nodes = [
        helper.make_node("Cast", ["data"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["wide"], ["out"]),
    ]
    model = bare_model(nodes, ["n", 3, 112, 112], kind=getattr(TensorProto, kind))
    path = written(model, tmp_path / "m.onnx")
    faces = some_faces(2, 112)
    found = matcher(path, "sface").embed(faces)
    np.testing.assert_allclose(found, faces.mean(axis=(1, 2)), rtol=2e-3)
    if kind == "UINT8":
        with pytest.raises(InputError, match="takes bytes"):
            matcher(path, "insightface").embed(faces)


def test_a_kind_that_no_image_has(tmp_path):
    """Text and whole numbers of 64 bits are no pixels."""
    path = written(pooling(["n", 3, 112, 112], kind=TensorProto.INT64), tmp_path / "m.onnx")
    with pytest.raises(InputError, match="is INT64"):
        matcher(path)


def two_outputs():
    """A network that returns a vector and its squares, as AdaFace returns a norm."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["vector"]),
        helper.make_node("Mul", ["vector", "vector"], ["squared"]),
    ]
    return bare_model(nodes, ["n", 3, 112, 112], outputs=("vector", "squared"))


def test_several_outputs_are_named(tmp_path):
    """The user says which is the vector; nothing is taken by its place."""
    path = written(two_outputs(), tmp_path / "m.onnx")
    faces = some_faces(2, 112)
    with pytest.raises(InputError, match=r"2 outputs .*matcher\.output=NAME"):
        matcher(path)
    with pytest.raises(InputError, match="no output norm"):
        matcher(path, output="norm")
    found = matcher(path, "sface", output="squared").embed(faces)
    np.testing.assert_allclose(found, faces.mean(axis=(1, 2)) ** 2, rtol=1e-5)


def test_the_convention_must_be_confirmed(files):
    """Without one, what the file shows is told, and the exact word to type."""
    with pytest.raises(InputError) as caught:
        OnnxMatcher(path=str(files / "one.onnx"))
    message = str(caught.value)
    assert "\n" not in message
    for words in (
        "data float32 [1, 3, 112, 112]",
        "(RGB, (x - 127.5) / 127.5, five_point at 112 x 112)",
        "matcher.convention=insightface",
        "adaface: BGR",
    ):
        assert words in message


def normalising():
    """A network whose first nodes shift and scale, as MXNet's and OpenCV's files do."""
    weights = [
        helper.make_tensor("mean", TensorProto.FLOAT, [1], [127.5]),
        helper.make_tensor("scale", TensorProto.FLOAT, [1], [0.0078125]),
    ]
    nodes = [
        helper.make_node("Sub", ["data", "mean"], ["shifted"]),
        helper.make_node("Mul", ["shifted", "scale"], ["scaled"]),
        helper.make_node("GlobalAveragePool", ["scaled"], ["out"]),
    ]
    return bare_model(nodes, ["n", 3, 112, 112], weights=weights)


def test_the_command_line_asks_for_it(files, capsys):
    """The sentence comes before any work, and ``frbench list`` shows the words to choose from."""
    arguments = [f"matcher.path={files / 'one.onnx'}", f"output={files / 'run'}"]
    assert cli.run(["evaluate", "matcher=onnx", "benchmark=synthetic", *arguments]) == 2
    assert "confirm with matcher.convention=insightface" in capsys.readouterr().err
    assert not (files / "run").exists()
    assert cli.run(["list", "convention"]) == 0
    assert set(known()) <= set(capsys.readouterr().out.split())
    assert cli.run(["list", "matcher"]) == 0
    assert "frbench[onnx]" in capsys.readouterr().out


def test_what_is_proposed(tmp_path):
    """By the size, by the first nodes, by names in the file; a name of another size is ignored."""
    named = pooling(["n", 3, 112, 112])
    helper.set_model_props(named, {"trained_with": "AdaFace, WebFace4M"})
    cases = {
        "a.onnx": (named, "adaface"),
        "b.onnx": (normalising(), "sface"),
        "c.onnx": (pooling(["n", 3, 160, 160]), "facenet"),
        "mobilefacenet.onnx": (pooling(["n", 3, 112, 112]), "insightface"),
        "d.onnx": (pooling(["n", 3, 112, 112], kind=TensorProto.UINT8), "sface"),
    }
    for name, (model, likely) in cases.items():
        path = written(model, tmp_path / name)
        with pytest.raises(InputError, match=rf"confirm with matcher\.convention={likely}[, ]"):
            OnnxMatcher(path=str(path))


def test_sizes_that_do_not_fit(files):
    """A network of 160 pixels under a convention of 112, and faces of another size."""
    with pytest.raises(InputError, match="takes images of 160 pixels"):
        matcher(files / "large.onnx", "insightface")
    with pytest.raises(InputError, match="112 x 112 x 3, not uint8"):
        matcher(files / "any.onnx").embed(some_faces(1, 96))


def test_a_convention_of_the_users_own(net, files, tmp_path):
    """A YAML file with the same keys."""
    own = tmp_path / "ours.yaml"
    own.write_text(
        "input_size: 112\nalignment: none\ncolour_order: BGR\nmean: [1, 2, 3]\nstd: [4, 5, 6]\n"
        "flip: sum\ndetector: precropped\nsource: us\n"
    )
    faces = some_faces(2, 112)
    ours = matcher(files / "any.onnx", str(own))
    assert ours.default_detector == "precropped"
    turned = torch.from_numpy(faces).permute(0, 3, 1, 2).flip(1).double()
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in ([1, 2, 3], [4, 5, 6]))
    pixels = ((turned - mean) / std).float()
    with torch.no_grad():
        expected = (net(pixels) + net(pixels.flip(3))).numpy()
    np.testing.assert_allclose(ours.embed(faces), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("colour_order: RBG\n", "colour_order=RBG"),
        ("mean: [0.5, 0.5]\n", "three numbers"),
        ("std: [0, 1, 1]\n", "above 0"),
        ("std: [.nan, 1, 1]\n", "three numbers"),
        ("input_size: big\n", "input_size=big"),
        ("colour: RGB\n", "colour is unknown"),
        ("alignment: 3d\n", "alignment=3d"),
        ("[1, 2]\n", "no keys"),
        ("a: [\n", "no YAML"),
    ],
)
def test_a_convention_that_cannot_be_used(files, tmp_path, content, words):
    """What is wrong with it is said."""
    own = tmp_path / "ours.yaml"
    own.write_text(content)
    with pytest.raises(InputError, match=words):
        matcher(files / "any.onnx", str(own))


def test_unknown_words(files, tmp_path):
    """A convention, a flip and a file that are not there."""
    with pytest.raises(InputError, match="convention=arcface is unknown"):
        matcher(files / "any.onnx", "arcface")
    with pytest.raises(InputError, match=r"matcher\.flip=twice"):
        matcher(files / "any.onnx", flip="twice")
    with pytest.raises(InputError, match="cannot be read"):
        matcher(tmp_path / "none.onnx")
    with pytest.raises(InputError, match="has no CUDA"):
        matcher(files / "any.onnx", device="cuda")


def test_the_identity_covers_the_file_beside(files, tmp_path):
    """One byte of the external data changes the identity, and the vectors."""
    folder = tmp_path / "copy"
    shutil.copytree(files, folder)
    before = matcher(folder / "beside.onnx")
    assert before.identity() == matcher(files / "beside.onnx").identity()
    data = bytearray((folder / "weights.bin").read_bytes())
    data[-1] ^= 0x40
    (folder / "weights.bin").write_bytes(bytes(data))
    after = matcher(folder / "beside.onnx")
    assert before.identity()["weights"]["beside.onnx"] == after.identity()["weights"]["beside.onnx"]
    assert after.identity()["weights"]["weights.bin"] == digest_bytes(bytes(data))
    assert before.identity() != after.identity()
    faces = some_faces(2, 112)
    assert not np.array_equal(before.embed(faces), after.embed(faces))


def test_the_identity_covers_the_settings(files):
    """Convention, flip and file, each by itself."""
    made = [
        matcher(files / "any.onnx"),
        matcher(files / "any.onnx", "adaface"),
        matcher(files / "any.onnx", flip="sum"),
        matcher(files / "one.onnx", name="any"),
    ]
    identities = [str(dict(each.identity())) for each in made]
    assert len({*identities}) == len(made)


def test_a_missing_file_beside(files, tmp_path):
    """The sentence names the file that must be copied too."""
    shutil.copy(files / "beside.onnx", tmp_path)
    with pytest.raises(InputError, match=r"in a file beside it; .*weights\.bin"):
        matcher(tmp_path / "beside.onnx")


def test_a_short_file_beside(files, tmp_path):
    """A copy that was cut off is noticed before anything is computed."""
    shutil.copy(files / "beside.onnx", tmp_path)
    (tmp_path / "weights.bin").write_bytes((files / "weights.bin").read_bytes()[:-8])
    with pytest.raises(InputError, match="too short"):
        matcher(tmp_path / "beside.onnx")


@pytest.mark.parametrize("place", ["../secret.bin", "/etc/hostname", "C:\\w.bin"])
def test_a_file_that_leads_out_of_its_folder(files, tmp_path, place):
    """No file of the user's elsewhere is opened because a network says so."""
    model = onnx.load(str(files / "beside.onnx"), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = place
    (tmp_path / "secret.bin").write_bytes(b"0" * 10_000)
    (tmp_path / "inner").mkdir()
    with pytest.raises(InputError, match="external data file"):
        matcher(written(model, tmp_path / "inner" / "m.onnx"))


def test_a_link_that_leads_out_of_its_folder(files, tmp_path):
    """Nor through a link."""
    (tmp_path / "inner").mkdir()
    shutil.copy(files / "weights.bin", tmp_path / "outside.bin")
    shutil.copy(files / "beside.onnx", tmp_path / "inner")
    os.symlink(tmp_path / "outside.bin", tmp_path / "inner" / "weights.bin")
    with pytest.raises(InputError, match="leads out"):
        matcher(tmp_path / "inner" / "beside.onnx")


@pytest.mark.parametrize("content", [b"", b"no network at all", b"\x08", b"PK\x03\x04"])
def test_files_that_are_no_onnx(tmp_path, content):
    """Empty, text and a zip."""
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no ONNX file"):
        matcher(path)


def test_a_network_that_cannot_be_built(tmp_path):
    """An operator that nobody has ends in a sentence, at first use."""
    model = bare_model([helper.make_node("Telepathy", ["data"], ["out"])], ["n", 3, 112, 112])
    path = written(model, tmp_path / "m.onnx")
    with pytest.raises(InputError, match="cannot load this network"):
        matcher(path).embed(some_faces(1, 112))


def test_a_network_that_cannot_be_run(tmp_path):
    """Nor a reshape that fits one face only."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [1, 3 * 112 * 112])
    node = helper.make_node("Reshape", ["data", "shape"], ["out"])
    path = written(bare_model([node], ["n", 3, 112, 112], weights=[shape]), tmp_path / "m.onnx")
    with pytest.raises(InputError, match="cannot run the network"):
        matcher(path).embed(some_faces(2, 112))


def test_a_map_is_no_vector(tmp_path):
    """An output of [b, 3, 56, 56] says that the export stopped too early."""
    node = helper.make_node("AveragePool", ["data"], ["out"], kernel_shape=[2, 2], strides=[2, 2])
    path = written(bare_model([node], ["n", 3, 112, 112]), tmp_path / "m.onnx")
    with pytest.raises(InputError, match="one vector a face"):
        matcher(path).embed(some_faces(2, 112))


def test_two_inputs_are_one_too_many(tmp_path):
    """A network that wants landmarks as well is no matcher of images."""
    model = pooling(["n", 3, 112, 112])
    model.graph.input.append(helper.make_tensor_value_info("five", TensorProto.FLOAT, ["n", 10]))
    with pytest.raises(InputError, match="takes 2 inputs"):
        matcher(written(model, tmp_path / "m.onnx"))


class _Root(nn.Module):
    """Has no answer for dark faces."""

    def forward(self, pixels):
        return torch.sqrt(pixels.mean((2, 3)))


def test_a_vector_that_is_not_finite_is_a_failure_to_enrol(tmp_path):
    """NaN for one face fails that face and no other; synthetic images, one dark, one bright."""
    import pandas as pd
    from PIL import Image

    from frbench.detectors.precropped import PrecroppedDetector
    from frbench.values import FaceSet

    model = to_onnx(_Root().eval(), torch.zeros(1, 3, 112, 112))
    onnx.save_model(model, str(tmp_path / "m.onnx"))
    for name, level in (("dark", 10), ("bright", 240)):
        Image.new("RGB", (112, 112), (level,) * 3).save(tmp_path / f"{name}.png")
    table = pd.DataFrame(
        {"image_id": ["dark", "bright"], "subject_id": "s", "path": ["dark.png", "bright.png"]}
    )
    found = embed(
        FaceSet("two", "1", tmp_path, table, synthetic=True),
        PrecroppedDetector(),
        matcher(tmp_path / "m.onnx"),
    )
    assert found.enrolled.tolist() == [False, True]
    assert "not finite" in found.failure[0]


@pytest.mark.parametrize("threads", ["1", "2"])
def test_threads_change_nothing(files, monkeypatch, threads):
    """One thread or two: the same bits."""
    faces = some_faces(6, 112)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    expected = matcher(files / "any.onnx").embed(faces)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    np.testing.assert_array_equal(matcher(files / "any.onnx").embed(faces), expected)


@needs("lfw")
@pytest.mark.skipif(not REAL.is_file(), reason="the real MobileFaceNet is not beside the checkout")
def test_a_real_matcher_on_real_photographs():
    """MobileFaceNet through MTCNN's five points: images of one person score above the others."""
    import pandas as pd

    from frbench.detectors.mtcnn import MtcnnDetector
    from frbench.values import FaceSet

    table = pd.read_csv(SHARED / "lfw" / "manifest.csv")
    several = table.groupby("subject_id").filter(lambda rows: len(rows) == 2)
    table = several.head(20).assign(image_id=lambda rows: rows["path"]).reset_index(drop=True)
    found = embed(
        FaceSet("lfw", "1", SHARED / "lfw", table),
        MtcnnDetector(),
        matcher(REAL, "imagenet"),
        choice="most_central",
    )
    assert found.vectors.shape == (20, 128)
    assert found.enrolled.all()
    scores = found.vectors @ found.vectors.T
    same = np.equal.outer(*[table["subject_id"].to_numpy()] * 2)
    upper = np.triu(np.ones_like(same), 1)
    mated, others = scores[same & upper], scores[~same & upper]
    assert len(mated) == 10
    assert np.median(mated) > 0.5
    assert (mated[:, None] > others).mean() > 0.98
