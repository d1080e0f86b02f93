"""A small network of our own for the synthetic set; of no use on photographs of real people.

Two sets of weights are in the package: ``balanced``, and ``custody``, the same matcher retrained
on a set in which some groups are over-retained. ``scripts/train_tiny.py`` made both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from frbench.errors import InputError
from frbench.matchers import Faces, Preprocess
from frbench.values import Float32s

EMBEDDING = 128
"""Length of the vectors."""

_SHIPPED = Path(__file__).parent / "weights"
_NAMES = ("balanced", "custody")
_BATCH = 64


class _Step(nn.Sequential):
    """Convolution, normalisation, activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.PReLU(outputs),
        )


class _Residual(nn.Module):
    """Two steps beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _Step(channels, channels, 3, 1),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


class TinyNet(nn.Module):
    """Pictures float32 [B, 3, 112, 112] about -1 to 1, to embeddings float32 [B, 128]."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            _Step(3, 16, 5, 2),
            _Step(16, 32, 3, 2),
            _Step(32, 64, 3, 2),
            _Residual(64),
            _Step(64, 96, 3, 2),
            _Residual(96),
            _Step(96, 256, 1, 1),
        )
        # Where on the face a thing is seen matters, so the last map is weighed place by place.
        self.places = nn.Conv2d(256, 256, 7, groups=256, bias=False)
        self.head = nn.Sequential(
            nn.BatchNorm1d(256), nn.Linear(256, EMBEDDING, bias=False), nn.BatchNorm1d(EMBEDDING)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        embedded: Tensor = self.head(self.places(self.trunk(pictures)).flatten(1))
        return embedded


class TinyMatcher:
    """Embeds 112x112 synthetic faces with ``TinyNet``.

    Inference on the CPU is deterministic for one machine, thread count and batch; the same face
    in batches of other sizes differs by rounding only (about 1e-6 of a unit vector).

    Args:
        weights: ``balanced``, ``custody``, or the path of a .safetensors file with the same
            tensors (float16 or float32).
        device: torch device to compute on.
    """

    default_detector = "precropped"

    def __init__(self, *, weights: str = "balanced", device: str = "cpu") -> None:
        self.weights = weights
        self.device = device
        self.name = f"tiny_{weights if weights in _NAMES else Path(weights).stem}"
        self.preprocess = Preprocess(
            input_size=112,
            alignment="none",
            mean=(127.5, 127.5, 127.5),
            std=(127.5, 127.5, 127.5),
            licence="MIT",
            source="trained on synthetic faces by scripts/train_tiny.py",
        )
        self._net: TinyNet | None = None

    @property
    def path(self) -> Path:
        """The weights file."""
        if self.weights in _NAMES:
            return _SHIPPED / f"tiny_{self.weights}.safetensors"
        return Path(self.weights).expanduser()

    def embed(self, faces: Faces) -> Float32s:
        """Unit vectors, float32 (b, 128).

        Args:
            faces: uint8 (b, 112, 112, 3) RGB.

        Raises:
            InputError: the faces have another shape or type, or the weights cannot be loaded.
        """
        side = self.preprocess.input_size
        if faces.dtype != np.uint8 or faces.ndim != 4 or faces.shape[1:] != (side, side, 3):
            raise InputError(
                f"matcher {self.name}: faces are {faces.dtype} {faces.shape}; "
                f"hand in uint8 (b, {side}, {side}, 3) RGB."
            )
        net = self._loaded()
        parts = [np.zeros((0, EMBEDDING), dtype=np.float32)]
        with torch.inference_mode():
            for start in range(0, len(faces), _BATCH):
                part = torch.from_numpy(np.ascontiguousarray(faces[start : start + _BATCH]))
                vectors = functional.normalize(net(as_input(part.to(self.device))), dim=1)
                parts.append(vectors.cpu().numpy())
        return np.concatenate(parts)

    def identity(self) -> Mapping[str, Any]:
        """SHA-256 of the weights, precision of the arithmetic, version of torch."""
        return {
            "matcher": "tiny",
            "weights_sha256": hashlib.sha256(_read(self.path)).hexdigest(),
            "preprocess": self.preprocess.identity(),
            "precision": "float32",
            "device": self.device,
            "torch": torch.__version__,
        }

    def trainable(self) -> TinyNet:
        """A copy of the network to be trained further, on the CPU."""
        return load_net(self.path)

    def retrained(self, weights: Path) -> TinyMatcher:
        """The same matcher with other weights."""
        return TinyMatcher(weights=str(weights), device=self.device)

    def _loaded(self) -> TinyNet:
        if self._net is None:
            self._net = load_net(self.path).to(self.device)
        return self._net


def as_input(pictures: Tensor) -> Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W], -1 to 1."""
    return pictures.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1


def load_net(path: Path) -> TinyNet:
    """The network with the file's weights, in float32, ready for inference.

    Raises:
        InputError: the file is absent, is not safetensors, or holds other tensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        state = load(_read(path))
    except SafetensorError as why:
        raise InputError(
            f"matcher tiny: {path} is not a safetensors file ({why}); "
            "name 'balanced', 'custody' or a file that scripts/train_tiny.py wrote."
        ) from why
    net = TinyNet()
    expected = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    wrong = sorted(
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    )
    if wrong:
        raise InputError.listing(
            f"matcher tiny: {path} does not hold this network's tensors; "
            "write it with scripts/train_tiny.py:",
            [
                f"{name}: {found.get(name, 'absent')}, expected {expected.get(name, 'none')}"
                for name in wrong
            ],
        )
    net.load_state_dict(state)
    return net.float().eval()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as why:
        raise InputError(
            f"matcher tiny: cannot read the weights file {path} ({why.strerror}); "
            "name 'balanced', 'custody' or the path of a .safetensors file."
        ) from why
