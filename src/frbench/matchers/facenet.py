"""``matcher=facenet_*``: facenet-pytorch's InceptionResnetV1 with weights that the user brings.

The package would fetch its weights from the network by itself; frbench never does. A benchmark
that changes what it measures by what it could reach that day is none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from frbench.digests import digest_bytes
from frbench.errors import InputError
from frbench.matchers import Faces, Preprocess
from frbench.values import Float32s
from frbench.weights_files import tensors_of

FILE_NAMES = {
    "vggface2": "20180402-114759-vggface2.pt",
    "casia-webface": "20180408-102900-casia-webface.pt",
}
"""Names of the released files, as facenet-pytorch keeps them in torch's checkpoint folder."""

_PEOPLE = {"vggface2": 8631, "casia-webface": 10575}
_CLASSIFIER = "logits."
_SIZE = 160
_WHERE = (
    "they are attached to release v2.2.9 of the project timesler/facenet-pytorch on GitHub "
    "(MIT licence; trained on {data}, whose terms allow research)"
)
_DATA = {"vggface2": "VGGFace2", "casia-webface": "CASIA-WebFace"}


class FacenetMatcher:
    """512 numbers a face from 160x160 crops (Schroff et al. 2015; Szegedy et al. 2016)."""

    default_detector = "mtcnn"

    def __init__(self, *, weights: str, path: str | None = None, device: str = "cpu") -> None:
        """Settings only; the weights are read at first use.

        Args:
            weights: ``vggface2`` or ``casia-webface``: what they were trained on.
            path: a state dict, .pt or .safetensors; None looks where facenet-pytorch itself
                keeps it. Nothing is ever downloaded.
            device: ``cpu`` or ``cuda``.

        Raises:
            InputError: unknown weights.
        """
        if weights not in FILE_NAMES:
            raise InputError(
                f"matcher.weights={weights} is unknown; use one of {', '.join(FILE_NAMES)}"
            )
        self.name = f"facenet_{weights.split('-')[0]}"
        self.training_data = (weights,)
        self.preprocess = Preprocess(
            input_size=_SIZE,
            alignment="box",
            margin=14,
            mean=(127.5, 127.5, 127.5),
            std=(128.0, 128.0, 128.0),
            licence=f"MIT (facenet-pytorch); trained on {_DATA[weights]}, for research",
            source=f"facenet-pytorch, {FILE_NAMES[weights]}",
        )
        self._weights = weights
        self._path = Path(path).expanduser() if path is not None else None
        self._device = device

    def embed(self, faces: Faces) -> Float32s:
        """float32 (b, 512), unit length, from uint8 (b, 160, 160, 3) RGB.

        Raises:
            InputError: the weights are absent or not this network's, or another shape of faces.
        """
        import torch

        if faces.shape[1:] != (_SIZE, _SIZE, 3):
            raise InputError(f"{self.name} wants faces of {_SIZE} x {_SIZE}, not {faces.shape[1:]}")
        planes = np.ascontiguousarray(faces.transpose(0, 3, 1, 2))
        pixels = torch.tensor(planes, dtype=torch.float32, device=self._device)
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
        ):
            vectors = self._network((pixels - 127.5) / 128.0)
        return np.asarray(vectors.float().cpu().numpy(), dtype=np.float32)

    def identity(self) -> Mapping[str, Any]:
        """SHA-256 of the weights file, package versions, kind of device."""
        return {
            "name": self.name,
            "weights": digest_bytes(self._bytes),
            "facenet_pytorch": version("facenet-pytorch"),
            "torch": version("torch"),
            "device": self._device.split(":")[0],
        }

    def trainable(self) -> Any:
        """A copy of the network to be trained further, on the CPU."""
        return deepcopy(self._network).cpu()

    def retrained(self, weights: Path) -> FacenetMatcher:
        """The same matcher with other weights; its first training set stays on the record."""
        return FacenetMatcher(weights=self._weights, path=str(weights), device=self._device)

    @cached_property
    def _bytes(self) -> bytes:
        """The weights file, read once, so that what is hashed is what is loaded."""
        path = self._path or checkpoint_folder() / FILE_NAMES[self._weights]
        try:
            return path.read_bytes()
        except OSError as error:
            where = _WHERE.format(data=_DATA[self._weights])
            raise InputError(
                f"{self.name}: no weights at {path} ({error.strerror}); frbench downloads "
                f"nothing: get {FILE_NAMES[self._weights]} ({where}) and give "
                "matcher.path=FILE"
            ) from None

    @cached_property
    def _network(self) -> Any:
        import torch
        from facenet_pytorch import InceptionResnetV1

        network = InceptionResnetV1(pretrained=None)
        network.load_state_dict(self._checked(network.state_dict()))
        return network.eval().to(torch.device(self._device))

    def _checked(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The file's tensors without the classifier; its size gives away other weights."""
        given = tensors_of(self._bytes, self.name)
        people = [len(given[key]) for key in given if key == f"{_CLASSIFIER}bias"]
        if people and people[0] in _PEOPLE.values() and people[0] != _PEOPLE[self._weights]:
            raise InputError(
                f"{self.name}: the file classifies {people[0]} people, but {self._weights} has "
                f"{_PEOPLE[self._weights]}; these are the other weights"
            )
        kept = {key: value for key, value in given.items() if not key.startswith(_CLASSIFIER)}
        problems = [f"{key}: absent" for key in wanted if key not in kept]
        problems += [f"{key}: not part of this network" for key in kept if key not in wanted]
        problems += [
            f"{key}: shape {tuple(kept[key].shape)}, wanted {tuple(value.shape)}"
            for key, value in wanted.items()
            if key in kept and kept[key].shape != value.shape
        ]
        if problems:
            raise InputError.listing(
                f"{self.name}: the file is no state dict of InceptionResnetV1:", problems, shown=5
            )
        return kept


def checkpoint_folder() -> Path:
    """Where facenet-pytorch keeps its weights: ``$TORCH_HOME``, else below the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return Path(home).expanduser() / "checkpoints"
