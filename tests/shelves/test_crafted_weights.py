"""No file of weights or templates makes frbench run the code in it: each door is tried.

Every crafted file is first shown to spring under the loader that frbench does not use, so that a
door that stays shut was really knocked at.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import warnings
import zipfile

import numpy as np
import pytest
import torch
from facenet_pytorch import InceptionResnetV1

from frbench.digests import digest_bytes
from frbench.errors import InputError
from frbench.matchers.embeddings import StoredEmbeddings
from frbench.matchers.exported import ExportedMatcher
from frbench.matchers.facenet import FacenetMatcher
from frbench.matchers.onnx import OnnxMatcher
from frbench.matchers.tiny import TinyMatcher
from frbench.matchers.torchvision_backbone import TorchvisionMatcher
from frbench.template_cache import TemplateCache
from network_worlds import small_net, some_faces


class Trap:
    """Unpickling this makes a folder."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


def torch_saved(content):
    """Bytes of ``torch.save``."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def crafted(kind, target):
    """Bytes that make the folder ``target`` when they are unpickled."""
    trap = Trap(target)
    return {
        "pickle": lambda: pickle.dumps(trap),
        "pickle of a dict": lambda: pickle.dumps({"fc.weight": trap}),
        "torch": lambda: torch_saved(trap),
        "torch, in a state dict": lambda: torch_saved({"a": torch.zeros(1), "fc.weight": trap}),
        "torch, in a checkpoint": lambda: torch_saved({"state_dict": {"a": trap}}),
    }[kind]()


KINDS = [
    "pickle",
    "pickle of a dict",
    "torch",
    "torch, in a state dict",
    "torch, in a checkpoint",
]
DOORS = {
    "facenet": lambda path: FacenetMatcher(weights="vggface2", path=path),
    "torchvision": lambda path: TorchvisionMatcher(
        architecture="resnet18", weights=path, convention="imagenet"
    ),
    "exported": lambda path: ExportedMatcher(path=path, convention="insightface"),
    "onnx": lambda path: OnnxMatcher(path=path, convention="insightface"),
    "tiny": lambda path: TinyMatcher(weights=path),
    "embeddings": lambda path: StoredEmbeddings(path=path),
}


def used(door, path):
    """Open the file through the door and ask for vectors."""
    matcher = DOORS[door](str(path))
    if hasattr(matcher, "lookup"):
        return matcher.lookup(np.array(["a"]))
    return matcher.embed(some_faces(1, matcher.preprocess.input_size))


def springs(data, target):
    """Whether the bytes do what they were crafted for, under torch's unrestricted loader."""
    torch.load(io.BytesIO(data), weights_only=False)
    sprung = target.exists()
    target.rmdir()
    return sprung


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("door", "suffix"),
    [
        ("facenet", ".pt"),
        ("torchvision", ".pt"),
        ("torchvision", ".safetensors"),
        ("exported", ".pt"),
        ("exported", ".pt2"),
        ("onnx", ".onnx"),
        ("tiny", ".safetensors"),
        ("embeddings", ".npz"),
        ("embeddings", ".npy"),
    ],
)
def test_a_crafted_pickle_is_refused_and_not_run(tmp_path, door, kind, suffix):
    """Whatever its name, at every door: one sentence, and no folder."""
    target = tmp_path / "sprung"
    data = crafted(kind, target)
    if kind.startswith("torch"):
        assert springs(data, target)
    path = tmp_path / f"w{suffix}"
    path.write_bytes(data)
    with pytest.raises(InputError):
        used(door, path)
    assert not target.exists()


def test_a_trap_in_an_array_is_refused(tmp_path):
    """Arrays of objects in .npz are pickles."""
    target = tmp_path / "sprung"
    objects = np.array([Trap(target)], dtype=object)
    for arrays in (
        {"vectors": objects, "image_id": np.array(["a"])},
        {"vectors": np.ones((1, 4)), "image_id": objects},
        {"vectors": np.ones((1, 4)), "image_id": np.array(["a"]), "enrolled": objects},
    ):
        np.savez(tmp_path / "v.npz", **arrays)
        with pytest.raises(InputError):
            used("embeddings", tmp_path / "v.npz")
        assert not target.exists()
    loaded = np.load(tmp_path / "v.npz", allow_pickle=True)
    assert loaded["enrolled"] is not None
    assert target.exists()


def test_a_trap_in_the_cache_is_passed_over(tmp_path):
    """A shard that somebody put into the cache folder."""
    target = tmp_path / "sprung"
    made = TemplateCache(tmp_path / "cache", {"a": 1})
    buffer = io.BytesIO()
    np.savez(buffer, key=np.array(made.key), image=np.array([Trap(target)], dtype=object))
    shards = next((tmp_path / "cache").rglob("shards"))
    (shards / f"{digest_bytes(buffer.getvalue())}.npz").write_bytes(buffer.getvalue())
    assert "a" not in TemplateCache(tmp_path / "cache", {"a": 1})
    assert not target.exists()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A sound .pt2 file."""
    path = tmp_path_factory.mktemp("export") / "n.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(small_net(), (torch.zeros(2, 3, 112, 112),))
        torch.export.save(program, path)
    return path


def rewritten(source, path, change):
    """A copy of the archive with other entries."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        entries = {name.partition("/")[2]: old.read(name) for name in old.namelist()}
        top = old.namelist()[0].partition("/")[0]
        change(entries)
        for name, data in entries.items():
            new.writestr(f"{top}/{name}", data)
    return path


def _pickled_weight(entries, target):
    config = json.loads(entries["data/weights/model_weights_config.json"])
    config["config"]["conv.bias"]["use_pickle"] = True
    place = config["config"]["conv.bias"]["path_name"]
    entries["data/weights/model_weights_config.json"] = json.dumps(config).encode()
    entries[f"data/weights/{place}"] = torch_saved(Trap(target))


def _pickled_sample(entries, target):
    entries["data/sample_inputs/model.pt"] = torch_saved((Trap(target),))


def _python(target):
    return f"__import__('os').mkdir({str(target)!r})"


def _in_program(change):
    def edit(entries, target):
        program = json.loads(entries["models/model.json"])
        change(program, _python(target))
        entries["models/model.json"] = json.dumps(program).encode()

    return edit


def _guard(program, code):
    program["guards_code"] = [f"{code} is None"]


def _expression(program, code):
    for meta in program["graph_module"]["graph"]["tensor_values"].values():
        meta["sizes"][:1] = [{"as_expr": {"expr_str": code, "hint": None}}]


@pytest.mark.parametrize(
    "craft",
    [_pickled_weight, _pickled_sample, _in_program(_expression), _in_program(_guard)],
    ids=["weight", "sample", "expression", "guard"],
)
def test_a_crafted_export_runs_nothing(archive, tmp_path, craft):
    """What torch's own loader executes, frbench's reader refuses or never looks at."""
    target = tmp_path / "sprung"
    path = rewritten(archive, tmp_path / "n.pt2", lambda entries: craft(entries, target))
    with contextlib.suppress(InputError):
        used("exported", path)
    assert not target.exists()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # whether torch can use the file afterwards is not the question
        with contextlib.suppress(Exception):
            torch.export.load(path).module()(torch.zeros(2, 3, 112, 112))
    assert target.exists()


def scripted(net, path):
    """A TorchScript file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(net), path)
    return path


@pytest.mark.parametrize("entry", ["data.pkl", "constants.pkl"])
def test_a_trap_in_a_torchscript_file(tmp_path, entry):
    """Its pickles know the file's own types only."""
    target = tmp_path / "sprung"
    sound = scripted(small_net(), tmp_path / "sound.pt")

    def change(entries):
        entries[entry] = pickle.dumps(Trap(target), protocol=2)

    path = rewritten(sound, tmp_path / "n.pt", change)
    with pytest.raises(InputError):
        used("exported", path)
    assert not target.exists()


class Writer(torch.nn.Module):
    """A program that writes a file each time it embeds a face."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The mean of each colour, and a file."""
        torch.save(pixels, self.path)
        return pixels.mean((2, 3))


def test_a_program_that_writes_files(tmp_path):
    """TorchScript can; such a program is refused before it is loaded."""
    target = tmp_path / "written"
    path = scripted(Writer(str(target)), tmp_path / "n.pt")
    with pytest.raises(InputError, match="calls save, which opens files"):
        used("exported", path)
    assert not target.exists()


def test_facenet_takes_no_whole_network(tmp_path):
    """A pickled module is code too; only its tensors are taken."""
    path = tmp_path / "w.pt"
    torch.save(InceptionResnetV1(pretrained=None), path)
    with pytest.raises(InputError, match="cannot be loaded safely"):
        used("facenet", path)
