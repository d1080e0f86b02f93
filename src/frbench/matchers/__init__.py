"""The shelf of face matchers: a vector per face, with the preprocessing each one was made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from frbench.values import EmbeddingSet, Float32s

Faces = npt.NDArray[np.uint8]
"""uint8 (b, H, W, 3) RGB, cropped and aligned as the matcher's Preprocess says."""


@dataclass(frozen=True)
class Preprocess:
    """What a matcher needs done to an image before it sees it. Part of the cache key.

    Attributes:
        input_size: side of the square crop, pixels.
        alignment: ``none`` (the image is the crop, resized if needed), ``box`` (detector's box
            with a margin, resized), ``five_point`` (similarity warp to the 112x112 template),
            ``dlib_chip`` (dlib's own chip from its five points).
        margin: for ``box``: pixels of margin at ``input_size``, as facenet-pytorch defines it.
        interpolation: name of Pillow's filter.
        colour_order: ``RGB`` or ``BGR``; the matcher is always handed RGB and converts itself.
        mean, std: the matcher subtracts and divides by these, on the 0-255 scale.
        licence, source: of the weights, for the record.
    """

    input_size: int
    alignment: Literal["none", "box", "five_point", "dlib_chip"]
    margin: int = 0
    interpolation: str = "bilinear"
    colour_order: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    licence: str = ""
    source: str = ""

    def identity(self) -> dict[str, Any]:
        """As plain data, for hashing and for the run record."""
        return asdict(self)


class Matcher(Protocol):
    """Turns aligned faces into vectors. Weights are loaded at first use, not on construction.

    ``default_detector`` names the choice of the config group ``detector`` that it was made for.
    """

    name: str
    preprocess: Preprocess
    default_detector: str

    def embed(self, faces: Faces) -> Float32s:
        """float32 (b, d), not necessarily of unit length; a row with NaN is a failure to enrol."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """Everything that can change the vectors: SHA-256 of the weights bytes, versions."""
        ...


class TemplateStore(Protocol):
    """A matcher whose vectors exist already (``matcher=embeddings``): no image is opened."""

    name: str

    def lookup(self, image_ids: npt.NDArray[np.str_]) -> EmbeddingSet:
        """The stored vectors in the order asked for. Raises InputError naming absent images."""
        ...
